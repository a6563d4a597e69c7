"""Acquire by answering in another way than at once: every draft, review and vote is recorded, to be learned from."""

from dataclasses import dataclass, replace

from palaestra.agents.drafting import Drafts
from palaestra.agents.episode import Episode
from palaestra.agents.panel import Panels
from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.yard import Yard

__all__ = ["Answered"]


@dataclass(frozen=True)
class Answered:
    """Sample groups of attempts whose answers come about in drafts, or by a panel.

    Attributes:
        sample: How many, and how the policy samples.
        how: How it comes to its answers.
    """

    sample: SampleGroups
    how: Drafts | Panels

    @property
    def sampling(self) -> Sampling:
        """How the policy samples."""
        return self.sample.sampling

    def require(self, env: str) -> None:
        """See `SampleGroups.require`."""
        self.sample.require(env)

    def prepare(self, yard: Yard, step: int) -> None:
        """Nothing comes before the tasks."""

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of a step; see `SampleGroups`."""
        rollout = yard.rollout.played_by(self.how.agent(yard.rollout.agent.with_sampling(self.sampling)))
        return self.sample(replace(yard, rollout=rollout), env, step)
