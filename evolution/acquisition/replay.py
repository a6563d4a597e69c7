"""Acquire from the run's own past: experience that was recorded in earlier steps is learned from again."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.recipe import Acquire, refuse_recalling
from palaestra.evolution.refinement.groups import by_group
from palaestra.evolution.yard import Yard

__all__ = ["Grow", "Replay"]


@dataclass(frozen=True)
class Replay:
    """Mix what is new with groups of the last steps, drawn anew at every step.

    The mixture is off-policy: log-probabilities are those of the weights that sampled. A policy gradient clips by them;
    `update.correction` weighs by them. Groups of another environment, learned in before, are drawn as well.

    Attributes:
        fresh: What is acquired at every step.
        window: Steps back from which is drawn.
        groups: Groups that are drawn; as many as there are, where there are fewer.
    """

    fresh: Acquire
    window: int = 4
    groups: int = 16

    def __post_init__(self) -> None:
        if self.window < 1 or self.groups < 1:
            raise UsageError(f"window and groups must be at least 1, got {self.window} and {self.groups}.")
        refuse_recalling([self.fresh], type(self).__name__)

    @property
    def sampling(self) -> Sampling:
        """How the policy samples what is new."""
        return self.fresh.sampling

    def require(self, env: str) -> None:
        """Nothing is asked but by what acquires what is new."""
        self.fresh.require(env)

    def prepare(self, yard: Yard, step: int) -> None:
        """Nothing is done but by what acquires what is new."""
        self.fresh.prepare(yard, step)

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return what is new."""
        return self.fresh(yard, env, step)

    def recall(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of the groups drawn, oldest first."""
        groups: list[Sequence[Episode]] = []
        for earlier in range(max(1, step - self.window), step):
            groups += by_group(yard.recorded(earlier)).values()
        order = derive_generator(yard.seed, "replay", env, step).permutation(len(groups))[: self.groups]
        return [episode for number in sorted(order) for episode in groups[number]]


@dataclass(frozen=True)
class Grow:
    """Acquire once for several steps, which all learn from the same (Gulcehre et al. 2023, "ReST": Grow and Improve).

    Attributes:
        fresh: What is acquired.
        improves: Steps that learn from it, the one that acquires it included.
    """

    fresh: Acquire
    improves: int = 3

    def __post_init__(self) -> None:
        if self.improves < 1:
            raise UsageError(f"improves must be at least 1, got {self.improves}.")
        refuse_recalling([self.fresh], type(self).__name__)

    @property
    def sampling(self) -> Sampling:
        """How the policy samples."""
        return self.fresh.sampling

    def _grown(self, step: int) -> int:
        """Return the step whose experience a step learns from."""
        return step - (step - 1) % self.improves

    def require(self, env: str) -> None:
        """Nothing is asked but by what acquires."""
        self.fresh.require(env)

    def prepare(self, yard: Yard, step: int) -> None:
        """Let what acquires prepare itself where it is its turn."""
        if self._grown(step) == step:
            self.fresh.prepare(yard, step)

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return new episodes in every step that grows, none in the others."""
        return self.fresh(yard, env, step) if self._grown(step) == step else []

    def recall(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return what the last step that grew has acquired, in the steps that do not."""
        del env
        return [] if self._grown(step) == step else yard.recorded(self._grown(step))
