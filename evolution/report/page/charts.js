"use strict";
// Lines with bands, read by pointer, by arrow keys, and as a table.
(() => {
  const { el, svg, say, known } = P;
  const DASHES = ["", "7 4", "2 3", "9 3 2 3", "4 2", "12 4", "1 4"];
  const colour = n => `var(--c${n % 7})`;

  function ticks(low, high, about) {
    if (!(high > low)) return [low];
    const raw = (high - low) / about,
      ten = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map(m => m * ten).find(s => s >= raw * 0.999);
    const found = [];
    for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + step * 1e-6; t += step)
      found.push(+t.toPrecision(12));
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
      if (width !== last) {
        last = width;
        place.replaceChildren(draw(width));
      }
    };
    new ResizeObserver(again).observe(place);
    place.replaceChildren(draw(640));
    return place;
  }

  // The numbers of a chart, folded. A page has dozens of charts: the cells are made when somebody opens them.
  function table(title, head, rows) {
    const place = el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": `numbers of ${title}` });
    const fill = () =>
      place.firstChild ||
      place.append(
        el(
          "table",
          {},
          el(
            "thead",
            {},
            el(
              "tr",
              {},
              head.map((h, i) => el("th", { scope: "col", class: i ? "" : "left" }, h)),
            ),
          ),
          el(
            "tbody",
            {},
            rows.map(r =>
              el(
                "tr",
                {},
                r.map((c, i) => (i ? el("td", {}, c) : el("th", { scope: "row" }, c))),
              ),
            ),
          ),
        ),
      );
    return el(
      "details",
      { class: "screen-only numbers", ontoggle: fill },
      el("summary", {}, "numbers", el("span", { class: "visually-hidden" }, ` of ${title}`)),
      place,
    );
  }
  P.table = (head, rows, label) =>
    el(
      "div",
      { class: "wide card", tabindex: 0, role: "region", "aria-label": label },
      el(
        "table",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            head.map((h, i) => el("th", { scope: "col", class: i ? "" : "left" }, h)),
          ),
        ),
        el("tbody", {}, rows),
      ),
    );

  function legend(series) {
    if (series.length < 2 && !series[0]?.always) return null;
    return el(
      "ul",
      { class: "legend" },
      series.map((s, i) =>
        el(
          "li",
          {},
          svg(
            "svg",
            { width: 26, height: 10, "aria-hidden": "true" },
            svg("line", {
              x1: 1,
              x2: 25,
              y1: 5,
              y2: 5,
              stroke: colour(s.colour ?? i),
              "stroke-width": 2.5,
              "stroke-dasharray": DASHES[(s.dash ?? 0) % 7],
            }),
          ),
          s.name,
        ),
      ),
    );
  }

  // spec: title, note, unit, format, low, high, height,
  // series [{name, steps, value, low, high, colour, dash, points, raw}],
  // shade {upper, lower} (numbers of series).
  P.lines = spec => {
    const series = spec.series.filter(s => s && s.value && s.value.some(known));
    if (!series.length) return null;
    const format = spec.format || say.figure;
    const values = series
      .flatMap(s => [...s.value, ...(s.low || []), ...(s.high || []), ...(s.raw || [])])
      .filter(known);
    let low = spec.low ?? Math.min(...values),
      high = spec.high ?? Math.max(...values);
    if (spec.low !== undefined) low = Math.min(low, ...values);
    if (spec.high !== undefined) high = Math.max(high, ...values);
    // Where all is alike, that is the one line to be drawn.
    const flat = low === high ? [low] : null;
    if (flat) {
      low -= Math.abs(low) * 0.1 || 0.5;
      high += Math.abs(high) * 0.1 || 0.5;
    }
    const steps = [...new Set(series.flatMap(s => s.steps))].sort((a, b) => a - b);
    const first = Math.min(steps[0], spec.from ?? steps[0]),
      last = Math.max(steps.at(-1), first + 1);
    const readout = el("p", { class: "readout small dim", role: "status" }, " ");
    const lone = series.filter(s => s.value.filter(known).length < 2);
    const title = spec.title,
      unit = spec.unit || "step";
    let at = steps.length - 1,
      mark = null,
      geometry = null;

    function near(s, step) {
      let best = -1;
      s.steps.forEach((t, i) => {
        if (known(s.value[i]) && (best < 0 || Math.abs(t - step) < Math.abs(s.steps[best] - step))) best = i;
      });
      return best;
    }
    function tell(index) {
      at = Math.max(0, Math.min(steps.length - 1, index));
      const step = steps[at],
        gap = (last - first) / 40;
      const said = series
        .map(s => {
          const i = near(s, step);
          if (i < 0 || Math.abs(s.steps[i] - step) > gap) return null;
          const band = s.low && known(s.low[i]) ? ` (${format(s.low[i])} to ${format(s.high[i])})` : "";
          return `${series.length > 1 ? s.name + " " : ""}${format(s.value[i])}${band}`;
        })
        .filter(Boolean);
      readout.textContent = `${unit} ${Math.round(step)}: ${said.join(" · ")}`;
      if (mark && geometry) {
        mark.setAttribute("x1", geometry.x(step));
        mark.setAttribute("x2", geometry.x(step));
        mark.style.opacity = 1;
      }
    }
    function draw(width) {
      const height = spec.height || 230,
        left = 52,
        right = 14,
        top = 10,
        bottom = 28;
      const x = s => left + ((s - first) / (last - first)) * (width - left - right);
      const y = v => top + ((high - v) / (high - low)) * (height - top - bottom);
      geometry = { x };
      const path = (ss, vs) => {
        let d = "",
          pen = false;
        vs.forEach((v, i) => {
          if (known(v)) {
            d += `${pen ? "L" : "M"}${x(ss[i]).toFixed(1)} ${y(v).toFixed(1)}`;
            pen = true;
          } else pen = false;
        });
        return d;
      };
      const area = (ss, up, down) => {
        const ok = ss.map((_, i) => i).filter(i => known(up[i]) && known(down[i]));
        if (ok.length < 2) return "";
        return (
          "M" +
          ok.map(i => `${x(ss[i]).toFixed(1)} ${y(up[i]).toFixed(1)}`).join("L") +
          "L" +
          ok
            .reverse()
            .map(i => `${x(ss[i]).toFixed(1)} ${y(down[i]).toFixed(1)}`)
            .join("L") +
          "Z"
        );
      };
      mark = svg("line", { y1: top, y2: height - bottom, class: "cursor" });
      mark.style.opacity = 0;
      const shade = spec.shade && series[spec.shade.upper] && series[spec.shade.lower];
      const drawn = svg(
        "svg",
        {
          viewBox: `0 0 ${width} ${height}`,
          role: "img",
          tabindex: 0,
          "aria-label": `${title}. Arrow keys read it step by step; its numbers follow as a table.`,
        },
        (flat || ticks(low, high, Math.max(2, Math.floor(height / 55)))).map(t => [
          svg("line", { class: "grid", x1: left, x2: width - right, y1: y(t), y2: y(t) }),
          svg(
            "text",
            { class: "tick", x: left - 7, y: y(t) + 4, "text-anchor": "end" },
            format(t).replace(".0 %", " %"),
          ),
        ]),
        ticks(first, last, Math.max(2, Math.floor(width / 110)))
          .filter(Number.isInteger)
          .map(t => svg("text", { class: "tick", x: x(t), y: height - 9, "text-anchor": "middle" }, String(t))),
        shade &&
          svg("path", {
            d: area(series[0].steps, series[spec.shade.upper].value, series[spec.shade.lower].value),
            class: "shade",
          }),
        series.map((s, i) => {
          const stroke = colour(s.colour ?? i),
            dash = DASHES[(s.dash ?? 0) % 7];
          return [
            s.low && svg("path", { d: area(s.steps, s.high, s.low), fill: stroke, class: "band" }),
            s.raw && svg("path", { d: path(s.steps, s.raw), stroke, class: "line raw" }),
            svg("path", { d: path(s.steps, s.value), stroke, class: "line", "stroke-dasharray": dash }),
            (s.points || lone.includes(s)) &&
              s.value.map((v, j) => {
                if (!known(v)) return null;
                // One point alone has no band: its interval is a line, beside those of others that stand alone.
                const at = lone.indexOf(s),
                  cx = x(s.steps[j]) + (at < 0 ? 0 : 8 * (first === s.steps[j] ? at + 1 : at - (lone.length - 1) / 2)),
                  bound = at >= 0 && s.low && known(s.low[j]);
                return [
                  bound && svg("path", { d: `M${cx} ${y(s.low[j])}V${y(s.high[j])}`, stroke, class: "whisker" }),
                  svg("circle", { cx, cy: y(v), r: s.steps.length > 40 ? 2 : 3.4, fill: stroke }),
                ];
              }),
          ];
        }),
        mark,
      );
      drawn.addEventListener("pointermove", event => {
        const box = drawn.getBoundingClientRect();
        const step =
          first + ((((event.clientX - box.left) * width) / box.width - left) / (width - left - right)) * (last - first);
        let best = 0;
        steps.forEach((s, i) => {
          if (Math.abs(s - step) < Math.abs(steps[best] - step)) best = i;
        });
        tell(best);
      });
      drawn.addEventListener("pointerleave", () => {
        mark.style.opacity = 0;
      });
      drawn.addEventListener("focus", () => tell(at));
      drawn.addEventListener("keydown", event => {
        const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: steps.length - 1 }[event.key];
        if (to !== undefined) {
          tell(to);
          event.preventDefault();
        }
      });
      return drawn;
    }
    const shown =
      steps.length > 60
        ? steps.filter((_, i) => i % Math.ceil(steps.length / 60) === 0 || i === steps.length - 1)
        : steps;
    return el(
      "figure",
      { class: "chart card" + (spec.small ? " small-chart" : "") },
      el(
        "figcaption",
        {},
        el(spec.small ? "h4" : "h3", {}, title),
        spec.note && el("p", { class: "small dim" }, spec.note),
      ),
      legend(series),
      responsive(draw),
      readout,
      table(
        title,
        [unit, ...series.map(s => s.name)],
        shown.map(step => [
          String(Math.round(step)),
          ...series.map(s => {
            const i = s.steps.indexOf(step);
            return i < 0 || !known(s.value[i])
              ? ""
              : format(s.value[i]) + (s.low && known(s.low[i]) ? ` (${format(s.low[i])} to ${format(s.high[i])})` : "");
          }),
        ]),
      ),
    );
  };

  Object.assign(P, { colour, responsive, legend, numbers: table });
})();
