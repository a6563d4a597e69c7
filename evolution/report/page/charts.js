"use strict";
// Charts: lines with bands, stacked shares, bars. Each can be read by pointer, by arrow keys, and as a table.
(() => {
  const { el, svg, say, known } = P;
  const DASHES = ["", "7 4", "2 3", "9 3 2 3", "4 2", "12 4", "1 4"];
  const colour = n => `var(--c${n % 7})`;

  function ticks(low, high, about) {
    if (!(high > low)) return [low];
    const raw = (high - low) / about, ten = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map(m => m * ten).find(s => s >= raw * 0.999);
    const found = [];
    for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + step * 1e-6; t += step) found.push(+t.toPrecision(12));
    return found;
  }
  // The mean of as many neighbours as tell where noise goes; few points stay as they are.
  P.smooth = values => {
    if (values.length < 20) return values;
    const half = Math.max(2, Math.floor(values.length / 25));
    return values.map((_, i) => {
      const near = values.slice(Math.max(0, i - half), i + half + 1).filter(known);
      return near.length ? near.reduce((a, b) => a + b, 0) / near.length : null;
    });
  };

  // Redraws what `draw(width)` makes whenever its place has another width.
  function responsive(draw) {
    const place = el("div", { class: "plot" });
    let last = 0;
    const again = () => {
      const width = Math.round(place.clientWidth) || 640;
      if (width !== last) { last = width; place.replaceChildren(draw(width)); }
    };
    new ResizeObserver(again).observe(place);
    place.replaceChildren(draw(640));
    return place;
  }

  function table(head, rows) {
    return el("details", { class: "screen-only numbers" }, el("summary", {}, "numbers"),
      el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "numbers" }, el("table", {},
        el("thead", {}, el("tr", {}, head.map(h => el("th", { scope: "col" }, h)))),
        el("tbody", {}, rows.map(r => el("tr", {}, r.map((c, i) =>
          i ? el("td", {}, c) : el("th", { scope: "row" }, c))))))));
  }
  P.table = (head, rows, label) => el("div", { class: "wide card", tabindex: 0, role: "region", "aria-label": label },
    el("table", {}, el("thead", {}, el("tr", {}, head.map((h, i) => el("th", { scope: "col", class: i ? "" : "left" }, h)))),
      el("tbody", {}, rows)));

  function legend(series) {
    if (series.length < 2 && !series[0]?.always) return null;
    return el("ul", { class: "legend" }, series.map((s, i) => el("li", {},
      svg("svg", { width: 26, height: 10, "aria-hidden": "true" }, svg("line", {
        x1: 1, x2: 25, y1: 5, y2: 5, stroke: colour(s.colour ?? i), "stroke-width": 2.5,
        "stroke-dasharray": DASHES[(s.dash ?? 0) % 7] })), s.name)));
  }

  // spec: title, note, format, low, high, height, series [{name, steps, value, low, high, colour, dash, points, raw}],
  // shade {upper, lower} (numbers of series).
  P.lines = spec => {
    const series = spec.series.filter(s => s && s.value && s.value.some(known));
    if (!series.length) return null;
    const format = spec.format || say.figure;
    const values = series.flatMap(s => [...s.value, ...(s.low || []), ...(s.high || []), ...(s.raw || [])]).filter(known);
    let low = spec.low ?? Math.min(...values), high = spec.high ?? Math.max(...values);
    if (spec.low !== undefined) low = Math.min(low, ...values);
    if (spec.high !== undefined) high = Math.max(high, ...values);
    if (low === high) { low -= Math.abs(low) * 0.1 || 0.5; high += Math.abs(high) * 0.1 || 0.5; }
    const steps = [...new Set(series.flatMap(s => s.steps))].sort((a, b) => a - b);
    const first = Math.min(steps[0], spec.from ?? steps[0]), last = Math.max(steps.at(-1), first + 1);
    const readout = el("p", { class: "readout small dim", role: "status" }, " ");
    const title = spec.title;
    let at = steps.length - 1, mark = null, geometry = null;

    function near(s, step) {
      let best = -1;
      s.steps.forEach((t, i) => { if (known(s.value[i]) && (best < 0 || Math.abs(t - step) < Math.abs(s.steps[best] - step))) best = i; });
      return best;
    }
    function tell(index) {
      at = Math.max(0, Math.min(steps.length - 1, index));
      const step = steps[at], gap = (last - first) / 40;
      const said = series.map(s => {
        const i = near(s, step);
        if (i < 0 || Math.abs(s.steps[i] - step) > gap) return null;
        const band = s.low && known(s.low[i]) ? ` (${format(s.low[i])} to ${format(s.high[i])})` : "";
        return `${series.length > 1 ? s.name + " " : ""}${format(s.value[i])}${band}`;
      }).filter(Boolean);
      readout.textContent = `step ${Math.round(step)}: ${said.join(" · ")}`;
      if (mark && geometry) { mark.setAttribute("x1", geometry.x(step)); mark.setAttribute("x2", geometry.x(step)); mark.style.opacity = 1; }
    }
    function draw(width) {
      const height = spec.height || 230, left = 52, right = 14, top = 10, bottom = 28;
      const x = s => left + (s - first) / (last - first) * (width - left - right);
      const y = v => top + (high - v) / (high - low) * (height - top - bottom);
      geometry = { x };
      const path = (ss, vs) => {
        let d = "", pen = false;
        vs.forEach((v, i) => { if (known(v)) { d += `${pen ? "L" : "M"}${x(ss[i]).toFixed(1)} ${y(v).toFixed(1)}`; pen = true; } else pen = false; });
        return d;
      };
      const area = (ss, up, down) => {
        const ok = ss.map((_, i) => i).filter(i => known(up[i]) && known(down[i]));
        if (ok.length < 2) return "";
        return "M" + ok.map(i => `${x(ss[i]).toFixed(1)} ${y(up[i]).toFixed(1)}`).join("L") + "L"
          + ok.reverse().map(i => `${x(ss[i]).toFixed(1)} ${y(down[i]).toFixed(1)}`).join("L") + "Z";
      };
      mark = svg("line", { y1: top, y2: height - bottom, class: "cursor" });
      mark.style.opacity = 0;
      const shade = spec.shade && series[spec.shade.upper] && series[spec.shade.lower];
      const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: 0,
        "aria-label": `${title}. Arrow keys read it step by step; its numbers follow as a table.` },
        ticks(low, high, Math.max(2, Math.floor(height / 55))).map(t => [
          svg("line", { class: "grid", x1: left, x2: width - right, y1: y(t), y2: y(t) }),
          svg("text", { class: "tick", x: left - 7, y: y(t) + 4, "text-anchor": "end" }, format(t).replace(".0 %", " %"))]),
        ticks(first, last, Math.max(2, Math.floor(width / 110))).filter(Number.isInteger).map(t =>
          svg("text", { class: "tick", x: x(t), y: height - 9, "text-anchor": "middle" }, String(t))),
        shade && svg("path", { d: area(series[0].steps, series[spec.shade.upper].value, series[spec.shade.lower].value), class: "shade" }),
        series.map((s, i) => {
          const stroke = colour(s.colour ?? i), dash = DASHES[(s.dash ?? 0) % 7];
          return [
            s.low && svg("path", { d: area(s.steps, s.high, s.low), fill: stroke, class: "band" }),
            s.raw && svg("path", { d: path(s.steps, s.raw), stroke, class: "line raw" }),
            svg("path", { d: path(s.steps, s.value), stroke, class: "line", "stroke-dasharray": dash }),
            (s.points || s.value.filter(known).length < 2) && s.value.map((v, j) => known(v) &&
              svg("circle", { cx: x(s.steps[j]), cy: y(v), r: s.steps.length > 40 ? 2 : 3.4, fill: stroke })),
          ];
        }), mark);
      drawn.addEventListener("pointermove", event => {
        const box = drawn.getBoundingClientRect();
        const step = first + ((event.clientX - box.left) * width / box.width - left) / (width - left - right) * (last - first);
        let best = 0;
        steps.forEach((s, i) => { if (Math.abs(s - step) < Math.abs(steps[best] - step)) best = i; });
        tell(best);
      });
      drawn.addEventListener("pointerleave", () => { mark.style.opacity = 0; });
      drawn.addEventListener("focus", () => tell(at));
      drawn.addEventListener("keydown", event => {
        const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: steps.length - 1 }[event.key];
        if (to !== undefined) { tell(to); event.preventDefault(); }
      });
      return drawn;
    }
    const shown = steps.length > 60 ? steps.filter((_, i) => i % Math.ceil(steps.length / 60) === 0 || i === steps.length - 1) : steps;
    return el("figure", { class: "chart card" + (spec.small ? " small-chart" : "") },
      el("figcaption", {}, el(spec.small ? "h4" : "h3", {}, title), spec.note && el("p", { class: "small dim" }, spec.note)),
      legend(series), responsive(draw), readout,
      !spec.small && table(["step", ...series.map(s => s.name)], shown.map(step => [String(Math.round(step)), ...series.map(s => {
        const i = s.steps.indexOf(step);
        return i < 0 || !known(s.value[i]) ? "" : format(s.value[i]) + (s.low && known(s.low[i]) ? ` (${format(s.low[i])} to ${format(s.high[i])})` : "");
      })])));
  };

  P.verdicts = {
    correct: { glyph: "✓", colour: 0 }, partial: { glyph: "◐", colour: 6 }, wrong: { glyph: "✗", colour: 1 },
    unparsed: { glyph: "?", colour: 4 }, illegal: { glyph: "⊘", colour: 3 }, timeout: { glyph: "⧖", colour: 2 },
    crashed: { glyph: "‡", colour: 3 }, broken_task: { glyph: "∅", colour: 5 }, infrastructure: { glyph: "!", colour: 5 },
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
      const span = spec.every > 1 ? `steps ${spec.steps[at]} to ${spec.steps[at] + spec.every - 1}` : `step ${spec.steps[at]}`;
      readout.textContent = `${span}: ` + spec.parts.map(p => `${p.name} ${say.share(p.counts[at] / whole[at])}`).join(" · ")
        + ` of ${say.count(whole[at])}`;
    };
    function draw(width) {
      const height = 210, left = 52, right = 14, top = 8, bottom = 28, inner = width - left - right;
      const n = spec.steps.length, bar = inner / n, y = share => top + (1 - share) * (height - top - bottom);
      const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: 0,
        "aria-label": `${spec.title}. Arrow keys read it step by step; its numbers follow as a table.` });
      for (const t of [0, 0.25, 0.5, 0.75, 1]) drawn.append(
        svg("line", { class: "grid", x1: left, x2: width - right, y1: y(t), y2: y(t) }),
        svg("text", { class: "tick", x: left - 7, y: y(t) + 4, "text-anchor": "end" }, `${100 * t} %`));
      spec.steps.forEach((_, i) => {
        let below = 0;
        spec.parts.forEach(part => {
          const share = part.counts[i] / whole[i];
          if (!(share > 0)) return;
          drawn.append(svg("rect", { x: left + i * bar, width: Math.max(0.6, bar - (bar > 5 ? 1 : 0)), y: y(below + share),
            height: y(below) - y(below + share), fill: colour(part.colour), class: "slab" }));
          below += share;
        });
      });
      const every = Math.max(1, Math.ceil(n / Math.max(2, Math.floor(inner / 70))));
      spec.steps.forEach((s, i) => { if (i % every === 0) drawn.append(svg("text", { class: "tick", x: left + (i + 0.5) * bar,
        y: height - 9, "text-anchor": "middle" }, String(s))); });
      drawn.addEventListener("pointermove", event => {
        const box = drawn.getBoundingClientRect();
        tell(Math.floor(((event.clientX - box.left) * width / box.width - left) / bar));
      });
      drawn.addEventListener("focus", () => tell(at));
      drawn.addEventListener("keydown", event => {
        const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: n - 1 }[event.key];
        if (to !== undefined) { tell(to); event.preventDefault(); }
      });
      return drawn;
    }
    const total = whole.reduce((a, b) => a + b, 0);
    return el("figure", { class: "chart card" }, el("figcaption", {}, el("h3", {}, spec.title), spec.note && el("p", { class: "small dim" }, spec.note)),
      el("ul", { class: "legend" }, spec.parts.map(part => el("li", {},
        el("span", { class: "swatch", style: { background: colour(part.colour) } }, part.glyph || ""),
        `${part.name} `, el("span", { class: "dim" }, say.share(part.counts.reduce((a, b) => a + b, 0) / total))))),
      responsive(draw), readout,
      table(["step", ...spec.parts.map(p => p.name)], spec.steps.map((s, i) => [String(s), ...spec.parts.map(p => say.count(p.counts[i]))])));
  };

  // One bar of parts [{name, value, colour}], each said in words beside it.
  P.parts = (title, parts, format) => {
    const shown = parts.filter(p => p.value > 0), whole = shown.reduce((sum, p) => sum + p.value, 0);
    if (!shown.length) return null;
    let x = 0;
    return el("figure", { class: "chart card" }, el("figcaption", {}, el("h3", {}, title)),
      svg("svg", { viewBox: "0 0 100 7", preserveAspectRatio: "none", class: "partbar", "aria-hidden": "true" }, shown.map(p => {
        const width = 100 * p.value / whole, rect = svg("rect", { x, y: 0, width: Math.max(0, width - 0.25), height: 7, fill: colour(p.colour) });
        x += width;
        return rect;
      })),
      el("ul", { class: "legend" }, shown.map(p => el("li", {}, el("span", { class: "swatch", style: { background: colour(p.colour) } }),
        `${p.name} `, el("b", {}, format(p.value)), el("span", { class: "dim" }, ` ${(100 * p.value / whole).toFixed(0)} %`)))));
  };
})();
