"""How the page of a tournament looks and moves: its style and its script, without anything from elsewhere."""

from typing import Final

__all__ = ["SCRIPT", "STYLE"]

STYLE: Final = """
:root { color-scheme: light dark; --back: #fbfaf7; --ink: #1d1d1b; --dim: #66645e; --line: #dcd8cf; --card: #fff;
  --accent: #8a3b12; --good: 34 139 87; --bad: 190 60 50; }
@media (prefers-color-scheme: dark) { :root { --back: #161513; --ink: #eceae4; --dim: #a09d94; --line: #3a3833;
  --card: #1f1e1b; --accent: #f0a06a; --good: 80 190 130; --bad: 235 110 95; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.2rem 1rem 4rem; background: var(--back); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: .2rem 0 .1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; }
p { margin: .3rem 0; } .dim { color: var(--dim); }
.wide { overflow-x: auto; -webkit-overflow-scrolling: touch; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .6rem; text-align: right; white-space: nowrap; }
tbody > * > * { border-top: 1px solid var(--line); }
thead th { font-weight: 600; color: var(--dim); vertical-align: bottom; }
th.name, td.name { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
.sticky { position: sticky; left: 0; background: var(--card); z-index: 1; }
td small { display: block; color: var(--dim); } td.bar { width: 34%; min-width: 11rem; }
svg { display: block; width: 100%; height: 1.6rem; overflow: visible; }
svg .axis { stroke: var(--line); } svg .reach { stroke: var(--accent); stroke-width: 3; }
svg .mark { stroke: var(--ink); stroke-width: 3; } svg line { vector-effect: non-scaling-stroke; }
.scale { display: flex; justify-content: space-between; font-weight: 400; }
td.cell { padding: 0; } td.cell button { width: 100%; border: 0; padding: .4rem .6rem; text-align: right;
  background: none; min-height: 2.75rem; border-radius: 0; }
td.cell small { color: inherit; opacity: .85; }
.warn { color: rgb(var(--bad)); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .8rem 0; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
button, select, input { font: inherit; color: inherit; } button, select { background: var(--card);
  border: 1px solid var(--line); border-radius: .4rem; padding: .45rem .8rem; min-height: 2.75rem; max-width: 100%; }
button { cursor: pointer; } button:disabled { opacity: .4; cursor: default; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px; }
.choose { display: flex; flex-wrap: wrap; gap: .6rem 1rem; margin: .6rem 0; }
.choose label { display: grid; grid-template-columns: minmax(0, 1fr); color: var(--dim); font-size: .9rem;
  flex: 1 1 10rem; min-width: 0; } .choose select { width: 100%; color: var(--ink); }
.choose .game { flex: 1 1 100%; }
.stage { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 1rem; }
.stage > div { border: 1px solid var(--line); border-radius: .5rem; background: var(--card); padding: .8rem; }
@media (max-width: 44rem) { .stage { grid-template-columns: minmax(0, 1fr); } dl { grid-template-columns: 1fr; }
  dd { margin-bottom: .4rem; } }
pre { margin: 0; font: 1rem/1.35 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; min-height: 8rem; }
.steps { display: flex; gap: .4rem; align-items: center; margin-top: .8rem; flex-wrap: wrap; }
.steps input { flex: 1 1 8rem; min-width: 6rem; min-height: 2.75rem; accent-color: var(--accent); }
#moves { list-style: none; margin: 0; padding: 0; max-height: 22rem; overflow-y: auto; }
#moves button { width: 100%; text-align: left; border: 0; border-radius: .3rem; min-height: 2.2rem;
  padding: .2rem .5rem; overflow-wrap: anywhere; } #moves [aria-current] { background: var(--line); }
#who { margin: 0 0 .6rem; overflow-wrap: anywhere; } #said { min-height: 1.5rem; overflow-wrap: anywhere; }
@media print { #games { display: none; } }
"""

# All text goes in as text, never as markup.
SCRIPT: Final = """
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
let shown = [], game = null, at = 0;
const option = (text, value) => {
  const made = document.createElement("option");
  made.textContent = text; made.value = value;
  return made;
};
for (const id of ["one", "two"]) {
  $(id).append(option("anybody", ""));
  data.names.forEach((name, i) => $(id).append(option(name, i)));
}
const title = g => g.players.map(p => data.names[p]).join(" – ") + ": " + (g.note || g.returns.join(" : "));
function list() {
  const one = $("one").value, two = $("two").value, spoilt = $("spoilt").value;
  shown = data.games.filter(g => (one === "" || g.players.includes(+one)) && (two === "" || g.players.includes(+two))
    && (spoilt === "" || !!g.note === (spoilt === "1")));
  $("game").replaceChildren(...shown.map((g, i) => option(g.id + "  " + title(g), i)));
  $("game").disabled = !shown.length;
  $("count").textContent = shown.length + " of " + data.games.length + " shown here, " + data.total + " played";
  open(shown[0] || null);
}
function open(next) {
  game = next; at = 0;
  $("stage").hidden = !game;
  if (!game) return;
  $("who").replaceChildren(...game.players.map((p, s) => {
    const line = document.createElement("div");
    line.textContent = "seat " + s + "  " + data.names[p] + (game.valid ? "  got " + game.returns[s] : "");
    return line;
  }));
  $("note").textContent = game.note;
  $("moves").replaceChildren(...game.frames.map((f, i) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button"; button.tabIndex = -1;
    button.textContent = i ? i + ".  " + f[0] + ": " + f[1] : "before the first move";
    button.addEventListener("click", () => step(i));
    item.append(button); return item;
  }));
  $("slide").max = game.frames.length - 1;
  step(0);
}
function step(to) {
  if (!game) return;
  at = Math.max(0, Math.min(game.frames.length - 1, to));
  const frame = game.frames[at], last = game.frames.length - 1;
  $("picture").textContent = frame[2] || "(no picture)";
  $("said").textContent = at ? "move " + at + " of " + last + ": seat " + frame[0] + " said " + frame[1]
    : "before the first move, of " + last;
  $("slide").value = at;
  $("first").disabled = $("back").disabled = at === 0;
  $("next").disabled = $("last").disabled = at === last;
  [...$("moves").querySelectorAll("button")].forEach((button, i) => {
    if (i === at) { button.setAttribute("aria-current", "step"); const box = $("moves");
      box.scrollTop = Math.max(0, button.offsetTop - box.offsetTop - box.clientHeight / 2); }
    else button.removeAttribute("aria-current");
  });
}
for (const id of ["one", "two", "spoilt"]) $(id).addEventListener("change", list);
$("game").addEventListener("change", () => open(shown[$("game").value]));
$("slide").addEventListener("input", () => step(+$("slide").value));
$("first").addEventListener("click", () => step(0));
$("back").addEventListener("click", () => step(at - 1));
$("next").addEventListener("click", () => step(at + 1));
$("last").addEventListener("click", () => step(Infinity));
$("games").addEventListener("keydown", event => {
  if (event.altKey || event.ctrlKey || event.metaKey || ["SELECT", "INPUT"].includes(event.target.tagName)) return;
  const move = { ArrowLeft: () => step(at - 1), ArrowRight: () => step(at + 1), Home: () => step(0),
    End: () => step(Infinity) }[event.key];
  if (move) { move(); event.preventDefault(); }
});
for (const button of document.querySelectorAll("[data-pair]")) button.addEventListener("click", () => {
  [$("one").value, $("two").value] = button.dataset.pair.split(" ");
  $("spoilt").value = ""; list();
  $("games").scrollIntoView(); $("stage").focus({ preventScroll: true });
});
list();
"""
