"""Connect four.

| | |
|---|---|
| Players | 2: `player_0` is X and begins, `player_1` is O |
| Observation | text: the wall in six lines, X, O and `.`, and the columns that are not full |
| Action | text: a column, `1` to `7` from the left |
| Reward | at the end: 1 to the winner, -1 to the loser, 0 each for a draw |
| Illegal moves | lose the game; `illegal="retry"` or `"random"` treats them otherwise |

Versions: v0, the first.
"""

from palaestra.envs.arena.game import GameArena, forms
from palaestra.envs.arena.games.connect_four import ConnectFour

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules() -> ConnectFour:
    """Return the rules alone."""
    return ConnectFour()


def raw_env(
    *, explain: bool = True, illegal: str = "lose", tries: int = 3, render_mode: str | None = None
) -> GameArena:
    """Return the arena; see `ConnectFour` and `Arena` for the arguments."""
    return GameArena(rules(), explain=explain, illegal=illegal, tries=tries, render_mode=render_mode)


env, parallel_env = forms(raw_env)
