"""Refine by what an episode is worth on its own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode

__all__ = ["CapPerTask", "KeepCorrect", "KeepDistinct"]


@dataclass(frozen=True)
class KeepCorrect:
    """Keep what the judge called correct."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the correct episodes, in order."""
        return [episode for episode in episodes if episode.correct]


@dataclass(frozen=True)
class KeepDistinct:
    """Keep one of several episodes that said the same about the same task (Yuan et al. 2023, "RFT")."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the first of each set of equal replies, in order."""
        first = {(e.fingerprint, tuple(turn.reply for turn in e.turns)): e for e in reversed(episodes)}
        kept = {id(episode) for episode in first.values()}
        return [episode for episode in episodes if id(episode) in kept]


@dataclass(frozen=True)
class CapPerTask:
    """Keep at most so many episodes of one task, so that easy tasks do not crowd out hard ones.

    Attributes:
        limit: Most episodes of a task.
    """

    limit: int

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the first `limit` episodes of each task, in order."""
        seen: Counter[str] = Counter()
        kept = []
        for episode in episodes:
            seen[episode.fingerprint] += 1
            if seen[episode.fingerprint] <= self.limit:
                kept.append(episode)
        return kept
