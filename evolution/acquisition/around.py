"""What acquisitions share that are built around the sampling of groups."""

from dataclasses import dataclass

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.yard import Yard

__all__ = ["AroundSampling"]


@dataclass(frozen=True)
class AroundSampling:
    """Samples as it does what it is built around; what comes of that is a subclass's.

    Attributes:
        sample: What tasks are tried at first, and how.
    """

    sample: SampleGroups

    @property
    def sampling(self) -> Sampling:
        """How the policy samples."""
        return self.sample.sampling

    def require(self, env: str) -> None:
        """See `SampleGroups`."""
        self.sample.require(env)

    def prepare(self, yard: Yard, step: int) -> None:
        """See `SampleGroups`."""
        self.sample.prepare(yard, step)
