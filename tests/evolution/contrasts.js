// The texts of a page whose contrast to what lies behind them is below 4.5 (3 for large ones), by WCAG 2.2's formula.
() => {
  const parse = c => {
    const m = c.match(/[\d.]+/g).map(Number);
    return m.length < 4 ? [...m.slice(0, 3), 1] : m;
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const linear = v => (v <= 0.04045 * 255 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = e => {
    const layers = [];
    for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const passed = "svg, script, noscript, style, option, datalist, .visually-hidden, .skip, :disabled";
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    if (e.closest(passed) || !e.getClientRects().length) continue;
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const style = getComputedStyle(e),
      back = ground(e),
      [a, b] = [light(over(parse(style.color), back)), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
      size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    const said = e.textContent.trim().slice(0, 30);
    if (ratio < (large ? 3 : 4.5)) poor.push(`${e.tagName}.${e.className} ${ratio.toFixed(2)}: ${said}`);
  }
  return [...new Set(poor)];
};
