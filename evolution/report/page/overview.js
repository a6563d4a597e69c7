"use strict";
// What was done and what came of it: the sections above the reader.
const Overview = (() => {
  const { el, svg, say, known } = P;
  const runs = () =>
    P.data("runs").map((name, number) => ({ number, name, get: section => P.data(`r${number}-${section}`) }));
  const change = c =>
    c && known(c[0]) ? `${say.points(c[0])} (${bounds(c)})` : "–";
  const bounds = c => (known(c[1]) ? `${signed(c[1])} to ${signed(c[2])}` : "");
  const signed = share => (100 * share).toFixed(1).replace("-", "−");
  const verdictOf = c =>
    !c || !known(c[1]) ? ["", ""] : c[1] > 0 ? ["gained", "up"] : c[2] < 0 ? ["lost", "down"] : ["unclear", "flat"];
  const nice = name => name.replaceAll("_", " ");

  // The curve of the environment that the objective began with.
  const main = run => (run.get("measured") || [])[0];
  function ends(curve) {
    if (!curve) return null;
    const at = curve.value.map((v, i) => (known(v) ? i : -1)).filter(i => i >= 0);
    if (!at.length) return null;
    const one = i => ({ step: curve.steps[i], value: curve.value[i], low: curve.low[i], high: curve.high[i] });
    return { before: one(at[0]), after: one(at.at(-1)), several: at.length > 1 };
  }
  function changeOf(run, env) {
    const paired = (run.get("transitions") || []).find(t => t.env === env);
    return paired ? paired.change : null;
  }

  function head(all) {
    const about = all[0].get("about");
    const title =
      all.length > 1
        ? `${all.length} runs side by side`
        : [about.recipe, about.objective?.ladder?.[about.objective.rung ?? 0] || main(all[0])?.env]
            .filter(Boolean)
            .join(" · ");
    const state = {
      finished: "finished",
      "at work": `at work, step ${about.step} of ${about.steps}`,
      stopped: `stopped at step ${about.step} of ${about.steps}`,
    }[about.status];
    return [
      el("h1", {}, title),
      all.length > 1
        ? el("p", { class: "dim" }, all.map(run => run.get("about").name).join(" · "))
        : el(
            "p",
            { class: "dim" },
            `${about.policy} · seed ${about.seed} · `,
            el("span", { class: "badge " + about.status.replace(" ", "-") }, state),
          ),
    ];
  }

  // Wall-clock of a run, birth not counted. Until it has ended the run itself knows that of its last checkpoint alone, and
  // what its steps and evaluations took is known till now.
  function evolving(run) {
    const { seconds, status } = run.get("about"),
      phases = run.get("costs").phases,
      counted = Object.entries(phases).reduce((sum, [phase, s]) => sum + (phase === "birth" ? 0 : s), 0);
    return status === "finished" && known(seconds) ? seconds : Math.max(seconds ?? 0, counted);
  }

  function tiles(run) {
    const curve = main(run),
      e = ends(curve),
      costs = run.get("costs"),
      about = run.get("about");
    const tile = (label, value, more, extra) =>
      el(
        "div",
        { class: "tile card" + (extra ? " " + extra : "") },
        el("div", { class: "label" }, label),
        el("div", { class: "value" }, value),
        el("div", { class: "small dim" }, more),
      );
    const made = [];
    if (e) {
      const c = changeOf(run, curve.env),
        [word, way] = verdictOf(c);
      made.push(
        tile(
          [
            `${curve.measure}, ${curve.env}`,
            e.several && run.get("arms").names.length ? `, alone and by ${run.get("arms").names[0]}` : "",
          ],
          e.several
            ? [
                say.share(e.before.value),
                el("span", { class: "arrow", "aria-label": "to" }, " → "),
                say.share(e.after.value),
              ]
            : say.share(e.after.value),
          e.several
            ? [
                el("span", { class: "word " + way }, word),
                c
                  ? ` ${change(c)}, paired by task, 95 %`
                  : ` ${say.interval(e.before.low, e.before.high)}, then ${say.interval(e.after.low, e.after.high)}`,
              ]
            : say.interval(e.after.low, e.after.high),
          "wide-tile",
        ),
      );
    }
    made.push(tile("steps", say.count(costs.steps), about.steps ? `of ${say.count(about.steps)} planned` : ""));
    made.push(
      tile(
        "learned from",
        say.count(costs.used),
        `of ${say.count(costs.episodes)} episodes` + (costs.invalid ? `, ${say.count(costs.invalid)} invalid` : ""),
      ),
    );
    made.push(tile("tokens sampled", say.count(costs.tokens), "in training"));
    made.push(tile("time", say.seconds(evolving(run)), "evolving, birth not counted"));
    return el("div", { class: "tiles" }, made);
  }

  function differences(all) {
    const row = (label, cells, differ) => ({ label, cells, differ: differ ?? new Set(cells.map(String)).size > 1 });
    const abouts = all.map(run => run.get("about")),
      costs = all.map(run => run.get("costs"));
    const envs = [...new Set(all.flatMap(run => (run.get("measured") || []).map(m => m.env)))];
    const rows = [
      row(
        "recipe",
        abouts.map(a => a.recipe),
      ),
      row(
        "policy",
        abouts.map(a => a.policy),
      ),
      row(
        "seed",
        abouts.map(a => String(a.seed)),
      ),
      row(
        "state",
        abouts.map(a => a.status),
      ),
    ];
    const keys = [...new Set(abouts.flatMap(a => Object.keys(a.settings || {})))].sort();
    for (const key of keys)
      rows.push(
        row(
          key,
          abouts.map(a => (key in (a.settings || {}) ? JSON.stringify(a.settings[key]) : "as the recipe says")),
        ),
      );
    for (const env of envs) {
      const found = all.map(run => ends((run.get("measured") || []).find(m => m.env === env)));
      // What was measured once has no before.
      const several = found.some(e => e && e.several);
      if (several)
       rows.push(
        row(
          `${env}, before`,
          found.map(e => (e && e.several ? say.share(e.before.value) : "–")),
        ),
      );
      rows.push(
        row(
          several ? `${env}, after` : env,
          found.map((e, i) => {
            if (!e) return "–";
            const first = found[0],
              apart = i && first ? ` · ${say.points(e.after.value - first.after.value)} against the first` : "";
            return [say.share(e.after.value), el("small", {}, `${say.interval(e.after.low, e.after.high)}${apart}`)];
          }),
          new Set(found.map(e => e && e.after.value)).size > 1,
        ),
      );
      if (several)
       rows.push(
        row(
          `${env}, change`,
          all.map(run => change(changeOf(run, env))),
        ),
      );
    }
    const last = run => {
      const s = run.get("steps");
      return s.reward ? P.smooth(s.reward).filter(known).at(-1) : NaN;
    };
    rows.push(
      row(
        "reward in training, at the end",
        all.map(run => say.figure(last(run))),
      ),
    );
    rows.push(
      row(
        "steps",
        costs.map(c => say.count(c.steps)),
      ),
      row(
        "episodes",
        costs.map(c => say.count(c.episodes)),
      ),
      row(
        "learned from",
        costs.map(c => say.count(c.used)),
      ),
      row(
        "tokens",
        costs.map(c => say.count(c.tokens)),
      ),
      row(
        "time evolving",
        all.map(run => say.seconds(evolving(run))),
      ),
      row(
        "commit",
        abouts.map(a => a.commit || "not recorded"),
      ),
    );
    return P.table(
      ["", ...all.map((run, i) => [el("span", { class: "key", style: { background: `var(--c${i % 7})` } }), run.name])],
      rows.map(r =>
        el(
          "tr",
          { class: r.differ ? "differs" : "" },
          el("th", { scope: "row" }, r.label, r.differ && el("span", { class: "visually-hidden" }, " (differs)")),
          r.cells.map(c => el("td", {}, c)),
        ),
      ),
      "differences between the runs",
    );
  }

  function done(run) {
    const about = run.get("about"),
      packages = Object.entries(about.packages)
        .filter(([, v]) => v)
        .map(([k, v]) => `${k} ${v}`)
        .join(", ");
    const machine = about.machine || {};
    const facts = [
      ["command", el("code", {}, (about.command || []).join(" "))],
      ["policy", about.policy],
      ["environments", (about.objective ? [...about.objective.ladder, ...about.objective.watched] : []).join(", ")],
      ["objective", about.objective ? `${about.objective.direction} ${about.objective.ability}` : null],
      ["seed", String(about.seed)],
      ["commit", about.commit || "not recorded"],
      ["begun", about.created],
      [
        "machine",
        [machine.platform, machine.processor, machine.cores && `${machine.cores} cores`].filter(Boolean).join(", "),
      ],
      ["packages", packages],
      ["auditor", about.auditor],
      ["engine", about.engine],
      ["executor", about.executor],
      ["staleness", about.staleness ? String(about.staleness) : null],
      [
        "settings",
        Object.entries(about.settings || {})
          .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
          .join("  "),
      ],
      ["run", about.directory],
    ].filter(([, v]) => v);
    return [
      el(
        "ol",
        { class: "phases" },
        about.phases.map(phase =>
          el(
            "li",
            { class: "card phase" },
            el("h3", {}, phase.name),
            el("p", {}, phase.says),
            phase.options.length
              ? el(
                  "details",
                  { class: "screen-only" },
                  el("summary", {}, `${phase.options.length} options`),
                  el(
                    "dl",
                    { class: "options small" },
                    phase.options.map(([k, v]) => [el("dt", {}, el("code", {}, k)), el("dd", {}, v)]),
                  ),
                )
              : null,
          ),
        ),
      ),
      el(
        "dl",
        { class: "facts" },
        facts.map(([k, v]) => [el("dt", {}, k), el("dd", {}, v)]),
      ),
    ];
  }
  return { runs, head, tiles, differences, done, change, bounds, verdictOf, nice };
})();
