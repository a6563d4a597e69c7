"""Tic-tac-toe.

| | |
|---|---|
| Players | 2: `player_0` is X and begins, `player_1` is O |
| Observation | text: the board in three lines, X, O and `.`, and the free cells |
| Action | text: a cell, `1` to `9`, row by row from the upper left |
| Reward | at the end: 1 to the winner, -1 to the loser, 0 each for a draw |
| Illegal moves | lose the game; `illegal="retry"` or `"random"` treats them otherwise |

Versions: v0, the first.
"""

from palaestra.envs.arena.game import GameArena, forms
from palaestra.envs.arena.games.tic_tac_toe import TicTacToe

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules() -> TicTacToe:
    """Return the rules alone."""
    return TicTacToe()


def raw_env(
    *, explain: bool = True, illegal: str = "lose", tries: int = 3, render_mode: str | None = None
) -> GameArena:
    """Return the arena; see `Arena` for the arguments."""
    return GameArena(rules(), explain=explain, illegal=illegal, tries=tries, render_mode=render_mode)


env, parallel_env = forms(raw_env)
