"""Credit in self-play: each role of each arena is compared with its own past.

In self-play no two games are alike, so there is no group to compare with; but a seat may be worth more than another
(who moves first, who sees more), and that is not skill. So the return of a turn is compared with a running mean of
what that role got before.

Source: Liu et al. 2025, "SPIRAL" (role-conditioned advantage estimation): `A = R - b`, then `b <- 0.95 b + 0.05 R`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from palaestra.agents.episode import Episode
from palaestra.evolution.updating.credit import returns

__all__ = ["Baselines"]

_DECAY = 0.95


class Baselines:
    """Running means of returns.

    Args:
        by_role: Whether each role of an arena has its own; otherwise all roles share one.

    Attributes:
        means: The means, by arena and role; what is not there is 0.
    """

    def __init__(self, by_role: bool) -> None:
        self.by_role = by_role
        self.means: dict[str, float] = {}

    def credit(self, episodes: Sequence[Episode], gamma: float) -> list[NDArray[np.float64]]:
        """Return `[T]` advantages of the turns of each episode, and learn from their returns.

        All episodes of a batch are compared with the means from before it: none with what it did itself.

        Args:
            episodes: Valid ones.
            gamma: Discount a turn.
        """
        earned = [returns([turn.reward for turn in episode.turns], gamma) for episode in episodes]
        keys = [f"{episode.env}|{episode.task if self.by_role else ''}" for episode in episodes]
        advantages = [got - self.means.get(key, 0.0) for got, key in zip(earned, keys, strict=True)]
        for got, key in zip(earned, keys, strict=True):
            if len(got):
                self.means[key] = _DECAY * self.means.get(key, 0.0) + (1.0 - _DECAY) * float(got[0])
        return advantages
