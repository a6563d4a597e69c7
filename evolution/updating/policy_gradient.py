"""Policy gradients on recorded experience: attempts compared with each other, or in self-play with the past.

The objective and how it is climbed are those of `clipped`, which a critic's advantages share (`ppo`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from palaestra.agents.episode import Episode
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.updating.batching import Batch, assemble
from palaestra.evolution.updating.clipped import Climber, ClippedObjective, refuse_demonstrations, refuse_unknown
from palaestra.evolution.updating.correction import Correction, Level, effective_share, gap, importance_weights
from palaestra.evolution.updating.credit import Credit, advantages
from palaestra.evolution.updating.driver import Taken
from palaestra.evolution.updating.role_credit import Baselines
from palaestra.evolution.updating.updater import Beginning, Trainable
from palaestra.evolution.updating.weights import Snapshot

__all__ = ["VARIANTS", "PolicyGradient", "PolicyGradientUpdater", "variant"]

SelfPlayCredit: TypeAlias = Literal["role", "shared"]

_STATE = "policy_gradient.pt"


@dataclass(frozen=True)
class PolicyGradient(ClippedObjective):
    """Settings of a policy gradient; the defaults are GRPO without a reference. `VARIANTS` names others.

    Attributes:
        credit: How a turn is compared with its peers, see `palaestra.evolution.updating.credit`; or, in self-play, with
            what its `"role"` got before, or what all roles got (`"shared"`), see `role_credit`.
        correction: Whether tokens are weighed by how much more probable they are to the policy than they were to the
            one that sampled them, where another engine or older weights sampled: not at all, with weights cut to the
            cap (`"truncate"`), or without what lies above it (`"mask"`), see `correction`. Ratios then compare with
            recomputed log-probabilities, whatever `old_logprobs` says.
        correction_level: Whether each token is weighed by itself, or a row as a whole.
        correction_cap: Greatest weight.
    """

    credit: Credit | SelfPlayCredit = "grpo"
    correction: Correction = "none"
    correction_level: Level = "token"
    correction_cap: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.correction_cap < float("inf"):
            raise UsageError(f"correction_cap must be finite and above 0, got {self.correction_cap}.")

    def start(self, policy: Trainable, beginning: Beginning) -> "PolicyGradientUpdater":
        """Begin work on a policy; see `Update.start`."""
        return PolicyGradientUpdater(self, policy, self.climber(policy, beginning))


VARIANTS: Mapping[str, PolicyGradient] = {
    # Shao et al. 2024, "DeepSeekMath"; the KL term left out as in most later work.
    "grpo": PolicyGradient(),
    # Liu et al. 2025, "Understanding R1-Zero-like training".
    "dr_grpo": PolicyGradient(credit="dr_grpo", loss="dr_grpo"),
    # Yu et al. 2025, "DAPO"; its dynamic sampling is a matter of acquisition.
    "dapo": PolicyGradient(loss="dapo", clip_high=0.28),
    # Zheng et al. 2025, "Group sequence policy optimization".
    "gspo": PolicyGradient(ratio="sequence", clip_low=3e-4, clip_high=4e-4),
    # Ahmadian et al. 2024, "Back to basics": the log-probability of a whole reply, so tokens are summed.
    "rloo": PolicyGradient(credit="rloo", loss="dr_grpo"),
    # Hu et al. 2025, "REINFORCE++", the variant with a baseline.
    "reinforce++": PolicyGradient(credit="reinforce++", loss="dapo"),
}


def variant(name: str, **changes: Any) -> PolicyGradient:
    """Return a published variant, with some settings changed.

    Raises:
        UnknownNameError: If no variant has that name.
    """
    if name not in VARIANTS:
        raise UnknownNameError("policy gradient", name, VARIANTS)
    return replace(VARIANTS[name], **changes)


class PolicyGradientUpdater:
    """A policy gradient at work on one policy; made by `PolicyGradient.start`."""

    def __init__(self, method: PolicyGradient, policy: Trainable, climber: Climber) -> None:
        self.method = method
        self.policy = policy
        self._climber = climber
        self.driver = climber.driver
        self._steps = 0
        self._reference = Snapshot(climber.driver.model, policy.model) if method.kl > 0 else None
        self._baselines = Baselines(by_role=method.credit == "role")

    def step(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Learn from groups of episodes; see `Updater.step`.

        A batch without any difference between attempts changes no weight, not even by the optimiser's momentum, unless
        a term acts on every row.

        Args:
            episodes: Whole groups; those of one group carry the same `Episode.group`, at least two of it are needed.

        Returns:
            Those of `Climber.figures`; `gap` and `gap_kl` between the policy that sampled and the one that learns,
            before the first optimiser step (see `correction.gap`), and `effective_share`, the effective sample size of
            the importance weights over the number of samples; `rows` and `tokens` given, `rows_used` of them with
            information, `uniform_groups` (share of groups without), `seconds`.
        """
        begin = perf_counter()
        played, credit, uniform = self._credited(episodes)
        batch = assemble(played, credit)
        refuse_unknown(batch)
        driver, taken, apart = self.driver, list[Taken](), _apart(np.zeros(0))
        with driver.training("update", self._steps):
            if len(batch.ids):
                batch, compared = self._scored(batch)
                taken, log_ratios = self._climber.climb(batch, self._steps, recomputed=compared is not None)
                apart = compared or _apart(log_ratios)
            metrics = {
                **self._climber.figures(taken),
                **apart,
                "rows": float(len(batch.ids)),
                "rows_used": float(len(batch.informative)),
                "tokens": float(batch.tokens),
                "uniform_groups": uniform,
                "seconds": perf_counter() - begin,
            }
            driver.report(metrics)
        self._steps += 1
        self.policy.version += 1
        return metrics

    def save(self, directory: Path) -> None:
        """Write optimiser, schedule, step and reference; see `Updater.save`."""
        reference = None if self._reference is None else self._reference.tensors
        self.driver.save(directory / _STATE, steps=self._steps, reference=reference, baselines=self._baselines.means)

    def load(self, directory: Path) -> None:
        """Continue what `save` wrote; see `Updater.load`."""
        state = self.driver.load(directory / _STATE)
        self._steps = state["steps"]
        self._baselines.means = state["baselines"]
        if self._reference is not None:
            self._reference.replace(state["reference"])

    def _credited(self, episodes: Sequence[Episode]) -> tuple[list[Episode], list[NDArray[np.float64]], float]:
        """Return the valid episodes by group, the advantages of their turns, and the share of uniform groups."""
        refuse_demonstrations(episodes)
        if self.method.credit in ("role", "shared"):
            played = [episode for episode in episodes if episode.valid]
            return played, self._baselines.credit(played, self.method.gamma), 0.0
        groups: dict[str, list[Episode]] = {}
        for episode in episodes:
            if episode.valid:
                groups.setdefault(episode.group, []).append(episode)
        paid = [[[turn.reward for turn in e.turns] for e in group] for group in groups.values()]
        scored = advantages(paid, cast(Credit, self.method.credit), self.method.gamma)
        uniform = [not any(turns.any() for turns in group) for group in scored]
        played = [episode for group in groups.values() for episode in group]
        return played, [turns for group in scored for turns in group], float(np.mean(uniform)) if uniform else 0.0

    def _scored(self, batch: Batch) -> tuple[Batch, dict[str, float] | None]:
        """Add what the loss compares with and the record does not hold.

        Returns:
            The batch, and how far the policies that sampled and that learns are apart, where that is known already.
        """
        method = self.method
        if self._reference is not None:
            with self._reference.in_place():
                batch = replace(batch, reference=self._climber.logprobs(batch))
        if not self._climber.recomputes and method.correction == "none":
            return batch, None
        proximal, sampled = self._climber.logprobs(batch), batch.sampled == 1
        ratios = proximal - batch.logprobs
        weights = importance_weights(
            ratios, batch.sampled, method.correction, method.correction_level, method.correction_cap
        )
        # As a factor of the advantages the weights reach the clipped terms and no other: neither KL nor entropy.
        batch = replace(batch, logprobs=proximal, advantages=(batch.advantages * weights).astype(np.float32))
        if method.correction == "none":
            return batch, _apart(ratios[sampled])
        weighed = (
            weights[np.arange(len(weights)), batch.starts]
            if method.correction_level == "sequence"
            else weights[sampled]
        )
        return batch, gap(ratios[sampled]) | {"effective_share": effective_share(weighed)}


def _apart(log_ratios: NDArray[Any]) -> dict[str, float]:
    """Say how far two policies are apart by the `[T]` log-ratios of tokens that are not weighed."""
    return gap(log_ratios) | {"effective_share": effective_share(np.exp(np.minimum(log_ratios, 80.0)))}
