"""Nim."""

from typing import ClassVar, NamedTuple

from palaestra.envs.arena.rules import OVER, Rules
from palaestra.envs.errors import UsageError

__all__ = ["Heaps", "Nim"]


class Heaps(NamedTuple):
    """What is left in each pile, and the seat that moves next."""

    left: tuple[int, ...]
    seat: int


class Nim(Rules[Heaps]):
    """Take any number from one pile.

    The action that takes n from pile p is `(n - 1) * piles + p`, as in OpenSpiel.

    Args:
        piles: How much lies in each pile, separated by commas: up to ten piles of up to 99.
        misere: Whether who takes the last loses instead of winning.

    Source: Bouton 1901, "Nim, a game with a complete mathematical theory".
    """

    name: ClassVar[str] = "nim"

    def __init__(self, piles: str = "1,3,5,7", misere: bool = False) -> None:
        sizes = [size.strip() for size in piles.split(",")]
        if not all(size.isascii() and size.isdigit() and 1 <= int(size) <= 99 for size in sizes) or len(sizes) > 10:
            raise UsageError(f"piles must be up to 10 numbers from 1 to 99 such as '1,3,5,7', got {piles!r}.")
        self._start = tuple(int(size) for size in sizes)
        self._names = "abcdefghij"[: len(sizes)]
        self.misere = misere
        self.actions = len(sizes) * max(self._start)
        self.explanation = (
            f"Nim. There are {len(sizes)} piles ({', '.join(self._names)}). In turn, each player takes any number, at "
            f"least 1, from one pile. Who takes the last {'loses' if misere else 'wins'}. Say the pile and how many: "
            f"{self._names[-1]}1 takes 1 from {self._names[-1]}."
        )

    def initial(self) -> Heaps:  # noqa: D102
        return Heaps(self._start, 0)

    def turn(self, state: Heaps) -> int:  # noqa: D102
        return state.seat if any(state.left) else OVER

    def legal(self, state: Heaps) -> tuple[int, ...]:  # noqa: D102
        left = state.left
        count = len(left)
        return tuple([n * count + pile for n in range(max(left)) for pile in range(count) if left[pile] > n])

    def next(self, state: Heaps, action: int) -> Heaps:  # noqa: D102
        left, seat = state
        taken, pile = divmod(action, len(left))
        return Heaps((*left[:pile], left[pile] - taken - 1, *left[pile + 1 :]), 1 - seat)

    def returns(self, state: Heaps) -> tuple[float, ...]:  # noqa: D102
        # Whose turn it would be has not taken the last.
        wins = state.seat if self.misere else 1 - state.seat
        return (1.0, -1.0) if wins == 0 else (-1.0, 1.0)

    def information(self, state: Heaps, seat: int) -> Heaps:  # noqa: D102
        del seat
        return state

    def describe(self, state: Heaps, seat: int) -> str:  # noqa: D102
        piles = " ".join(f"{name}={left}" for name, left in zip(self._names, state.left, strict=True))
        return f"{'Your' if state.seat == seat else 'Their'} turn. {piles}"

    def word(self, state: Heaps, action: int) -> str:  # noqa: D102
        taken, pile = divmod(action, len(state.left))
        return f"{self._names[pile]}{taken + 1}"

    def picture(self, state: Heaps) -> str:  # noqa: D102
        piles = zip(self._names, state.left, strict=True)
        return "\n".join(
            [f"{name} \x1b[33m{'|' * left}\x1b[0m" for name, left in piles] + [f"player_{state.seat}'s turn"]
        )
