"use strict";
// From objective to what is told, drawn: a row a step, and below it where the run looked back.
const Contexts = (() => {
  const { el, svg, say, known } = P,
    { text } = Lineage;

  const brief = digest => (digest || "").slice(0, 6);
  // Mean rewards, with as many digits as tell them apart.
  const reward = x => (known(x) ? x.toFixed(2).replace("-", "−") : "–");
  const apart = x => (known(x) ? (x < 0 ? "−" : "+") + Math.abs(x).toFixed(2) : "–");
  const gain = g =>
    `${apart(g[0])}${known(g[1]) ? ` (${reward(g[1])} to ${reward(g[2])})` : ""}`;
  const measured = m =>
    `mean reward ${reward(m.before)} → ${reward(m.after)}, ${gain(m.gain)}, over ${say.count(m.tasks)} tasks set aside`;

  // Versions are called by their numbers, which the lineage and what is kept know.
  function names(run) {
    const found = new Map();
    for (const s of run.get("lineage").steps)
      if (s.context) {
        found.set(s.context.before, s.before);
        found.set(s.context.after, s.after);
      }
    for (const v of run.get("contexts")?.versions || []) found.set(v.digest, v.number);
    return digest => (found.has(digest) ? `v${found.get(digest)}` : brief(digest));
  }
  const looked = (back, name) =>
    `looked back at ${name(back.to)}: ${reward(back.measured.before)} there, ${reward(back.measured.after)} now; ` +
    (back.rolled_back ? `surely worse, back to ${name(back.to)}` : "it stays");

  function lineage(run) {
    const l = run.get("lineage"),
      name = names(run);
    const x = { objective: 8, shard: 184, refine: 326, proposed: 494, judged: 616, told: 772, check: 852 },
      width = 1010,
      row = 40,
      more = 20;
    const tops = [];
    let y = 46;
    for (const s of l.steps) {
      tops.push(y);
      y += row + (s.context?.looked_back ? more : 0);
    }
    const height = y + 8;
    const drawn = Lineage.canvas(width, height, "Lineage from objective to what is told", [
      ["objective", x.objective],
      ["experience", x.shard],
      ["refine", x.refine],
      ["proposed", x.proposed],
      ["validated", x.judged],
      ["told", x.told],
      ["evaluation, checkpoint", x.check],
    ]);
    Lineage.origins(drawn, l, x, x.proposed - 20, i => tops[i]);
    l.steps.forEach((s, i) => {
      const mid = tops[i] + 15,
        c = s.context || {};
      const told = x.told + 26;
      if (i) drawn.append(svg("path", { d: `M${told} ${tops[i - 1] + 30}V${tops[i]}`, class: "edge" }));
      if (c.proposed) {
        const word = c.accepted ? "✓ accepted" : "✗ rejected";
        drawn.append(
          svg("path", { d: `M${x.proposed - 20} ${mid}H${x.proposed}M${x.proposed + 92} ${mid}H${x.judged - 4}`, class: "edge" }),
          c.accepted && svg("path", { d: `M${x.judged + 122} ${mid}H${x.told}`, class: "edge strong" }),
          svg("rect", { x: x.proposed, y: tops[i], width: 92, height: 30, rx: 5, class: c.accepted ? "node" : "node refused" }),
          text(x.proposed + 9, mid + 4, c.accepted ? `${brief(c.proposed)} ${name(c.proposed)}` : brief(c.proposed)),
          svg(
            "g",
            {},
            svg("title", {}, measured(c.measured)),
            text(x.judged, mid - 2, `${reward(c.measured.before)} → ${reward(c.measured.after)} of ${c.measured.tasks}`),
            text(x.judged, mid + 13, word, { class: "node-text " + (c.accepted ? "good" : "bad") }),
          ),
        );
      } else drawn.append(text(x.proposed, mid + 4, "nothing proposed", { class: "node-text quiet" }));
      drawn.append(
        svg("rect", { x: x.told, y: tops[i], width: 52, height: 30, rx: 15, class: c.accepted ? "node objective" : "node" }),
        text(told, mid + 4, name(c.after), { "text-anchor": "middle" }),
      );
      if (c.looked_back)
        drawn.append(
          text(x.proposed, tops[i] + row + 6, `↩ ${looked(c.looked_back, name)}`, {
            class: "node-text " + (c.looked_back.rolled_back ? "bad" : "quiet"),
          }),
        );
      if (known(s.accuracy))
        drawn.append(
          svg("circle", { cx: x.check + 6, cy: mid, r: 5, fill: "var(--c0)" }),
          text(x.check + 16, mid + 4, say.share(s.accuracy)),
        );
      if (s.checkpoint)
        drawn.append(
          svg("rect", { x: x.check + 72, y: mid - 6, width: 12, height: 12, class: "kept" }),
          text(x.check + 89, mid + 4, "checkpoint"),
        );
    });
    return [
      el("p", {}, Lineage.note(l), " A proposal is played against what is told, on the same tasks set aside."),
      el("div", { class: "wide card lineage-card", tabindex: 0, role: "region", "aria-label": "lineage" }, drawn),
      numbers(l, name),
      pool(run, name),
    ];
  }

  // Instructions that are evolved: every candidate, the last ones of many.
  function pool(run, name) {
    const p = run.get("pool");
    if (!p) return null;
    return [
      el("h3", { class: "below" }, "The pool of candidates"),
      el(
        "p",
        { class: "dim small" },
        `Compared on the same ${say.count(p.tasks)} training tasks. Best at: tasks at which no other does better. `,
        p.candidates.length < p.of ? `The last ${p.candidates.length} of ${say.count(p.of)} are shown.` : "",
      ),
      P.table(
        ["candidate", "step", "made of", "mean reward", "best at", "told as", "instructions"],
        p.candidates.map(c =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, String(c.number)),
            el("td", {}, String(c.step)),
            el("td", {}, c.parents.length ? c.parents.join(" and ") : "the start"),
            el("td", {}, reward(c.mean)),
            el("td", {}, say.count(c.best)),
            el("td", {}, name(c.digest).startsWith("v") ? name(c.digest) : "never"),
            el("td", { class: "left" }, el("pre", { class: "says" }, c.says || "none")),
          ),
        ),
        "the pool of candidates",
      ),
    ];
  }

  function numbers(l, name) {
    return el(
      "details",
      { class: "screen-only numbers" },
      el("summary", {}, "numbers"),
      P.table(
        ["step", "experience", "learned from", "told before", "proposed", "validated", "looked back", "told after", "accuracy"],
        l.steps.map(s => {
          const c = s.context || {};
          return el(
            "tr",
            {},
            el("th", { scope: "row" }, String(s.step)),
            el("td", {}, s.shard),
            el("td", {}, say.count(s.learned)),
            el("td", {}, name(c.before)),
            el("td", {}, c.proposed ? brief(c.proposed) : "nothing"),
            el("td", {}, c.proposed ? [c.accepted ? "accepted" : "rejected", el("small", {}, measured(c.measured))] : "–"),
            el("td", {}, c.looked_back ? looked(c.looked_back, name) : "–"),
            el("td", {}, name(c.after)),
            el("td", {}, say.share(s.accuracy)),
          );
        }),
        "lineage in numbers",
      ),
    );
  }
  return { lineage, names, measured };
})();
