"""What evolves and in which direction, and which objective comes next."""

from dataclasses import dataclass, replace
from enum import StrEnum

from palaestra.envs.errors import UsageError
from palaestra.evolution.evaluation.record import Evaluation

__all__ = ["Direction", "Objective"]


class Direction(StrEnum):
    """The four directions of the self-evolution survey."""

    IMPROVE = "improve"
    """Perform better at the ability."""
    ADAPT = "adapt"
    """Adapt to feedback from the environment."""
    EXPAND = "expand"
    """Know more."""
    SAFETY = "safety"
    """Do less harm."""


@dataclass(frozen=True)
class Objective:
    """One ability, one direction, and the environments that measure it.

    Attributes:
        ability: Such as `"math"`; a word for people.
        direction: Which way it should go.
        ladder: Environment specs from easy to hard; the agent learns in one rung at a time.
        rung: Index of the rung learned now.
        watched: Specs that are evaluated too, to see what transfers and what is forgotten.
        mastery: Held-out accuracy whose lower confidence bound makes the next rung the objective.
    """

    ability: str
    ladder: tuple[str, ...]
    direction: Direction = Direction.IMPROVE
    rung: int = 0
    watched: tuple[str, ...] = ()
    mastery: float = 0.95

    def __post_init__(self) -> None:
        if not 0 <= self.rung < len(self.ladder):
            raise UsageError(f"The objective's rung {self.rung} is not on its ladder of {len(self.ladder)}.")

    @property
    def env(self) -> str:
        """Spec of the environment learned in now."""
        return self.ladder[self.rung]

    @property
    def evaluated(self) -> tuple[str, ...]:
        """Every spec to evaluate, the present one first, each once."""
        return tuple(dict.fromkeys((self.env, *self.ladder, *self.watched)))

    def next(self, evaluation: Evaluation) -> "Objective":
        """Set the next objective: the next rung once this one is mastered, else the same."""
        mastered = evaluation.of(self.env).accuracy.low >= self.mastery
        return replace(self, rung=self.rung + 1) if mastered and self.rung + 1 < len(self.ladder) else self
