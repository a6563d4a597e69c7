"""A reward model: learns from pairs which episode is better, and says of any episode how good it is.

Its loss is that of Bradley and Terry, `-log sigmoid(score of the better - score of the worse)`, on the ids of whole
episodes (Ouyang et al. 2022, "InstructGPT"). An episode's score is read at the last id of its last row.

The policy is not changed by it. What it has learned is used by the stages that come after it (`in_turn`): they learn
from its scores in place of the world's rewards. Evaluation stays the world's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import held_out
from palaestra.evolution.updating.batching import Batch, Rows, assemble
from palaestra.evolution.updating.driver import means
from palaestra.evolution.updating.pairs import EveryPair, Pair, Pairs
from palaestra.evolution.updating.peers import Peers, refuse_peers
from palaestra.evolution.updating.rates import UsualRates, usual_rate
from palaestra.evolution.updating.scorer import ScorerTraining
from palaestra.evolution.updating.updater import Beginning, Trainable
from torch.nn.functional import logsigmoid

__all__ = ["RewardModel", "RewardModelUpdater", "agreement"]

_STATE = "reward_model.pt"
_RATES = UsualRates(small=1e-3, adapters=5e-5, whole=9e-6)
# Scores whose deviation is below this, for those above 1 as a share of the greatest, are taken to be equal: what lies
# between them may be rounding, and nothing is to be measured by it.
_EQUAL = 1e-4


@dataclass(frozen=True)
class RewardModel:
    """Settings of learning a reward model.

    Attributes:
        pairs: The true preference: which episode is better than which. By default the world's rewards say it.
        noise: Share of the pairs that are turned round before they are learned from.
        kept_back: Share of the tasks whose pairs are not learned from but measure how often the model prefers what is
            truly better. They are training tasks, besides the held-out ones.
        learning_rate: Constant rate of AdamW; None takes what suits the model's size.
        epochs: Passes over the pairs of a call.
        batch_pairs: Pairs of an optimiser step.
        micro_rows: Most rows that go through the model at once, where one pair has no more.
    """

    pairs: Pairs = EveryPair()  # noqa: RUF009 (frozen and without state)
    noise: float = 0.0
    kept_back: float = 0.2
    learning_rate: float | None = None
    epochs: int = 1
    batch_pairs: int = 64
    micro_rows: int = 256

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_pairs", "micro_rows"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("noise", "kept_back"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise UsageError(f"{name} is a share, from 0 to below 1; got {getattr(self, name)}.")

    def refuse_peers(self, peers: Peers) -> None:
        """Raise `UsageError` if several processes train together; see `RefusesPeers`."""
        refuse_peers(peers, "A reward model")

    def start(self, policy: Trainable, beginning: Beginning) -> "RewardModelUpdater":
        """Begin with a copy of the policy's trunk; see `Update.start`. Of the rest, the seed alone is needed."""
        self.refuse_peers(beginning.peers)
        rate = usual_rate(policy.model, _RATES) if self.learning_rate is None else self.learning_rate
        return RewardModelUpdater(self, policy, ScorerTraining(policy, rate, self.micro_rows), beginning.seed)


