"use strict";
// What an agent was told: any version as it stands, and what changed from one to another.
const Told = (() => {
  const { el, say } = P,
    KINDS = [
      ["insight", "Lessons"],
      ["skill", "Skills"],
      ["episode", "Solved tasks"],
    ],
    MOST = 100;
  const SIGNS = { added: "+", gone: "−", changed: "±", same: "" };
  // By run: which version is read, beside which, and whether only what changed.
  const states = new Map();

  // [sign, text] that laid end to end (without what is gone) are the second text; by lines or by words.
  function changes(before, after) {
    const cut = before.includes("\n") || after.includes("\n") ? /(?<=\n)/ : /(?<=\s)/,
      a = before ? before.split(cut) : [],
      b = after ? after.split(cut) : [];
    if (a.length * b.length > 1e6) return [["−", before], ["+", after]];
    const same = (i, j) => a[i].trimEnd() === b[j].trimEnd();
    // Longest common subsequence, from the end.
    const longest = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        longest[i][j] = same(i, j) ? 1 + longest[i + 1][j + 1] : Math.max(longest[i + 1][j], longest[i][j + 1]);
    const found = [],
      put = (sign, text) => {
        if (found.at(-1)?.[0] === sign) found.at(-1)[1] += text;
        else found.push([sign, text]);
      };
    let i = 0,
      j = 0;
    while (i < a.length || j < b.length)
      if (i < a.length && j < b.length && same(i, j)) {
        put("", b[j++]);
        i++;
      } else if (j >= b.length || (i < a.length && longest[i + 1][j] >= longest[i][j + 1])) put("−", a[i++]);
      else put("+", b[j++]);
    return found;
  }
  const drawn = parts =>
    parts.map(([sign, text]) => (sign === "−" ? el("del", {}, text) : sign === "+" ? el("ins", {}, text) : text));

  const entries = (contexts, version) =>
    new Map(
      (version?.entries || []).map(([id, kind, text, key, votes, step]) => [
        id,
        { id, kind, text: contexts.texts[text], key: contexts.texts[key], votes, step },
      ]),
    );
  // The entries of a version, and of one before it those that are gone.
  function compared(contexts, version, against) {
    const now = entries(contexts, version),
      then = entries(contexts, against);
    const found = [...now.values()].map(e => {
      const old = then.get(e.id);
      if (!against) return { ...e, fate: "same" };
      if (!old) return { ...e, fate: "added" };
      return { ...e, old, fate: old.text !== e.text || old.votes !== e.votes ? "changed" : "same" };
    });
    for (const old of then.values()) if (!now.has(old.id)) found.push({ ...old, fate: "gone" });
    return found;
  }

  function entry(e) {
    const facts = [
      e.old && e.old.votes !== e.votes ? `votes ${e.old.votes} → ${e.votes}` : `${e.votes} ${e.votes === 1 ? "vote" : "votes"}`,
      e.step ? `written at step ${e.step}` : "there from the start",
      e.key && e.kind === "insight" ? `from: ${e.key}` : null,
    ];
    const said =
      e.old && e.old.text !== e.text ? drawn(changes(e.old.text, e.text)) : e.fate === "gone" ? el("del", {}, e.text) : e.text;
    return el(
      "li",
      { class: "entry " + e.fate },
      el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[e.fate]),
      el(
        "div",
        {},
        e.fate !== "same" && el("span", { class: "visually-hidden" }, `${e.fate}: `),
        e.key && e.kind !== "insight" && el("div", { class: "dim small keyed" }, e.key),
        el("div", { class: "entry-text" + (e.kind === "skill" ? " mono" : "") }, said),
        el("div", { class: "dim small" }, facts.filter(Boolean).join(" · ")),
      ),
    );
  }

  function list(title, found) {
    const place = el("ul", { class: "entries" }, found.slice(0, MOST).map(entry));
    const rest = found.slice(MOST);
    const more =
      rest.length > 0 &&
      el(
        "button",
        {
          type: "button",
          class: "screen-only",
          onclick: event => {
            place.append(...rest.map(entry));
            event.target.remove();
          },
        },
        `show ${say.count(rest.length)} more`,
      );
    return [el("h4", {}, `${title} (${say.count(found.filter(e => e.fate !== "gone").length)})`), place, more];
  }

  function body(contexts, version, beside, only, name) {
    if (!version.entries)
      return [el("p", { class: "dim" }, "The files of this version are gone, or damaged; its lineage is told above.")];
    // What cannot be read cannot be compared with.
    const against = beside?.entries ? beside : null;
    const found = compared(contexts, version, against),
      fates = ["added", "gone", "changed"].map(fate => [fate, found.filter(e => e.fate === fate).length]);
    const texts = [against ? contexts.texts[against.instructions] : "", contexts.texts[version.instructions]];
    const instructed = !against || texts[0] === texts[1] ? [["", texts[1]]] : changes(...texts);
    const summary = fates.filter(([, n]) => n).map(([fate, n]) => `${n} ${fate}`);
    if (instructed.length > 1 || instructed[0][0]) summary.unshift("other instructions");
    const shown = only && against ? found.filter(e => e.fate !== "same") : found;
    const r = version.recall;
    return [
      beside &&
        !against &&
        el("p", { class: "dim" }, `The files of ${name(beside.digest)} are gone, or damaged: this version is shown as it stands.`),
      against && el("p", { class: "changed-line" }, `Against ${name(against.digest)}: ${summary.join(", ") || "nothing changed"}.`),
      texts[1] || texts[0]
        ? [el("h4", {}, "Instructions"), el("pre", { class: "instructions" }, drawn(instructed))]
        : null,
      KINDS.map(([kind, title]) => {
        const of = shown.filter(e => e.kind === kind);
        return of.length ? list(title, of) : null;
      }),
      !found.length && !texts[1] && el("p", { class: "dim" }, "Nothing is told yet."),
      version.left_out > 0 &&
        el("p", { class: "small" }, `${say.count(version.left_out)} more entries are left out of this page.`),
      el(
        "p",
        { class: "dim small" },
        `Before a task at most ${say.count(r.tokens)} tokens of it are recalled: ${r.insights} lessons, ${r.skills} skills, `,
        `${r.episodes} solved tasks, the nearest first. Instructions are always told.`,
      ),
    ];
  }

  function told(run) {
    const contexts = run.get("contexts");
    if (!contexts) return null;
    const name = Contexts.names(run),
      versions = contexts.versions,
      find = digest => versions.find(v => v.digest === digest);
    const state = states.get(run.number) || { shown: null, against: undefined, only: false };
    states.set(run.number, state);
    // Until somebody chooses, the last one is read, beside the one that it was proposed against.
    const version = find(state.shown) || versions.at(-1),
      at = versions.indexOf(version);
    const before = find(version.parent) || versions[at - 1];
    const against = state.against === undefined ? before : find(state.against);
    const place = el("div", {});
    const redraw = focus => {
      place.replaceWith(told(run));
      document.querySelector(`#told ${focus}`)?.focus();
    };
    const turn = (to, focus) => {
      Object.assign(state, { shown: versions[to].digest, against: undefined });
      redraw(focus);
    };
    const option = (v, chosen) =>
      el("option", { value: v.digest, selected: v === chosen }, `${name(v.digest)}, step ${v.step}`);
    const button = (label, glyph, to) =>
      el(
        "button",
        {
          type: "button",
          "aria-label": label,
          disabled: to < 0 || to >= versions.length,
          onclick: () => turn(to, `[aria-label="${label}"]`),
        },
        glyph,
      );
    const tools = el(
      "div",
      { class: "tools screen-only" },
      el(
        "label",
        { class: "tool" },
        el("span", { class: "small dim" }, "version"),
        el(
          "select",
          {
            class: "shown",
            onchange: event => turn(versions.findIndex(v => v.digest === event.target.value), ".shown"),
          },
          versions.map(v => option(v, version)),
        ),
      ),
      el(
        "label",
        { class: "tool" },
        el("span", { class: "small dim" }, "what changed since"),
        el(
          "select",
          {
            class: "against",
            onchange: event => {
              state.shown = version.digest;
              state.against = event.target.value;
              redraw(".against");
            },
          },
          el("option", { value: "", selected: !against }, "nothing: as it stands"),
          versions.filter(v => v !== version).map(v => option(v, against)),
        ),
      ),
      el(
        "div",
        { class: "tool" },
        el("span", { class: "small dim" }, "entries"),
        el(
          "div",
          { class: "switch", role: "group", "aria-label": "entries shown" },
          [false, true].map(only =>
            el(
              "button",
              {
                type: "button",
                "data-only": String(only),
                "aria-pressed": String(state.only === only),
                onclick: () => {
                  state.only = only;
                  redraw(`[data-only="${only}"]`);
                },
              },
              only ? "changed" : "all",
            ),
          ),
        ),
      ),
      el("div", { class: "detail-nav" }, button("version before", "←", at - 1), button("next version", "→", at + 1)),
    );
    place.append(
      tools,
      el(
        "article",
        { class: "card told-card" },
        el("h3", {}, `${name(version.digest)} `, el("code", { class: "dim" }, version.digest)),
        el(
          "p",
          { class: "small" },
          version.measured
            ? `Accepted at step ${version.step} against ${name(version.parent)}: ${Contexts.measured(version.measured)}.`
            : "What the run began with.",
          version.rolled_back && el("span", { class: "word down" }, ` Rolled back at step ${version.rolled_back}.`),
        ),
        body(contexts, version, against, state.only, name),
      ),
    );
    return place;
  }
  return { told };
})();
