"""Liar's dice.

| | |
|---|---|
| Players | 2 to 6: `player_0` begins |
| Observation | text: the own dice, the bids so far, and the moves |
| Action | text: a bid such as `2x3`, two threes, or `liar` |
| Reward | at the end: 1 to the winner of the call, -1 to its loser, 0 to others |
| Illegal moves | lose the game, and the others share the point; `illegal="retry"` or `"random"` treats them otherwise |

Versions: v0, the first.
"""

from palaestra.envs.arena.game import GameArena, forms
from palaestra.envs.arena.games.liars_dice import LiarsDice

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules(players: int = 2, dice: int = 1, sides: int = 6) -> LiarsDice:
    """Return the rules alone."""
    return LiarsDice(players, dice, sides)


def raw_env(
    *,
    players: int = 2,
    dice: int = 1,
    sides: int = 6,
    explain: bool = True,
    illegal: str = "lose",
    tries: int = 3,
    render_mode: str | None = None,
) -> GameArena:
    """Return the arena; see `LiarsDice` and `Arena` for the arguments."""
    return GameArena(
        rules(players, dice, sides), explain=explain, illegal=illegal, tries=tries, render_mode=render_mode
    )


env, parallel_env = forms(raw_env)
