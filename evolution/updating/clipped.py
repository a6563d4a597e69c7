"""The clipped objective that policy gradients share, with the loss of TRL's `GRPOTrainer`, on recorded experience.

The trainer's own sampling and rewards are not used: it is handed the ids, log-probabilities and advantages of episodes
that were played before. Where the advantages come from, a group (`policy_gradient`) or a critic (`ppo`), is not its
business. Its loss is private to TRL, so the minor version is pinned and a test compares loss and weights with the
unmodified trainer's.

Rows whose advantages are all zero have no gradient of their own. Without a term that acts on every row (KL, entropy)
they are counted where the loss divides, as the trainer would, but not run through the model; with the loss `"bnpo"`,
which divides by the tokens of what is run, they are. Prompts that rows share run through it once, see `sharing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.agents.episode import Episode
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import ContractError, UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.updating.arguments import common_arguments, placeholder
from palaestra.evolution.updating.batching import Batch, Rows
from palaestra.evolution.updating.driver import Driver, Part, Taken, means
from palaestra.evolution.updating.rates import UsualRates, usual_rate
from palaestra.evolution.updating.recorded_trainer import RecordedGRPOTrainer
from palaestra.evolution.updating.updater import Beginning, Trainable
from transformers import PreTrainedModel
from trl import GRPOConfig

__all__ = ["Climbed", "Climber", "ClippedObjective", "Loss", "refuse_demonstrations", "refuse_unknown"]

Loss: TypeAlias = Literal["grpo", "dr_grpo", "dapo", "bnpo"]

_RATES = UsualRates(small=3e-4, adapters=1e-5, whole=1e-6)


@dataclass(frozen=True)
class ClippedObjective:
    """Settings of the clipped objective and of the steps that climb it.

    Attributes:
        learning_rate: Peak rate of AdamW; None takes what suits the model's size, see `rates.usual_rate`.
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
            engine). Ratios of rows are compared with recomputed ones wherever training is in lower precision.
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
    loss: Loss = "grpo"
    ratio: Literal["token", "sequence"] = "token"
    clip_low: float = 0.2
    clip_high: float = 0.2
    kl: float = 0.0
    entropy: float = 0.0
    gamma: float = 1.0
    old_logprobs: Literal["recorded", "recomputed"] = "recorded"
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
        if self.learning_rate is not None and not 0 <= self.learning_rate < float("inf"):
            raise UsageError(f"learning_rate must be finite and not negative, got {self.learning_rate}.")

    @property
    def loss_kl(self) -> float:
        """Weight of the divergence as a term of the loss; a method that takes it off the reward has none here."""
        return self.kl

    @property
    def regularised(self) -> bool:
        """Whether a term acts on every row, whatever its advantage."""
        return self.loss_kl > 0 or self.entropy > 0

    def climber(self, policy: Trainable, beginning: Beginning) -> "Climber":
        """Return what climbs this objective; see `Update.start`."""
        if beginning.sampling.temperature == 0:
            raise UsageError("A policy gradient learns from sampled replies: temperature must be > 0, got 0.")
        arguments = GRPOConfig(**common_arguments(policy, beginning), **self._arguments(policy, beginning.sampling))

        def build(model: PreTrainedModel) -> RecordedGRPOTrainer:
            trainer = RecordedGRPOTrainer(
                model=model,
                reward_funcs=_no_reward,
                args=arguments,
                train_dataset=placeholder(prompt=[""]),
                processing_class=policy.tokenizer,
            )
            # Given to the constructor, it would load a reference from where the configuration says the model came from.
            trainer.beta = self.loss_kl
            if beginning.peers.in_step:
                # Whether sharing prompts pays, and is right, each process would find out at a moment of its own.
                trainer.shares_prompts = False
            return trainer

        optimiser_steps = beginning.planned_steps * self.updates_per_batch * self.epochs
        return Climber(self, Driver(build, policy, beginning, optimiser_steps=optimiser_steps), beginning.seed)

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


class Climbed(NamedTuple):
    """Optimiser steps, taken.

    Attributes:
        taken: The steps.
        log_ratios: `[T]` log-probability of all processes' sampled tokens when the first step began, less that which
            ratios compare with, in nats; empty where that step compares with itself.
    """

    taken: list[Taken]
    log_ratios: NDArray[np.float32]


