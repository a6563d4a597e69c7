"""Refine by keeping nothing: what was lived stays recorded, and nobody learns from it now."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode

__all__ = ["SetAside"]


@dataclass(frozen=True)
class SetAside:
    """Learn from nothing of a step; its episodes are in the run's experience, for whoever learns from them later."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return no episode."""
        del episodes
        return []
