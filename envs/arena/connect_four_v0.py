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

from typing import Any

from palaestra.envs.arena.game import GameArena, in_parallel, ordered
from palaestra.envs.arena.games.connect_four import ConnectFour
from pettingzoo.utils.env import ParallelEnv

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules() -> ConnectFour:
    """Return the rules alone."""
    return ConnectFour()


def raw_env(
    *, explain: bool = True, illegal: str = "lose", tries: int = 3, render_mode: str | None = None
) -> GameArena:
    """Return the arena; see `ConnectFour` and `Arena` for the arguments."""
    return GameArena(rules(), explain=explain, illegal=illegal, tries=tries, render_mode=render_mode)


def env(**kwargs: Any) -> Any:
    """Return the arena in PettingZoo's wrapper that tells of wrong use; arguments as in `raw_env`."""
    return ordered(raw_env(**kwargs))


def parallel_env(**kwargs: Any) -> ParallelEnv[str, str, str]:
    """Return the arena in PettingZoo's parallel form; arguments as in `raw_env`."""
    return in_parallel(raw_env(**kwargs))
