"""Refine what was mended: of an attempt and its further trials, the last one counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.evolution.acquisition.with_critic import AGAIN

__all__ = ["KeepMended"]


@dataclass(frozen=True)
class KeepMended:
    """Keep the last trial of each attempt (`WithCritic`): the critic had no more to say of it, or it was the last."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the last trials, in order."""
        last = {episode.id.partition(AGAIN)[0]: episode.id for episode in episodes}
        return [episode for episode in episodes if last[episode.id.partition(AGAIN)[0]] == episode.id]