class Climber:
    """The clipped objective at work on one policy.

    Args:
        method: The objective.
        driver: Of a `RecordedGRPOTrainer`.
        seed: Names the order of rows.
    """

    def __init__(self, method: ClippedObjective, driver: Driver, seed: int) -> None:
        self.method = method
        self.driver = driver
        self._seed = seed

    @property
    def recomputes(self) -> bool:
        """Whether ratios compare with what this trainer computes before the first step, not with the record.

        Also for ratios of whole rows where training runs in lower precision than sampling: their bounds are some
        1e-4, and what lower precision alone makes of a token is ten times that.
        """
        narrow = self.method.ratio == "sequence" and self.driver.trainer.args.bf16
        return self.method.old_logprobs == "recomputed" or narrow

    def climb(self, batch: Batch, step: int, *, recomputed: bool = False) -> Climbed:
        """Take all optimiser steps that a call's batch is for; call it inside `Driver.training`.

        Args:
            batch: With advantages, log-probabilities to compare with and, for a term of divergence, a reference.
            step: Number of the call, which names the order of rows.
            recomputed: Whether those to compare with are the trainer's own from before the first step. Where ratios are
                of whole rows, that step then compares with itself, and has no log-ratios.
        """
        trainer, taken = self.driver.trainer, list[Taken]()
        ratios: list[torch.Tensor] = []
        trainer.log_ratios = ratios
        try:
            for parts in self._schedule(batch, step):
                if recomputed and not taken and self.method.ratio == "sequence":
                    # The trainer then takes what the step itself computes: other rows beside it round otherwise, by
                    # more than the bounds of such ratios.
                    for part in parts:
                        del part.inputs["old_per_token_logps"]
                taken.append(self.driver.take(parts))
                trainer.log_ratios = None  # those of the first step alone are before any change
        finally:
            trainer.log_ratios = None
        own = torch.cat(ratios).float().cpu().numpy() if ratios else np.zeros(0, np.float32)
        return Climbed(taken, np.concatenate(self.driver.peers.collect(own)))

    def logprobs(self, batch: Batch) -> NDArray[np.float32]:
        """Return `[B, L]` log-probabilities of the sampled ids under the weights the model has now, 0 elsewhere."""
        driver, found = self.driver, np.zeros(batch.logprobs.shape, np.float32)
        with driver.peers.running():
            self._score(batch, found)
        return driver.peers.total(found)

    def _score(self, batch: Batch, found: NDArray[np.float32]) -> None:
        """Put this process's rows of `logprobs` in place."""
        driver = self.driver
        driver.model.train(False)
        for rows, sampled in driver.split(batch, np.arange(len(batch.ids)), self.method.micro_rows):
            inputs = batch.policy_gradient(rows, driver.device)
            prompt, completion = inputs["prompt_ids"], inputs["completion_ids"]
            mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
            with torch.no_grad():
                scored, _, _ = driver.trainer._get_per_token_logps_and_entropies(
                    driver.model, torch.cat([prompt, completion], dim=1), mask, completion.size(1)
                )
            width = prompt.size(1) + completion.size(1)
            if sampled:
                found[rows, prompt.size(1) : width] = (scored * inputs["tool_mask"]).float().cpu().numpy()

    def _schedule(self, batch: Batch, step: int) -> list[list[Part]]:
        """Divide the rows among the optimiser steps of this call; a step without information is left out."""
        everything = np.arange(len(batch.ids))
        steps = []
        for epoch in range(self.method.epochs):
            order = everything
            if self.method.updates_per_batch > 1:
                order = derive_generator(self._seed, "rows", step, epoch).permutation(everything)
            for rows in np.array_split(order, self.method.updates_per_batch):
                useful = rows if self.method.regularised else rows[batch.advantages[rows].any(axis=1)]
                if len(useful):
                    useful = rows if self.method.loss == "bnpo" else useful  # it divides by what is run
                    steps.append(self._parts(batch, useful, of=rows))
        return steps

    def _parts(self, batch: Batch, rows: Rows, *, of: Rows) -> list[Part]:
        device, items = self.driver.device, int(batch.sampled[of].sum())
        parts = []
        for some, sampled in self.driver.split(batch, rows, self.method.micro_rows):
            inputs, share = batch.policy_gradient(some, device), len(some) / len(of)
            if not sampled:
                inputs["tool_mask"].zero_()
            # The trainer multiplies this by the inverse share.
            inputs["num_items_in_batch"] = torch.tensor(items * share, device=device)
            parts.append(Part(inputs, share if sampled else 0.0, items))
        return parts

    def figures(self, taken: Sequence[Taken]) -> dict[str, float]:
        """Return means over optimiser steps and over the rows that went through the model, and the steps' number.

        They are `loss`, `grad_norm` (before clipping), `learning_rate`, `entropy` (nats a token), `kl`, `clip_low` and
        `clip_high` (share of tokens clipped), `ratio` (mean probability ratio). Call it inside `Driver.training`.
        """
        measured = self.driver.figures()
        return {
            **means(taken),
            "entropy": measured.get("entropy", 0.0),
            "kl": measured.get("kl", 0.0),
            "clip_low": measured.get("clip_ratio/low_mean", 0.0),
            "clip_high": measured.get("clip_ratio/high_mean", 0.0),
            "ratio": measured.get("ratio", 1.0),
            "optimiser_steps": float(len(taken)),
        }


def refuse_demonstrations(episodes: Sequence[Episode]) -> None:
    """Raise `UsageError` if an episode was shown, not sampled: no probability ratio can compare with it."""
    shown = next((episode for episode in episodes if episode.demonstrated), None)
    if shown is not None:
        raise UsageError(
            f"Episode {shown.id!r} was demonstrated, so no policy's log-probabilities of it are known and a policy "
            "gradient cannot learn from it. Learn from demonstrations by Finetune or Preference."
        )


def refuse_unknown(batch: Batch) -> None:
    """Raise `ContractError` if nobody knows how probable a token was where it stands."""
    if np.isnan(batch.logprobs).any():
        raise ContractError(
            "Some tokens have no known log-probability where they stand: they were sampled in another context, or "
            "not at all. A policy gradient cannot learn from them; imitate them (Finetune)."
        )


def _no_reward(**_: Any) -> list[float]:
    raise ContractError("The trainer asked for rewards, which come with the episodes.")
