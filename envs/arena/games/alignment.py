"""What games share in which crosses and noughts are put on a board by turns and the first line wins."""

from abc import abstractmethod
from typing import ClassVar, NamedTuple

from palaestra.envs.arena.rules import OVER, Rules

__all__ = ["Alignment", "Board"]


class Board(NamedTuple):
    """The cells that each seat has taken, as bits; which bit is which cell is the game's own."""

    crosses: int
    noughts: int


class Alignment(Rules[Board]):
    """Crosses (`player_0`) and noughts in turn on a board that only fills; who has a line first has won.

    Attributes:
        full: All cells.
    """

    full: ClassVar[int]

    @abstractmethod
    def won(self, cells: int) -> bool:
        """Whether these cells hold a line."""

    def initial(self) -> Board:  # noqa: D102
        return Board(0, 0)

    def turn(self, state: Board) -> int:  # noqa: D102
        crosses, noughts = state
        taken = crosses | noughts
        seat = taken.bit_count() & 1
        if self.won(noughts if seat == 0 else crosses) or taken == self.full:
            return OVER
        return seat

    def returns(self, state: Board) -> tuple[float, ...]:  # noqa: D102
        if self.won(state.crosses):
            return 1.0, -1.0
        return (-1.0, 1.0) if self.won(state.noughts) else (0.0, 0.0)

    def information(self, state: Board, seat: int) -> Board:  # noqa: D102
        del seat
        return state
