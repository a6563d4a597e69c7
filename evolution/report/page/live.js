"use strict";
// Follows a run that goes on: asks for what has changed since, and says when nobody answers.
(() => {
  const state = P.data("live"),
    word = P.el("span", { class: "live badge", role: "status" }, "live");
  document.getElementById("head").after(word);
  let { epoch, revision } = state,
    every = state.seconds;
  async function ask() {
    try {
      const answer = await fetch(`changes?epoch=${encodeURIComponent(epoch)}&since=${revision}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      const news = await answer.json();
      ({ epoch, revision } = news);
      word.textContent = news.problem ? `waiting: ${news.problem}` : "live";
      word.classList.remove("lost");
      // Told everything anew, the page forgets what is told no more.
      const gone = news.whole
        ? P.names().filter(name => name.startsWith("r") && name !== "runs" && !(name in news.sections))
        : news.gone;
      for (const name of gone) P.drop(name);
      for (const [name, value] of Object.entries(news.sections)) P.put(name, value);
      const changed = [...Object.keys(news.sections), ...gone];
      if (changed.length) document.dispatchEvent(new CustomEvent("changed", { detail: changed }));
    } catch {
      word.textContent = "nobody answers; what is shown is the last that was known";
      word.classList.add("lost");
    }
    setTimeout(ask, 1000 * every);
  }
  setTimeout(ask, 1000 * every);
})();
