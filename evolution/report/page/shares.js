"use strict";
// Shares of a whole, over steps and at once, and how verdicts are marked: by a sign and a hue, never by the hue alone.
(() => {
  const { el, svg, say, colour, responsive, numbers: table } = P;

  P.verdicts = {
    correct: { glyph: "✓", colour: 0 },
    partial: { glyph: "◐", colour: 6 },
    wrong: { glyph: "✗", colour: 1 },
    unparsed: { glyph: "?", colour: 4 },
    illegal: { glyph: "⊘", colour: 3 },
    timeout: { glyph: "⧖", colour: 2 },
    crashed: { glyph: "‡", colour: 3 },
    broken_task: { glyph: "∅", colour: 5 },
    infrastructure: { glyph: "!", colour: 5 },
  };
  P.verdict = name => P.verdicts[name] || { glyph: "·", colour: 5 };

  // Shares of a whole over steps, as stacked bars; `parts` are [{name, colour, counts}].
  P.stack = spec => {
    const whole = spec.steps.map((_, i) => spec.parts.reduce((sum, part) => sum + part.counts[i], 0));
    if (!spec.steps.length) return null;
    const readout = el("p", { class: "readout small dim", role: "status" }, " ");
    let at = spec.steps.length - 1;
    const tell = index => {
      at = Math.max(0, Math.min(spec.steps.length - 1, index));
      const span =
        spec.every > 1 ? `steps ${spec.steps[at]} to ${spec.steps[at] + spec.every - 1}` : `step ${spec.steps[at]}`;
      readout.textContent =
        `${span}: ` +
        spec.parts.map(p => `${p.name} ${say.share(p.counts[at] / whole[at])}`).join(" · ") +
        ` of ${say.count(whole[at])}`;
    };
    function draw(width) {
      const height = 210,
        left = 52,
        right = 14,
        top = 8,
        bottom = 28,
        inner = width - left - right;
      const n = spec.steps.length,
        bar = inner / n,
        y = share => top + (1 - share) * (height - top - bottom);
      const drawn = svg("svg", {
        viewBox: `0 0 ${width} ${height}`,
        role: "img",
        tabindex: 0,
        "aria-label": `${spec.title}. Arrow keys read it step by step; its numbers follow as a table.`,
      });
      for (const t of [0, 0.25, 0.5, 0.75, 1])
        drawn.append(
          svg("line", { class: "grid", x1: left, x2: width - right, y1: y(t), y2: y(t) }),
          svg("text", { class: "tick", x: left - 7, y: y(t) + 4, "text-anchor": "end" }, `${100 * t} %`),
        );
      spec.steps.forEach((_, i) => {
        let below = 0;
        spec.parts.forEach(part => {
          const share = part.counts[i] / whole[i];
          if (!(share > 0)) return;
          drawn.append(
            svg("rect", {
              x: left + i * bar,
              width: Math.max(0.6, bar - (bar > 5 ? 1 : 0)),
              y: y(below + share),
              height: y(below) - y(below + share),
              fill: colour(part.colour),
              class: "slab",
            }),
          );
          below += share;
        });
      });
      const every = Math.max(1, Math.ceil(n / Math.max(2, Math.floor(inner / 70))));
      spec.steps.forEach((s, i) => {
        if (i % every === 0)
          drawn.append(
            svg(
              "text",
              { class: "tick", x: left + (i + 0.5) * bar, y: height - 9, "text-anchor": "middle" },
              String(s),
            ),
          );
      });
      drawn.addEventListener("pointermove", event => {
        const box = drawn.getBoundingClientRect();
        tell(Math.floor((((event.clientX - box.left) * width) / box.width - left) / bar));
      });
      drawn.addEventListener("focus", () => tell(at));
      drawn.addEventListener("keydown", event => {
        const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: n - 1 }[event.key];
        if (to !== undefined) {
          tell(to);
          event.preventDefault();
        }
      });
      return drawn;
    }
    const total = whole.reduce((a, b) => a + b, 0);
    return el(
      "figure",
      { class: "chart card" },
      el("figcaption", {}, el("h3", {}, spec.title), spec.note && el("p", { class: "small dim" }, spec.note)),
      el(
        "ul",
        { class: "legend" },
        spec.parts.map(part =>
          el(
            "li",
            {},
            el("span", { class: "swatch", style: { background: colour(part.colour) } }, part.glyph || ""),
            `${part.name} `,
            el("span", { class: "dim" }, say.share(part.counts.reduce((a, b) => a + b, 0) / total)),
          ),
        ),
      ),
      responsive(draw),
      readout,
      table(
        spec.title,
        ["step", ...spec.parts.map(p => p.name)],
        spec.steps.map((s, i) => [String(s), ...spec.parts.map(p => say.count(p.counts[i]))]),
      ),
    );
  };

  // One bar of parts [{name, value, colour}], each said in words beside it.
  P.parts = (title, parts, format) => {
    const shown = parts.filter(p => p.value > 0),
      whole = shown.reduce((sum, p) => sum + p.value, 0);
    if (!shown.length) return null;
    let x = 0;
    return el(
      "figure",
      { class: "chart card" },
      el("figcaption", {}, el("h3", {}, title)),
      svg(
        "svg",
        { viewBox: "0 0 100 7", preserveAspectRatio: "none", class: "partbar", "aria-hidden": "true" },
        shown.map(p => {
          const width = (100 * p.value) / whole,
            rect = svg("rect", { x, y: 0, width: Math.max(0, width - 0.25), height: 7, fill: colour(p.colour) });
          x += width;
          return rect;
        }),
      ),
      el(
        "ul",
        { class: "legend" },
        shown.map(p =>
          el(
            "li",
            {},
            el("span", { class: "swatch", style: { background: colour(p.colour) } }),
            `${p.name} `,
            el("b", {}, format(p.value)),
            el("span", { class: "dim" }, ` ${((100 * p.value) / whole).toFixed(0)} %`),
          ),
        ),
      ),
    );
  };
})();
