"use strict";
// Before and after, verdicts, positions, cross tables, lineage and costs: one run at a time.
const Tables = (() => {
  const { el, svg, say, known } = P;

  const KINDS = [["right_right", "right", "right"], ["right_wrong", "right", "wrong"], ["wrong_right", "wrong", "right"], ["wrong_wrong", "wrong", "wrong"]];
  function transitions(run) {
    const found = run.get("transitions");
    if (!found.length) return el("p", { class: "dim" }, "Before and after can be compared once there are two evaluations.");
    const sides = run.get("excerpt").held_out;
    return [el("p", {}, `The same held-out tasks at step ${sides[0].step} and at step ${sides.at(-1).step}. Press a cell to read its episodes.`),
      el("div", { class: "crosses" }, found.map(t => {
        const cell = kind => {
          const [key, from, to] = kind, share = t[key] / t.pairs;
          const way = from === to ? "same" : to === "right" ? "gain" : "loss";
          return el("td", { class: "cross " + way, style: { "--strength": share.toFixed(3) } }, el("button", { type: "button", "data-transition": key, "data-env": t.env,
            "aria-label": `${from} before, ${to} after: ${t[key]} of ${t.pairs} tasks. Read them.`,
            onclick: () => document.dispatchEvent(new CustomEvent("read", { detail: { transition: key, env: t.env, run: run.number } })) },
            el("b", {}, say.count(t[key])), el("small", {}, `${say.share(share)} ${way === "gain" ? "mended" : way === "loss" ? "lost" : to === "right" ? "stayed right" : "stayed wrong"}`)));
        };
        const [word, way] = Overview.verdictOf(t.change);
        return el("div", { class: "card cross-card" }, el("h3", {}, t.env),
          el("table", { class: "cross-table" }, el("thead", {}, el("tr", {}, el("th", { class: "left", scope: "col" }, "before"), el("th", { scope: "col" }, "right after"), el("th", { scope: "col" }, "wrong after"))),
            el("tbody", {}, el("tr", {}, el("th", { scope: "row" }, "right"), cell(KINDS[0]), cell(KINDS[1])), el("tr", {}, el("th", { scope: "row" }, "wrong"), cell(KINDS[2]), cell(KINDS[3])))),
          el("p", { class: "small" }, el("span", { class: "word " + way }, word), ` ${Overview.change(t.change)}`, el("span", { class: "dim" }, ` · ${say.count(t.pairs)} tasks, 95 % over tasks`)));
      }))];
  }

  function verdicts(run) {
    const s = run.get("statuses");
    const parts = Object.entries(s.counts).map(([name, counts]) => ({ name: Overview.nice(name), counts, ...P.verdict(name) }));
    return parts.length ? P.stack({ title: "verdicts in training", note: "Share of a step's episodes by how they were judged.", steps: s.steps, every: s.every, parts }) : null;
  }

  function positions(run) {
    const found = run.get("positions");
    return found.length ? el("div", { class: "charts two" }, found.map(p => P.lines({ title: `accuracy by where the answer lies · ${p.env}`, format: say.share, low: 0, high: 1,
      note: p.sides.map(s => known(s.sag[0]) ? `step ${s.step}: ends above middle by ${Overview.change(s.sag)}` : null).filter(Boolean).join("; ") + ". Steps here are tenths of the document.",
      series: p.sides.map((s, i) => ({ name: i || p.sides.length === 1 ? `after (step ${s.step})` : `before (step ${s.step})`, steps: s.tenths.map((_, t) => t + 1), value: s.tenths, points: true, colour: i ? 0 : 1, dash: i ? 0 : 1 })) }))) : null;
  }

  function heat(value, low, high) {
    const strength = high > low ? (value - low) / (high - low) : 0;
    return { "--strength": (0.75 * strength).toFixed(3) };
  }
  function transfer(run) {
    const t = run.get("transfer");
    if (!t) return null;
    const rows = ["before", ...t.stages.map((s, i) => `after learning ${s}`)];
    return [el("h3", {}, "What learning in one place did to others"), el("p", { class: "dim small" }, "Held-out accuracy after each stage of learning, and how far the end is below the best that was ever reached."
      + (known(t.backward) ? ` What later stages added to earlier ones, on average: ${say.points(t.backward)}.` : "")),
      P.table(["", ...t.envs], [...rows.map((label, r) => el("tr", {}, el("th", { scope: "row" }, label), t.accuracy[r].map((a, c) =>
        el("td", { class: "heat", style: heat(a, 0, 1) }, say.share(a), r && el("small", {}, say.points(a - t.accuracy[r - 1][c])))))),
      el("tr", {}, el("th", { scope: "row" }, "forgotten"), t.envs.map(e => el("td", {}, t.forgotten[e] > 0 ? say.points(-t.forgotten[e]) : "nothing")))], "transfer and forgetting")];
  }
  function opponents(run) {
    const played = run.get("measured").filter(m => m.measure.startsWith("share won") || m.measure.startsWith("points"));
    if (!played.length) return null;
    const steps = [...new Set(played.flatMap(m => m.steps))].sort((a, b) => a - b);
    const shown = steps.length > 8 ? steps.filter((_, i) => i % Math.ceil(steps.length / 8) === 0 || i === steps.length - 1) : steps;
    return [el("h3", {}, "Against whom"), el("p", { class: "dim small" }, "Share won, with its 95 % interval, at each evaluation."), P.table(["", ...shown.map(s => `step ${s}`)], played.map(m => el("tr", {}, el("th", { scope: "row" }, m.measure.replace(/^(share won|points) against /, "")),
      shown.map(s => { const i = m.steps.indexOf(s); return el("td", { class: "heat", style: i < 0 ? {} : heat(m.value[i], 0, 1) }, i < 0 ? "–" : say.share(m.value[i]), i < 0 ? null : el("small", {}, say.interval(m.low[i], m.high[i]))); }))), "against whom")];
  }
  function league(run) {
    const l = run.get("league");
    if (!l) return null;
    const points = r => r && known(r[0]) ? `${r[0] < 0 ? "−" : "+"}${Math.abs(r[0]).toFixed(0)}` : "–";
    return [el("h3", {}, "The league"), el("p", { class: "dim small" }, "What the policy that learns has won against its frozen ancestors, and by how many Elo points it is above each."),
      P.table(["member", "games", "share of the points", "rating above it"], l.members.map(m => el("tr", {}, el("th", { scope: "row" }, m.name, m.name === l.champion && el("span", { class: "badge" }, "champion")),
        el("td", {}, say.count(m.games)), el("td", {}, m.share ? [say.share(m.share[0]), el("small", {}, say.interval(m.share[1], m.share[2]))] : "–"),
        el("td", {}, points(m.rating), m.rating && known(m.rating[1]) && known(m.rating[2]) ? el("small", {}, `${m.rating[1].toFixed(0)} to ${m.rating[2].toFixed(0)}`) : null))), "the league")];
  }
  function passes(run) {
    const history = run.get("history"), last = history.at(-1);
    const rows = (last?.scores || []).filter(s => Object.keys(s.pass_at_k || {}).length);
    if (!rows.length) return null;
    const before = env => history[0].scores.find(s => s.env === env)?.pass_at_k || {};
    return [el("h3", {}, "pass@k"), P.table(["", "k", "before", "after"], rows.flatMap(s => Object.entries(s.pass_at_k).map(([k, e]) => el("tr", {}, el("th", { scope: "row" }, s.env), el("td", {}, k),
      el("td", {}, before(s.env)[k] ? [say.share(before(s.env)[k].value), el("small", {}, say.interval(before(s.env)[k].low, before(s.env)[k].high))] : "–"), el("td", {}, say.share(e.value), el("small", {}, say.interval(e.low, e.high)))))), "pass at k")];
  }
  const crosses = run => [transfer(run), opponents(run), league(run), passes(run)].filter(Boolean);

  function lineage(run) {
    const l = run.get("lineage");
    if (!l.steps.length) return null;
    const width = 940, row = 40, top = 46, height = top + row * l.steps.length + 8;
    const x = { objective: 8, shard: 190, refine: 340, update: 640, check: 770 };
    const text = (at, y, words, more) => svg("text", { x: at, y, class: "node-text", ...more }, words);
    const short = (words, most) => words.length > most ? words.slice(0, most - 1) + "…" : words;
    const most = Math.max(1, ...l.steps.flatMap(s => Object.values(s.refined)));
    const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "lineage",
      "aria-label": "Lineage from objective to checkpoint, a row a step; its numbers follow as a table." },
      [["objective", x.objective], ["experience", x.shard], ["refine", x.refine], ["update", x.update], ["evaluation, checkpoint", x.check]].map(([w, at]) => text(at, 20, w, { class: "node-head" })),
      svg("line", { x1: 0, x2: width, y1: 30, y2: 30, class: "grid" }));
    let begin = 0;
    l.steps.forEach((s, i) => {
      const y = top + i * row, mid = y + 15;
      if (i === l.steps.length - 1 || l.steps[i + 1].objective !== s.objective) {
        const y0 = top + begin * row, y1 = mid + 15, words = s.objective.match(/.{1,20}/g) || [""];
        drawn.append(svg("rect", { x: x.objective, y: y0, width: 152, height: y1 - y0, rx: 7, class: "node objective" }, svg("title", {}, s.objective)),
          ...words.slice(0, Math.max(1, Math.min(3, Math.floor((y1 - y0) / 16)))).map((w, n) => text(x.objective + 9, y0 + 19 + 15 * n, w)));
        begin = i + 1;
      }
      drawn.append(svg("path", { d: `M${x.objective + 152} ${mid}H${x.shard}M${x.shard + 118} ${mid}H${x.refine}M${x.update - 30} ${mid}H${x.update}M${x.update + 96} ${mid}H${x.check}`, class: "edge" }),
        svg("rect", { x: x.shard, y, width: 118, height: 30, rx: 5, class: "node" }, svg("title", {}, s.shard)), text(x.shard + 9, mid + 4, short(s.shard, 16)));
      const counts = Object.entries(s.refined).filter(([name, n]) => !(name === "recalled" && n === 0));
      const room = x.update - 30 - x.refine, each = room / Math.max(1, counts.length + 1);
      [...counts, ["learned from", s.learned]].forEach(([name, n], c) => {
        const tall = Math.max(3, 26 * n / most), left = x.refine + c * each;
        drawn.append(svg("rect", { x: left, y: mid - tall / 2, width: each - 3, height: tall, class: "flow" }, svg("title", {}, `${name}: ${n}`)),
          text(left + (each - 3) / 2, mid + 4, String(n), { "text-anchor": "middle", class: "node-text on-flow" }));
      });
      drawn.append(svg("rect", { x: x.update, y, width: 96, height: 30, rx: 15, class: "node" }), text(x.update + 48, mid + 4, `v${s.before} → v${s.after}`, { "text-anchor": "middle" }));
      if (known(s.accuracy)) drawn.append(svg("circle", { cx: x.check + 10, cy: mid, r: 5, fill: "var(--c0)" }), text(x.check + 20, mid + 4, say.share(s.accuracy)));
      if (s.checkpoint) drawn.append(svg("rect", { x: x.check + 82, y: mid - 6, width: 12, height: 12, class: "kept" }), text(x.check + 99, mid + 4, "checkpoint"));
    });
    const names = [...new Set(l.steps.flatMap(s => Object.keys(s.refined)))];
    return [el("p", {}, l.every > 1 ? `Every ${l.every}th of ${l.of} steps is drawn. ` : "", "Bars are episodes: acquired, then what each filter left, then what was learned from. Steps with a checkpoint that is kept: " + (l.checkpoints.join(", ") || "none") + "."),
      el("div", { class: "wide card lineage-card", tabindex: 0, role: "region", "aria-label": "lineage" }, drawn),
      el("details", { class: "screen-only numbers" }, el("summary", {}, "numbers"), P.table(["step", "experience", ...names, "learned from", "version", "accuracy", "checkpoint"], l.steps.map(s => el("tr", {}, el("th", { scope: "row" }, String(s.step)), el("td", {}, s.shard),
        names.map(n => el("td", {}, say.count(s.refined[n]))), el("td", {}, say.count(s.learned)), el("td", {}, `${s.before} → ${s.after}`), el("td", {}, say.share(s.accuracy)), el("td", {}, s.checkpoint ? "kept" : ""))), "lineage in numbers"))];
  }

  const SHARES = { sampling: "sampling", judging: "judging", learning: "learning", waiting: "waiting for experience", held: "held back" };
  function costs(run) {
    const c = run.get("costs"), colours = { birth: 5, acquire: 0, refine: 4, update: 1, evaluate: 2 };
    const order = ["sampling", "judging", "waiting", "learning", "held"], shares = order.filter(k => k in c.shares);
    const made = [P.parts("time by phase", Object.entries(c.phases).map(([name, value]) => ({ name, value, colour: colours[name] ?? 6 })), say.seconds)];
    if (shares.length) made.push(el("figure", { class: "chart card" }, el("figcaption", {}, el("h3", {}, "where the steps' time went"),
      el("p", { class: "small dim" }, `Share of the wall-clock of ${say.count(c.shared_steps)} steps in which something was at work; sampling and judging go on within waiting, or beside learning, so they do not add up to a whole.`)),
      el("ul", { class: "meters" }, shares.map((k, i) => el("li", {}, el("span", {}, SHARES[k]), el("span", { class: "track", "aria-hidden": "true" }, el("span", { class: "fill", style: { width: `${Math.min(100, 100 * c.shares[k])}%`, background: `var(--c${[0, 2, 5, 1, 3][i] })` } })), el("b", {}, say.share(c.shares[k])))))));
    const seconds = (c.phases.acquire || 0), facts = [["tokens sampled in training", say.count(c.tokens)], ["tokens a second of acquiring", seconds ? say.count(c.tokens / seconds) : "–"],
      ["tokens an episode", c.episodes ? say.figure(c.tokens / c.episodes) : "–"], ["episodes learned from", c.episodes ? `${say.count(c.used)} of ${say.count(c.episodes)} (${say.share(c.used / c.episodes)})` : "–"]];
    const usage = c.usage.length ? P.table(["server", "requests", "prompt tokens", "completion tokens", "spend"], c.usage.map(u => el("tr", {}, el("th", { scope: "row" }, u.agent || ""),
      [u.requests, u.prompt_tokens, u.completion_tokens].map(n => el("td", {}, say.count(n))), el("td", {}, known(u.spend) ? say.figure(u.spend) : "no price given"))), "spend on servers") : null;
    return [el("div", { class: "charts two" }, made.filter(Boolean)), el("dl", { class: "facts" }, facts.map(([k, v]) => [el("dt", {}, k), el("dd", {}, v)])), usage || el("p", { class: "dim small" }, "No spend on servers was recorded.")];
  }

  function left(all) {
    return el("ul", { class: "left-out" }, all.map(run => {
      const e = run.get("excerpt"), nth = n => n === 1 ? "every" : n === 2 ? "every second" : `every ${n}th`;
      const name = all.length > 1 ? `${run.name}: ` : "";
      const held = e.held_out.map(h => `${say.count(h.kept)} of ${say.count(h.tasks)} at step ${h.step}`).join(", ");
      return el("li", {}, `${name}the page holds ${say.count(e.training.kept)} of ${say.count(e.training.episodes)} training episodes (${nth(e.training.every)} group of attempts of the whole run, in order, whole) and, of the first and the last of ${e.evaluations} evaluations, the held-out episodes ${held || "none yet"} (${nth(e.held_out[0]?.every || 1)} task among those that accuracy is measured on). `
        + "Curves of more than 300 points are means of neighbours. Texts beyond 20,000 characters and contexts beyond 4,000 tokens are cut where it says so. Everything else is in the run's own files.");
    }));
  }
  return { transitions, verdicts, positions, crosses, lineage, costs, left };
})();
