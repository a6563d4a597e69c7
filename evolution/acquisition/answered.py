"""Acquire by answering in another way than at once: every draft, review and vote is recorded, to be learned from."""

from dataclasses import dataclass, replace

from palaestra.agents.drafting import Drafts
from palaestra.agents.episode import Episode
from palaestra.agents.panel import Panels
from palaestra.evolution.acquisition.around import AroundSampling
from palaestra.evolution.yard import Yard

__all__ = ["Answered"]


@dataclass(frozen=True)
class Answered(AroundSampling):
    """Sample groups of attempts whose answers come about in drafts, or by a panel.

    Attributes:
        sample: How many, and how the policy samples.
        how: How it comes to its answers.
    """

    how: Drafts | Panels

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of a step; see `SampleGroups`."""
        rollout = yard.rollout.played_by(self.how.agent(yard.rollout.agent.with_sampling(self.sampling)))
        return self.sample(replace(yard, rollout=rollout), env, step)
