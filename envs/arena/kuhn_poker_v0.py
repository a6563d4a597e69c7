"""Kuhn poker.

| | |
|---|---|
| Players | 2 to 10: `player_0` begins |
| Observation | text: the own card, what was said so far, and the moves |
| Action | text: `pass` or `bet` |
| Reward | at the end: the chips won or lost, -2 to 2 for two players |
| Illegal moves | lose the most there is to lose; `illegal="retry"` or `"random"` treats them otherwise |

Versions: v0, the first.
"""

from typing import Any

from palaestra.envs.arena.game import GameArena, in_parallel, ordered
from palaestra.envs.arena.games.kuhn_poker import KuhnPoker
from pettingzoo.utils.env import ParallelEnv

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules(players: int = 2) -> KuhnPoker:
    """Return the rules alone."""
    return KuhnPoker(players)


def raw_env(
    *, players: int = 2, explain: bool = True, illegal: str = "lose", tries: int = 3, render_mode: str | None = None
) -> GameArena:
    """Return the arena; see `Arena` for the arguments."""
    return GameArena(rules(players), explain=explain, illegal=illegal, tries=tries, render_mode=render_mode)


def env(**kwargs: Any) -> Any:
    """Return the arena in PettingZoo's wrapper that tells of wrong use; arguments as in `raw_env`."""
    return ordered(raw_env(**kwargs))


def parallel_env(**kwargs: Any) -> ParallelEnv[str, str, str]:
    """Return the arena in PettingZoo's parallel form; arguments as in `raw_env`."""
    return in_parallel(raw_env(**kwargs))
