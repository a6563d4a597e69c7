"""The contract of an update in context, and when one is accepted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from palaestra.agents.episode import Episode
from palaestra.agents.memory.budgets import Budgets
from palaestra.agents.memory.context import Context, Recall
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import UsageError
from palaestra.evolution.updating.in_context.study import Study

__all__ = ["InContext", "Revise", "Validation"]

_RECALL = Recall()
_BUDGETS = Budgets(episode=16_384, insight=1_024, skill=16_384)


class Revise(Protocol):
    """A method that changes what an agent is told. A frozen dataclass; its fields are options of the recipe."""

    def __call__(self, present: Context, episodes: Sequence[Episode], study: Study) -> Context | None:
        """Propose another context.

        It is a function of its arguments alone: what it plays and asks goes through `study`, which records it, and so
        does what it must remember between steps (`study.notes`) and everything random (`study.generator`).

        Args:
            present: What the agent is told now; not to be changed, `present.draft()` is.
            episodes: What was acquired and refined, of training tasks.
            study: What may be tried out.

        Returns:
            The proposal, which is validated before it is accepted; None proposes nothing.
        """
        ...


@dataclass(frozen=True)
class Validation:
    """How a proposal is evaluated before it is accepted: against the present context, on the same tasks, greedily.

    The tasks are drawn anew at every step from those set aside, so that no luck lasts. They are training tasks that
    nothing is acquired from; held-out tasks play no part.

    Attributes:
        share: Of the training tasks, set aside.
        tasks: Most tasks of one step.
        gain: Least gain of mean reward over the present context; at 0 what does no harm is accepted.
        look_back: Every so many steps the present context is compared with the one before it, and where it is surely
            worse (the 95 % interval of the paired difference lies below 0) the one before comes back; 0 never looks.
    """

    share: float = 0.1
    tasks: int = 64
    gain: float = 0.0
    look_back: int = 4

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0 or self.tasks < 1 or self.look_back < 0:
            raise UsageError(
                f"share lies between 0 and 1, tasks is at least 1 and look_back at least 0; got {self.share}, "
                f"{self.tasks} and {self.look_back}."
            )


@dataclass(frozen=True)
class InContext:
    """An update whose result is told to the agent, in place of one that changes weights.

    Attributes:
        revise: The method.
        recall: How much of the context is told before a task.
        budgets: How much is remembered.
        validate: When a proposal is accepted.
        writing: How the policy samples what it is asked by the method.
        instructions: What the agent is told from the start on.
    """

    revise: Revise
    recall: Recall = _RECALL
    budgets: Budgets = _BUDGETS
    validate: Validation = Validation()
    writing: Sampling = Sampling(max_tokens=128, temperature=0.7)
    instructions: str = ""
