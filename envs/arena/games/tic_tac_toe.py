"""Tic-tac-toe."""

from typing import ClassVar, Final

from palaestra.envs.arena.games.alignment import Alignment, Board

__all__ = ["TicTacToe"]

_LINES: Final = (0o007, 0o070, 0o700, 0o111, 0o222, 0o444, 0o421, 0o124)
_FULL: Final = 0o777


class TicTacToe(Alignment):
    """Three in a row on nine cells; player_0 is X and begins."""

    name: ClassVar[str] = "tic_tac_toe"
    full: ClassVar[int] = _FULL
    actions = 9
    explanation = (
        "Tic-tac-toe. The cells are numbered 1 to 9, row by row from the upper left. In turn, each player takes a free "
        "cell; who first has three in a row, a column or a diagonal wins. player_0 is X and begins, player_1 is O. Say "
        "the number of your cell."
    )

    def won(self, cells: int) -> bool:  # noqa: D102
        return any(cells & line == line for line in _LINES)

    def legal(self, state: Board) -> tuple[int, ...]:  # noqa: D102
        taken = state[0] | state[1]
        return tuple(cell for cell in range(9) if not taken >> cell & 1)

    def next(self, state: Board, action: int) -> Board:  # noqa: D102
        crosses, noughts = state
        if (crosses | noughts).bit_count() & 1:
            return Board(crosses, noughts | 1 << action)
        return Board(crosses | 1 << action, noughts)

    def describe(self, state: Board, seat: int) -> str:  # noqa: D102
        crosses, noughts = state
        cells = [f"{'X' if crosses >> c & 1 else 'O' if noughts >> c & 1 else ''}{c + 1}" for c in range(9)]
        return "\n".join([f"You are {'XO'[seat]}.", *(" ".join(cells[row : row + 3]) for row in (0, 3, 6))])

    def word(self, state: Board, action: int) -> str:  # noqa: D102
        del state
        return str(action + 1)

    def picture(self, state: Board) -> str:  # noqa: D102
        cross, nought = "\x1b[31mX\x1b[0m", "\x1b[34mO\x1b[0m"
        crosses, noughts = state
        cells = [cross if crosses >> c & 1 else nought if noughts >> c & 1 else str(c + 1) for c in range(9)]
        return "\n---+---+---\n".join(" " + " | ".join(cells[row : row + 3]) for row in (0, 3, 6))
