"""Supervised fine-tuning on episodes worth imitating, with the loss of TRL's `SFTTrainer`.

Ids and loss masks are those that were recorded: the policy learns the ids it sampled, in the contexts it saw.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.updating.arguments import common_arguments, placeholder
from palaestra.evolution.updating.batching import Batch, Rows, assemble
from palaestra.evolution.updating.driver import Driver, Part, Taken, means
from palaestra.evolution.updating.rates import UsualRates, usual_rate
from palaestra.evolution.updating.updater import Beginning, Trainable
from palaestra.evolution.updating.weights import Snapshot
from transformers import PreTrainedModel
from trl import SFTConfig, SFTTrainer

__all__ = ["Finetune", "FinetuneUpdater"]

_STATE = "finetune.pt"
_RATES = UsualRates(small=5e-4, adapters=2e-4, whole=2e-5)


@dataclass(frozen=True)
class Finetune:
    """Settings of supervised fine-tuning.

    Attributes:
        start_from: `"base"` trains every time anew from the policy at the start (rejection-sampling fine-tuning, STaR);
            `"last"` trains on from the policy as it is.
        epochs: Passes over the rows of a call.
        learning_rate: Constant rate of AdamW; None takes what suits the model's size, see `rates.usual_rate`.
        batch_rows: Rows of an optimiser step.
        micro_rows: Most rows that go through the model at once; bounds memory.
    """

    start_from: Literal["base", "last"] = "base"
    epochs: int = 1
    learning_rate: float | None = None
    batch_rows: int = 64
    micro_rows: int = 256

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_rows", "micro_rows"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}.")

    def start(self, policy: Trainable, beginning: Beginning) -> "FinetuneUpdater":
        """Begin work on a policy; see `Update.start`. Sampling and planned steps make no difference."""
        arguments = SFTConfig(
            **common_arguments(policy, beginning),
            learning_rate=usual_rate(policy.model, _RATES) if self.learning_rate is None else self.learning_rate,
            lr_scheduler_type="constant",
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
        )

        def build(model: PreTrainedModel) -> RecordedSFTTrainer:
            return RecordedSFTTrainer(
                model=model,
                args=arguments,
                train_dataset=placeholder(input_ids=[[0]], labels=[[0]]),
                processing_class=policy.tokenizer,
            )

        driver = Driver(build, policy, beginning, optimiser_steps=beginning.planned_steps)
        return FinetuneUpdater(self, policy, driver, beginning.seed)


class RecordedSFTTrainer(SFTTrainer):  # type: ignore[misc]
    """`SFTTrainer` without telemetry, on the loss of a whole optimiser step."""

    # Losses are divided by the tokens of the whole step, for every kind of model.
    loss_is_scaled_for_ga = True

    def _send_telemetry(self) -> None:
        return


class FinetuneUpdater:
    """Fine-tuning at work on one policy; made by `Finetune.start`."""

    def __init__(self, method: Finetune, policy: Trainable, driver: Driver, seed: int) -> None:
        self.method = method
        self.policy = policy
        self.driver = driver
        self._seed = seed
        self._steps = 0
        self._base = Snapshot(driver.model, policy.model) if method.start_from == "base" else None

    def step(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Imitate episodes; see `Updater.step`. Without any row to learn from, no weight changes.

        Args:
            episodes: What to imitate, already refined.

        Returns:
            `loss` (nats a token), `grad_norm` (before clipping), `learning_rate`, `entropy` (nats a token), `accuracy`
            (share of tokens that the policy would choose greedily): means over the optimiser steps. `rows`, `tokens`,
            `optimiser_steps`, `seconds`.
        """
        begin = perf_counter()
        batch = assemble([episode for episode in episodes if episode.valid])
        driver, taken = self.driver, list[Taken]()
        with driver.training("update", self._steps):
            if len(batch.ids):
                if self._base is not None:
                    self._base.write_back()
                    driver.forget()
                taken = [driver.take(parts) for parts in self.schedule(batch)]
            measured = driver.figures()
            metrics = {
                **means(taken),
                "entropy": measured.get("entropy", 0.0),
                "accuracy": measured.get("mean_token_accuracy", 0.0),
                "rows": float(len(batch.ids)),
                "tokens": float(batch.tokens),
                "optimiser_steps": float(len(taken)),
                "seconds": perf_counter() - begin,
            }
            driver.report(metrics)
        self._steps += 1
        self.policy.version += 1
        return metrics

    def save(self, directory: Path) -> None:
        """Write optimiser, step and base; see `Updater.save`."""
        base = None if self._base is None else self._base.tensors
        self.driver.save(directory / _STATE, steps=self._steps, base=base)

    def load(self, directory: Path) -> None:
        """Continue what `save` wrote; see `Updater.load`."""
        state = self.driver.load(directory / _STATE)
        self._steps = state["steps"]
        if self._base is not None:
            self._base.replace(state["base"])

    def steps_of(self, batch: Batch) -> list[Rows]:
        """Return the rows of each optimiser step of a call."""
        steps: list[Rows] = []
        for epoch in range(self.method.epochs):
            order = derive_generator(self._seed, "rows", self._steps, epoch).permutation(len(batch.ids))
            steps += np.array_split(order, -(-len(order) // self.method.batch_rows))
        return steps

    def schedule(self, batch: Batch) -> Iterator[list[Part]]:
        """Yield the parts of each optimiser step of a call, each when the one before has been taken."""
        for rows in self.steps_of(batch):
            items, device = int(batch.sampled[rows].sum()), self.driver.device
            parts = []
            for some, sampled in self.driver.split(batch, rows, self.method.micro_rows):
                inputs, share = batch.next_token(some, device), len(some) / len(rows)
                if not sampled:
                    inputs["labels"].fill_(-100)
                parts.append(Part(inputs, share if sampled else 0.0, items))
            yield parts
