"""Connect four."""

from typing import ClassVar, Final

from palaestra.envs.arena.games.alignment import Alignment, Board

__all__ = ["ConnectFour"]

_COLUMNS: Final = 7
_ROWS: Final = 6
# Seven bits a column, from the bottom; the seventh stays empty, so that no line runs on into the next column.
_HEIGHT: Final = _ROWS + 1
_BOTTOM: Final = tuple(1 << _HEIGHT * column for column in range(_COLUMNS))
_TOP: Final = tuple(1 << _HEIGHT * column + _ROWS - 1 for column in range(_COLUMNS))
_COLUMN: Final = tuple((1 << _ROWS) - 1 << _HEIGHT * column for column in range(_COLUMNS))
_FULL: Final = sum(_COLUMN)
_CELLS: Final = _COLUMNS * _HEIGHT
_DIRECTIONS: Final = (1, _HEIGHT - 1, _HEIGHT, _HEIGHT + 1)
_PLAIN: Final = str.maketrans({"0": ".", "1": "X", "2": "O"})
_COLOURED: Final = str.maketrans({"0": " ·", "1": " \x1b[31mX\x1b[0m", "2": " \x1b[34mO\x1b[0m"})


class ConnectFour(Alignment):
    """Four in a line on a wall of seven columns and six rows; player_0 is X and begins."""

    name: ClassVar[str] = "connect_four"
    full: ClassVar[int] = _FULL
    actions = _COLUMNS
    explanation = (
        "Connect four. The wall has 7 columns, numbered 1 to 7 from the left, and 6 rows. In turn, each player drops a "
        "piece into a column that is not full; it falls to the lowest free cell. Who first has four in a row, a column "
        "or a diagonal wins. player_0 is X and begins, player_1 is O. Say the number of your column."
    )

    def won(self, cells: int) -> bool:  # noqa: D102
        for step in _DIRECTIONS:
            pairs = cells & cells >> step
            if pairs & pairs >> 2 * step:
                return True
        return False

    def legal(self, state: Board) -> tuple[int, ...]:  # noqa: D102
        taken = state[0] | state[1]
        return tuple([column for column in range(_COLUMNS) if not taken & _TOP[column]])

    def next(self, state: Board, action: int) -> Board:  # noqa: D102
        crosses, noughts = state
        taken = crosses | noughts
        # Adding to the bottom carries to the lowest free cell.
        cell = taken + _BOTTOM[action] & ~taken & _COLUMN[action]
        return Board(crosses, noughts | cell) if taken.bit_count() & 1 else Board(crosses | cell, noughts)

    def _rows(self, state: Board) -> list[str]:
        """Return the rows from the top: 0 for a free cell, 1 for X, 2 for O."""
        # Written in binary and read as decimal numbers, both add up to one digit a cell, the last cell first.
        digits = f"{int(f'{state.crosses:b}') + 2 * int(f'{state.noughts:b}'):0{_CELLS}d}"
        return [digits[_CELLS - 1 - row :: -_HEIGHT] for row in reversed(range(_ROWS))]

    def describe(self, state: Board, seat: int) -> str:  # noqa: D102
        return "\n".join([f"You are {'XO'[seat]}.", *self._rows(state)]).translate(_PLAIN)

    def word(self, state: Board, action: int) -> str:  # noqa: D102
        del state
        return str(action + 1)

    def picture(self, state: Board) -> str:  # noqa: D102
        return "\n".join([row.translate(_COLOURED) for row in self._rows(state)] + [" 1 2 3 4 5 6 7"])
