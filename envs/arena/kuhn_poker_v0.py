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

from palaestra.envs.arena.game import GameArena, forms
from palaestra.envs.arena.games.kuhn_poker import KuhnPoker

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules(players: int = 2) -> KuhnPoker:
    """Return the rules alone."""
    return KuhnPoker(players)


def raw_env(
    *, players: int = 2, explain: bool = True, illegal: str = "lose", tries: int = 3, render_mode: str | None = None
) -> GameArena:
    """Return the arena; see `Arena` for the arguments."""
    return GameArena(rules(players), explain=explain, illegal=illegal, tries=tries, render_mode=render_mode)


env, parallel_env = forms(raw_env)
