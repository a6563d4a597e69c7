"""What is left of a stream when only so much may be kept: every k-th thing, k a power of two as small as possible."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Thinned", "thin_series"]

T = TypeVar("T")


@dataclass
class Thinned(Generic[T]):
    """Every k-th thing of a stream, evenly over all of it, whatever its length; what was kept depends on nothing else.

    Memory is bounded by the budget: when it is spent, every second of what is kept goes, and from then on every second
    of what would have been wanted.

    Attributes:
        budget: Most of the sizes' sum.
        every: The k.
        seen: How many things have passed.
        spent: Sum of the sizes of what is kept.
    """

    budget: int
    every: int = 1
    seen: int = 0
    spent: int = 0
    _kept: list[tuple[int, int, T]] = field(default_factory=list)

    def wants(self, ahead: int = 0) -> bool:
        """Whether the next thing would be kept, or the one `ahead` of it."""
        return (self.seen + ahead) % self.every == 0

    def skip(self, count: int = 1) -> None:
        """Let things pass that are not wanted."""
        self.seen += count

    def offer(self, thing: T, size: int) -> None:
        """Let a thing pass, and keep it if it is wanted still."""
        if self.wants():
            self._kept.append((self.seen, size, thing))
            self.spent += size
        self.seen += 1
        while self.spent > self.budget and len(self._kept) > 1:
            self.every *= 2
            self._kept = [one for one in self._kept if one[0] % self.every == 0]
            self.spent = sum(size for _, size, _ in self._kept)

    @property
    def kept(self) -> list[T]:
        """What is kept, in order."""
        return [thing for _, _, thing in self._kept]


def thin_series(
    steps: Sequence[int], columns: Sequence[Sequence[float | None]], most: int
) -> tuple[list[float], list[list[float | None]]]:
    """Return series of at most `most` points: each the mean of as many neighbours as that takes.

    Args:
        steps: `[N]` where the points stand.
        columns: Series of `[N]` figures; what is not known is None and in no mean.
        most: Most points.
    """
    if len(steps) <= most:
        return [float(step) for step in steps], [list(column) for column in columns]
    size = -(-len(steps) // most)
    spans = [slice(begin, begin + size) for begin in range(0, len(steps), size)]
    return [_mean(steps[span]) or 0.0 for span in spans], [
        [_mean(column[span]) for span in spans] for column in columns
    ]


def _mean(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if known else None
