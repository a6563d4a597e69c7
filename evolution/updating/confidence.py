"""Fine-tuning on labels that may be wrong, with some confidence in what one would have said oneself.

The loss is the cross-entropy against `(1 - c)` of the label and `c` of the policy's own hardened prediction, so that a
policy that knows better may disagree with whoever labels. What is said is a class: the two are two replies to one task,
weighed `1 - c` and `c`.

Source: Burns et al. 2023, "Weak-to-strong generalization" (auxiliary confidence loss).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import IntArray, Request, Sampling
from palaestra.agents.score import continuation_logprobs
from palaestra.envs.errors import UsageError
from palaestra.evolution.updating.batching import Batch, Rows
from palaestra.evolution.updating.driver import Driver, Part
from palaestra.evolution.updating.finetune import Finetune, FinetuneUpdater
from palaestra.evolution.updating.peers import Peers, refuse_peers
from palaestra.evolution.updating.updater import Beginning, Trainable

__all__ = ["ConfidentFinetune", "ConfidentUpdater", "confidence_at", "hardened"]


@dataclass(frozen=True)
class ConfidentFinetune(Finetune):
    """Settings of fine-tuning with confidence; without any it is `Finetune`.

    Attributes:
        confidence: Weight c of the policy's own prediction, after the warm-up; 0 learns from the labels alone.
        warm_up: Share of a call's optimiser steps over which c rises from 0, in proportion.
        answers: The two answers between which a task decides, such as `("right", "wrong")`. Of labels that are one of
            them, the policy's own prediction is the first for so many of the rows of an optimiser step as are labelled
            so, those in which it finds the first most probable. Everywhere else its prediction is what it says
            greedily.
    """

    confidence: float = 0.5
    warm_up: float = 0.1
    answers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("confidence", "warm_up"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(f"{name} is a share, 0 to 1; got {getattr(self, name)}.")
        if len(self.answers) not in (0, 2) or len(set(self.answers)) != len(self.answers):
            raise UsageError(f"answers must be two that differ, or none; got {list(self.answers)}.")

    def refuse_peers(self, peers: Peers) -> None:
        """Raise `UsageError` if several processes train together; see `RefusesPeers`."""
        refuse_peers(peers, "Fine-tuning with confidence")

    def start(self, policy: Trainable, beginning: Beginning) -> "ConfidentUpdater":
        """Begin work on a policy; see `Update.start`. The policy's own replies are as long as `sampling` allows.

        Raises:
            UsageError: If the policy cannot say in this process what it predicts.
        """
        self.refuse_peers(beginning.peers)
        if not isinstance(policy, LocalPolicy):
            raise UsageError(f"Expected a local policy, which can be asked what it predicts; got {policy}.")
        driver = super().start(policy, beginning).driver
        return ConfidentUpdater(self, policy, driver, beginning.seed, beginning.sampling)


class ConfidentUpdater(FinetuneUpdater):
    """Fine-tuning with confidence at work on one policy; made by `ConfidentFinetune.start`."""

    method: ConfidentFinetune
    policy: LocalPolicy

    def __init__(
        self, method: ConfidentFinetune, policy: LocalPolicy, driver: Driver, seed: int, sampling: Sampling
    ) -> None:
        super().__init__(method, policy, driver, seed)
        self._greedy = replace(sampling, temperature=0.0, top_k=0, top_p=1.0)
        end = np.int32(policy.tokenizer.eos_token_id)
        encode = policy.tokenizer.encode
        self._answers = [
            np.append(encode(text, add_special_tokens=False), end).astype(np.int32) for text in method.answers
        ]

    def schedule(self, batch: Batch) -> Iterator[list[Part]]:
        """Yield the parts of each optimiser step; own predictions are those of the weights that the step finds.

        Raises:
            UsageError: If a label has more than one turn, of which it is not said what the policy's own would be, and
                confidence is above 0.
        """
        if self.method.confidence > 0 and (batch.turns > 0).any():
            raise UsageError("A label of several turns has no prediction to be mixed with: set confidence to 0.")
        steps = self.steps_of(batch)
        for number, rows in enumerate(steps):
            c = confidence_at(number, len(steps), self.method.confidence, self.method.warm_up)
            tokens = int(batch.sampled[rows].sum())
            parts = self._weighed(batch, rows, 1.0 - c, tokens)
            if c > 0.0:
                own = _answered(batch, rows, self._predictions(batch, rows))
                parts += self._weighed(own, np.arange(len(rows)), c, tokens)
            yield parts

    def _weighed(self, batch: Batch, rows: Rows, weight: float, tokens: int) -> list[Part]:
        """Return parts of some rows whose losses, a token of the labels, count so much."""
        if weight == 0.0:
            return []
        device, split = self.driver.device, batch.split(rows, self.method.micro_rows)
        share = weight / len(rows)
        return [Part(batch.next_token(some, device), len(some) * share, tokens / weight) for some in split]

    def _predictions(self, batch: Batch, rows: Rows) -> list[IntArray]:
        """Return `[T]` ids of what the policy itself would say in each of some rows."""
        contexts = [batch.ids[r, : batch.starts[r]].astype(np.int32) for r in rows]
        labels = [batch.ids[r, batch.starts[r] : batch.lengths[r]].astype(np.int32) for r in rows]
        classes = [next((i for i, a in enumerate(self._answers) if np.array_equal(a, ids)), -1) for ids in labels]
        decided = [i for i, found in enumerate(classes) if found >= 0]
        free = [i for i, found in enumerate(classes) if found < 0]
        said: dict[int, IntArray] = {}
        if decided:
            scored = continuation_logprobs(self.policy, [contexts[i] for i in decided], [self._answers] * len(decided))
            lead = np.array([float(first) - float(second) for first, second in scored])
            for i, first in zip(decided, hardened(lead, sum(classes[i] == 0 for i in decided)), strict=True):
                said[i] = self._answers[0 if first else 1]
        requests = [Request(contexts[i], self._greedy, 0) for i in free]
        said.update((i, sample.ids) for i, sample in zip(free, self.policy.sample(requests), strict=True))
        return [said[i] for i in range(len(rows))]


def confidence_at(step: int, steps: int, most: float, warm_up: float) -> float:
    """Return the weight of a policy's own prediction at an optimiser step.

    Args:
        step: Its number, from 0.
        steps: How many there are.
        most: The weight after the warm-up.
        warm_up: Share of the steps over which it rises from 0, in proportion.
    """
    return most * min(1.0, step / (warm_up * steps)) if warm_up > 0 else most


def hardened(lead: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Return `[N]` whether each prediction is the first of two classes, by the threshold that `count` of them reach.

    Args:
        lead: `[N]` how much more probable the first is, in any unit that rises with it.
        count: How many are labelled so.
    """
    first = np.zeros(len(lead), np.bool_)
    first[np.argsort(-lead, kind="stable")[:count]] = True
    return first


def _answered(batch: Batch, rows: Rows, replies: Sequence[IntArray]) -> Batch:
    """Return rows of the same contexts with other replies."""
    starts = batch.starts[rows]
    lengths = starts + np.array([len(ids) for ids in replies], np.int64)
    place = np.arange(int(lengths.max()))
    ids = np.zeros((len(rows), len(place)), np.int64)
    for row, (start, reply) in enumerate(zip(starts, replies, strict=True)):
        ids[row, :start] = batch.ids[rows[row], :start]
        ids[row, start : start + len(reply)] = reply
    sampled = ((place >= starts[:, None]) & (place < lengths[:, None])).astype(np.int64)
    nothing = np.zeros(ids.shape, np.float32)
    return Batch(ids, sampled, nothing, nothing, lengths, starts, np.where(sampled == 1, 0, -1), np.arange(len(rows)))
