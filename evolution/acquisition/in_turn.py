"""Acquire in turn: several ways to acquire one after another in one run."""

from dataclasses import dataclass, replace

from palaestra.agents.episode import Episode
from palaestra.agents.policy import Sampling
from palaestra.evolution.recipe import Acquire, refuse_recalling
from palaestra.evolution.turns import check_turns, turn_at
from palaestra.evolution.yard import Yard

__all__ = ["AcquireInTurn"]


@dataclass(frozen=True)
class AcquireInTurn:
    """Ways to acquire that take turns by step; each samples as it says itself.

    Attributes:
        steps: How many steps each has; the last goes on to the end of the run, whatever its number.
        parts: The ways, as many; none that takes up earlier steps (`Recalls`).
    """

    steps: tuple[int, ...]
    parts: tuple[Acquire, ...]

    def __post_init__(self) -> None:
        check_turns(self.steps, len(self.parts))
        refuse_recalling(self.parts, type(self).__name__)

    @property
    def sampling(self) -> Sampling:
        """How the policy samples in the last turn, which is what an update in turn is told."""
        return self.parts[-1].sampling

    def require(self, env: str) -> None:
        """Refuse what any of the ways refuses."""
        for part in self.parts:
            part.require(env)

    def prepare(self, yard: Yard, step: int) -> None:
        """Do what the step's way begins with."""
        self.parts[turn_at(self.steps, step)].prepare(yard, step)

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of step `step`, as the way whose turn it is acquires them."""
        part = self.parts[turn_at(self.steps, step)]
        agent = yard.rollout.agent.with_sampling(part.sampling)
        return part(replace(yard, rollout=yard.rollout.played_by(agent)), env, step)
