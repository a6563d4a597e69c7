"""Leduc poker.

| | |
|---|---|
| Players | 2: `player_0` begins both rounds |
| Observation | text: the own card, the open card, what was said in each round, and the moves |
| Action | text: `check`, `call`, `raise` or `fold` |
| Reward | at the end: the chips won or lost, -13 to 13 |
| Illegal moves | lose the most there is to lose; `illegal="retry"` or `"random"` treats them otherwise |

Versions: v0, the first.
"""

from palaestra.envs.arena.game import GameArena, forms
from palaestra.envs.arena.games.leduc_poker import LeducPoker

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules() -> LeducPoker:
    """Return the rules alone."""
    return LeducPoker()


def raw_env(
    *, explain: bool = True, illegal: str = "lose", tries: int = 3, render_mode: str | None = None
) -> GameArena:
    """Return the arena; see `LeducPoker` and `Arena` for the arguments."""
    return GameArena(rules(), explain=explain, illegal=illegal, tries=tries, render_mode=render_mode)


env, parallel_env = forms(raw_env)
