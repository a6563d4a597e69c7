"""How much better a turn went than what it is compared with, as near to the run's update as its record allows."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from palaestra.envs.verdict import Status
from palaestra.evolution.experience import Outcomes
from palaestra.evolution.updating.credit import CREDITS, advantages, returns

__all__ = ["Comparison", "comparison_of"]

_WORDS = {
    "grpo": "each turn's return against its group's mean, divided by the group's deviation (the update's own rule)",
    "dr_grpo": "each turn's return against its group's mean (the update's own rule)",
    "rloo": "each turn's return against the mean of the group's others (the update's own rule)",
    "reinforce++": "each turn's return against its group's mean; the update also divides by the spread of the batch",
}
_ROLE = "each turn's return against the mean of the same role in the same step; the update uses a running mean"
_OTHER = "each turn's return against its group's mean; this recipe's update does not use it"


class Comparison(NamedTuple):
    """How turns are compared.

    Attributes:
        words: The rule, for people.
        credit: Estimator in a group; nothing compares roles.
        gamma: Discount a turn.
    """

    words: str
    credit: str
    gamma: float

    def __call__(self, outcomes: Outcomes) -> dict[int, list[float]]:
        """Return `[T]` advantages by the episodes' rows; those that were compared with nothing are not there."""
        groups: dict[str, list[int]] = {}
        for row, status in enumerate(outcomes.statuses):
            if Status(status).valid:
                key = f"{outcomes.envs[row]}|{outcomes.tasks[row]}" if not self.credit else outcomes.groups[row]
                groups.setdefault(key, []).append(row)
        compared = [rows for rows in groups.values() if len(rows) > 1]
        if not self.credit:
            return {row: turns for rows in compared for row, turns in self._roles(outcomes, rows).items()}
        credit = "dr_grpo" if self.credit == "reinforce++" else self.credit
        found = advantages([[outcomes.rewards[row] for row in rows] for rows in compared], credit, self.gamma)  # type: ignore[arg-type]
        return {
            row: turns.tolist()
            for rows, group in zip(compared, found, strict=True)
            for row, turns in zip(rows, group, strict=True)
        }

    def _roles(self, outcomes: Outcomes, rows: list[int]) -> dict[int, list[float]]:
        earned = {row: returns(outcomes.rewards[row], self.gamma) for row in rows}
        mean = sum(float(got[0]) for got in earned.values() if len(got)) / len(rows)
        return {row: (got - mean).tolist() for row, got in earned.items()}


def comparison_of(update: Mapping[str, Any]) -> Comparison:
    """Return how the turns of a run are compared.

    Args:
        update: The update as the run's configuration describes it.
    """
    credit, gamma = str(update.get("credit", "")), float(update.get("gamma", 1.0))
    if credit in CREDITS:
        return Comparison(_WORDS[credit], credit, gamma)
    if credit in ("role", "shared"):
        return Comparison(_ROLE, "", gamma)
    return Comparison(_OTHER, "dr_grpo", 1.0)