class RewardModelUpdater:
    """A reward model at work; made by `RewardModel.start`."""

    def __init__(self, method: RewardModel, policy: Trainable, training: ScorerTraining, seed: int) -> None:
        self.method = method
        self.policy = policy
        self._training = training
        self._seed = seed
        self._steps = 0
        # Of the scores of the last call's episodes that were not all equal: rewards are told from there, in deviations.
        self._mean, self._deviation = 0.0, 1.0

    def step(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Learn from pairs of episodes; see `Updater.step`. The policy stays as it is.

        Returns:
            `loss`, `grad_norm`, `learning_rate`: means over optimiser steps; `accuracy`, the share of pairs kept back
            in which the truly better episode scores higher after the step, where there are any; `pairs` learned from,
            `pairs_kept_back`, `rows`, `tokens`, `optimiser_steps`, `seconds`.
        """
        begin, method = perf_counter(), self.method
        valid = [episode for episode in episodes if episode.valid and episode.tokens]
        found = [pair for pair in method.pairs(valid) if pair.better.tokens and pair.worse.tokens]
        kept = [_kept_back(pair, method.kept_back) for pair in found]
        batch, number = assemble(valid), {id(episode): i for i, episode in enumerate(valid)}
        members = np.array([[number[id(e)] for e in pair] for pair in found], np.int64).reshape(-1, 2)
        learned = members[~np.array(kept, np.bool_)] if found else members
        turned = derive_generator(self._seed, "noise", self._steps).random(len(learned)) < method.noise
        learned = np.where(turned[:, None], learned[:, ::-1], learned)
        taken = [self._training.take(self._losses(batch, some)) for some in self._schedule(learned)]
        scores = self._scores(batch, len(valid))
        if len(scores) and scores.std() > _EQUAL * max(1.0, float(np.abs(scores).max())):
            self._mean, self._deviation = float(scores.mean()), float(scores.std())
        tested = members[np.array(kept, np.bool_)] if found else members
        self._steps += 1
        self.policy.version += 1
        return {
            **means(taken),
            **({"accuracy": float((scores[tested[:, 0]] > scores[tested[:, 1]]).mean())} if len(tested) else {}),
            "pairs": float(len(learned)),
            "pairs_kept_back": float(len(tested)),
            "rows": float(len(batch.ids)),
            "tokens": float(batch.tokens),
            "optimiser_steps": float(len(taken)),
            "seconds": perf_counter() - begin,
        }

    def reward(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the episodes paid by the model instead of the world; verdicts stay the world's.

        The last turn is paid the score of the whole, in deviations from the mean of the episodes learned from last (of
        those before, where the last ones all scored alike; where none did otherwise, the score as it is); the other
        turns nothing. Invalid episodes, and those in which nothing was said, stay as they are.
        """
        judged = [i for i, episode in enumerate(episodes) if episode.valid and episode.tokens]
        scores = self._scores(assemble([episodes[i] for i in judged]), len(judged))
        paid = list(episodes)
        for i, score in zip(judged, (scores - self._mean) / self._deviation, strict=True):
            turns = [replace(turn, reward=0.0) for turn in episodes[i].turns]
            turns[-1] = replace(turns[-1], reward=float(score))
            paid[i] = replace(episodes[i], turns=tuple(turns))
        return paid

    def save(self, directory: Path) -> None:
        """Write the model, its optimiser and what rewards are measured from; see `Updater.save`."""
        directory.mkdir(parents=True, exist_ok=True)
        measure = {"mean": self._mean, "deviation": self._deviation, "steps": self._steps}
        torch.save({**self._training.state(), **measure}, directory / _STATE)

    def load(self, directory: Path) -> None:
        """Continue what `save` wrote; see `Updater.load`."""
        state = torch.load(directory / _STATE, map_location=self._training.device, weights_only=True)
        self._training.restore(state)
        self._mean, self._deviation, self._steps = state["mean"], state["deviation"], state["steps"]

    def _schedule(self, members: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        for epoch in range(self.method.epochs if len(members) else 0):
            order = derive_generator(self._seed, "pairs", self._steps, epoch).permutation(len(members))
            for some in np.array_split(order, -(-len(order) // self.method.batch_pairs)):
                yield members[some]

    def _losses(self, batch: Batch, members: NDArray[np.int64]) -> Iterator[torch.Tensor]:
        """Yield the shares of the mean loss of some pairs, as much at a time as goes through the model at once."""
        at_once = max(1, self.method.micro_rows // 2)
        for few in np.array_split(members, -(-len(members) // at_once)):
            own, which = np.unique(few, return_inverse=True)
            rows = _last_rows(batch)[own]
            scores = self._training.scores_of(batch, rows)
            ends = torch.from_numpy(batch.lengths[rows] - 1).to(scores.device)
            last = scores.gather(1, ends[:, None])[:, 0]
            better, worse = torch.from_numpy(which.reshape(-1, 2).T.copy()).to(scores.device)
            yield -logsigmoid(last[better] - last[worse]).sum() / len(members)

    def _scores(self, batch: Batch, episodes: int) -> NDArray[np.float64]:
        """`[E]` scores of episodes, each of which has a row."""
        if episodes == 0:
            return np.zeros(0)
        rows, scores = _last_rows(batch), self._training.score(batch)
        return np.asarray(scores[rows, batch.lengths[rows] - 1])


def agreement(true: Sequence[Episode], judged: Sequence[Episode]) -> float:
    """Return the share of pairs within a group that rewards order as the world's do, of those the world orders.

    Args:
        true: Episodes as the world paid them.
        judged: The same as something else paid them.

    Returns:
        The share; equal rewards agree by half. 1 where the world orders none.
    """
    paid = {id(episode): other.reward for episode, other in zip(true, judged, strict=True)}
    gains = [paid[id(better)] - paid[id(worse)] for better, worse in EveryPair()(true)]
    return float(np.mean([0.5 + 0.5 * np.sign(gain) for gain in gains])) if gains else 1.0


def _kept_back(pair: Pair, share: float) -> bool:
    # Read backwards, so that it says nothing of which tasks are held out of training altogether.
    return held_out(pair.better.fingerprint[::-1], share)


def _last_rows(batch: Batch) -> Rows:
    """`[E]` number of the last row of each episode; rows stand in the order of their episodes."""
    return np.flatnonzero(np.append(np.diff(batch.owners) != 0, [True]))
