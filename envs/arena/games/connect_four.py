"""Connect four."""

from typing import ClassVar, Final, NamedTuple

from palaestra.envs.arena.rules import OVER, Rules

__all__ = ["ConnectFour", "Stacks"]

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


class Stacks(NamedTuple):
    """The cells that each seat has taken, as bits, column by column from the left and from the bottom up."""

    crosses: int
    noughts: int


def _won(cells: int) -> bool:
    for step in _DIRECTIONS:
        pairs = cells & cells >> step
        if pairs & pairs >> 2 * step:
            return True
    return False


class ConnectFour(Rules[Stacks]):
    """Four in a line on a wall of seven columns and six rows; player_0 is X and begins."""

    name: ClassVar[str] = "connect_four"
    actions = _COLUMNS
    explanation = (
        "Connect four. The wall has 7 columns, numbered 1 to 7 from the left, and 6 rows. In turn, each player drops a "
        "piece into a column that is not full; it falls to the lowest free cell. Who first has four in a row, a column "
        "or a diagonal wins. player_0 is X and begins, player_1 is O. Say the number of your column."
    )

    def initial(self) -> Stacks:  # noqa: D102
        return Stacks(0, 0)

    def turn(self, state: Stacks) -> int:  # noqa: D102
        crosses, noughts = state
        taken = crosses | noughts
        seat = taken.bit_count() & 1
        if _won(noughts if seat == 0 else crosses) or taken == _FULL:
            return OVER
        return seat

    def legal(self, state: Stacks) -> tuple[int, ...]:  # noqa: D102
        taken = state[0] | state[1]
        return tuple([column for column in range(_COLUMNS) if not taken & _TOP[column]])

    def next(self, state: Stacks, action: int) -> Stacks:  # noqa: D102
        crosses, noughts = state
        taken = crosses | noughts
        # Adding to the bottom carries to the lowest free cell.
        cell = taken + _BOTTOM[action] & ~taken & _COLUMN[action]
        return Stacks(crosses, noughts | cell) if taken.bit_count() & 1 else Stacks(crosses | cell, noughts)

    def returns(self, state: Stacks) -> tuple[float, ...]:  # noqa: D102
        if _won(state.crosses):
            return 1.0, -1.0
        return (-1.0, 1.0) if _won(state.noughts) else (0.0, 0.0)

    def information(self, state: Stacks, seat: int) -> Stacks:  # noqa: D102
        del seat
        return state

    def _rows(self, state: Stacks) -> list[str]:
        """Return the rows from the top: 0 for a free cell, 1 for X, 2 for O."""
        # Written in binary and read as decimal numbers, both add up to one digit a cell, the last cell first.
        digits = f"{int(f'{state.crosses:b}') + 2 * int(f'{state.noughts:b}'):0{_CELLS}d}"
        return [digits[_CELLS - 1 - row :: -_HEIGHT] for row in reversed(range(_ROWS))]

    def describe(self, state: Stacks, seat: int) -> str:  # noqa: D102
        return "\n".join([f"You are {'XO'[seat]}.", *self._rows(state)]).translate(_PLAIN)

    def word(self, state: Stacks, action: int) -> str:  # noqa: D102
        del state
        return str(action + 1)

    def picture(self, state: Stacks) -> str:  # noqa: D102
        return "\n".join([row.translate(_COLOURED) for row in self._rows(state)] + [" 1 2 3 4 5 6 7"])
