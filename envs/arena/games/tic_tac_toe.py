"""Tic-tac-toe."""

from typing import ClassVar, Final, NamedTuple

from palaestra.envs.arena.rules import OVER, Rules

__all__ = ["Board", "TicTacToe"]

_LINES: Final = (0o007, 0o070, 0o700, 0o111, 0o222, 0o444, 0o421, 0o124)
_FULL: Final = 0o777


class Board(NamedTuple):
    """The cells that each seat has taken, as bits; bit 0 is the upper left cell."""

    crosses: int
    noughts: int


def _won(cells: int) -> bool:
    return any(cells & line == line for line in _LINES)


class TicTacToe(Rules[Board]):
    """Three in a row on nine cells; player_0 is X and begins."""

    name: ClassVar[str] = "tic_tac_toe"
    actions = 9
    explanation = (
        "Tic-tac-toe. The cells are numbered 1 to 9, row by row from the upper left. In turn, each player takes a free "
        "cell; who first has three in a row, a column or a diagonal wins. player_0 is X and begins, player_1 is O. Say "
        "the number of your cell."
    )

    def initial(self) -> Board:  # noqa: D102
        return Board(0, 0)

    def turn(self, state: Board) -> int:  # noqa: D102
        crosses, noughts = state
        taken = crosses | noughts
        seat = taken.bit_count() & 1
        if _won(noughts if seat == 0 else crosses) or taken == _FULL:
            return OVER
        return seat

    def legal(self, state: Board) -> tuple[int, ...]:  # noqa: D102
        taken = state[0] | state[1]
        return tuple(cell for cell in range(9) if not taken >> cell & 1)

    def next(self, state: Board, action: int) -> Board:  # noqa: D102
        crosses, noughts = state
        if (crosses | noughts).bit_count() & 1:
            return Board(crosses, noughts | 1 << action)
        return Board(crosses | 1 << action, noughts)

    def returns(self, state: Board) -> tuple[float, ...]:  # noqa: D102
        if _won(state.crosses):
            return 1.0, -1.0
        return (-1.0, 1.0) if _won(state.noughts) else (0.0, 0.0)

    def information(self, state: Board, seat: int) -> Board:  # noqa: D102
        del seat
        return state

    def describe(self, state: Board, seat: int) -> str:  # noqa: D102
        marks = "".join("X" if state.crosses >> c & 1 else "O" if state.noughts >> c & 1 else "." for c in range(9))
        return f"You are {'XO'[seat]}.\n{marks[:3]}\n{marks[3:6]}\n{marks[6:]}"

    def word(self, state: Board, action: int) -> str:  # noqa: D102
        del state
        return str(action + 1)

    def picture(self, state: Board) -> str:  # noqa: D102
        cross, nought = "\x1b[31mX\x1b[0m", "\x1b[34mO\x1b[0m"
        crosses, noughts = state
        cells = [cross if crosses >> c & 1 else nought if noughts >> c & 1 else str(c + 1) for c in range(9)]
        return "\n---+---+---\n".join(" " + " | ".join(cells[row : row + 3]) for row in (0, 3, 6))
