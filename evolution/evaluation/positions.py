"""How accuracy depends on where in a document the answer lies."""

import math
from collections.abc import Sequence

from palaestra.agents.episode import Episode
from palaestra.evolution.evaluation.statistics import wilson
from palaestra.evolution.yard import Yard

__all__ = ["position_curve", "position_figures"]

_TENTHS = 10
# Tenths that count as the ends, and those that count as the middle.
_ENDS, _MIDDLE = (0, 9), (3, 4, 5, 6)


def position_curve(positions: Sequence[float], correct: Sequence[bool]) -> dict[str, float]:
    """Return what a curve of accuracy over positions comes down to.

    Args:
        positions: `[N]` where the answer of each task lies, 0 (the beginning) to 1 (the end).
        correct: `[N]` whether the reply was right.

    Returns:
        `position 1/10` to `position 10/10`, the accuracy in each tenth of the document in which a task was, with the
        bounds of its 95 % interval (` low`, ` high`); `position gap`, the best of them less the worst, which is above 0
        by chance alone where tasks are few; and `sag`, accuracy in the first and last tenth less that in the four
        tenths in the middle, with its bounds, where both were asked about. Empty without any task.

    Source: for the tenths Wilson's interval; for `sag` Newcombe 1998, "Interval estimation for the difference between
    independent proportions", method 10.
    """
    tenths = [min(_TENTHS - 1, int(position * _TENTHS)) for position in positions]
    right, asked = [0] * _TENTHS, [0] * _TENTHS
    for tenth, good in zip(tenths, correct, strict=True):
        asked[tenth] += 1
        right[tenth] += good
    curve = {f"position {t + 1}/{_TENTHS}": wilson(right[t], asked[t]) for t in range(_TENTHS) if asked[t]}
    if not curve:
        return {}
    found: dict[str, float] = {}
    for name, share in curve.items():
        found |= {name: share.value, f"{name} low": share.low, f"{name} high": share.high}
    values = [share.value for share in curve.values()]
    found["position gap"] = max(values) - min(values)
    ends, middle = (wilson(sum(right[t] for t in some), sum(asked[t] for t in some)) for some in (_ENDS, _MIDDLE))
    sag = ends.value - middle.value
    if math.isnan(sag):
        return found
    low = sag - math.hypot(ends.value - ends.low, middle.high - middle.value)
    high = sag + math.hypot(ends.high - ends.value, middle.value - middle.low)
    return found | {"sag": sag, "sag low": low, "sag high": high}


def position_figures(yard: Yard, greedy: Sequence[Episode]) -> dict[str, float]:
    """Return the curve of an evaluation's greedy episodes; invalid ones and tasks without a position do not count."""
    positions, correct = [], []
    for episode in greedy:
        position = yard.rollout.env(episode.env).tasks.by_id(episode.task).metadata.get("position")
        if episode.valid and isinstance(position, int | float):
            positions.append(float(position))
            correct.append(episode.correct)
    return position_curve(positions, correct)
