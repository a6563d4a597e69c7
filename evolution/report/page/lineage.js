"use strict";
// From objective to checkpoint, drawn: a row a step.
const Lineage = (() => {
  const { el, svg, say, known } = P;

  const text = (at, y, words, more) => svg("text", { x: at, y, class: "node-text", ...more }, words);
  const short = (words, most) => (words.length > most ? words.slice(0, most - 1) + "…" : words);

  // What every lineage begins with: the objective, the shard of a step, what each filter left; `tops` says where a row is.
  function origins(drawn, l, x, end, tops) {
    const most = Math.max(1, ...l.steps.flatMap(s => Object.values(s.refined)));
    let begin = 0;
    l.steps.forEach((s, i) => {
      const y = tops(i),
        mid = y + 15;
      if (i === l.steps.length - 1 || l.steps[i + 1].objective !== s.objective) {
        const y0 = tops(begin),
          y1 = mid + 15,
          words = s.objective.match(/.{1,20}/g) || [""];
        drawn.append(
          svg(
            "rect",
            { x: x.objective, y: y0, width: 152, height: y1 - y0, rx: 7, class: "node objective" },
            svg("title", {}, s.objective),
          ),
          ...words
            .slice(0, Math.max(1, Math.min(3, Math.floor((y1 - y0) / 16))))
            .map((w, n) => text(x.objective + 9, y0 + 19 + 15 * n, w)),
        );
        begin = i + 1;
      }
      drawn.append(
        svg("path", {
          d: `M${x.objective + 152} ${mid}H${x.shard}M${x.shard + 118} ${mid}H${x.refine}`,
          class: "edge",
        }),
        svg("rect", { x: x.shard, y, width: 118, height: 30, rx: 5, class: "node" }, svg("title", {}, s.shard)),
        text(x.shard + 9, mid + 4, short(s.shard, 16)),
      );
      const counts = Object.entries(s.refined).filter(([name, n]) => !(name === "recalled" && n === 0));
      const each = (end - x.refine) / Math.max(1, counts.length + 1);
      [...counts, ["learned from", s.learned]].forEach(([name, n], c) => {
        const tall = Math.max(3, (26 * n) / most),
          left = x.refine + c * each;
        drawn.append(
          svg(
            "rect",
            { x: left, y: mid - tall / 2, width: each - 3, height: tall, class: "flow" },
            svg("title", {}, `${name}: ${n}`),
          ),
          text(left + (each - 3) / 2, mid + 4, String(n), { "text-anchor": "middle", class: "node-text on-flow" }),
        );
      });
    });
  }
  // Which steps are drawn, and which kept a checkpoint.
  const note = l =>
    (l.every > 1 ? `Every ${l.every === 2 ? "second" : l.every + "th"} of ${l.of} steps is drawn. ` : "") +
    "Bars are episodes: acquired, then what each filter left, then what was learned from. " +
    `Steps with a checkpoint that is kept: ${l.checkpoints.join(", ") || "none"}.`;

  // An empty drawing with the heads of its columns: [words, x], ...
  const canvas = (width, height, label, heads) =>
    svg(
      "svg",
      {
        viewBox: `0 0 ${width} ${height}`,
        width,
        height,
        role: "img",
        class: "lineage",
        "aria-label": `${label}, a row a step; its numbers follow as a table.`,
      },
      heads.map(([words, at]) => text(at, 20, words, { class: "node-head" })),
      svg("line", { x1: 0, x2: width, y1: 30, y2: 30, class: "grid" }),
    );

  function lineage(run) {
    const l = run.get("lineage");
    if (!l.steps.length) return null;
    if (l.steps.some(s => s.context)) return Contexts.lineage(run);
    const width = 940,
      row = 40,
      top = 46,
      height = top + row * l.steps.length + 8;
    const x = { objective: 8, shard: 190, refine: 340, update: 640, check: 770 };
    const drawn = canvas(width, height, "Lineage from objective to checkpoint", [
      ["objective", x.objective],
      ["experience", x.shard],
      ["refine", x.refine],
      ["update", x.update],
      ["evaluation, checkpoint", x.check],
    ]);
    origins(drawn, l, x, x.update - 30, i => top + i * row);
    l.steps.forEach((s, i) => {
      const y = top + i * row,
        mid = y + 15;
      drawn.append(
        svg("path", { d: `M${x.update - 30} ${mid}H${x.update}M${x.update + 96} ${mid}H${x.check}`, class: "edge" }),
      );
      drawn.append(
        svg("rect", { x: x.update, y, width: 96, height: 30, rx: 15, class: "node" }),
        text(x.update + 48, mid + 4, `v${s.before} → v${s.after}`, { "text-anchor": "middle" }),
      );
      if (known(s.accuracy))
        drawn.append(
          svg("circle", { cx: x.check + 10, cy: mid, r: 5, fill: "var(--c0)" }),
          text(x.check + 20, mid + 4, say.share(s.accuracy)),
        );
      if (s.checkpoint)
        drawn.append(
          svg("rect", { x: x.check + 82, y: mid - 6, width: 12, height: 12, class: "kept" }),
          text(x.check + 99, mid + 4, "checkpoint"),
        );
    });
    const names = [...new Set(l.steps.flatMap(s => Object.keys(s.refined)))];
    return [
      el("p", {}, note(l)),
      el("div", { class: "wide card lineage-card", tabindex: 0, role: "region", "aria-label": "lineage" }, drawn),
      el(
        "details",
        { class: "screen-only numbers" },
        el("summary", {}, "numbers"),
        P.table(
          ["step", "experience", ...names, "learned from", "version", "accuracy", "checkpoint"],
          l.steps.map(s =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, String(s.step)),
              el("td", {}, s.shard),
              names.map(n => el("td", {}, say.count(s.refined[n]))),
              el("td", {}, say.count(s.learned)),
              el("td", {}, `${s.before} → ${s.after}`),
              el("td", {}, say.share(s.accuracy)),
              el("td", {}, s.checkpoint ? "kept" : ""),
            ),
          ),
          "lineage in numbers",
        ),
      ),
    ];
  }
  return { lineage, canvas, origins, note, text };
})();
