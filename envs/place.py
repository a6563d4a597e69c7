"""Where an agent acts: what it may ask of its surroundings besides what it is told."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from palaestra.envs.task import Task

__all__ = ["Place"]


class Place(Protocol):
    """An environment, or an arena at the turn of one seat."""

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw an action that a player without any skill would try in the current state."""
        ...

    def solution(self, task: Task) -> Sequence[str] | None:
        """Return actions that solve `task`, or None where none is known."""
        ...
