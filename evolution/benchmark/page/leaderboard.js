"use strict";
// Sorts the board by a column; what is missing stays at the end, whichever way.
(() => {
  const board = document.getElementById("board"), body = board.tBodies[0];
  const heads = [...board.tHead.rows[0].cells];
  const value = (row, at, kind) => {
    const held = row.cells[at].dataset.value;
    return kind === "text" ? held : held === "" ? null : Number(held);
  };
  function sort(at) {
    const head = heads[at], button = head.querySelector("button"), kind = button.dataset.sort;
    // Accuracies and costs begin with the greatest, ranks and names with the first.
    const first = kind === "text" || at === 0 ? "ascending" : "descending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    heads.forEach(one => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...body.rows].sort((a, b) => {
      const x = value(a, at, kind), y = value(b, at, kind);
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (kind === "text" ? x.localeCompare(y) : x - y);
    });
    body.replaceChildren(...rows);
    document.getElementById("order").textContent = `Sorted by ${button.firstChild.data}, ${order}.`;
  }
  heads.forEach((head, at) => head.querySelector("button").addEventListener("click", () => sort(at)));
  // Left and right go from head to head, as in a table.
  board.tHead.addEventListener("keydown", event => {
    const at = heads.findIndex(head => head.contains(event.target));
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: heads.length - 1 }[event.key];
    if (at < 0 || to === undefined || !heads[to]) return;
    heads[to].querySelector("button").focus();
    event.preventDefault();
  });
})();
