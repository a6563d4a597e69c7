"use strict";
// The page itself: which sections there are, what each is drawn from, and how the page follows a run that goes on.
(() => {
  const { el } = P;
  let all = Overview.runs(),
    chosen = 0;
  const one = draw => () => draw(all[chosen]);
  const SECTIONS = [
    {
      id: "came",
      short: "Result",
      title: "What came of it",
      needs: ["about", "measured", "costs", "transitions", "steps", "arms"],
      draw: () => (all.length > 1 ? Overview.differences(all) : Overview.tiles(all[0])),
    },
    { id: "done", short: "Recipe", title: "What was done", needs: ["about"], each: true, draw: one(Overview.done) },
    {
      id: "curves",
      short: "Curves",
      title: "Curves",
      needs: ["measured", "steps", "arms"],
      draw: () => [Curves.curves(all), Curves.watched(all)],
    },
    {
      id: "rounds",
      short: "Rounds",
      title: "Answering again",
      needs: ["arms"],
      each: true,
      draw: one(Rounds.rounds),
    },
    {
      id: "transitions",
      short: "Before and after",
      title: "Before and after",
      needs: ["transitions", "excerpt", "arms"],
      each: true,
      draw: one(Tables.transitions),
    },
    {
      id: "positions",
      short: "Positions",
      title: "Where the answer lies",
      needs: ["positions"],
      each: true,
      draw: one(Tables.positions),
    },
    {
      id: "verdicts",
      short: "Verdicts",
      title: "Verdicts",
      needs: ["statuses"],
      each: true,
      draw: one(Tables.verdicts),
    },
    {
      id: "crosses",
      short: "Tables",
      title: "Who and where",
      needs: ["transfer", "league", "measured", "history"],
      each: true,
      draw: one(Tables.crosses),
    },
    {
      id: "lineage",
      short: "Lineage",
      title: "From objective to checkpoint",
      needs: ["lineage", "contexts", "pool"],
      each: true,
      draw: one(Lineage.lineage),
    },
    {
      id: "told",
      short: "Told",
      title: "What it was told",
      needs: ["contexts"],
      each: true,
      draw: one(Told.told),
    },
    { id: "costs", short: "Cost", title: "Time and cost", needs: ["costs"], each: true, draw: one(Costs.costs) },
    { id: "reader", short: "Episodes", title: "Episodes", needs: [], draw: null },
    {
      id: "left",
      short: "Left out",
      title: "What this page left out",
      needs: ["excerpt", "contexts"],
      draw: () => Costs.left(all),
    },
  ];

  function redraw(section) {
    const place = document.getElementById(section.id),
      held = place.querySelector(".drawn");
    if (held.contains(document.activeElement) && document.activeElement !== document.body) {
      // Nobody's place is taken away under their hands.
      held.addEventListener("focusout", () => setTimeout(() => redraw(section)), { once: true });
      return;
    }
    const open = new Set([...held.querySelectorAll("details[open] > summary")].map(s => s.textContent));
    const closed = new Set([...held.querySelectorAll("details:not([open]) > summary")].map(s => s.textContent));
    const drawn = [section.draw()].flat(Infinity).filter(Boolean);
    held.replaceChildren(...drawn);
    for (const summary of held.querySelectorAll("summary")) {
      if (open.has(summary.textContent)) {
        summary.parentElement.open = true;
        // What is made at opening is made now, or the page below would jump.
        summary.parentElement.dispatchEvent(new Event("toggle"));
      } else if (closed.has(summary.textContent)) summary.parentElement.open = false;
    }
    place.hidden = !drawn.length;
    const link = document.querySelector(`nav a[href="#${section.id}"]`);
    if (link) link.parentElement.hidden = !drawn.length;
    const keep = place.querySelector(".which");
    if (keep) keep.replaceWith(which(section));
  }
  // Which of several runs a section is about.
  const which = section =>
    all.length < 2 || !section.each
      ? el("span", { class: "which", hidden: true })
      : el(
          "div",
          { class: "switch which", role: "group", "aria-label": "run shown" },
          all.map(run =>
            el(
              "button",
              {
                type: "button",
                "aria-pressed": String(run.number === chosen),
                onclick: () => {
                  chosen = run.number;
                  SECTIONS.filter(s => s.each).forEach(redraw);
                  document.querySelectorAll(`#${section.id} .which button`)[run.number].focus();
                },
              },
              run.name,
            ),
          ),
        );

  function head() {
    document.getElementById("head").replaceChildren(...Overview.head(all));
  }
  function begin() {
    const story = document.getElementById("story");
    for (const section of SECTIONS)
      story.append(
        el(
          "section",
          { id: section.id, "aria-labelledby": `${section.id}-title` },
          el(
            "div",
            { class: "section-head" },
            el("h2", { id: `${section.id}-title` }, section.title),
            el("span", { class: "which", hidden: true }),
          ),
          el("div", { class: "drawn" }),
        ),
      );
    document.getElementById("bar").append(
      el(
        "ul",
        {},
        SECTIONS.map(s => el("li", {}, el("a", { href: `#${s.id}` }, s.short))),
      ),
    );
    head();
    SECTIONS.filter(s => s.draw).forEach(redraw);
    Reader.build(document.querySelector("#reader .drawn"), all);
    document
      .querySelector("#reader .section-head")
      .after(
        el(
          "p",
          { class: "dim small keys screen-only" },
          "Keys: / searches, ↑ ↓ choose, enter reads, ← → go from token to token, escape goes back.",
        ),
      );
  }
  document.addEventListener("changed", event => {
    const changed = event.detail,
      touched = name => changed.some(c => c.endsWith(`-${name}`));
    all = Overview.runs();
    if (changed.some(c => /-[ic]\d+$/.test(c))) Reader.reload(all);
    head();
    SECTIONS.filter(s => s.draw && s.needs.some(touched)).forEach(redraw);
  });
  begin();
})();
