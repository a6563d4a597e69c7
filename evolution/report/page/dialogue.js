"use strict";
// One episode, turn by turn, its tokens coloured by how probable they were or by how much better the turn went.
const Dialogue = (() => {
  const { el, say, known } = P,
    { all, names } = Episodes;
  const FINISH = { e: "ended its turn", l: "cut by the limit of tokens", s: "ended by a stop string" };
  // From this log-probability on a token has the full colour: one in a hundred and fifty.
  const RARE = -5;

  function legend(colour, sides) {
    if (!colour) return el("p", { class: "token-legend small dim" }, " ");
    if (colour === "logprob")
      return el(
        "p",
        { class: "token-legend small dim" },
        "certain ",
        [0, -0.5, -1.5, -3, -5].map(lp =>
          el(
            "span",
            { class: "tok loss", style: { "--strength": (lp / RARE).toFixed(2) } },
            `${(100 * Math.exp(lp)).toFixed(lp < -3 ? 1 : 0)} %`,
          ),
        ),
        " rare, as it was sampled",
      );
    const words = P.data(`r${all.run[sides[0]]}-excerpt`).advantage;
    return el(
      "p",
      { class: "token-legend small dim" },
      "worse ",
      [-2, -1].map(a => el("span", { class: "tok loss", style: { "--strength": (-a / 2).toFixed(2) } }, `−${-a}`)),
      el("span", { class: "tok" }, "0"),
      [1, 2].map(a => el("span", { class: "tok gain", style: { "--strength": (a / 2).toFixed(2) } }, `+${a}`)),
      ` better: ${words}`,
    );
  }

  function paintOf(colour, token, turn) {
    if (colour === "logprob" && known(token.logprob)) return ["loss", Math.min(1, token.logprob / RARE)];
    if (colour === "advantage" && known(turn.advantage))
      return [turn.advantage < 0 ? "loss" : "gain", Math.min(1, Math.abs(turn.advantage) / 2)];
    return ["", 0];
  }
  const signed = x => x.toFixed(2).replace("-", "−");
  const visible = text => text.replaceAll("\n", "⏎\n").replaceAll("\t", "⇥\t");

  function tokens(turn, colour, specials, readout) {
    const spans = turn.tokens.map((token, n) => {
      const [way, strength] = paintOf(colour, token, turn);
      const special = specials.has(token.text);
      return el(
        "span",
        {
          class: ["tok", way, special ? "special" : ""].join(" ").trim(),
          "data-n": n,
          style: { "--strength": strength.toFixed(2) },
        },
        visible(token.text),
      );
    });
    const box = el(
      "div",
      {
        class: "said tokens",
        tabindex: 0,
        role: "group",
        "aria-label": `reply: ${turn.reply}. ${spans.length} tokens; left and right arrows read them one by one.`,
      },
      spans,
    );
    let at = -1;
    const tell = n => {
      spans[at]?.classList.remove("current");
      at = Math.max(0, Math.min(spans.length - 1, n));
      const token = turn.tokens[at];
      spans[at].classList.add("current");
      const p = known(token.logprob)
        ? `probability ${say.share(Math.exp(token.logprob))} (log-probability ${signed(token.logprob)})`
        : "not sampled here";
      const a = known(turn.advantage) ? ` · advantage ${say.figure(turn.advantage)}` : "";
      const spelled = visible(token.text).trim() || "␣";
      readout.textContent = `token ${at + 1} of ${spans.length} “${spelled}” · ${p}${a}`;
    };
    box.addEventListener("pointerover", event => {
      const n = event.target.dataset?.n;
      if (n !== undefined) tell(+n);
    });
    box.addEventListener("focus", () => tell(Math.max(0, at)));
    box.addEventListener("blur", () => spans[at]?.classList.remove("current"));
    box.addEventListener("keydown", event => {
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: spans.length - 1 }[event.key];
      if (to !== undefined) {
        tell(to);
        event.preventDefault();
      }
    });
    return box;
  }

  function context(turn, specials) {
    if (!turn.context.length) return el("div", { class: "said world" }, turn.observation);
    return el(
      "div",
      { class: "said world tokens" },
      turn.context.map(text => el("span", { class: "tok" + (specials.has(text) ? " special" : "") }, visible(text))),
    );
  }

  function turnOf(turn, n, state, specials, alone) {
    const readout = el("p", { class: "readout small dim screen-only", role: "status" }, " ");
    const facts = [
      !alone && turn.reward !== 0 ? `reward ${say.figure(turn.reward)}` : null,
      known(turn.advantage) ? `advantage ${turn.advantage > 0 ? "+" : ""}${say.figure(turn.advantage)}` : null,
      turn.versions.length
        ? `version ${turn.versions[0]}${turn.versions[1] !== turn.versions[0] ? " to " + turn.versions[1] : ""}`
        : null,
      FINISH[turn.finish],
      turn.continues || n === 0 ? null : "context rewritten",
    ]
      .filter(Boolean)
      .join(" · ");
    // Numbers in place of words tell nobody anything: a run without a tokenizer shows what was said.
    const spelled = turn.tokens.some(token => !/^⟨\d+⟩$/.test(token.text));
    return el(
      "li",
      { class: "turn" },
      el("div", { class: "speaker small" }, "world"),
      state.context ? context(turn, specials) : el("div", { class: "said world" }, turn.observation),
      el("div", { class: "speaker small" }, "agent"),
      spelled
        ? tokens(turn, state.colour, specials, readout)
        : el("div", { class: "said reply" }, turn.reply || "(nothing)"),
      spelled ? readout : null,
      turn.action !== null
        ? el(
            "p",
            { class: "small" },
            el("span", { class: "dim" }, "taken as "),
            el("code", {}, turn.action || "(nothing)"),
          )
        : null,
      el(
        "p",
        { class: "small dim turn-facts" },
        facts,
        turn.verdict && !alone ? el("span", { class: "turn-verdict" }, ` · ${turn.verdict}`) : null,
      ),
    );
  }

  function side(i, state, heading) {
    const one = Episodes.said(i),
      status = names.status[all.status[i]],
      specials = new Set(P.data(`r${all.run[i]}-excerpt`).specials);
    const facts = [
      `reward ${say.figure(all.reward[i])}`,
      `${all.held[i] ? "held-out" : "training"}, step ${all.step[i]}`,
      `attempt ${all.attempt[i]}`,
      `${say.count(all.tokens[i])} tokens`,
      all.held[i] ? null : all.learned[i] ? "learned from" : "not learned from",
    ].filter(Boolean);
    return el(
      "section",
      { class: "side", "aria-label": heading || "dialogue" },
      heading && el("h4", {}, heading),
      el(
        "p",
        { class: "verdict-line" },
        Detail.badge(status),
        el("b", {}, ` ${Overview.nice(status)}`),
        one.detail ? `: ${one.detail}` : "",
      ),
      el("p", { class: "small dim" }, facts.join(" · ")),
      el(
        "ol",
        { class: "turns" },
        one.turns.map((turn, n) => turnOf(turn, n, state, specials, one.turns.length === 1)),
      ),
      el(
        "p",
        { class: "small dim where" },
        names.env[all.env[i]],
        el("br"),
        `${all.held[i] ? "evaluations" : "experience"}/${names.shard[all.shard[i]]}.parquet, row ${one.row}`,
      ),
    );
  }
  return { legend, side };
})();
