"""A preference update without pairs: good episodes become more probable than the reference finds them, bad ones less.

Source: Ethayarajh et al. 2024, "KTO: model alignment as prospect theoretic optimization".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError
from palaestra.evolution.updating.batching import Batch, Inputs, Rows
from palaestra.evolution.updating.contrast import ContrastSettings, ContrastUpdater, Examples
from palaestra.evolution.updating.driver import Driver
from palaestra.evolution.updating.row_trainer import Figures
from palaestra.evolution.updating.updater import Beginning, Trainable

__all__ = ["Kto", "KtoUpdater", "kto_losses", "mismatched"]


def kto_losses(
    ratios: torch.Tensor, good: torch.Tensor, divergence: torch.Tensor, beta: float, weights: tuple[float, float]
) -> torch.Tensor:
    """Return the loss of each episode.

    With `r` its log-ratio of policy to reference and `z` the divergence between them: `w_good (1 - sigmoid(beta (r -
    z)))` for a good one, `w_bad (1 - sigmoid(beta (z - r)))` for a bad one.

    Args:
        ratios: `[N]` log-ratios in nats.
        good: `[N]` whether an episode is good.
        divergence: `[]` of the policy from the reference, in nats, at least 0 and held constant.
        beta: How much a nat counts.
        weights: Of good and of bad episodes.

    Returns:
        `[N]` losses.
    """
    sign = torch.where(good, 1.0, -1.0)
    weight = torch.where(good, weights[0], weights[1])
    return weight * (1.0 - torch.sigmoid(beta * sign * (ratios - divergence)))


def mismatched(batch: Batch, rows: Rows, order: Rows) -> Batch:
    """Return rows that begin with the prompt of one row and go on as the next in `order` did after its own.

    Args:
        batch: The rows.
        rows: `[R]` which of them take part.
        order: `[R]` a permutation of the numbers from 0 to R - 1.
    """
    prompts, tails = rows[order], rows[np.roll(order, -1)]
    lengths = batch.starts[prompts] + batch.lengths[tails] - batch.starts[tails]
    ids = np.zeros((len(rows), int(lengths.max())), np.int64)
    turns = np.full(ids.shape, -1, np.int64)
    for i, (prompt, tail, length) in enumerate(zip(prompts, tails, lengths, strict=True)):
        begin, from_ = int(batch.starts[prompt]), slice(int(batch.starts[tail]), int(batch.lengths[tail]))
        ids[i, :begin] = batch.ids[prompt, :begin]
        ids[i, begin:length] = batch.ids[tail, from_]
        turns[i, begin:length] = batch.turns[tail, from_]
    none = np.zeros(ids.shape, np.float32)
    sampled = (turns >= 0).astype(np.int64)
    return Batch(ids, sampled, none, none, lengths, batch.starts[prompts], turns, batch.owners[tails])


@dataclass(frozen=True)
class Kto(ContrastSettings):
    """Settings of KTO; an episode is good if its judge called it correct.

    The divergence is estimated, as in TRL, on prompts joined to replies to others: of an optimiser step's rows, each
    prompt with what followed the next. Its context limit must hold both.

    Attributes:
        good_weight: What a good episode counts.
        bad_weight: What a bad one counts.
    """

    title: ClassVar[str] = "KTO"

    good_weight: float = 1.0
    bad_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.good_weight, self.bad_weight) < 0:
            raise UsageError(f"Weights must not be negative, got {self.good_weight} and {self.bad_weight}.")

    def start(self, policy: Trainable, beginning: Beginning) -> "KtoUpdater":
        """Begin work on a policy; see `ContrastSettings.driver`."""
        driver = self.driver(policy, beginning)
        return KtoUpdater(self, policy, driver, beginning.seed)

    def objective(self, logprobs: torch.Tensor, inputs: Inputs) -> tuple[torch.Tensor, Figures]:
        """Return the `[N]` losses of a part's episodes, and figures of them; see `row_trainer.Objective`."""
        members, good = inputs["members"][:, 0], inputs["good"]
        ratios = (logprobs - inputs["reference"])[members]
        weights = self.good_weight, self.bad_weight
        losses = kto_losses(ratios, good, inputs["divergence"], self.beta, weights)
        return losses, {
            "better": self.beta * ratios[good],
            "worse": self.beta * ratios[~good],
            "kl": inputs["divergence"].reshape(1),
        }


class KtoUpdater(ContrastUpdater):
    """KTO at work; made by `Kto.start`.

    Its figures: `better` and `worse` (log-ratios of good and bad episodes, times beta), `kl` (the divergence) and
    `good`, the share of good episodes.
    """

    method: Kto

    def __init__(self, method: Kto, policy: Trainable, driver: Driver, seed: int) -> None:
        super().__init__(method, policy, driver, seed)

    def examples(self, episodes: Sequence[Episode]) -> Examples:
        """Return the episodes that said something, good ones and bad ones."""
        own = [episode for episode in episodes if episode.tokens]
        good = np.array([episode.correct for episode in own], np.bool_)
        figures = {"good": float(good.mean()) if own else 0.0}
        return Examples(own, np.arange(len(own)).reshape(-1, 1), {"good": good}, figures)

    def extra(self, batch: Batch, rows: Rows, step_seed: np.random.Generator) -> Inputs:
        """Return the `divergence` `[]` that all parts of an optimiser step share."""
        crossed = mismatched(batch, rows, step_seed.permutation(len(rows)))
        total = 0.0
        for some in crossed.split(np.arange(len(crossed.ids)), self.method.micro_rows):
            inputs = crossed.next_token(some, self.driver.device)
            inputs["owner"] = torch.zeros(len(some), dtype=torch.int64, device=self.driver.device)
            total += float((self.logprobs(inputs) - self.under_reference(inputs)).sum())
        episodes = len(np.unique(batch.owners[rows]))
        return {"divergence": torch.tensor(max(0.0, total / episodes), device=self.driver.device)}
