"""Nim.

| | |
|---|---|
| Players | 2: `player_0` begins |
| Observation | text: whose turn it is, what is left in each pile, and the moves |
| Action | text: a pile and how many to take, such as `c3` |
| Reward | at the end: 1 to the winner, -1 to the loser |
| Illegal moves | lose the game; `illegal="retry"` or `"random"` treats them otherwise |

Versions: v0, the first.
"""

from palaestra.envs.arena.game import GameArena, forms
from palaestra.envs.arena.games.nim import Nim

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules(piles: str = "1,3,5,7", misere: bool = False) -> Nim:
    """Return the rules alone."""
    return Nim(piles, misere)


def raw_env(
    *,
    piles: str = "1,3,5,7",
    misere: bool = False,
    explain: bool = True,
    illegal: str = "lose",
    tries: int = 3,
    render_mode: str | None = None,
) -> GameArena:
    """Return the arena; see `Nim` and `Arena` for the arguments."""
    return GameArena(rules(piles, misere), explain=explain, illegal=illegal, tries=tries, render_mode=render_mode)


env, parallel_env = forms(raw_env)
