"""What a judge says of a reply, and how to tell a low reward from no reward at all."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from palaestra.envs.errors import ContractError
from palaestra.envs.task import Task

__all__ = ["Judge", "ReadsAnswers", "Status", "Verdict"]


class Status(StrEnum):
    """How a judgement ended."""

    CORRECT = "correct"
    """The reply does what was asked."""
    WRONG = "wrong"
    """The reply was understood and does not do what was asked."""
    PARTIAL = "partial"
    """Some of what was asked is done; the reward says how much."""
    UNPARSED = "unparsed"
    """No answer could be found in the reply."""
    ILLEGAL = "illegal"
    """The reply names an action that the rules forbid here."""
    TIMEOUT = "timeout"
    """What the reply asked to run did not end within its own limits."""
    CRASHED = "crashed"
    """What the reply asked to run failed by its own fault."""
    BROKEN_TASK = "broken_task"
    """The task itself cannot be judged (its own reference fails). Not a reward."""
    INFRASTRUCTURE = "infrastructure"
    """Our machinery failed. Not a reward."""

    @property
    def valid(self) -> bool:
        """Whether a verdict of this status carries a reward at all."""
        return self not in (Status.BROKEN_TASK, Status.INFRASTRUCTURE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement of one reply.

    Attributes:
        reward: Finite reward, by convention 1 for a correct reply and 0 for a useless one. It is 0 and means
            nothing when the status is not `valid`: whoever reads a reward asks `valid` first.
        status: How the judgement ended.
        detail: One line for a person: what was expected, what came.
    """

    reward: float
    status: Status
    detail: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.reward):
            raise ContractError(f"A verdict's reward must be finite, got {self.reward!r} ({self.status}).")
        # A judge may say 1, True or a NumPy scalar; equal verdicts should be the same record.
        object.__setattr__(self, "reward", float(self.reward))
        if not self.status.valid and self.reward != 0.0:
            raise ContractError(f"A verdict of status {self.status} is no reward, got reward {self.reward!r}.")

    @property
    def valid(self) -> bool:
        """Whether this verdict carries a reward at all."""
        return self.status.valid


Judge = Callable[[Task, str], Verdict]
"""`judge(task, reply) -> Verdict`. It never raises for any reply, however hostile."""


@runtime_checkable
class ReadsAnswers(Protocol):
    """A judge that can say which answer it reads in a reply."""

    def answer_of(self, reply: str) -> str | None:
        """Return the answer in a form in which equal answers are mostly equal text; None where there is none."""
        ...
