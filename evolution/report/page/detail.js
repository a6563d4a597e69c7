"use strict";
// The episode that is read, and beside it another of the same task: the same one before or after, if it was held out.
const Detail = (() => {
  const { el, say } = P,
    { all, names } = Episodes;

  const badge = status => {
    const v = P.verdict(status);
    return el(
      "span",
      { class: "verdict", style: { "--hue": `var(--c${v.colour})` }, title: Overview.nice(status) },
      v.glyph,
      el("span", { class: "visually-hidden" }, Overview.nice(status)),
    );
  };

  // Where the episode that is read stands in the list, which grows while it is read.
  function place(detail, state) {
    const last = state.found.length - 1;
    detail.querySelector(".detail-nav .small").textContent = `${say.count(state.at + 1)} of ${say.count(last + 1)}`;
    detail.querySelector("[aria-label='episode before']").disabled = state.at === 0;
    detail.querySelector("[aria-label='next episode']").disabled = state.at === last;
  }

  // Beside it the episode of a key, nothing where that is empty, and without one its own other side. Numbers of episodes
  // are never kept: while a run goes on they become those of others.
  function show(detail, state, choose, beside) {
    const i = state.found[state.at];
    if (i === undefined) {
      detail.replaceChildren(
        el(
          "p",
          { class: "empty dim" },
          all.count ? "No episode passes the filter." : "No episode has been recorded yet.",
        ),
      );
      return;
    }
    const others = Episodes.siblings(i),
      compare = others.find(j => (beside === undefined ? j === all.other[i] : Episodes.key(j) === beside));
    state.beside = compare === undefined ? "" : Episodes.key(compare);
    const sides =
      compare === undefined
        ? [i]
        : [i, compare].sort((a, b) => all.run[a] - all.run[b] || all.step[a] - all.step[b] || a - b);
    const label = j =>
      `${P.verdict(names.status[all.status[j]]).glyph} ${all.held[j] ? "held-out" : "training"}, ` +
      (Episodes.way(j) ? `${Episodes.way(j)}, ` : "") +
      `step ${all.step[j]}, attempt ${all.attempt[j]}, reward ${say.figure(all.reward[j])}` +
      (all.run[j] !== all.run[i] ? `, ${P.data("runs")[all.run[j]]}` : "");
    const choice = el(
      "select",
      {
        "aria-label": "compare with another episode of the same task",
        onchange: event => {
          show(detail, state, choose, event.target.value);
          detail.querySelector(".beside select").focus();
        },
      },
      el("option", { value: "" }, "nothing"),
      others.slice(0, 400).map(j => el("option", { value: Episodes.key(j), selected: j === compare }, label(j))),
    );
    const toggle = (name, value, words) =>
      el(
        "button",
        {
          type: "button",
          "aria-pressed": String(state[name] === value),
          "data-set": `${name}-${value}`,
          onclick: () => {
            state[name] = value;
            show(detail, state, choose, state.beside);
            detail.querySelector(`[data-set="${name}-${value}"]`).focus();
          },
        },
        words,
      );
    detail.replaceChildren(
      el(
        "header",
        { class: "detail-head" },
        el("h3", {}, names.task[all.task[i]]),
        el(
          "div",
          { class: "detail-nav screen-only" },
          el(
            "button",
            {
              type: "button",
              "aria-label": "episode before",
              onclick: () => {
                choose(state.at - 1);
                detail.querySelector("[aria-label='episode before']").focus();
              },
            },
            "↑",
          ),
          el("span", { class: "small dim" }),
          el(
            "button",
            {
              type: "button",
              "aria-label": "next episode",
              onclick: () => {
                choose(state.at + 1);
                detail.querySelector("[aria-label='next episode']").focus();
              },
            },
            "↓",
          ),
        ),
      ),
      el(
        "div",
        { class: "tools screen-only" },
        el(
          "div",
          { class: "tool" },
          el("span", { class: "small dim" }, "colour tokens by"),
          el(
            "div",
            { class: "switch", role: "group", "aria-label": "colour tokens by" },
            toggle("colour", "logprob", "log-probability"),
            toggle("colour", "advantage", "advantage"),
            toggle("colour", "", "nothing"),
          ),
        ),
        el(
          "div",
          { class: "tool" },
          el("span", { class: "small dim" }, "the world's words"),
          el(
            "div",
            { class: "switch", role: "group", "aria-label": "the world's words" },
            toggle("context", false, "as text"),
            toggle("context", true, "as tokens"),
          ),
        ),
        others.length
          ? el("label", { class: "tool beside" }, el("span", { class: "small dim" }, "compare with"), choice)
          : null,
      ),
      Dialogue.legend(state.colour, sides),
      el(
        "div",
        { class: "sides" + (sides.length > 1 ? " pair" : "") },
        sides.map(j => Dialogue.side(j, state, sides.length > 1 ? heading(j, sides) : null)),
      ),
    );
    place(detail, state);
  }
  function heading(j, sides) {
    const run = all.run[sides[0]] !== all.run[sides[1]] ? `${P.data("runs")[all.run[j]]}, ` : "";
    if (Episodes.way(j)) return `${run}${Episodes.way(j)}, step ${all.step[j]}`;
    const word =
      all.step[sides[0]] === all.step[sides[1]] ? `attempt ${all.attempt[j]}` : j === sides[0] ? "before" : "after";
    return `${run}${word}, step ${all.step[j]}`;
  }
  return { show, place, badge };
})();
