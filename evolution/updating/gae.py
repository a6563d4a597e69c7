"""Generalised advantage estimation: how much better things went than a critic expected. Pure functions.

Source: Schulman et al. 2016, "High-dimensional continuous control using generalized advantage estimation".
"""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.errors import ShapeError, UsageError

__all__ = ["GaeLevel", "Steps", "generalised_advantages", "steps_of"]

GaeLevel: TypeAlias = Literal["token", "turn"]
"""What a step of the process is: each sampled token, or each turn as a whole."""

Array: TypeAlias = NDArray[np.float64]


def generalised_advantages(rewards: Array, values: Array, ends: NDArray[np.bool_], gamma: float, decay: float) -> Array:
    """Return `A_t = d_t + gamma * decay * A_(t+1)` with `d_t = r_t + gamma * V_(t+1) - V_t`.

    Nothing follows the last step of an episode: both `V` and `A` are 0 after it, also where the world cut it short.

    Args:
        rewards: `[N]` paid for each step; the steps of an episode follow each other.
        values: `[N]` what the critic expected before each step.
        ends: `[N]` whether a step is the last of its episode.
        gamma: Discount a step, from 0 to 1.
        decay: The lambda of the source, from 0 (trust the critic) to 1 (trust what was paid).

    Returns:
        `[N]` advantages; with the values they add up to the critic's targets.

    Raises:
        ShapeError: If the arrays differ in length.
        UsageError: If a reward is not finite, or a factor out of range.
    """
    if not len(rewards) == len(values) == len(ends):
        raise ShapeError(f"Every step needs a reward, a value and an end: {len(rewards)}, {len(values)}, {len(ends)}.")
    if not np.isfinite(rewards).all():
        raise UsageError("Rewards must be finite; leave invalid episodes out.")
    if not (0.0 <= gamma <= 1.0 and 0.0 <= decay <= 1.0):
        raise UsageError(f"gamma and the decay must lie in [0, 1], got {gamma} and {decay}.")
    advantages = np.zeros(len(rewards))
    ahead = expected = 0.0
    for step in range(len(rewards) - 1, -1, -1):
        if ends[step]:
            ahead = expected = 0.0
        ahead = rewards[step] + gamma * expected - values[step] + gamma * decay * ahead
        expected = values[step]
        advantages[step] = ahead
    return advantages


class Steps(NamedTuple):
    """The steps of some episodes, one after another.

    Attributes:
        first: `[N]` number of the first token of each step, among all sampled tokens.
        ends: `[N]` whether a step is the last of its episode.
        of_token: `[T]` number of the step of each sampled token.
        pays: `[N]` whether the turn's reward is paid for this step: its last token, or the turn.
    """

    first: NDArray[np.int64]
    ends: NDArray[np.bool_]
    of_token: NDArray[np.int64]
    pays: NDArray[np.bool_]


def steps_of(episodes: NDArray[np.int64], turns: NDArray[np.int64], level: GaeLevel) -> Steps:
    """Divide sampled tokens into steps.

    Args:
        episodes: `[T]` number of each token's episode, in order.
        turns: `[T]` number of each token's turn within its episode.
        level: What a step is.
    """
    changes = (np.diff(episodes) != 0) | (np.diff(turns) != 0)
    begins = np.concatenate([np.ones(min(1, len(turns)), np.bool_), changes])
    last_of_turn = np.concatenate([changes, np.ones(min(1, len(turns)), np.bool_)])
    last_of_episode = np.concatenate([np.diff(episodes) != 0, np.ones(min(1, len(turns)), np.bool_)])
    if level == "token":
        return Steps(np.arange(len(turns)), last_of_episode, np.arange(len(turns)), last_of_turn)
    first = np.flatnonzero(begins)
    return Steps(first, last_of_episode[last_of_turn], np.cumsum(begins) - 1, np.ones(len(first), np.bool_))
