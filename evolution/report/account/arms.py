"""Ways of answering side by side: accuracy by round, what became of first answers, and what an answer cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from palaestra.evolution.evaluation.rounds import TRANSITIONS
from palaestra.evolution.report.account.curves import ARM, Row, evaluation_rows

__all__ = ["ALONE", "arm_names", "arms"]

ALONE = "alone"
"""Group of the held-out episodes in which the policy simply answers, where it answers in several ways later."""


def arm_names(parts: Mapping[str, Any]) -> list[str]:
    """Return the names of a recipe's ways of answering, the one that it is about first; none where it has none.

    Args:
        parts: A recipe as `describe` tells it.
    """
    evaluate = parts.get("evaluate") or {}
    if evaluate.get("kind") != "Correcting":
        return []
    return [str(arm.get("name", "")) for arm in evaluate.get("arms") or []]


def arms(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the last evaluation found of each way of answering, by environment.

    Args:
        rows: The run's figures.
        names: From `arm_names`.

    Returns:
        For each environment `env`, `step`, `alone` (the policy's one answer before the first step, None where nobody
        measured it) and `arms`. Each of these has its `name`, `rounds` (`[value, low, high]` after the first answer and
        after every further round), `transitions` (shares in the order of `TRANSITIONS`) and `gain`, None without a
        second round; `replies` and `tokens` a task; `votes`, pairs of members and `[value, low, high]`; and `within`,
        pairs of another way and the accuracy of a vote within the tokens of that.
    """
    found: dict[str, dict[str, Any]] = {}
    for place, evaluations in evaluation_rows(rows).items():
        told = [row for row in evaluations if row.keys() >= ARM]
        if not told or not names:
            continue
        env, name = _parted(place, names)
        here = found.setdefault(env, {"env": env, "step": 0, "alone": None, "arms": []})
        if name == names[0] and told[0]["step"] == 0:
            here["alone"] = _arm(ALONE, told[0])
        if told[-1]["step"] > 0:
            here["arms"].append(_arm(name, told[-1]))
            here["step"] = told[-1]["step"]
    return [one for one in found.values() if one["arms"]]


def _parted(place: str, names: Sequence[str]) -> tuple[str, str]:
    """Return the environment of a score and the way of answering that it is about."""
    for name in names[1:]:
        if place.endswith(end := f" with {name}"):
            return place.removesuffix(end), name
    return place, names[0]


def _arm(name: str, row: Row) -> dict[str, Any]:
    rounds: list[list[float | None]] = []
    while f"round {len(rounds)}" in row:
        rounds.append(_bounded(row, f"round {len(rounds)}"))
    votes = [int(key.removeprefix("majority@")) for key in row if key.startswith("majority@") and _whole(key)]
    within = [key for key in row if key.startswith("within tokens of ") and _whole(key)]
    changes = [row.get(kind) for kind in TRANSITIONS.values()]
    return {
        "name": name,
        "rounds": rounds,
        "transitions": None if changes[0] is None else changes,
        "gain": _bounded(row, "gain") if "gain" in row else None,
        "replies": row.get("replies"),
        "tokens": row.get("tokens"),
        "votes": [(count, _bounded(row, f"majority@{count}")) for count in sorted(votes)],
        "within": [(key.removeprefix("within tokens of "), _bounded(row, key)) for key in within],
    }


def _whole(key: str) -> bool:
    return not key.endswith((" low", " high"))


def _bounded(row: Row, name: str) -> list[float | None]:
    return [row.get(key) for key in (name, f"{name} low", f"{name} high")]
