"use strict";
// The reader: a filtered list of episodes, of which only what is in sight is in the page, and one dialogue beside it.
const Reader = (() => {
  const { el, say, known } = P, { all, names } = Episodes, ROW = 58, AROUND = 6;
  const state = { found: [], at: 0, colour: "logprob", specials: true, context: false, compare: -1 };
  let list, canvas, detail, count, fields = {};

  const field = (name, label, input) => { fields[name] = input; return el("label", { class: "field field-" + name }, el("span", {}, label), input); };
  const select = (options, extra) => el("select", extra, options.map(o => { const [value, words] = Array.isArray(o) ? o : [o, o]; return el("option", { value }, words); }));
  const number = (label, extra) => el("input", { type: "number", step: "any", "aria-label": label, placeholder: label, ...extra });

  function build(root, runs) {
    const refresh = () => apply();
    const search = el("input", { type: "search", placeholder: "words in tasks, replies, verdicts   ( / )", autocomplete: "off", spellcheck: "false", id: "search" });
    const taskNames = el("datalist", { id: "task-names" });
    const form = el("form", { class: "filters screen-only", role: "search", "aria-label": "filter the episodes", onsubmit: event => event.preventDefault() },
      field("text", "search", search),
      runs.length > 1 && field("run", "run", select([["", "all runs"], ...runs.map(r => [r.number, r.name])])),
      field("split", "split", select([["", "all"], "training", "held-out"])),
      field("status", "verdict", select([["", "any"]])), field("transition", "before and after", select([["", "any"], ["right_right", "right → right"], ["right_wrong", "right → wrong"], ["wrong_right", "wrong → right"], ["wrong_wrong", "wrong → wrong"]])),
      field("env", "environment", select([["", "any"]])), field("task", "task", el("input", { type: "text", list: "task-names", placeholder: "any", autocomplete: "off" })), taskNames,
      el("fieldset", { class: "field range" }, el("legend", {}, "reward"), fields.rewardLow = number("from"), fields.rewardHigh = number("to")),
      el("fieldset", { class: "field range" }, el("legend", {}, "iteration"), fields.stepLow = number("from", { step: 1 }), fields.stepHigh = number("to", { step: 1 })),
      field("learned", "learned from", select([["", "any"], ["yes", "yes"], ["no", "no"]])),
      field("sort", "order", select([["", "as played"], ["reward", "best paid first"], ["low", "worst paid first"], ["long", "longest first"]])),
      el("button", { type: "reset", class: "reset" }, "clear"));
    form.addEventListener("input", refresh);
    form.addEventListener("change", refresh);
    form.addEventListener("reset", () => setTimeout(refresh));
    count = el("p", { class: "count small dim screen-only", role: "status" });
    canvas = el("div", { class: "canvas" });
    list = el("div", { class: "list card screen-only", role: "listbox", tabindex: 0, "aria-label": "episodes; arrow keys choose, enter reads" }, canvas);
    detail = el("article", { class: "detail card", tabindex: -1, "aria-label": "episode" });
    list.addEventListener("scroll", paint);
    list.addEventListener("keydown", keys);
    detail.addEventListener("keydown", event => { if (event.key === "Escape") { list.focus(); list.scrollIntoView({ block: "nearest" }); event.preventDefault(); } });
    root.append(form, count, el("div", { class: "reader" }, list, detail));
    document.addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
      if (event.key === "/" && !typing) { search.focus(); search.select(); event.preventDefault(); }
      else if (event.key === "Escape" && event.target === search) { if (search.value) { search.value = ""; apply(); } else list.focus(); event.preventDefault(); }
      else if (event.key === "Enter" && event.target === search) { list.focus(); event.preventDefault(); }
      else if (event.key === "ArrowDown" && event.target === search) { list.focus(); event.preventDefault(); }
    });
    document.addEventListener("read", event => {
      form.reset();
      const { transition, env, run } = event.detail;
      fields.transition.value = transition; fields.env.value = env;
      if (fields.run) fields.run.value = run;
      apply();
      document.getElementById("reader").scrollIntoView();
      list.focus({ preventScroll: true });
    });
    new ResizeObserver(paint).observe(list);
    reload(runs);
    // What is read first is what the run was for: a task that it mended.
    choose(Math.max(0, state.found.findIndex(i => all.kind[i] === Episodes.KINDS.indexOf("wrong_right"))), { top: true });
    idle();
  }

  // Takes up episodes that are new in the page; what is being read stays open.
  function reload(runs) {
    const open = state.found.length ? Episodes.key(state.found[state.at]) : null;
    Episodes.load(runs);
    options(fields.status, ["", ...names.status], name => name ? `${P.verdict(name).glyph} ${Overview.nice(name)}` : "any");
    options(fields.env, ["", ...names.env], name => name || "any");
    document.getElementById("task-names").replaceChildren(...names.task.slice(0, 1000).map(value => el("option", { value })));
    apply(open);
  }
  function options(into, values, words) {
    const kept = into.value;
    into.replaceChildren(...values.map(value => el("option", { value }, words(value))));
    into.value = values.includes(kept) ? kept : "";
    into.closest(".field").hidden = values.length < 3 && !into.value;
  }

  const bound = (input, none) => input.value === "" ? none : +input.value;
  function apply(open) {
    const f = Object.fromEntries(["text", "run", "split", "status", "transition", "env", "task", "learned", "sort"].map(name => [name, fields[name]?.value ?? ""]));
    Object.assign(f, { rewardLow: bound(fields.rewardLow, -Infinity), rewardHigh: bound(fields.rewardHigh, Infinity), stepLow: bound(fields.stepLow, -Infinity), stepHigh: bound(fields.stepHigh, Infinity) });
    const before = state.found[state.at];
    state.found = Episodes.filter(f);
    let at = typeof open === "string" ? state.found.findIndex(i => Episodes.key(i) === open) : state.found.indexOf(before);
    count.textContent = `${say.count(state.found.length)} of ${say.count(all.count)} episodes in this page`;
    canvas.style.height = `${state.found.length * ROW}px`;
    choose(Math.max(0, at), { still: typeof open === "string" && at >= 0 });
  }

  function choose(at, { still = false, top: atTop = false } = {}) {
    state.at = Math.max(0, Math.min(state.found.length - 1, at));
    const top = state.at * ROW;
    if (!still) {
      if (top < list.scrollTop || atTop) list.scrollTop = top;
      else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
    }
    paint();
    if (!still) show();
  }

  function paint() {
    const from = Math.max(0, Math.floor(list.scrollTop / ROW) - AROUND), to = Math.min(state.found.length, Math.ceil((list.scrollTop + (list.clientHeight || 500)) / ROW) + AROUND);
    const rows = [];
    for (let at = from; at < to; at++) rows.push(line(at));
    canvas.replaceChildren(...rows);
    if (state.found.length) list.setAttribute("aria-activedescendant", `episode-${state.at}`); else list.removeAttribute("aria-activedescendant");
  }
  const brief = (text, most = 160) => { const one = text.replace(/\s+/g, " ").trim(); return one.length > most ? one.slice(0, most) + "…" : one; };
  const end = (text, most = 120) => { const one = text.replace(/\s+/g, " ").trim(); return one.length > most ? "…" + one.slice(-most) : one; };
  const badge = status => { const v = P.verdict(status); return el("span", { class: "verdict", style: { "--hue": `var(--c${v.colour})` }, title: Overview.nice(status) }, v.glyph, el("span", { class: "visually-hidden" }, Overview.nice(status))); };

  function line(at) {
    const i = state.found[at], one = Episodes.said(i), last = one.turns.at(-1);
    return el("div", { class: "row", role: "option", id: `episode-${at}`, "aria-selected": String(at === state.at), "aria-posinset": at + 1, "aria-setsize": state.found.length, style: { transform: `translateY(${at * ROW}px)` },
      onclick: () => { choose(at); list.focus(); if (matchMedia("(max-width: 56rem)").matches) detail.scrollIntoView({ block: "start" }); } },
      badge(names.status[all.status[i]]),
      el("span", { class: "what" }, brief(one.turns[0]?.observation || names.task[all.task[i]])),
      el("span", { class: "meta small dim" }, `${all.held[i] ? "held-out" : "training"} · ${all.step[i]}`),
      el("span", { class: "reply mono dim" }, last ? end(last.reply) || "(nothing)" : "(no turn)"),
      el("span", { class: "meta small" }, say.figure(all.reward[i])));
  }

  function keys(event) {
    const page = Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
    const to = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (to !== undefined) { choose(to === -Infinity ? 0 : to === Infinity ? state.found.length - 1 : state.at + to); event.preventDefault(); }
    else if (event.key === "Enter") { detail.focus({ preventScroll: true }); detail.scrollIntoView({ block: "nearest" }); event.preventDefault(); }
    else if (event.key === "Escape") { fields.text.focus(); event.preventDefault(); }
  }

  function show(compare) {
    const i = state.found[state.at];
    if (i === undefined) { detail.replaceChildren(el("p", { class: "empty dim" }, all.count ? "No episode passes the filter." : "No episode has been recorded yet.")); return; }
    state.compare = compare ?? all.other[i];
    const others = Episodes.siblings(i);
    if (!others.includes(state.compare)) state.compare = -1;
    const sides = state.compare < 0 ? [i] : [i, state.compare].sort((a, b) => all.run[a] - all.run[b] || all.step[a] - all.step[b] || a - b);
    const label = j => `${P.verdict(names.status[all.status[j]]).glyph} ${all.held[j] ? "held-out" : "training"}, step ${all.step[j]}, attempt ${all.attempt[j]}, reward ${say.figure(all.reward[j])}` + (all.run[j] !== all.run[i] ? `, ${P.data("runs")[all.run[j]]}` : "");
    const beside = el("select", { "aria-label": "compare with another episode of the same task", onchange: event => { show(event.target.value === "" ? -1 : +event.target.value); detail.querySelector(".beside select").focus(); } },
      el("option", { value: "" }, "nothing"), others.slice(0, 400).map(j => el("option", { value: j, selected: j === state.compare }, label(j))));
    const toggle = (name, value, words) => el("button", { type: "button", "aria-pressed": String(state[name] === value), "data-set": `${name}-${value}`, onclick: () => { state[name] = value; show(state.compare); detail.querySelector(`[data-set="${name}-${value}"]`).focus(); } }, words);
    detail.replaceChildren(
      el("header", { class: "detail-head" }, el("h3", {}, names.task[all.task[i]]),
        el("div", { class: "detail-nav screen-only" },
          el("button", { type: "button", disabled: state.at === 0, "aria-label": "episode before", onclick: () => { choose(state.at - 1); detail.querySelector("[aria-label='episode before']").focus(); } }, "↑"),
          el("span", { class: "small dim" }, `${say.count(state.at + 1)} of ${say.count(state.found.length)}`),
          el("button", { type: "button", disabled: state.at === state.found.length - 1, "aria-label": "next episode", onclick: () => { choose(state.at + 1); detail.querySelector("[aria-label='next episode']").focus(); } }, "↓"))),
      el("div", { class: "tools screen-only" },
        el("div", { class: "tool" }, el("span", { class: "small dim" }, "colour tokens by"), el("div", { class: "switch", role: "group", "aria-label": "colour tokens by" }, toggle("colour", "logprob", "log-probability"), toggle("colour", "advantage", "advantage"), toggle("colour", "", "nothing"))),
        el("div", { class: "tool" }, el("span", { class: "small dim" }, "the world's words"), el("div", { class: "switch", role: "group", "aria-label": "the world's words" }, toggle("context", false, "as text"), toggle("context", true, "as tokens"))),
        others.length ? el("label", { class: "tool beside" }, el("span", { class: "small dim" }, "compare with"), beside) : null),
      Dialogue.legend(state.colour, sides),
      el("div", { class: "sides" + (sides.length > 1 ? " pair" : "") }, sides.map(j => Dialogue.side(j, state, sides.length > 1 ? heading(j, sides) : null))));
  }
  function heading(j, sides) {
    const run = all.run[sides[0]] !== all.run[sides[1]] ? `${P.data("runs")[all.run[j]]}, ` : "";
    const word = all.step[sides[0]] === all.step[sides[1]] ? `attempt ${all.attempt[j]}` : j === sides[0] ? "before" : "after";
    return `${run}${word}, step ${all.step[j]}`;
  }

  // Reads what was said into the search, a little at a time while nothing else is to be done.
  function idle() {
    let i = 0;
    const work = deadline => {
      while (i < all.count && deadline.timeRemaining() > 4) for (let n = 0; n < 20 && i < all.count; n++, i++) Episodes.text(i);
      if (i < all.count) requestIdleCallback(work);
    };
    if (typeof requestIdleCallback === "function") requestIdleCallback(work);
  }
  return { build, reload, badge };
})();
