"""What the loop tells whoever watches. The loop never prints: it calls these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from palaestra.evolution.evaluation.record import Evaluation

__all__ = ["SHARE", "Phase", "Silent", "StepRecord", "View"]

SHARE = "share_of_seconds/"
"""What names of figures begin with that are shares of a step's wall-clock."""


class Phase(StrEnum):
    """Where the loop is."""

    BIRTH = "birth"
    """A nursery policy is being made."""
    ACQUIRE = "acquire"
    REFINE = "refine"
    UPDATE = "update"
    EVALUATE = "evaluate"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What one turn of the loop did.

    Attributes:
        step: Number of the step, from 1.
        steps: How many are planned.
        reward: Mean reward of the valid episodes acquired.
        correct: Share of them that were correct.
        acquired: Episodes acquired.
        used: Episodes left after refinement.
        invalid: Episodes that were no experience.
        tokens: Tokens sampled.
        seconds: Wall-clock of the step by phase.
        metrics: What the update reported.
        pace: What limits the run, see `palaestra.evolution.pace`.
        watched: What its replies look like, see `palaestra.evolution.report.watching`.
    """

    step: int
    steps: int
    reward: float
    correct: float
    acquired: int
    used: int
    invalid: int
    tokens: int
    seconds: Mapping[Phase, float]
    metrics: Mapping[str, float]
    pace: Mapping[str, float] = field(default_factory=dict)
    watched: Mapping[str, float] = field(default_factory=dict)


class View(Protocol):
    """Whoever watches a run."""

    def phase(self, phase: Phase, detail: str = "") -> None:
        """A phase begins."""
        ...

    def progress(self, done: int, total: int) -> None:
        """The present phase has got so far (units of its own)."""
        ...

    def stepped(self, record: StepRecord) -> None:
        """A step is over and committed."""
        ...

    def evaluated(self, evaluation: Evaluation) -> None:
        """An evaluation is over."""
        ...


class Silent:
    """A view that shows nothing."""

    def phase(self, phase: Phase, detail: str = "") -> None:
        """See `View`."""

    def progress(self, done: int, total: int) -> None:
        """See `View`."""

    def stepped(self, record: StepRecord) -> None:
        """See `View`."""

    def evaluated(self, evaluation: Evaluation) -> None:
        """See `View`."""
