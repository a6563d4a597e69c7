"use strict";
// Curves: what was measured, what was paid, what was watched; several runs in one picture.
const Curves = (() => {
  const { el, say } = P,
    { nice } = Overview;

  function curves(all) {
    const several = all.length > 1,
      made = [],
      ways = all.map(run => run.get("arms").names);
    // Other ways of answering have a picture of their own, unless they were measured again and again.
    const shown = run =>
      (run.get("measured") || []).filter(
        (m, i) => !i || m.steps.length > 1 || !run.get("arms").names.some(name => m.env.endsWith(` with ${name}`)),
      );
    const envs = [...new Set(all.flatMap(run => shown(run).map(m => m.env)))];
    const series = [];
    all.forEach((run, r) =>
      shown(run).forEach((m, i) => {
        const name = several ? `${run.name}${envs.length > 1 ? " · " + m.env : ""}` : m.env;
        series.push({
          name,
          steps: m.steps,
          value: m.value,
          low: m.low,
          high: m.high,
          points: true,
          colour: several ? r : i,
          dash: several ? envs.indexOf(m.env) : i,
        });
      }),
    );
    const measures = [...new Set(all.flatMap(run => shown(run).map(m => m.measure)))];
    made.push(
      P.lines({
        title: measures.length === 1 ? measures[0] : "what was measured",
        note:
          "Bands are 95 % intervals." +
          (ways.some(w => w.length) && !several ? ` Step 0 is the policy alone, later steps answer by ${ways[0][0]}.` : ""),
        format: say.share,
        low: 0,
        high: 1,
        from: 0,
        series,
      }),
    );
    const reward = [];
    let shade;
    all.forEach((run, r) => {
      const s = run.get("steps"),
        name = several ? `${run.name} · ` : "";
      if (s.reward)
        reward.push({
          name: name + "reward",
          steps: s.steps,
          value: P.smooth(s.reward),
          raw: s.reward.length >= 20 ? s.reward : null,
          colour: several ? r : 1,
        });
      if (s.audit) {
        if (!several) shade = { upper: 0, lower: 1 };
        reward.push({
          name: name + "audited",
          steps: s.steps,
          value: P.smooth(s.audit),
          colour: several ? r : 0,
          dash: 1,
        });
      }
    });
    const audited = reward.some(s => s.dash);
    made.push(
      P.lines({
        title: audited ? "reward in training, and what the auditor pays" : "reward in training",
        from: 0,
        low: 0,
        high: 1,
        series: reward,
        shade,
        note: audited
          ? "Shaded: paid, but not by a stricter judge of the same replies."
          : reward.some(s => s.raw)
            ? "The thin line is each step, the other a moving average."
            : null,
      }),
    );
    return el("div", { class: "charts two" }, made);
  }

  const WATCHED = {
    length: "tokens a reply",
    length_drift: "length, against the start",
    duplicates: "share of replies that say the same",
    gap: "reward less audit",
    unaudited: "not audited",
  };
  function small(all, kind) {
    const names = [...new Set(all.flatMap(run => Object.keys(run.get("steps")[kind] || {})))].filter(
      n => n !== "audit",
    );
    return names
      .map(name =>
        P.lines({
          small: true,
          height: 120,
          from: 0,
          title:
            kind === "watch"
              ? WATCHED[name] || name.replace("paid/", "share of reward paid to: ")
              : nice(name).replace("/", ": "),
          series: all
            .map((run, r) => {
              const s = run.get("steps"),
                v = (s[kind] || {})[name];
              return v && { name: run.name, steps: s.steps, value: v, colour: r };
            })
            .filter(Boolean),
        }),
      )
      .filter(Boolean);
  }
  function figures(all) {
    const envs = [
      ...new Set(
        all.flatMap(run => (run.get("measured") || []).flatMap(m => m.figures.map(f => m.env + "\n" + f.name))),
      ),
    ];
    return envs
      .map(key => {
        const [env, name] = key.split("\n");
        return P.lines({
          small: true,
          height: 120,
          from: 0,
          title: `${nice(name)} · ${env}`,
          series: all
            .map((run, r) => {
              const f = ((run.get("measured") || []).find(m => m.env === env)?.figures || []).find(
                one => one.name === name,
              );
              return (
                f && {
                  name: run.name,
                  steps: f.steps,
                  value: f.value,
                  low: f.low,
                  high: f.high,
                  colour: r,
                  points: true,
                }
              );
            })
            .filter(Boolean),
        });
      })
      .filter(Boolean);
  }
  function watched(all) {
    const groups = [
      ["What replies look like", small(all, "watch"), true],
      ["What else was measured", figures(all), true],
      ["What the update reported", small(all, "update"), false],
      ["Pace", small(all, "pace"), false],
    ].filter(([, charts]) => charts.length);
    return groups.map(([title, charts, open]) =>
      el(
        "details",
        { class: "fold", open },
        el("summary", {}, el("h3", {}, title)),
        el("div", { class: "charts small-charts" }, charts),
      ),
    );
  }
  return { curves, watched };
})();
