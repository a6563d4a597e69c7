"""The same held-out tasks before and after: how many stayed right, were mended, were lost, stayed wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from palaestra.envs.verdict import Status
from palaestra.evolution.evaluation.statistics import paired_difference
from palaestra.evolution.experience import Outcomes
from palaestra.evolution.report.account.excerpt import judged

__all__ = ["KINDS", "transitions"]

KINDS = ("right_right", "right_wrong", "wrong_right", "wrong_wrong")


def transitions(before: Outcomes, after: Outcomes) -> list[dict[str, Any]]:
    """Count the four transitions, by environment; an episode without a counterpart, or invalid on a side, is left out.

    Args:
        before: The first evaluation.
        after: The last one; the same episode has the same id.

    Returns:
        For each environment `env`, `pairs`, the counts by the names in `KINDS`, and `change` with its 95 % interval,
        paired by task: `[value, low, high]`, shares from -1 to 1.
    """
    then, now = _right(before), _right(after)
    found = []
    for env in dict.fromkeys(env for env, _ in then):
        both = [(then[key], now[key]) for key in then if key[0] == env and key in now]
        if both:
            counts = {kind: both.count(sides) for kind, sides in zip(KINDS, _SIDES, strict=True)}
            found.append({"env": env, "pairs": len(both), **counts, "change": _change(both)})
    return found


_SIDES = ((True, True), (True, False), (False, True), (False, False))


def _right(outcomes: Outcomes) -> Mapping[tuple[str, str], bool]:
    """Return whether each valid episode that accuracy is measured on is right, by environment and id."""
    return {
        (outcomes.envs[row], outcomes.ids[row]): outcomes.statuses[row] == Status.CORRECT.value
        for row in judged(outcomes)
        if Status(outcomes.statuses[row]).valid
    }


def _change(both: Sequence[tuple[bool, bool]]) -> list[float]:
    before, after = zip(*((float(then), float(now)) for then, now in both), strict=True)
    change = paired_difference(before, after, np.random.default_rng(0))
    return [change.value, change.low, change.high]
