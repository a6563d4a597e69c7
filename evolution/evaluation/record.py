"""What an evaluation found, as records that survive as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from palaestra.envs.errors import UsageError

if TYPE_CHECKING:  # its import takes transformers with it, which records do without
    from palaestra.agents.episode import Episode

__all__ = ["Estimate", "Evaluation", "Played", "Score"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its confidence interval.

    Attributes:
        value: The estimate, 0 to 1.
        low: Lower bound of the 95 % interval.
        high: Upper bound of the 95 % interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """How one policy did in one environment.

    Attributes:
        env: Spec of the environment.
        tasks: How many tasks were played.
        accuracy: Share of greedy episodes whose verdict is correct (mean over attempts where several were made).
        pass_at_k: Unbiased pass@k by k, from sampled attempts; empty when none were sampled.
        mean_reward: Mean return of the valid greedy episodes; nan where there are none.
        statuses: Number of greedy episodes by status.
        invalid: Number of episodes without a verdict that counts; they are in no other figure.
        tokens: Tokens sampled.
        seconds: Wall-clock.
        measure: What `accuracy` is the share of.
        figures: What else was measured, by name.
    """

    env: str
    tasks: int
    accuracy: Estimate
    pass_at_k: Mapping[int, Estimate]
    mean_reward: float
    statuses: Mapping[str, int]
    invalid: int
    tokens: int
    seconds: float
    measure: str = "held-out accuracy"
    figures: Mapping[str, float] = field(default_factory=dict)


class Played(NamedTuple):
    """What an evaluation played.

    Attributes:
        episodes: The episodes of the policy.
        figures: What else was measured, by name.
    """

    episodes: "list[Episode]"
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of one policy version over several environments.

    Attributes:
        step: Step of the run, 0 before the first update.
        version: Version of the weights.
        scores: One a spec, the objective's first.
    """

    step: int
    version: int
    scores: tuple[Score, ...]

    def of(self, env: str) -> Score:
        """Return the score in `env`, or raise `UsageError`."""
        for score in self.scores:
            if score.env == env:
                return score
        raise UsageError(f"This evaluation has no score for {env!r}, only for {[s.env for s in self.scores]}.")

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)
