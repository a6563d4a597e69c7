"""A line chart in text: braille dots for the line, one character for each marker."""

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import TypeAlias

import numpy as np
from rich.text import Text

__all__ = ["Points", "chart"]

Points: TypeAlias = Sequence[tuple[float, float]]

# Bits of a braille cell's dots, from top to bottom, left column and right column.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BLANK = 0x2800


def chart(
    line: Points,
    markers: Points,
    *,
    x_end: float,
    width: int,
    height: int,
    line_style: str = "cyan",
    marker_style: str = "bold magenta",
) -> list[Text]:
    """Draw points over `[0, x_end]`; y spans 0 to 1, and more where the points do.

    Args:
        line: `(x, y)` by rising x, joined by a line. Points whose y is not finite are left out.
        markers: `(x, y)`, each drawn as `●` over the line; again finite ones.
        x_end: Right end of the x axis.
        width: Columns of the whole, at least 12.
        height: Rows of the plot, at least 2; one more row holds the x axis' labels.
        line_style: Rich style of the line.
        marker_style: Rich style of the markers.

    Returns:
        `height + 1` rows of text.
    """
    line, markers = ([(x, y) for x, y in points if isfinite(y)] for points in (line, markers))
    ys = [y for _, y in (*line, *markers)]
    low, high = min(0.0, *ys, 0.0), max(1.0, *ys, 1.0)
    labels = {0: f"{high:.3g}", height - 1: f"{low:.3g}"} | (
        {height // 2: f"{(low + high) / 2:.3g}"} if height % 2 else {}
    )
    gutter = max(map(len, labels.values())) + 1
    columns = width - gutter - 1

    def row(y: float, rows: int) -> int:
        return min(rows - 1, int((high - y) / (high - low) * rows))

    cells = np.full((height, columns), _BLANK)
    for dot_column, top, bottom in _strokes(line, x_end, 2 * columns, lambda y: row(y, 4 * height)):
        for dot in range(top, bottom + 1):
            cells[dot // 4, dot_column // 2] |= _DOTS[dot % 4, dot_column % 2]
    for x, y in markers:
        cells[row(y, height), min(columns - 1, int(x / x_end * columns))] = ord("●")

    rows = []
    for r, codes in enumerate(cells.tolist()):
        axis = f"{labels.get(r, ''):>{gutter - 1}} {'┤' if r in labels else '│'}"
        drawn = "".join(map(chr, codes)).replace(chr(_BLANK), " ")
        text = Text.assemble((axis, "dim"), (drawn, line_style), no_wrap=True)
        text.highlight_regex("●", marker_style)
        rows.append(text)
    end = f"step {x_end:g}"
    rows.append(Text(f"{'':{gutter}} 0{end:>{columns - 1}}", "dim"))
    return rows


def _strokes(line: Points, x_end: float, columns: int, row: Callable[[float], int]) -> Iterator[tuple[int, int, int]]:
    """Yield each dot column that the line crosses with its topmost and bottommost dot row."""
    if not line:
        return
    xs, ys = zip(*line, strict=True)
    first, last = (min(columns - 1, int(x / x_end * columns)) for x in (xs[0], xs[-1]))
    drawn = np.arange(first, last + 1)
    before: int | None = None
    for column, y in zip(drawn.tolist(), np.interp((drawn + 0.5) / columns * x_end, xs, ys).tolist(), strict=True):
        here = row(y)
        if before is None or before == here:
            yield column, here, here
        else:
            yield (column, before + 1, here) if before < here else (column, here, before - 1)
        before = here
