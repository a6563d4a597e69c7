"""What the preference updates share: how much more probable an episode is to the policy than to a reference.

An episode's log-probability is the sum over all it sampled, in all its turns and rows, on the ids that were recorded;
what the world said between them is context. TRL's trainers of these losses take one prompt and one reply a row, so an
episode whose context was rewritten would be several examples; here it is one. A test compares the losses with TRL's.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.updating.batching import Batch, Inputs, Rows, assemble
from palaestra.evolution.updating.driver import Driver, Part, Taken, means
from palaestra.evolution.updating.peers import Peers, refuse_peers
from palaestra.evolution.updating.rates import UsualRates, usual_rate
from palaestra.evolution.updating.row_trainer import Figures, row_driver
from palaestra.evolution.updating.updater import Beginning, Trainable
from palaestra.evolution.updating.weights import Snapshot

__all__ = ["ContrastSettings", "ContrastUpdater", "Examples", "Reference"]

Reference: TypeAlias = Literal["start", "previous"]
"""Which policy is compared with: the one at the start, or the one each call finds (the previous iterate)."""

_RATES = UsualRates(small=1e-4, adapters=5e-6, whole=5e-7)

_STATE = "contrast.pt"


@dataclass(frozen=True)
class ContrastSettings:
    """Settings that the preference updates share.

    Attributes:
        beta: How much a nat of difference from the reference counts.
        reference: See `Reference`.
        learning_rate: Constant rate of AdamW; None takes what suits the model's size, see `rates.usual_rate`.
        epochs: Passes over the examples of a call.
        batch_examples: Examples (pairs, or episodes) of an optimiser step.
        micro_rows: Most rows that go through the model at once, where one example has no more; bounds memory.
    """

    title: ClassVar[str]
    """What errors call the method."""

    beta: float = 0.1
    reference: Reference = "start"
    learning_rate: float | None = None
    epochs: int = 1
    batch_examples: int = 64
    micro_rows: int = 256

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_examples", "micro_rows"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if not 0 < self.beta < float("inf"):
            raise UsageError(f"beta must be finite and above 0, got {self.beta}.")

    @abstractmethod
    def objective(self, logprobs: torch.Tensor, inputs: Inputs) -> tuple[torch.Tensor, Figures]:
        """Return the losses of a part's examples, and figures of them; see `row_trainer.Objective`."""

    def refuse_peers(self, peers: Peers) -> None:
        """Raise `UsageError` if several processes train together; see `RefusesPeers`."""
        refuse_peers(peers, self.title)

    def driver(self, policy: Trainable, beginning: Beginning) -> Driver:
        """Return what drives a trainer on the objective; how the policy samples and planned steps make no difference.

        Raises:
            UsageError: If several processes train together.
        """
        self.refuse_peers(beginning.peers)
        rate = usual_rate(policy.model, _RATES) if self.learning_rate is None else self.learning_rate
        return row_driver(policy, self.objective, rate, beginning)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What a call learns from.

    Attributes:
        episodes: Each once.
        members: `[N, M]` numbers of the M episodes of each example.
        labels: `[N]` tensors of what an objective is told of each example, by name.
        figures: What is reported of them.
    """

    episodes: list[Episode]
    members: Rows
    labels: Mapping[str, NDArray[np.bool_]]
    figures: Mapping[str, float]


class ContrastUpdater:
    """A preference update at work on one policy.

    Args:
        method: Its settings.
        policy: Who learns; as it is now it is the reference, if `method.reference` says so.
        driver: Of a `RowTrainer`.
        seed: Names the order of examples.
    """

    def __init__(self, method: ContrastSettings, policy: Trainable, driver: Driver, seed: int) -> None:
        self.method = method
        self.policy = policy
        self.driver = driver
        self._seed = seed
        self._steps = 0
        self._reference = Snapshot(policy.model)

    @abstractmethod
    def examples(self, episodes: Sequence[Episode]) -> Examples:
        """Return what to learn from valid episodes."""

    def extra(self, batch: Batch, rows: Rows, step_seed: np.random.Generator) -> Inputs:
        """Return tensors that every part of an optimiser step on some rows is given too."""
        del batch, rows, step_seed
        return {}

    def step(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Learn from episodes; see `Updater.step`. Without any example no weight changes.

        Returns:
            `loss`, `grad_norm` (before clipping), `learning_rate`: means over optimiser steps. What the objective
            measures, as means over examples. `examples`, `rows`, `tokens`, `optimiser_steps`, `seconds`.
        """
        begin = perf_counter()
        found = self.examples([episode for episode in episodes if episode.valid])
        batch, driver, taken = assemble(found.episodes), self.driver, list[Taken]()
        with driver.training("update", self._steps):
            if len(found.members):
                if self.method.reference == "previous":
                    self._reference = Snapshot(self.policy.model)
                reference = self._under_reference(batch)
                for epoch in range(self.method.epochs):
                    draw = derive_generator(self._seed, "examples", self._steps, epoch)
                    order = draw.permutation(len(found.members))
                    for some in np.array_split(order, -(-len(order) // self.method.batch_examples)):
                        taken.append(driver.take(self._parts(batch, found, some, reference, draw)))
            metrics = {
                **means(taken),
                **driver.figures(),
                **found.figures,
                "examples": float(len(found.members)),
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
        """Write optimiser, step and the reference, where it outlives the call; see `Updater.save`."""
        reference = self._reference.tensors if self.method.reference == "start" else None
        self.driver.save(directory / _STATE, steps=self._steps, reference=reference)

    def load(self, directory: Path) -> None:
        """Continue what `save` wrote; see `Updater.load`."""
        state = self.driver.load(directory / _STATE)
        self._steps = state["steps"]
        if state["reference"] is not None:
            self._reference.replace(state["reference"])

    def logprobs(self, inputs: Inputs) -> torch.Tensor:
        """Return `[E]` log-probabilities of a part's episodes under the weights that the model has now."""
        with torch.no_grad():
            self.driver.model.train(False)
            found: torch.Tensor = self.driver.trainer.episode_logprobs(self.driver.model, inputs)
            return found

    def under_reference(self, inputs: Inputs) -> torch.Tensor:
        """Return the same under the reference."""
        with self._reference.in_place():
            return self.logprobs(inputs)

    def _under_reference(self, batch: Batch) -> NDArray[np.float32]:
        """`[E]` log-probabilities of all episodes under the reference."""
        found = np.zeros(int(batch.owners.max()) + 1, np.float32)
        for rows in batch.split(np.arange(len(batch.ids)), self.method.micro_rows):
            inputs = batch.next_token(rows, self.driver.device)
            inputs["owner"] = torch.arange(len(rows), device=self.driver.device)
            np.add.at(found, batch.owners[rows], self.under_reference(inputs).cpu().numpy())
        return found

    def _parts(
        self,
        batch: Batch,
        found: Examples,
        some: Rows,
        reference: NDArray[np.float32],
        draw: np.random.Generator,
    ) -> list[Part]:
        device, rows_of = self.driver.device, np.bincount(batch.owners, minlength=len(found.episodes))
        extra = self.extra(batch, _rows(batch, found.members[some]), draw)
        at_once = max(1, self.method.micro_rows // int(rows_of[found.members[some]].sum(axis=1).max()))
        parts = []
        for few in np.array_split(some, -(-len(some) // at_once)):
            own, members = np.unique(found.members[few], return_inverse=True)
            rows = _rows(batch, own)
            inputs = batch.next_token(rows, device)
            sampled = np.bincount(batch.owners, batch.sampled.sum(axis=1), len(found.episodes))[own]
            arrays = {
                "owner": np.searchsorted(own, batch.owners[rows]),
                "members": members.reshape(len(few), -1),
                "reference": reference[own],
                "tokens": sampled.astype(np.float32),
                **{name: label[few] for name, label in found.labels.items()},
            }
            inputs |= {name: torch.from_numpy(array).to(device) for name, array in arrays.items()} | extra
            parts.append(Part(inputs, len(few) / len(some), len(some)))
        return parts


def _rows(batch: Batch, episodes: Rows) -> Rows:
    """Return the rows of some episodes, in order."""
    return np.flatnonzero(np.isin(batch.owners, episodes))
