"use strict";
// Ways of answering: accuracy round by round, what became of first answers, and what an answer cost.
const Rounds = (() => {
  const { el, say, known } = P;

  // What became of an answer: the sign says it, the hue repeats it. In this order what is right at last lies on the left.
  const BECAME = [
    { at: 0, words: "right → right", short: "stayed right", glyph: "✓", kind: "stayed-right" },
    { at: 2, words: "wrong → right", short: "mended", glyph: "↗", kind: "mended" },
    { at: 1, words: "right → wrong", short: "lost", glyph: "↘", kind: "lost" },
    { at: 3, words: "wrong → wrong", short: "stayed wrong", glyph: "✗", kind: "stayed-wrong" },
  ];
  const share = bounded => (bounded && known(bounded[0]) ? say.share(bounded[0]) : "–");
  const bounds = bounded => (bounded && known(bounded[0]) ? say.interval(bounded[1], bounded[2]) : "");
  const key = n => el("span", { class: "key", style: { background: P.colour(n) } });

  function lines(found) {
    const most = Math.max(...found.arms.map(a => a.rounds.length)) - 1;
    const series = found.arms.map((a, i) => ({
      name: a.name,
      steps: a.rounds.map((_, n) => n),
      value: a.rounds.map(r => r[0]),
      low: a.rounds.map(r => r[1]),
      high: a.rounds.map(r => r[2]),
      points: true,
      always: true,
      colour: i,
      dash: i,
    }));
    return P.lines({
      title: `accuracy by round · ${found.env}`,
      note:
        (most ? "Round 0 is the first answer. " : "") +
        "Bands, and lines through what stands alone, are 95 % intervals over tasks.",
      format: say.share,
      low: 0,
      high: 1,
      from: 0,
      height: 260,
      unit: "round",
      series,
    });
  }

  function votes(found) {
    const of = found.arms.map((a, i) => ({ ...a, i })).filter(a => a.votes.length > 2);
    return of.length
      ? P.lines({
          title: `accuracy by how many vote · ${found.env}`,
          note: "The first answers of so many members, and a vote. Bands are 95 % intervals over tasks.",
          format: say.share,
          low: 0,
          high: 1,
          unit: "members",
          series: of.map(a => ({
            name: a.name,
            steps: a.votes.map(v => v[0]),
            ...Object.fromEntries(["value", "low", "high"].map((side, n) => [side, a.votes.map(v => v[1][n])])),
            points: true,
            always: true,
            colour: a.i,
            dash: a.i,
          })),
        })
      : null;
  }

  function became(found) {
    const changed = found.arms.map((a, i) => ({ ...a, i })).filter(a => a.transitions);
    if (!changed.length) return null;
    return el(
      "figure",
      { class: "chart card" },
      el(
        "figcaption",
        {},
        el("h3", {}, "what became of first answers"),
        el("p", { class: "small dim" }, "From the first answer to the last; what is right at last lies on the left."),
      ),
      el(
        "ul",
        { class: "legend" },
        BECAME.map(b => el("li", {}, el("span", { class: "swatch " + b.kind }, b.glyph), `${b.words}, ${b.short}`)),
      ),
      el(
        "ul",
        { class: "became" },
        changed.map(a => {
          const [word, way] = Overview.verdictOf(a.gain);
          return el(
            "li",
            {},
            el(
              "p",
              {},
              key(a.i),
              el("b", {}, a.name),
              el("span", { class: "dim" }, ` ${share(a.rounds[0])} → ${share(a.rounds.at(-1))}, `),
              el("span", { class: "word " + way }, word),
              el("span", { class: "dim" }, ` ${Overview.change(a.gain)}`),
            ),
            el(
              "div",
              { class: "bar" },
              BECAME.filter(b => a.transitions[b.at] > 0).map(b =>
                el(
                  "span",
                  {
                    class: `part ${b.kind}${a.transitions[b.at] < 0.14 ? " thin" : ""}`,
                    style: { "flex-grow": a.transitions[b.at] },
                    title: `${b.words}: ${say.share(a.transitions[b.at])}`,
                  },
                  el("span", { class: "visually-hidden" }, `${b.words} `),
                  // A sliver holds no words; the legend's sign and the table do.
                  a.transitions[b.at] > 0.085 && el("span", {}, `${b.glyph} ${(100 * a.transitions[b.at]).toFixed(0)} %`),
                ),
              ),
            ),
          );
        }),
      ),
    );
  }

  function cost(found) {
    const shown = found.alone ? [found.alone, ...found.arms] : found.arms,
      number = arm => found.arms.indexOf(arm);
    const unit = shown.some(a => a.tokens > 0) ? "tokens" : "replies",
      most = Math.max(...shown.map(a => a[unit] || 0), 1e-9);
    return el(
      "figure",
      { class: "chart card" },
      el(
        "figcaption",
        {},
        el("h3", {}, "what a task costs"),
        el("p", { class: "small dim" }, `Sampled, on average over tasks; what was read is not counted. Bars are ${unit}.`),
      ),
      el(
        "ul",
        { class: "meters costs" },
        shown.map(a =>
          el(
            "li",
            {},
            el("span", {}, key(number(a) < 0 ? 5 : number(a)), a.name),
            el(
              "span",
              { class: "track", "aria-hidden": "true" },
              el("span", {
                class: "fill",
                style: { width: `${(100 * (a[unit] || 0)) / most}%`, background: P.colour(number(a) < 0 ? 5 : number(a)) },
              }),
            ),
            el(
              "span",
              { class: "cost" },
              `${a.tokens > 0 ? say.figure(a.tokens) + " tokens, " : ""}${say.figure(a.replies)} `,
              a.replies === 1 ? "reply" : "replies",
              el("b", {}, ` ${share(a.rounds.at(-1))}`),
            ),
          ),
        ),
      ),
    );
  }

  function numbers(found, run) {
    const most = Math.max(...found.arms.map(a => a.rounds.length));
    const rounds = [...Array(most).keys()],
      cell = bounded => el("td", {}, share(bounded), el("small", {}, bounds(bounded)));
    const shown = found.alone ? [found.alone, ...found.arms] : found.arms;
    return P.table(
      [
        "way of answering",
        ...rounds.map(n => `round ${n}`),
        "gain",
        ...BECAME.map(b => b.words),
        "replies",
        "tokens",
        "",
      ],
      shown.map(a =>
        el(
          "tr",
          {},
          el(
            "th",
            { scope: "row" },
            a.name,
            a.within.map(([of, bounded]) =>
              el("small", {}, `within the tokens of ${of}: ${share(bounded)} (${bounds(bounded)})`),
            ),
          ),
          rounds.map(n => (a.rounds[n] ? cell(a.rounds[n]) : el("td", {}, ""))),
          a.gain
            ? el("td", {}, say.points(a.gain[0]), el("small", {}, Overview.bounds(a.gain)))
            : el("td", {}, "–"),
          BECAME.map(b => el("td", {}, a.transitions ? say.share(a.transitions[b.at]) : "–")),
          el("td", {}, say.figure(a.replies)),
          el("td", {}, say.figure(a.tokens)),
          el(
            "td",
            {},
            el(
              "button",
              {
                type: "button",
                class: "screen-only",
                "data-way": a.name,
                "aria-label": `read the episodes of ${a.name}`,
                onclick: () =>
                  document.dispatchEvent(
                    new CustomEvent("read", { detail: { way: a.name, env: found.env, run: run.number } }),
                  ),
              },
              "read",
            ),
          ),
        ),
      ),
      `ways of answering in numbers, ${found.env}`,
    );
  }

  const rounds = run =>
    run
      .get("arms")
      .found.map(found => [
        el(
          "div",
          { class: "charts two" },
          [lines(found), votes(found), became(found), cost(found)].filter(Boolean),
        ),
        el("div", { class: "below" }, numbers(found, run)),
      ]);
  return { rounds };
})();
