"""Refine what a policy lived through that writes tasks and tries them."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.evolution.acquisition.grow import is_writing

__all__ = ["KeepSolving"]


@dataclass(frozen=True)
class KeepSolving:
    """Leave out what was written: to solve tasks is learned, to set them is not."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the attempts, in order."""
        return [episode for episode in episodes if not is_writing(episode)]
