"""Refine by reward; and in several ways, in turn or together."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError
from palaestra.evolution.recipe import Refine, Situated
from palaestra.evolution.refinement.groups import by_group
from palaestra.evolution.yard import Yard

__all__ = ["InTurn", "KeepBest", "KeepRewarded", "KeepRising", "Together"]


@dataclass(frozen=True)
class KeepRewarded:
    """Keep what earned enough.

    Attributes:
        least: Smallest reward that is kept.
    """

    least: float = 1.0

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the episodes whose reward reaches it, in order."""
        return [episode for episode in episodes if episode.reward >= self.least]


@dataclass(frozen=True)
class KeepBest:
    """Keep the best of each group's attempts (best-of-n).

    Attributes:
        count: How many of a group; of equal rewards the earlier attempts.
    """

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"count must be at least 1, got {self.count}.")

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the best episodes of each group, groups in order of first appearance, the best first."""
        ranked = (sorted(group, key=lambda episode: -episode.reward) for group in by_group(episodes).values())
        return [episode for group in ranked for episode in group[: self.count]]


@dataclass(frozen=True)
class KeepRising:
    """Keep what earned enough, and ask for more from step to step (Gulcehre et al. 2023, "ReST").

    Attributes:
        thresholds: Smallest reward that is kept in the first step, in the second, and so on, then from the first again.
    """

    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.thresholds or list(self.thresholds) != sorted(self.thresholds):
            raise UsageError(f"KeepRising needs thresholds that do not fall, got {self.thresholds}.")

    def at(self, yard: Yard, step: int) -> KeepRewarded:
        """Return the filter of a step."""
        del yard
        return KeepRewarded(self.thresholds[(step - 1) % len(self.thresholds)])


@dataclass(frozen=True)
class InTurn:
    """Refine otherwise from step to step.

    Attributes:
        parts: What is done in the first step, in the second, and so on, then from the first again.
    """

    parts: tuple[tuple[Refine | Situated, ...], ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise UsageError("InTurn needs parts for one step at least, got none.")

    def at(self, yard: Yard, step: int) -> Refine:
        """Return what is done in a step."""
        return _Ways((_settled(self.parts[(step - 1) % len(self.parts)], yard, step),))


@dataclass(frozen=True)
class Together:
    """Refine the same episodes in several ways, and learn from all that comes of it.

    Attributes:
        parts: The ways. An episode that two of them keep is learned from twice.
    """

    parts: tuple[tuple[Refine | Situated, ...], ...]

    def at(self, yard: Yard, step: int) -> Refine:
        """Return what is done in a step."""
        return _Ways(tuple(_settled(way, yard, step) for way in self.parts))


def _settled(parts: Sequence[Refine | Situated], yard: Yard, step: int) -> tuple[Refine, ...]:
    return tuple(part.at(yard, step) if isinstance(part, Situated) else part for part in parts)


@dataclass(frozen=True)
class _Ways:
    ways: tuple[tuple[Refine, ...], ...]

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return what each way leaves, way by way; the parts of a way work one after the other."""
        found: list[Episode] = []
        for way in self.ways:
            left = list(episodes)
            for part in way:
                left = part(left)
            found += left
        return found
