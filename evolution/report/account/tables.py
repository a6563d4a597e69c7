"""Tables that cross: what learning in one environment did to others, and how the league's members stand."""

import json
from collections.abc import Mapping, Sequence
from math import inf, log10
from pathlib import Path
from typing import Any

from palaestra.evolution.evaluation.statistics import wilson
from palaestra.evolution.evaluation.transfer import transfer
from palaestra.evolution.state import evaluation_from_json

__all__ = ["league", "transferred"]

# Points of a rating for ten times the odds, as Elo has it.
_SCALE = 400.0


def transferred(history: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return accuracies by stage of learning and environment; None where one was measured, or not always.

    Args:
        history: Evaluations as JSON, in order.
    """
    evaluations = [evaluation_from_json(evaluation) for evaluation in history]
    if len({frozenset(score.env for score in one.scores) for one in evaluations}) != 1 or len(evaluations) < 2:
        return None
    if len(evaluations[0].scores) < 2:
        return None
    found = transfer(evaluations)
    backward = found.backward if len(found.stages) > 1 else None
    return found.as_json() | {"backward": backward, "steps": [one.step for one in evaluations]}


def league(checkpoint: Path | None) -> dict[str, Any] | None:
    """Return the league as a checkpoint holds it; None where there is none.

    Returns:
        `champion`, and `members` with what the policy that learns has won against each: `games`, the `share` of the
        points and the `rating` of the learner above the member, each `[value, low, high]`.
    """
    path = None if checkpoint is None else checkpoint / "league.json"
    if path is None or not path.exists():
        return None
    state = json.loads(path.read_text(encoding="utf-8"))
    if not state["members"]:
        return None
    tallies = state["tallies"]
    return {"champion": state["champion"], "members": [_member(name, tallies.get(name)) for name in state["members"]]}


def _member(name: str, tally: Mapping[str, Any] | None) -> dict[str, Any]:
    if tally is None or tally["games"] == 0:
        return {"name": name, "games": 0, "share": None, "rating": None}
    # A game drawn is half a success: the interval of a share of wins errs on the side of caution there.
    found = wilson(round(tally["points"]), tally["games"])
    share = [tally["points"] / tally["games"], found.low, found.high]
    return {"name": name, "games": tally["games"], "share": share, "rating": [rating_above(one) for one in share]}


def rating_above(share: float) -> float | None:
    """Return by how many Elo points a player is above another that it wins this share of the points against.

    Source: Elo 1978, "The rating of chessplayers, past and present": `400 log10(s / (1 - s))`.
    """
    if share <= 0 or share >= 1:
        return None
    points = _SCALE * log10(share / (1 - share))
    return points if abs(points) < inf else None
