"""Curves of a run, thinned to as many points as a page can show: what was measured, what was paid, what was watched."""

from collections.abc import Mapping, Sequence
from typing import Any

from palaestra.evolution.report.account.thinning import thin_series
from palaestra.evolution.report.watching import AUDIT
from palaestra.evolution.spending import SERVER

__all__ = ["ARM", "MOST_POINTS", "Row", "evaluation_rows", "measured", "positions", "step_curves"]

MOST_POINTS = 300
_EVALUATE, _TRAIN = "evaluate/", "train"
_OWN = ("step", "phase", "time", "accuracy", "low", "high", "reward")
_POSITION = "position "
_TENTHS = {"tenths": "", "low": " low", "high": " high"}

Row = Mapping[str, Any]
"""Figures of one evaluation or step, by name."""
ARM = frozenset({"round 0", "replies"})
"""Figures that only a way of answering has."""


def evaluation_rows(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of evaluations by what was measured, in the order of first appearance."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if str(row["phase"]).startswith(_EVALUATE):
            found.setdefault(str(row["phase"])[len(_EVALUATE) :], []).append(row)
    return found


def measured(rows: Sequence[Row], measures: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a curve for each environment that was measured in, with the bounds of its 95 % intervals.

    Args:
        rows: The run's figures.
        measures: What accuracy is the share of, by environment, where it is known.
    """
    curves = []
    for env, found in evaluation_rows(rows).items():
        columns = [[row.get(name) for row in found] for name in ("accuracy", "low", "high", "reward")]
        steps, (value, low, high, reward) = thin_series([row["step"] for row in found], columns, MOST_POINTS)
        curve = {"steps": steps, "value": value, "low": low, "high": high, "reward": reward}
        curves.append(
            {"env": env, "measure": measures.get(env, "held-out accuracy"), **curve, "figures": _figures(found)}
        )
    return curves


def _figures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return curves of what else was measured.

    Accuracy by position has a picture of its own, and so has a way of answering, unless it was measured time and again.
    What a server was asked for and charged is no measurement.
    """
    answered = [row for row in rows if row.keys() >= ARM]
    if answered and sum(row["step"] > 0 for row in answered) < 2:
        return []
    told_elsewhere = (_POSITION, SERVER)
    names = dict.fromkeys(
        name for row in rows for name in row if name not in _OWN and not name.startswith(told_elsewhere)
    )
    bounded = {name for name in names if f"{name} low" in names}
    plain = [name for name in names if not any(name in (f"{b} low", f"{b} high") for b in bounded)]
    curves = []
    for name in plain:
        keys = [name, f"{name} low", f"{name} high"]
        columns = [[row.get(key) for row in rows] for key in keys]
        steps, (value, low, high) = thin_series([row["step"] for row in rows], columns, MOST_POINTS)
        curves.append(
            {"name": name, "steps": steps, "value": value} | ({"low": low, "high": high} if name in bounded else {})
        )
    return curves


def positions(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return accuracy by the place of the answer, before and after, with how far the middle sags.

    Each side has `step`, and `tenths` of the document with their bounds, `low` and `high`; None is not known.
    """
    found = []
    for env, evaluations in evaluation_rows(rows).items():
        told = [row for row in evaluations if any(name.startswith(_POSITION) for name in row)]
        sides = [
            {
                "step": row["step"],
                **{name: [row.get(f"{_POSITION}{t}/10{end}") for t in range(1, 11)] for name, end in _TENTHS.items()},
                "sag": [row.get(name) for name in ("sag", "sag low", "sag high")],
            }
            for row in ([told[0], told[-1]] if len(told) > 1 else told)
        ]
        if sides:
            found.append({"env": env, "sides": sides})
    return found


def step_curves(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the curves of training: one list of steps, and figures by name, None where there is none.

    `reward`, `correct`, and with an auditor `audit`; `watch`, `update`, `pace` hold the others by name, but for what
    servers charged, which is told as cost.
    """
    trained = [row for row in rows if row["phase"] == _TRAIN]
    names = list(dict.fromkeys(name for row in trained for name in row if name not in ("step", "phase", "time")))
    steps, columns = thin_series(
        [row["step"] for row in trained], [[row.get(name) for row in trained] for name in names], MOST_POINTS
    )
    of = {name: column for name, column in zip(names, columns, strict=True) if any(x is not None for x in column)}
    curves: dict[str, Any] = {"steps": steps, "count": len(trained)}
    for name in ("reward", "correct", "acquired", "used", "invalid", "tokens"):
        if name in of:
            curves[name] = of[name]
    curves["audit"] = of.get(f"watch/{AUDIT}")
    for kind in ("watch", "update"):
        start = f"{kind}/"
        curves[kind] = {name[len(start) :]: of[name] for name in of if name.startswith(start)}
    known = ("watch/", "update/", "seconds/", SERVER, "reward", "correct", "acquired", "used", "invalid", "tokens")
    curves["pace"] = {name: column for name, column in of.items() if not name.startswith(known)}
    return curves
