"use strict";
// Where a run's time and money went, and what its page left out.
const Costs = (() => {
  const { el, say, known } = P;

  const SHARES = {
    sampling: "sampling",
    judging: "judging",
    learning: "learning",
    waiting: "waiting for experience",
    held: "held back",
  };
  function costs(run) {
    const c = run.get("costs"),
      colours = { birth: 5, acquire: 0, refine: 4, update: 1, evaluate: 2 };
    const order = ["sampling", "judging", "waiting", "learning", "held"],
      shares = order.filter(k => k in c.shares);
    const made = [
      P.parts(
        "time by phase",
        Object.entries(c.phases).map(([name, value]) => ({ name, value, colour: colours[name] ?? 6 })),
        say.seconds,
      ),
    ];
    if (shares.length)
      made.push(
        el(
          "figure",
          { class: "chart card" },
          el(
            "figcaption",
            {},
            el("h3", {}, "where the steps' time went"),
            el(
              "p",
              { class: "small dim" },
              `Share of the wall-clock of ${say.count(c.shared_steps)} steps. `,
              "Sampling and judging go on within waiting, ",
              "or beside learning, so the shares do not add up to a whole.",
            ),
          ),
          el(
            "ul",
            { class: "meters" },
            shares.map((k, i) =>
              el(
                "li",
                {},
                el("span", {}, SHARES[k]),
                el(
                  "span",
                  { class: "track", "aria-hidden": "true" },
                  el("span", {
                    class: "fill",
                    style: {
                      width: `${Math.min(100, 100 * c.shares[k])}%`,
                      background: `var(--c${[0, 2, 5, 1, 3][i]})`,
                    },
                  }),
                ),
                el("b", {}, say.share(c.shares[k])),
              ),
            ),
          ),
        ),
      );
    const seconds = c.phases.acquire || 0,
      facts = [
        ["tokens sampled in training", say.count(c.tokens)],
        ["tokens a second of acquiring", seconds ? say.count(c.tokens / seconds) : "–"],
        ["tokens an episode", c.episodes ? say.figure(c.tokens / c.episodes) : "–"],
        [
          "episodes learned from",
          c.episodes ? `${say.count(c.used)} of ${say.count(c.episodes)} (${say.share(c.used / c.episodes)})` : "–",
        ],
      ];
    const usage = c.usage.length
      ? P.table(
          ["server", "requests", "prompt tokens", "completion tokens", "spend"],
          c.usage.map(u =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, u.agent || ""),
              [u.requests, u.prompt_tokens, u.completion_tokens].map(n => el("td", {}, say.count(n))),
              el("td", {}, known(u.spend) ? say.figure(u.spend) : "no price given"),
            ),
          ),
          "spend on servers",
        )
      : null;
    return [
      el("div", { class: "charts two" }, made.filter(Boolean)),
      el(
        "dl",
        { class: "facts" },
        facts.map(([k, v]) => [el("dt", {}, k), el("dd", {}, v)]),
      ),
      usage || el("p", { class: "dim small" }, "No spend on servers was recorded."),
    ];
  }

  function left(all) {
    const nth = n => (n === 1 ? "every" : n === 2 ? "every second" : `every ${n}th`);
    const items = all.map(run => {
      const { training, held_out: sides, evaluations } = run.get("excerpt");
      const held = sides.map(side => `${say.count(side.kept)} at step ${side.step}`).join(" and ");
      const whose = all.length > 1 ? `Of ${run.name} the page` : "The page";
      return el(
        "li",
        {},
        `${whose} holds ${say.count(training.kept)} of ${say.count(training.episodes)} training episodes: `,
        `${nth(training.every)} group of attempts of the whole run, in order, each group whole`,
        training.cut ? `, but for ${say.count(training.cut)} too large, which begin as they began. ` : ". ",
        held && `Of the first and the last of ${say.count(evaluations)} evaluations it holds held-out episodes, `,
        held && `${held}: ${nth(sides[0].every)} task of those that accuracy is measured on.`,
      );
    });
    all.forEach(run => {
      const contexts = run.get("contexts");
      if (!contexts) return;
      const held = contexts.versions.length,
        gone = contexts.versions.reduce((sum, v) => sum + (v.left_out || 0), 0);
      items.push(
        el(
          "li",
          {},
          `${all.length > 1 ? `Of ${run.name} it` : "It"} holds ${say.count(held)} of ${say.count(contexts.of)} versions of `,
          "what the agent was told: the first, and counted back from the last ",
          `${nth(contexts.every)}${gone ? `; ${say.count(gone)} entries of them had no room` : ""}. `,
          "Proposals that were rejected are not kept.",
        ),
      );
    });
    items.push(el("li", {}, "Verdicts, transitions and totals are counted over all episodes, in the page or not."));
    items.push(el("li", {}, "Curves of more than 300 points are means of neighbours."));
    items.push(
      el("li", {}, "Texts beyond 20,000 characters and contexts beyond 4,000 tokens are cut where it says so."),
    );
    items.push(el("li", {}, "Everything else is in the run's own files; each episode says where it lies."));
    return el("ul", { class: "left-out" }, items);
  }
  return { costs, left };
})();
