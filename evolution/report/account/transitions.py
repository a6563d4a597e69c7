"""The same held-out tasks before and after: how many stayed right, were mended, were lost, stayed wrong."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from palaestra.envs.verdict import Status
from palaestra.evolution.evaluation.statistics import paired_difference
from palaestra.evolution.experience import Outcomes
from palaestra.evolution.report.account.arms import ALONE
from palaestra.evolution.report.account.excerpt import GREEDY

__all__ = ["KINDS", "transitions"]

KINDS = ("right_right", "right_wrong", "wrong_right", "wrong_wrong")


def transitions(before: Outcomes, after: Outcomes, ways: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Count the four transitions, by environment; an episode without a counterpart, or invalid on a side, is left out.

    Compared are greedy answers; where there are several ways of answering, what was answered alone and in the first
    way. Where there is neither, as with games, whose shares are won against several opponents, nothing is.

    Args:
        before: The first evaluation.
        after: The last one; the same episode has the same id.
        ways: Names of the ways of answering, from `arm_names`.

    Returns:
        For each environment `env`, `pairs` of episodes, the counts of them by the names in `KINDS`, how many `tasks`
        they are attempts at, and `change` with its 95 % interval, paired by task: `[value, low, high]`, shares from -1
        to 1.
    """
    groups = {ALONE, ways[0]} if ways else {GREEDY}
    then, now = _answered(before, groups), _answered(after, groups)
    found = []
    for env in dict.fromkeys(env for env, _ in then):
        both = [(then[key], now[key]) for key in then if key[0] == env and key in now]
        if both:
            sides = [(first.right, last.right) for first, last in both]
            counts = {kind: sides.count(side) for kind, side in zip(KINDS, _SIDES, strict=True)}
            tasks: dict[str, list[tuple[bool, bool]]] = {}
            for (first, _), side in zip(both, sides, strict=True):
                tasks.setdefault(first.task, []).append(side)
            found.append({"env": env, "pairs": len(both), **counts, "tasks": len(tasks), "change": _change(tasks)})
    return found


_SIDES = ((True, True), (True, False), (False, True), (False, False))


class _Answer(NamedTuple):
    task: str
    right: bool


def _answered(outcomes: Outcomes, groups: Collection[str]) -> Mapping[tuple[str, str], _Answer]:
    """Return the valid episodes of some groups, by environment and id."""
    return {
        (outcomes.envs[row], outcomes.ids[row]): _Answer(outcomes.tasks[row], status == Status.CORRECT.value)
        for row, status in enumerate(outcomes.statuses)
        if outcomes.groups[row] in groups and Status(status).valid
    }


def _change(tasks: Mapping[str, Sequence[tuple[bool, bool]]]) -> list[float]:
    """Return how much larger the share of right answers became, on average over tasks; attempts at one are one."""
    before, after = np.array([np.mean(sides, axis=0) for sides in tasks.values()], np.float64).T.tolist()
    change = paired_difference(before, after, np.random.default_rng(0))
    return [change.value, change.low, change.high]
