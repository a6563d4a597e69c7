"use strict";
// Before and after, verdicts, positions and cross tables: one run at a time.
const Tables = (() => {
  const { el, say, known } = P;

  const KINDS = [
    ["right_right", "right", "right"],
    ["right_wrong", "right", "wrong"],
    ["wrong_right", "wrong", "right"],
    ["wrong_wrong", "wrong", "wrong"],
  ];
  const attempts = t => (t.pairs > t.tasks ? `attempts at ${say.count(t.tasks)} tasks` : "tasks");
  function transitions(run) {
    const found = run.get("transitions");
    const sides = run.get("excerpt").held_out;
    if (!found.length)
      return el(
        "p",
        { class: "dim" },
        sides.length < 2
          ? "Before and after can be compared once there are two evaluations."
          : "What was measured is no single answer that is right or wrong, such as games: the curves show it.",
      );
    const ways = run.get("arms").names;
    const who = (step, way) => (ways.length ? `${way} at step ${step}` : `at step ${step}`);
    return [
      el(
        "p",
        {},
        `The same held-out tasks, ${who(sides[0].step, "answered alone")} `,
        `and ${who(sides.at(-1).step, `by ${ways[0]}`)}. Press a cell to read its episodes.`,
      ),
      el(
        "div",
        { class: "crosses" },
        found.map(t => {
          const cell = kind => {
            const [key, from, to] = kind,
              share = t[key] / t.pairs;
            const way = from === to ? "same" : to === "right" ? "gain" : "loss";
            return el(
              "td",
              { class: "cross " + way, style: { "--strength": share.toFixed(3) } },
              el(
                "button",
                {
                  type: "button",
                  "data-transition": key,
                  "data-env": t.env,
                  "aria-label": `${from} before, ${to} after: ${t[key]} of ${t.pairs} ${attempts(t)}. Read them.`,
                  onclick: () =>
                    document.dispatchEvent(
                      new CustomEvent("read", { detail: { transition: key, env: t.env, run: run.number } }),
                    ),
                },
                el("b", {}, say.count(t[key])),
                el("small", {}, `${say.share(share)} ${{ gain: "mended", loss: "lost", same: `stayed ${to}` }[way]}`),
              ),
            );
          };
          const [word, way] = Overview.verdictOf(t.change);
          return el(
            "div",
            { class: "card cross-card" },
            el("h3", {}, t.env),
            el(
              "table",
              { class: "cross-table" },
              el(
                "thead",
                {},
                el(
                  "tr",
                  {},
                  el("th", { class: "left", scope: "col" }, "before"),
                  el("th", { scope: "col" }, "right after"),
                  el("th", { scope: "col" }, "wrong after"),
                ),
              ),
              el(
                "tbody",
                {},
                el("tr", {}, el("th", { scope: "row" }, "right"), cell(KINDS[0]), cell(KINDS[1])),
                el("tr", {}, el("th", { scope: "row" }, "wrong"), cell(KINDS[2]), cell(KINDS[3])),
              ),
            ),
            el(
              "p",
              { class: "small" },
              el("span", { class: "word " + way }, word),
              ` ${Overview.change(t.change)}`,
              el("span", { class: "dim" }, ` · ${say.count(t.pairs)} ${attempts(t)}, 95 % over tasks`),
            ),
          );
        }),
      ),
    ];
  }

  function verdicts(run) {
    const s = run.get("statuses");
    const parts = Object.entries(s.counts).map(([name, counts]) => ({
      name: Overview.nice(name),
      counts,
      ...P.verdict(name),
    }));
    return parts.length
      ? P.stack({
          title: "verdicts in training",
          note: "Share of a step's episodes by how they were judged.",
          steps: s.steps,
          every: s.every,
          parts,
        })
      : null;
  }

  function positions(run) {
    const found = run.get("positions");
    return found.length
      ? el(
          "div",
          { class: "charts two" },
          found.map(p =>
            P.lines({
              title: `accuracy by where the answer lies · ${p.env}`,
              format: say.share,
              low: 0,
              high: 1,
              note:
                p.sides
                  .map(s => (known(s.sag[0]) ? `Step ${s.step}: ends above middle by ${Overview.change(s.sag)}. ` : ""))
                  .join("") + "The answer's place is told in tenths of the document" +
                (p.sides.some(s => s.low.some(known)) ? "; bands are 95 % intervals." : "."),
              unit: "tenth",
              series: p.sides.map((s, i) => ({
                name: p.sides.length === 1 ? `at step ${s.step}` : `${i ? "after" : "before"} (step ${s.step})`,
                steps: s.tenths.map((_, t) => t + 1),
                value: s.tenths,
                low: s.low.some(known) ? s.low : undefined,
                high: s.low.some(known) ? s.high : undefined,
                points: true,
                colour: i ? 0 : 1,
                dash: i ? 0 : 1,
              })),
            }),
          ),
        )
      : null;
  }

  function heat(value, low, high) {
    const strength = high > low ? (value - low) / (high - low) : 0;
    return { "--strength": (0.75 * strength).toFixed(3) };
  }
  function transfer(run) {
    const t = run.get("transfer"),
      objective = run.get("about").objective;
    if (!t) return null;
    // Several measures of one environment are no other places: only those that the objective names are.
    const places = objective ? new Set([...objective.ladder, ...objective.watched]) : new Set(t.envs),
      columns = t.envs.map((env, c) => ({ env, c })).filter(({ env }) => places.has(env));
    if (columns.length < 2) return null;
    const rows = ["before", ...t.stages.map((s, i) => `after learning ${s}`)];
    return [
      el("h3", {}, "What learning in one place did to others"),
      el(
        "p",
        { class: "dim small" },
        "Held-out accuracy after each stage of learning, and how far the end is below the best that was ever reached." +
          (known(t.backward) ? ` What later stages added to earlier ones, on average: ${say.points(t.backward)}.` : ""),
      ),
      P.table(
        ["", ...columns.map(({ env }) => env)],
        [
          ...rows.map((label, r) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, label),
              columns.map(({ c }) =>
                el(
                  "td",
                  { class: "heat", style: heat(t.accuracy[r][c], 0, 1) },
                  say.share(t.accuracy[r][c]),
                  r > 0 && el("small", {}, say.points(t.accuracy[r][c] - t.accuracy[r - 1][c])),
                ),
              ),
            ),
          ),
          el(
            "tr",
            {},
            el("th", { scope: "row" }, "forgotten"),
            columns.map(({ env }) =>
              el("td", {}, t.forgotten[env] > 0 ? say.points(-t.forgotten[env]) : "nothing"),
            ),
          ),
        ],
        "transfer and forgetting",
      ),
    ];
  }
  function opponents(run) {
    const played = run.get("measured").filter(m => m.measure.startsWith("share won") || m.measure.startsWith("points"));
    if (!played.length) return null;
    const steps = [...new Set(played.flatMap(m => m.steps))].sort((a, b) => a - b);
    const shown =
      steps.length > 8
        ? steps.filter((_, i) => i % Math.ceil(steps.length / 8) === 0 || i === steps.length - 1)
        : steps;
    return [
      el("h3", {}, "Against whom"),
      el("p", { class: "dim small" }, "Share won, with its 95 % interval, at each evaluation."),
      P.table(
        ["", ...shown.map(s => `step ${s}`)],
        played.map(m =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, m.measure.replace(/^(share won|points) against /, "")),
            shown.map(s => {
              const i = m.steps.indexOf(s);
              return el(
                "td",
                { class: "heat", style: i < 0 ? {} : heat(m.value[i], 0, 1) },
                i < 0 ? "–" : say.share(m.value[i]),
                i < 0 ? null : el("small", {}, say.interval(m.low[i], m.high[i])),
              );
            }),
          ),
        ),
        "against whom",
      ),
    ];
  }
  function league(run) {
    const l = run.get("league");
    if (!l) return null;
    const points = r => (r && known(r[0]) ? `${r[0] < 0 ? "−" : "+"}${Math.abs(r[0]).toFixed(0)}` : "–");
    return [
      el("h3", {}, "The league"),
      el(
        "p",
        { class: "dim small" },
        "What the policy that learns has won against its frozen ancestors, ",
        "and by how many Elo points it is above each.",
      ),
      P.table(
        ["member", "games", "share of the points", "rating above it"],
        l.members.map(m =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, m.name, m.name === l.champion && el("span", { class: "badge" }, "champion")),
            el("td", {}, say.count(m.games)),
            el(
              "td",
              {},
              m.share ? [say.share(m.share[0]), el("small", {}, say.interval(m.share[1], m.share[2]))] : "–",
            ),
            el(
              "td",
              {},
              points(m.rating),
              m.rating && known(m.rating[1]) && known(m.rating[2])
                ? el("small", {}, `${m.rating[1].toFixed(0)} to ${m.rating[2].toFixed(0)}`)
                : null,
            ),
          ),
        ),
        "the league",
      ),
    ];
  }
  function passes(run) {
    const history = run.get("history"),
      last = history.at(-1);
    const rows = (last?.scores || []).filter(s => Object.keys(s.pass_at_k || {}).length);
    if (!rows.length) return null;
    // What was measured once has no before.
    const several = history.length > 1,
      before = env => history[0].scores.find(s => s.env === env)?.pass_at_k || {};
    const cell = e => el("td", {}, e ? [say.share(e.value), el("small", {}, say.interval(e.low, e.high))] : "–");
    return [
      el("h3", {}, "pass@k"),
      P.table(
        ["", "k", ...(several ? ["before", "after"] : [`at step ${last.step}`])],
        rows.flatMap(s =>
          Object.entries(s.pass_at_k).map(([k, e]) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, s.env),
              el("td", {}, k),
              several && cell(before(s.env)[k]),
              cell(e),
            ),
          ),
        ),
        "pass at k",
      ),
    ];
  }
  const crosses = run => [transfer(run), opponents(run), league(run), passes(run)].filter(Boolean);
  return { transitions, verdicts, positions, crosses };
})();
