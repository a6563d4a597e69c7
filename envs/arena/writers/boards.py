"""Writers of PettingZoo's tic-tac-toe and connect four."""

from typing import Any, Final

from palaestra.envs.arena.writers.writer import Writer

__all__ = ["ConnectFourWriter", "TicTacToeWriter"]

_MARKS: Final = ".XO"
# PettingZoo numbers the cells column by column; people read row by row.
_BY_ROW: Final = (0, 3, 6, 1, 4, 7, 2, 5, 8)


class TicTacToeWriter(Writer):
    """Tic-tac-toe (`tictactoe_v3`), in the words of `tic_tac_toe_v0`."""

    explanation = (
        "Tic-tac-toe. The cells are numbered 1 to 9, row by row from the upper left. In turn, each player takes a free "
        "cell; who first has three in a row, a column or a diagonal wins. player_1 is X and begins, player_2 is O. Say "
        "the number of your cell."
    )
    lowest, zero_sum, instant = -1.0, True, True
    _WORDS = tuple(str(_BY_ROW.index(cell) + 1) for cell in range(9))

    def picture(self, env: Any) -> str:  # noqa: D102
        squares = env.board.squares
        cells = [f"{_MARKS[squares[c]] if squares[c] else ''}{n}" for n, c in enumerate(_BY_ROW, start=1)]
        return "\n".join([" ".join(cells[row : row + 3]) for row in (0, 3, 6)])

    def tell(self, env: Any, agent: str, observation: Any) -> str:  # noqa: D102
        del observation
        return f"You are {'XO'[env.possible_agents.index(agent)]}.\n{self.picture(env)}"

    def word(self, env: Any, agent: str, action: int) -> str:  # noqa: D102
        del env, agent
        return self._WORDS[action]


class ConnectFourWriter(Writer):
    """Connect four (`connect_four_v3`), in the words of `connect_four_v0`."""

    explanation = (
        "Connect four. The board has 6 rows and 7 columns, numbered 1 to 7 from the left. In turn, each player drops a "
        "disc, which falls to the lowest free cell of its column; who first has four in a row, upright, level or "
        "aslant, wins. player_0 is X and begins, player_1 is O. Say the number of your column."
    )
    lowest, zero_sum, instant = -1.0, True, True

    def _rows(self, env: Any) -> str:
        marks = "".join([_MARKS[disc] for disc in env.board])
        return "\n".join([marks[row : row + 7] for row in range(0, 42, 7)])

    def picture(self, env: Any) -> str:  # noqa: D102
        return f"{self._rows(env)}\n1234567"

    def tell(self, env: Any, agent: str, observation: Any) -> str:  # noqa: D102
        del observation
        return f"You are {'XO'[env.possible_agents.index(agent)]}.\n{self._rows(env)}"

    def word(self, env: Any, agent: str, action: int) -> str:  # noqa: D102
        del env, agent
        return str(action + 1)
