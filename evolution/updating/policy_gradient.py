"""Policy gradients on recorded experience, with the loss of TRL's `GRPOTrainer`.

The trainer's own sampling and rewards are not used: it is handed the ids, log-probabilities and advantages of episodes
that were played before. Its loss is private to TRL, so the minor version is pinned and a test compares loss and weights
with the unmodified trainer's.

Rows whose advantages are all zero have no gradient of their own. Without a term that acts on every row (KL, entropy)
they are counted where the loss divides, as the trainer would, but not run through the model. Prompts that rows share
run through it once, see `sharing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.agents.episode import Episode
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import ContractError, UnknownNameError, UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.updating.batching import Batch, Rows, assemble
from palaestra.evolution.updating.correction import Correction, Level, effective_share, gap, importance_weights
from palaestra.evolution.updating.credit import Credit, advantages
from palaestra.evolution.updating.driver import Driver, Part, Taken, common_arguments, placeholder
from palaestra.evolution.updating.rates import UsualRates, usual_rate
from palaestra.evolution.updating.recorded_trainer import RecordedGRPOTrainer
from palaestra.evolution.updating.role_credit import Baselines
from palaestra.evolution.updating.updater import Trainable
from palaestra.evolution.updating.weights import Snapshot
from trl import GRPOConfig

__all__ = ["VARIANTS", "PolicyGradient", "PolicyGradientUpdater", "variant"]

SelfPlayCredit: TypeAlias = Literal["role", "shared"]
Loss: TypeAlias = Literal["grpo", "dr_grpo", "dapo", "bnpo"]

_STATE = "policy_gradient.pt"
_RATES = UsualRates(small=3e-4, adapters=1e-5, whole=1e-6)


@dataclass(frozen=True)
class PolicyGradient:
    """Settings of a policy gradient; the defaults are GRPO without a reference. `VARIANTS` names others.

    Attributes:
        learning_rate: Peak rate of AdamW; None takes what suits the model's size, see `rates.usual_rate`.
        credit: How a turn is compared with its peers, see `palaestra.evolution.updating.credit`; or, in self-play, with
            what its `"role"` got before, or what all roles got (`"shared"`), see `role_credit`.
        loss: How tokens are averaged: `"grpo"` within each row, then over rows; `"dapo"` over all tokens; `"dr_grpo"`
            divides their sum by rows times the token limit of a reply; `"bnpo"` over all tokens of a part.
        ratio: Whether probability ratios are clipped by token, or as the geometric mean of the row (GSPO).
        clip_low: Ratios below `1 - clip_low` do not push further down.
        clip_high: Ratios above `1 + clip_high` do not push further up.
        kl: Weight of the divergence from the policy at the start.
        entropy: Weight of the entropy bonus, in nats a token.
        gamma: Discount a turn.
        old_logprobs: What ratios compare with: log-probabilities as `"recorded"` when sampling, or `"recomputed"` by
            the trainer before the first optimiser step, for a sampler whose numbers differ (lower precision, another
            engine).
        correction: Whether tokens are weighed by how much more probable they are to the policy than they were to the
            one that sampled them, where another engine or older weights sampled: not at all, with weights cut to the
            cap (`"truncate"`), or without what lies above it (`"mask"`), see `correction`. Ratios then compare with
            recomputed log-probabilities, whatever `old_logprobs` says.
        correction_level: Whether each token is weighed by itself, or a row as a whole.
        correction_cap: Greatest weight.
        updates_per_batch: Optimiser steps the rows of a call are divided among.
        epochs: Passes over the rows of a call.
        micro_rows: Most rows that go through the model at once; bounds memory.
        max_grad_norm: Gradients are scaled down to this norm.
        warmup_steps: Optimiser steps until the learning rate is at its peak.
        schedule: What the learning rate does afterwards, until the planned steps are over.
        weight_decay: Of AdamW.
        betas: Of AdamW.
    """

    learning_rate: float | None = None
    credit: Credit | SelfPlayCredit = "grpo"
    loss: Loss = "grpo"
    ratio: Literal["token", "sequence"] = "token"
    clip_low: float = 0.2
    clip_high: float = 0.2
    kl: float = 0.0
    entropy: float = 0.0
    gamma: float = 1.0
    old_logprobs: Literal["recorded", "recomputed"] = "recorded"
    correction: Correction = "none"
    correction_level: Level = "token"
    correction_cap: float = 3.0
    updates_per_batch: int = 1
    epochs: int = 1
    micro_rows: int = 256
    max_grad_norm: float = 1.0
    warmup_steps: int = 0
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        for name in ("updates_per_batch", "epochs", "micro_rows"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("clip_low", "clip_high", "kl", "entropy", "warmup_steps", "weight_decay"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"{name} must be finite and not negative, got {getattr(self, name)}.")
        if not 0 < self.correction_cap < float("inf"):
            raise UsageError(f"correction_cap must be finite and above 0, got {self.correction_cap}.")
        if self.learning_rate is not None and not 0 <= self.learning_rate < float("inf"):
            raise UsageError(f"learning_rate must be finite and not negative, got {self.learning_rate}.")

    @property
    def regularised(self) -> bool:
        """Whether a term acts on every row, whatever its advantage."""
        return self.kl > 0 or self.entropy > 0

    def start(
        self,
        policy: Trainable,
        *,
        seed: int,
        planned_steps: int,
        sampling: Sampling,
        scratch: Path,
        report_to: Sequence[str] = (),
    ) -> "PolicyGradientUpdater":
        """Begin work on a policy; see `Update.start`."""
        if sampling.temperature == 0:
            raise UsageError("A policy gradient learns from sampled replies: temperature must be > 0, got 0.")
        common = common_arguments(policy, seed=seed, scratch=scratch, report_to=report_to)
        arguments = GRPOConfig(**common, **self._arguments(policy, sampling))

        def build() -> RecordedGRPOTrainer:
            trainer = RecordedGRPOTrainer(
                model=policy.model,
                reward_funcs=_no_reward,
                args=arguments,
                train_dataset=placeholder(prompt=[""]),
                processing_class=policy.tokenizer,
            )
            # Given to the constructor, it would load a reference from where the configuration says the model came from.
            trainer.beta = self.kl
            return trainer

        optimiser_steps = planned_steps * self.updates_per_batch * self.epochs
        driver = Driver(build, policy, seed=seed, optimiser_steps=optimiser_steps)
        return PolicyGradientUpdater(self, policy, driver, seed)

    def _arguments(self, policy: Trainable, sampling: Sampling) -> dict[str, Any]:
        constant = self.schedule == "constant"
        return {
            "learning_rate": usual_rate(policy.model, _RATES) if self.learning_rate is None else self.learning_rate,
            "lr_scheduler_type": "constant_with_warmup" if constant else self.schedule,
            "warmup_steps": self.warmup_steps,
            "weight_decay": self.weight_decay,
            "adam_beta1": self.betas[0],
            "adam_beta2": self.betas[1],
            "max_grad_norm": self.max_grad_norm,
            "loss_type": self.loss,
            "importance_sampling_level": self.ratio,
            "epsilon": self.clip_low,
            "epsilon_high": self.clip_high,
            "entropy_coef": self.entropy,
            "max_completion_length": sampling.max_tokens,
            "temperature": sampling.temperature,
            # Only read by the trainer's own sampling, but checked against each other.
            "per_device_train_batch_size": 2,
            "num_generations": 2,
        }


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

    def __init__(self, method: PolicyGradient, policy: Trainable, driver: Driver, seed: int) -> None:
        self.method = method
        self.policy = policy
        self._driver = driver
        self._seed = seed
        self._steps = 0
        self._reference = Snapshot(policy.model) if method.kl > 0 else None
        self._baselines = Baselines(by_role=method.credit == "role")

    def step(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Learn from groups of episodes; see `Updater.step`.

        A batch without any difference between attempts changes no weight, not even by the optimiser's momentum, unless
        a term acts on every row.

        Args:
            episodes: Whole groups; those of one group carry the same `Episode.group`, at least two of it are needed.

        Returns:
            `loss`, `grad_norm` (before clipping), `learning_rate`, `entropy` (nats a token), `kl`, `clip_low` and
            `clip_high` (share of tokens clipped), `ratio` (mean probability ratio): means over the optimiser steps and
            over the rows that went through the model. `gap` and `gap_kl` between the policy that sampled and the one
            that learns, before the first optimiser step (see `correction.gap`), and `effective_share`, the effective
            sample size of the importance weights over the number of samples. `rows` and `tokens` given, `rows_used` of
            them with information, `uniform_groups` (share of groups without), `optimiser_steps`, `seconds`.
        """
        begin = perf_counter()
        played, credit, uniform = self._credited(episodes)
        batch = assemble(played, credit)
        if np.isnan(batch.logprobs).any():
            raise ContractError(
                "Some tokens have no known log-probability where they stand: they were sampled in another context, or "
                "not at all. A policy gradient cannot learn from them; imitate them (Finetune)."
            )
        driver, taken = self._driver, list[Taken]()
        with driver.training("update", self._steps):
            apart = _apart(np.zeros(0))
            if len(batch.ids):
                batch, compared = self._scored(batch)
                ratios = driver.trainer.log_ratios = [] if compared is None else None
                for parts in self._schedule(batch):
                    taken.append(driver.take(parts))
                    driver.trainer.log_ratios = None  # those of the first step alone are before any change
                apart = compared or _apart(torch.cat(ratios).float().cpu().numpy() if ratios else np.zeros(0))
            measured = driver.figures()
            metrics = {
                **{name: float(np.mean([getattr(t, name) for t in taken])) if taken else 0.0 for name in Taken._fields},
                "entropy": measured.get("entropy", 0.0),
                "kl": measured.get("kl", 0.0),
                "clip_low": measured.get("clip_ratio/low_mean", 0.0),
                "clip_high": measured.get("clip_ratio/high_mean", 0.0),
                "ratio": measured.get("ratio", 1.0),
                **apart,
                "rows": float(len(batch.ids)),
                "rows_used": float(len(batch.informative)),
                "tokens": float(batch.tokens),
                "uniform_groups": uniform,
                "optimiser_steps": float(len(taken)),
                "seconds": perf_counter() - begin,
            }
            driver.report(metrics)
        self._steps += 1
        self.policy.version += 1
        return metrics

    def save(self, directory: Path) -> None:
        """Write optimiser, schedule, step and reference; see `Updater.save`."""
        directory.mkdir(parents=True, exist_ok=True)
        reference = None if self._reference is None else self._reference.tensors
        torch.save(
            {**self._driver.state(), "steps": self._steps, "reference": reference, "baselines": self._baselines.means},
            directory / _STATE,
        )

    def load(self, directory: Path) -> None:
        """Continue what `save` wrote; see `Updater.load`."""
        state = torch.load(directory / _STATE, map_location=self._driver.device, weights_only=True)
        self._driver.restore(state)
        self._steps = state["steps"]
        self._baselines.means = state["baselines"]
        if self._reference is not None:
            self._reference.replace(state["reference"])

    def _credited(self, episodes: Sequence[Episode]) -> tuple[list[Episode], list[NDArray[np.float64]], float]:
        """Return the valid episodes by group, the advantages of their turns, and the share of uniform groups."""
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
                batch = replace(batch, reference=self._logprobs(batch))
        if method.old_logprobs == "recorded" and method.correction == "none":
            return batch, None
        proximal, sampled = self._logprobs(batch), batch.sampled == 1
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

    def _logprobs(self, batch: Batch) -> NDArray[np.float32]:
        """`[B, L]` log-probabilities of the sampled ids under the weights the model has now."""
        driver, found = self._driver, np.zeros(batch.logprobs.shape, np.float32)
        driver.model.train(False)
        for rows in batch.split(np.arange(len(batch.ids)), self.method.micro_rows):
            inputs = batch.policy_gradient(rows, driver.device)
            prompt, completion = inputs["prompt_ids"], inputs["completion_ids"]
            mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
            with torch.no_grad():
                scored, _, _ = driver.trainer._get_per_token_logps_and_entropies(
                    driver.model, torch.cat([prompt, completion], dim=1), mask, completion.size(1)
                )
            width = prompt.size(1) + completion.size(1)
            found[rows, prompt.size(1) : width] = (scored * inputs["tool_mask"]).float().cpu().numpy()
        return found

    def _schedule(self, batch: Batch) -> list[list[Part]]:
        """Divide the rows among the optimiser steps of this call; a step without information is left out."""
        everything = np.arange(len(batch.ids))
        steps = []
        for epoch in range(self.method.epochs):
            order = everything
            if self.method.updates_per_batch > 1:
                order = derive_generator(self._seed, "rows", self._steps, epoch).permutation(everything)
            for rows in np.array_split(order, self.method.updates_per_batch):
                useful = rows if self.method.regularised else rows[batch.advantages[rows].any(axis=1)]
                if len(useful):
                    steps.append(self._parts(batch, useful, of=rows))
        return steps

    def _parts(self, batch: Batch, rows: Rows, *, of: Rows) -> list[Part]:
        device, items = self._driver.device, int(batch.sampled[of].sum())
        parts = []
        for some in batch.split(rows, self.method.micro_rows):
            inputs, share = batch.policy_gradient(some, device), len(some) / len(of)
            # The trainer multiplies this by the inverse share.
            inputs["num_items_in_batch"] = torch.tensor(items * share, device=device)
            parts.append(Part(inputs, share, items))
        return parts


def _apart(log_ratios: NDArray[Any]) -> dict[str, float]:
    """Say how far two policies are apart by the `[T]` log-ratios of tokens that are not weighed."""
    return gap(log_ratios) | {"effective_share": effective_share(np.exp(np.minimum(log_ratios, 80.0)))}


def _no_reward(**_: Any) -> list[float]:
    raise ContractError("The trainer asked for rewards, which come with the episodes.")
