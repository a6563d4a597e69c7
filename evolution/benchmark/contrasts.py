"""What the cells of a result say against each other: pairs of policies, and policies over all environments."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.benchmark.comparing import ALPHA, Comparison, Paired, compare, holm
from palaestra.evolution.benchmark.summary import estimate_json
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.report.words import whole_share

__all__ = ["CORRECTION", "compare_all", "overall", "paired"]

CORRECTION = (
    f"Holm over all comparisons of this table: at {whole_share(ALPHA)}, the chance that any of them is called a "
    f"difference by accident is at most {whole_share(ALPHA)}"
)

Cells = Mapping[tuple[str, str], Mapping[str, Any]]
"""Cells with figures, by policy and environment."""


def paired(one: Mapping[str, Any], other: Mapping[str, Any]) -> Paired:
    """Return the mean accuracies of two cells at the tasks that both have attempts at."""
    mine, theirs = one["outcomes"], other["outcomes"]
    both = [key for key in mine if key in theirs]
    return Paired([mine[k][0] / mine[k][1] for k in both], [theirs[k][0] / theirs[k][1] for k in both])


def compare_all(policies: Sequence[str], envs: Sequence[str], cells: Cells) -> list[dict[str, Any]]:
    """Compare every two policies in every environment, and over those environments where both have figures.

    Returns:
        Rows of plain JSON values; `env` is None over all, `p_holm` is corrected over all rows.
    """
    rows: list[dict[str, Any]] = []
    for a, b in combinations(policies, 2):
        both = {env: paired(cells[a, env], cells[b, env]) for env in envs if (a, env) in cells and (b, env) in cells}
        both = {env: pair for env, pair in both.items() if pair.one}
        for env, pair in both.items():
            rows.append({"a": a, "b": b, "env": env, **_row(compare([pair], _generator()))})
        if len(both) > 1:
            rows.append({"a": a, "b": b, "env": None, **_row(compare(list(both.values()), _generator()))})
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row |= {"p_holm": corrected, "differ": corrected <= ALPHA}
    return rows


def _generator() -> np.random.Generator:
    return derive_generator(0, "bench", "compare")


def _row(found: Comparison) -> dict[str, Any]:
    return {
        "difference": estimate_json(found.difference),
        "effect": None if found.effect is None else estimate_json(found.effect),
        "p": found.p,
        "test": found.test,
        "tasks": found.tasks,
        "differing": found.differing,
    }


def overall(policies: Sequence[str], envs: Sequence[str], cells: Cells) -> list[dict[str, Any]]:
    """Return each policy's accuracy over environments that count alike, with a 95 % interval over tasks.

    A policy that lacks figures in one of the environments has no mean: what is missing is never taken for zero, nor
    left out of one mean and counted in another.
    """
    rows: list[dict[str, Any]] = []
    for policy in policies:
        mine = [cells[policy, env] for env in envs if (policy, env) in cells]
        whole = len(mine) == len(envs) > 1
        rows.append({"policy": policy, "environments": len(mine), "accuracy": _mean(mine) if whole else None})
    return rows


def _mean(cells: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Average estimates that are independent.

    Source: Zou and Donner 2008, "Construction of confidence limits about effect measures" (MOVER).
    """
    found = [Estimate(*(cell["accuracy"][key] for key in ("value", "low", "high"))) for cell in cells]
    value = sum(one.value for one in found) / len(found)
    below = math.hypot(*(one.value - one.low for one in found)) / len(found)
    above = math.hypot(*(one.high - one.value for one in found)) / len(found)
    return estimate_json(Estimate(value, max(0.0, value - below), min(1.0, value + above)))
