"use strict";
// The ground of our pages: data that is parsed when asked for, elements whose texts are texts, and the light switch.
const P = (() => {
  const parsed = new Map();

  // A section of the page's data; undefined where there is none.
  function data(name) {
    if (!parsed.has(name)) {
      const held = document.getElementById("data-" + name);
      if (!held) return undefined;
      parsed.set(name, JSON.parse(held.textContent));
    }
    return parsed.get(name);
  }
  const put = (name, value) => {
    parsed.set(name, value);
  };
  const drop = name => {
    parsed.delete(name);
    document.getElementById("data-" + name)?.remove();
  };
  const names = () => [
    ...new Set([
      ...[...document.querySelectorAll('script[type="application/json"][id^="data-"]')].map(s => s.id.slice(5)),
      ...parsed.keys(),
    ]),
  ];

  function fill(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "style") for (const [key, one] of Object.entries(value)) made.style.setProperty(key, one);
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
    return made;
  }
  // Texts among the children stay texts: nothing that was said can become markup.
  const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  const known = x => typeof x === "number" && isFinite(x);
  const say = {
    share: x => (known(x) ? (100 * x).toFixed(1) + " %" : "–"),
    points: x => (known(x) ? (x < 0 ? "−" : "+") + Math.abs(100 * x).toFixed(1) + " points" : "–"),
    count: x => (known(x) ? Math.round(x).toLocaleString("en-US") : "–"),
    figure: x => {
      if (!known(x)) return "–";
      const size = Math.abs(x);
      if (x === 0) return "0";
      if (size >= 1000) return Math.round(x).toLocaleString("en-US");
      if (size < 1e-3) return x.toExponential(1).replace("-", "−");
      return String(+x.toPrecision(3)).replace("-", "−");
    },
    seconds: x => {
      if (!known(x)) return "–";
      if (x < 10) return x.toFixed(1) + " s";
      const s = Math.round(x),
        h = Math.floor(s / 3600),
        m = Math.floor((s % 3600) / 60);
      const two = n => String(n).padStart(2, "0");
      return h ? `${h}:${two(m)}:${two(s % 60)} h` : m ? `${m}:${two(s % 60)} min` : `${s} s`;
    },
    interval: (low, high) =>
      known(low) && known(high) ? `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %` : "–",
  };

  // Light, dark, or as the system has it; kept where the browser keeps things for this page.
  function theme() {
    const root = document.documentElement,
      key = "palaestra-theme";
    const read = () => {
      try {
        return localStorage.getItem(key) || "";
      } catch {
        return "";
      }
    };
    const keep = value => {
      try {
        localStorage.setItem(key, value);
      } catch {
        /* files may have no storage */
      }
    };
    const buttons = [
      ["", "auto"],
      ["light", "light"],
      ["dark", "dark"],
    ].map(([value, word]) =>
      el(
        "button",
        {
          type: "button",
          "data-theme-choice": word,
          onclick: () => {
            keep(value);
            set(value);
          },
        },
        word,
      ),
    );
    function set(value) {
      if (value) root.dataset.theme = value;
      else delete root.dataset.theme;
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(["", "light", "dark"][i] === value)));
      document.dispatchEvent(new Event("themed"));
    }
    set(read());
    return el("div", { class: "switch screen-only", role: "group", "aria-label": "colours of the page" }, buttons);
  }
  for (const place of document.querySelectorAll("[data-theme-switch]")) place.replaceWith(theme());

  return { data, put, drop, names, el, svg, say, known, theme };
})();
