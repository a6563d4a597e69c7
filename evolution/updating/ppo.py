"""Proximal policy optimisation: a critic says what each token was worth, and the clipped objective is climbed.

The objective is that of every policy gradient here (`clipped`); the advantages are estimated from a critic (`gae`,
`critic`), and the divergence from the policy at the start is taken off the reward, token by token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError
from palaestra.evolution.updating.batching import Batch, assemble
from palaestra.evolution.updating.clipped import Climber, ClippedObjective, Loss, refuse_demonstrations, refuse_unknown
from palaestra.evolution.updating.correction import gap
from palaestra.evolution.updating.critic import Critic, Lesson
from palaestra.evolution.updating.driver import Taken
from palaestra.evolution.updating.gae import GaeLevel, generalised_advantages, steps_of
from palaestra.evolution.updating.peers import Peers, refuse_peers
from palaestra.evolution.updating.rates import UsualRates, usual_rate
from palaestra.evolution.updating.scorer import ScorerTraining
from palaestra.evolution.updating.updater import Beginning, Trainable
from palaestra.evolution.updating.weights import Snapshot

__all__ = ["Ppo", "PpoUpdater"]

_STATE = "ppo.pt"
_CRITIC_RATES = UsualRates(small=1e-3, adapters=2e-5, whole=5e-6)
# Keeps a batch in which nothing went otherwise than expected at zero; far below any real deviation.
_EPSILON = 1e-8


@dataclass(frozen=True)
class Ppo(ClippedObjective):
    """Settings of PPO.

    `kl` is the price, in reward, of a nat of divergence from the policy at the start, charged for each sampled token
    (Ouyang et al. 2022, "InstructGPT"); `gamma` discounts a step, which is a token or a turn as `level` says.
    Advantages are centred and divided by their deviation over the tokens of a call.

    Attributes:
        level: What a step of the process is. A token's step ends in the next sampled token, wherever that is; of a turn
            all tokens share one advantage.
        decay: The lambda of the advantage estimate.
        clip_value: How far a value may go from what it was when the advantages were worked out.
        critic_learning_rate: Constant rate of the critic; None takes what suits the model's size.
    """

    loss: Loss = "dapo"
    kl: float = 0.05
    updates_per_batch: int = 2
    epochs: int = 2
    level: GaeLevel = "token"
    decay: float = 0.95
    clip_value: float = 0.2
    critic_learning_rate: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.clip_value < float("inf"):
            raise UsageError(f"clip_value must be finite and above 0, got {self.clip_value}.")
        if not (0.0 <= self.gamma <= 1.0 and 0.0 <= self.decay <= 1.0):
            raise UsageError(f"gamma and decay must lie in [0, 1], got {self.gamma} and {self.decay}.")

    @property
    def loss_kl(self) -> float:
        """Nothing: the divergence is taken off the reward."""
        return 0.0

    def refuse_peers(self, peers: Peers) -> None:
        """Raise `UsageError` if several processes train together; see `RefusesPeers`."""
        refuse_peers(peers, "PPO")

    def start(self, policy: Trainable, beginning: Beginning) -> "PpoUpdater":
        """Begin work on a policy, which as it is now is the reference, and whose trunk is where the critic begins."""
        self.refuse_peers(beginning.peers)
        climber = self.climber(policy, beginning)
        rate = (
            usual_rate(policy.model, _CRITIC_RATES) if self.critic_learning_rate is None else self.critic_learning_rate
        )
        critic = Critic(ScorerTraining(policy, rate, self.micro_rows), self.micro_rows, beginning.seed)
        return PpoUpdater(self, policy, climber, critic)


class PpoUpdater:
    """PPO at work on one policy; made by `Ppo.start`."""

    def __init__(self, method: Ppo, policy: Trainable, climber: Climber, critic: Critic) -> None:
        self.method = method
        self.policy = policy
        self._climber = climber
        self._critic = critic
        self._reference = Snapshot(policy.model) if method.kl > 0 else None
        self._steps = 0

    def step(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Learn from episodes; see `Updater.step`.

        Args:
            episodes: Sampled ones, in any groups.

        Returns:
            Those of `Climber.figures`, where `kl` is the divergence of the policy that sampled from the reference, in
            nats a token, and `kl_episode` the same in nats an episode (both estimated by the sampled log-ratios, so
            they may fall below 0); `value_loss`, `explained` (1 less the share of the targets' variance that the critic
            did not expect), `reward` (mean an episode, before the price of divergence), `gap` and `gap_kl` (see
            `correction.gap`), `rows`, `tokens`, `seconds`.
        """
        begin = perf_counter()
        played = [episode for episode in episodes if episode.valid]
        refuse_demonstrations(played)
        batch, climber, method = assemble(played), self._climber, self.method
        refuse_unknown(batch)
        taken, fitted, figures = list[Taken](), list[Taken](), dict[str, float]()
        with climber.driver.training("update", self._steps):
            log_ratios = np.zeros(0, np.float32)
            if len(batch.ids):
                batch, lesson, figures = self._judged(batch, played)
                taken, log_ratios = climber.climb(batch, self._steps, recomputed=climber.recomputes)
                fitted = self._critic.learn(
                    batch,
                    lesson,
                    clip=method.clip_value,
                    updates=method.updates_per_batch,
                    epochs=method.epochs,
                    step=self._steps,
                )
            metrics = {
                **climber.figures(taken),
                "kl": 0.0,
                **gap(log_ratios),
                **figures,
                "value_loss": float(np.mean([fit.loss for fit in fitted])) if fitted else 0.0,
                "rows": float(len(batch.ids)),
                "tokens": float(batch.tokens),
                "seconds": perf_counter() - begin,
            }
            climber.driver.report(metrics)
        self._steps += 1
        self.policy.version += 1
        return metrics

    def _judged(self, batch: Batch, played: Sequence[Episode]) -> tuple[Batch, Lesson, dict[str, float]]:
        """Return the batch with advantages, what the critic should have expected, and figures of both."""
        method, climber = self.method, self._climber
        old = climber.logprobs(batch) if climber.recomputes else batch.logprobs
        reference = old
        if self._reference is not None:
            with self._reference.in_place():
                reference = climber.logprobs(batch)
        rows, at = np.nonzero(batch.sampled)
        of_episode, turn = batch.owners[rows], batch.turns[rows, at]
        steps = steps_of(of_episode, turn, method.level)
        divergence = (old - reference)[rows, at].astype(np.float64)
        paid = [played[e].turns[t].reward for e, t in zip(of_episode[steps.first], turn[steps.first], strict=True)]
        rewards = np.where(steps.pays, paid, 0.0)
        np.subtract.at(rewards, steps.of_token, method.kl * divergence)
        expected = self._critic.values(batch)
        first_row, first_at = rows[steps.first], at[steps.first]
        values = expected[first_row, first_at]
        advantages = generalised_advantages(rewards, values, steps.ends, method.gamma, method.decay)
        targets = advantages + values
        lesson = Lesson(_at(batch, first_row, first_at, 1.0) > 0, _at(batch, first_row, first_at, targets), expected)
        whitened = _whitened(advantages[steps.of_token])
        variance = float(targets.var())
        figures = {
            "kl": float(divergence.mean()),
            "kl_episode": float(divergence.sum()) / len(played),
            "explained": 1.0 - float(advantages.var()) / variance if variance > 0 else 0.0,
            "reward": float(np.mean([episode.reward for episode in played])),
        }
        if climber.recomputes:
            figures |= gap((old - batch.logprobs)[rows, at])  # from who sampled, not from what ratios compare with
        learned = _at(batch, rows, at, whitened).astype(np.float32)
        return replace(batch, advantages=learned, logprobs=old), lesson, figures

    def save(self, directory: Path) -> None:
        """Write optimisers, schedule, step, critic and reference; see `Updater.save`."""
        reference = None if self._reference is None else self._reference.tensors
        self._climber.driver.save(directory / _STATE, steps=self._steps, reference=reference)
        self._critic.save(directory)

    def load(self, directory: Path) -> None:
        """Continue what `save` wrote; see `Updater.load`."""
        state = self._climber.driver.load(directory / _STATE)
        self._steps = state["steps"]
        if self._reference is not None:
            self._reference.replace(state["reference"])
        self._critic.load(directory)


def _at(
    batch: Batch, rows: NDArray[np.int64], at: NDArray[np.int64], what: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Return `[B, L]` with values at some ids and 0 elsewhere."""
    grid = np.zeros(batch.ids.shape)
    grid[rows, at] = what
    return grid


def _whitened(advantages: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = advantages - advantages.mean()
    return np.asarray(centred / (centred.std() + _EPSILON))
