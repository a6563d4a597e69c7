"""A critic: what a policy may expect before each token it samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.updating.batching import Batch, Rows
from palaestra.evolution.updating.driver import Taken
from palaestra.evolution.updating.scorer import ScorerTraining

__all__ = ["Critic", "Lesson", "clipped_value_loss"]

_STATE = "critic.pt"


def clipped_value_loss(values: torch.Tensor, before: torch.Tensor, targets: torch.Tensor, clip: float) -> torch.Tensor:
    """Return half the greater of two squared errors: that of the value, and of the value kept near what it was.

    Args:
        values: `[N]` what the critic expects now.
        before: `[N]` what it expected when the advantages were worked out.
        targets: `[N]` what it should have expected.
        clip: How far a value may go from before at no loss of slope.

    Returns:
        `[N]` losses.

    Source: Schulman et al. 2017, as in OpenAI's baselines and TRL's former `PPOTrainer`.
    """
    near = before + (values - before).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - targets).square(), (near - targets).square())


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What a critic should have expected.

    Attributes:
        where: `[B, L]` 1 on the ids before which an expectation was asked, else 0.
        targets: `[B, L]` what it should have been, 0 elsewhere.
        before: `[B, L]` what it was, 0 elsewhere.
    """

    where: NDArray[np.bool_]
    targets: NDArray[np.float64]
    before: NDArray[np.float64]


class Critic:
    """A scorer that learns values.

    Args:
        training: The scorer.
        micro_rows: Most rows that go through it at once.
        seed: Names the order of rows.
    """

    def __init__(self, training: ScorerTraining, micro_rows: int, seed: int) -> None:
        self._training = training
        self._micro_rows = micro_rows
        self._seed = seed

    def values(self, batch: Batch) -> NDArray[np.float64]:
        """Return `[B, L]` what is expected before each id: the score of the row up to the id before it."""
        scores = self._training.score(batch)
        return np.concatenate([np.zeros((len(scores), 1)), scores[:, :-1]], axis=1)

    def learn(self, batch: Batch, lesson: Lesson, *, clip: float, updates: int, epochs: int, step: int) -> list[Taken]:
        """Take `updates` optimiser steps in each of `epochs` passes over the rows."""
        divided: list[Rows] = []
        for epoch in range(epochs):
            order = derive_generator(self._seed, "critic", step, epoch).permutation(len(batch.ids))
            divided += np.array_split(order, updates)
        asked = [(rows, int(lesson.where[rows].sum())) for rows in divided]
        return [
            self._training.take(self._losses(batch, lesson, rows, clip, count)) for rows, count in asked if count > 0
        ]

    def _losses(self, batch: Batch, lesson: Lesson, rows: Rows, clip: float, count: int) -> Iterator[torch.Tensor]:
        device = self._training.device
        for some in batch.split(rows, self._micro_rows):
            scores = self._training.scores_of(batch, some)
            own, at = np.nonzero(lesson.where[some])
            values = scores[torch.from_numpy(own).to(device), torch.from_numpy(at - 1).to(device)]
            before, targets = (
                torch.from_numpy(array[some][own, at].astype(np.float32)).to(device)
                for array in (lesson.before, lesson.targets)
            )
            yield clipped_value_loss(values, before, targets, clip).sum() / count

    def save(self, directory: Path) -> None:
        """Write all that later values depend on."""
        torch.save(self._training.state(), directory / _STATE)

    def load(self, directory: Path) -> None:
        """Continue what `save` wrote."""
        state = torch.load(directory / _STATE, map_location=self._training.device, weights_only=True)
        self._training.restore(state)
