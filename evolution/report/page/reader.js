"use strict";
// The reader: a filtered list of episodes, of which only what is in sight is in the page, and one dialogue beside it.
const Reader = (() => {
  const { el, say } = P,
    { all, names } = Episodes,
    ROW = 58,
    AROUND = 6;
  const state = { found: [], at: 0, colour: "logprob", specials: true, context: false, beside: "", key: null };
  let list,
    canvas,
    detail,
    count,
    fields = {};

  const field = (name, label, input) => {
    fields[name] = input;
    return el("label", { class: "field field-" + name }, el("span", {}, label), input);
  };
  const select = (options, extra) =>
    el(
      "select",
      extra,
      options.map(o => {
        const [value, words] = Array.isArray(o) ? o : [o, o];
        return el("option", { value }, words);
      }),
    );
  const number = (label, extra) =>
    el("input", { type: "number", step: "any", "aria-label": label, placeholder: label, ...extra });

  function build(root, runs) {
    const refresh = () => apply();
    const search = el("input", {
      type: "search",
      placeholder: "words in tasks, replies, verdicts   ( / )",
      autocomplete: "off",
      spellcheck: "false",
      id: "search",
    });
    const taskNames = el("datalist", { id: "task-names" });
    const form = el(
      "form",
      {
        class: "filters screen-only",
        role: "search",
        "aria-label": "filter the episodes",
        onsubmit: event => event.preventDefault(),
      },
      field("text", "search", search),
      runs.length > 1 && field("run", "run", select([["", "all runs"], ...runs.map(r => [r.number, r.name])])),
      field("split", "split", select([["", "all"], "training", "held-out"])),
      field("status", "verdict", select([["", "any"]])),
      field(
        "transition",
        "before and after",
        select([
          ["", "any"],
          ["right_right", "right → right"],
          ["right_wrong", "right → wrong"],
          ["wrong_right", "wrong → right"],
          ["wrong_wrong", "wrong → wrong"],
        ]),
      ),
      field("way", "way of answering", select([["", "any"]])),
      field("env", "environment", select([["", "any"]])),
      field("task", "task", el("input", { type: "text", list: "task-names", placeholder: "any", autocomplete: "off" })),
      taskNames,
      el(
        "fieldset",
        { class: "field range" },
        el("legend", {}, "reward"),
        (fields.rewardLow = number("from")),
        (fields.rewardHigh = number("to")),
      ),
      el(
        "fieldset",
        { class: "field range" },
        el("legend", {}, "iteration"),
        (fields.stepLow = number("from", { step: 1 })),
        (fields.stepHigh = number("to", { step: 1 })),
      ),
      field(
        "learned",
        "learned from",
        select([
          ["", "any"],
          ["yes", "yes"],
          ["no", "no"],
        ]),
      ),
      field(
        "sort",
        "order",
        select([
          ["", "as played"],
          ["reward", "best paid first"],
          ["low", "worst paid first"],
          ["long", "longest first"],
        ]),
      ),
      el("button", { type: "reset", class: "reset" }, "clear"),
    );
    form.addEventListener("input", refresh);
    form.addEventListener("reset", () => setTimeout(refresh));
    count = el("p", { class: "count small dim screen-only", role: "status" });
    canvas = el("div", { class: "canvas" });
    list = el(
      "div",
      {
        class: "list card screen-only",
        role: "listbox",
        tabindex: 0,
        "aria-label": "episodes; arrow keys choose, enter reads",
      },
      canvas,
    );
    detail = el("article", { class: "detail card", tabindex: -1, "aria-label": "episode" });
    list.addEventListener("scroll", paint);
    list.addEventListener("keydown", keys);
    detail.addEventListener("keydown", event => {
      if (event.key === "Escape") {
        list.focus();
        list.scrollIntoView({ block: "nearest" });
        event.preventDefault();
      }
    });
    root.append(form, count, el("div", { class: "reader" }, list, detail));
    document.addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
      if (event.key === "/" && !typing) {
        search.focus();
        search.select();
        event.preventDefault();
      } else if (event.key === "Escape" && event.target === search) {
        if (search.value) {
          search.value = "";
          apply();
        } else list.focus();
        event.preventDefault();
      } else if (event.key === "Enter" && event.target === search) {
        list.focus();
        event.preventDefault();
      } else if (event.key === "ArrowDown" && event.target === search) {
        list.focus();
        event.preventDefault();
      }
    });
    document.addEventListener("read", event => {
      form.reset();
      const { transition, env, run, way } = event.detail;
      fields.transition.value = transition || "";
      fields.way.value = way || "";
      fields.env.value = env;
      if (fields.run) fields.run.value = run;
      apply();
      document.getElementById("reader").scrollIntoView();
      list.focus({ preventScroll: true });
    });
    new ResizeObserver(paint).observe(list);
    reload(runs);
    // What is read first is what the run was for: a task that it mended.
    choose(
      Math.max(
        0,
        state.found.findIndex(i => all.kind[i] === Episodes.KINDS.indexOf("wrong_right")),
      ),
      { top: true },
    );
    idle();
  }

  // Takes up episodes that are new in the page; what is being read stays open. The data has changed already, and every
  // number of an episode may be that of another: nothing is known of before but keys.
  function reload(runs) {
    const top = list.scrollTop - ROW * state.at,
      within = detail.contains(document.activeElement);
    Episodes.load(runs);
    state.found = [];
    options(fields.status, ["", ...names.status], name =>
      name ? `${P.verdict(name).glyph} ${Overview.nice(name)}` : "any",
    );
    options(fields.way, ["", ...Episodes.waysKnown()], name => name || "any");
    options(fields.env, ["", ...names.env], name => name || "any");
    document
      .getElementById("task-names")
      .replaceChildren(...names.task.slice(0, 1000).map(value => el("option", { value })));
    apply(true);
    // What was in sight stays there, whatever came before it.
    list.scrollTop = top + ROW * state.at;
    if (within && !detail.contains(document.activeElement)) detail.focus({ preventScroll: true });
  }
  function options(into, values, words) {
    const kept = into.value;
    into.replaceChildren(...values.map(value => el("option", { value }, words(value))));
    into.value = values.includes(kept) ? kept : "";
    into.closest(".field").hidden = values.length < 3 && !into.value;
  }

  const bound = (input, none) => (input.value === "" ? none : +input.value);
  function apply(reloaded = false) {
    const f = Object.fromEntries(
      ["text", "run", "split", "status", "transition", "way", "env", "task", "learned", "sort"].map(name => [
        name,
        fields[name]?.value ?? "",
      ]),
    );
    Object.assign(f, {
      rewardLow: bound(fields.rewardLow, -Infinity),
      rewardHigh: bound(fields.rewardHigh, Infinity),
      stepLow: bound(fields.stepLow, -Infinity),
      stepHigh: bound(fields.stepHigh, Infinity),
    });
    const before = state.found[state.at];
    state.found = Episodes.filter(f);
    const at = reloaded ? state.found.findIndex(i => Episodes.key(i) === state.key) : state.found.indexOf(before);
    count.textContent = `${say.count(state.found.length)} of ${say.count(all.count)} episodes in this page`;
    canvas.style.height = `${state.found.length * ROW}px`;
    // What left the page gives way to what stands where it stood.
    if (reloaded) choose(at < 0 ? state.at : at, { still: true });
    else choose(Math.max(0, at));
  }

  function choose(at, { still = false, top: atTop = false } = {}) {
    state.at = Math.max(0, Math.min(state.found.length - 1, at));
    const top = state.at * ROW;
    if (!still) {
      if (top < list.scrollTop || atTop) list.scrollTop = top;
      else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
    }
    paint();
    // What is read already stays as it is: somebody may be reading.
    const chosen = state.found[state.at],
      key = chosen === undefined ? null : Episodes.key(chosen);
    if (key === null || key !== state.key) Detail.show(detail, state, choose);
    else Detail.place(detail, state);
    state.key = key;
  }

  function paint() {
    const from = Math.max(0, Math.floor(list.scrollTop / ROW) - AROUND),
      to = Math.min(state.found.length, Math.ceil((list.scrollTop + (list.clientHeight || 500)) / ROW) + AROUND);
    const rows = [];
    for (let at = from; at < to; at++) rows.push(line(at));
    canvas.replaceChildren(...rows);
    if (state.found.length) list.setAttribute("aria-activedescendant", `episode-${state.at}`);
    else list.removeAttribute("aria-activedescendant");
  }
  const brief = (text, most = 160) => {
    const one = text.replace(/\s+/g, " ").trim();
    return one.length > most ? one.slice(0, most) + "…" : one;
  };
  const end = (text, most = 120) => {
    const one = text.replace(/\s+/g, " ").trim();
    return one.length > most ? "…" + one.slice(-most) : one;
  };
  // What was said, without the sign that ends a turn.
  function plain(i, reply) {
    const ending = P.data(`r${all.run[i]}-excerpt`).specials.find(special => reply.endsWith(special));
    return ending ? reply.slice(0, -ending.length) : reply;
  }
  function line(at) {
    const i = state.found[at],
      one = Episodes.said(i),
      last = one.turns.at(-1);
    return el(
      "div",
      {
        class: "row",
        role: "option",
        id: `episode-${at}`,
        "aria-selected": String(at === state.at),
        "aria-posinset": at + 1,
        "aria-setsize": state.found.length,
        style: { transform: `translateY(${at * ROW}px)` },
        onclick: () => {
          choose(at);
          list.focus();
          if (matchMedia("(max-width: 56rem)").matches) detail.scrollIntoView({ block: "start" });
        },
      },
      Detail.badge(names.status[all.status[i]]),
      el("span", { class: "what" }, brief(one.turns[0]?.observation || names.task[all.task[i]])),
      el("span", { class: "meta small dim" }, `${Episodes.way(i) || (all.held[i] ? "held-out" : "training")} · ${all.step[i]}`),
      el("span", { class: "reply mono dim" }, last ? end(plain(i, last.reply)) || "(nothing)" : "(no turn)"),
      el("span", { class: "meta small" }, say.figure(all.reward[i])),
    );
  }

  function keys(event) {
    const page = Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
    const to = {
      ArrowDown: 1,
      ArrowUp: -1,
      j: 1,
      k: -1,
      PageDown: page,
      PageUp: -page,
      Home: -Infinity,
      End: Infinity,
    }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (to !== undefined) {
      choose(to === -Infinity ? 0 : to === Infinity ? state.found.length - 1 : state.at + to);
      event.preventDefault();
    } else if (event.key === "Enter") {
      detail.focus({ preventScroll: true });
      detail.scrollIntoView({ block: "nearest" });
      event.preventDefault();
    } else if (event.key === "Escape") {
      fields.text.focus();
      event.preventDefault();
    }
  }

  // Reads what was said into the search, a little at a time while nothing else is to be done.
  function idle() {
    let i = 0;
    const work = deadline => {
      while (i < all.count && deadline.timeRemaining() > 4)
        for (let n = 0; n < 20 && i < all.count; n++, i++) Episodes.text(i);
      if (i < all.count) requestIdleCallback(work);
    };
    if (typeof requestIdleCallback === "function") requestIdleCallback(work);
  }
  return { build, reload };
})();
