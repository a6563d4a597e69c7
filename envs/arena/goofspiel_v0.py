"""Goofspiel.

| | |
|---|---|
| Players | 2, who bid at the same time |
| Observation | text: the points, past rounds, the other's cards, the prize, and the own cards |
| Action | text: a card that is left, such as `3` |
| Reward | at the end: 1 to who has more points, -1 to the other, 0 each for as many |
| Illegal moves | lose the game; `illegal="retry"` or `"random"` treats them otherwise |

An illegal move takes effect when the round is over; `illegal="retry"` is not for `parallel_env`, where nobody can be
asked alone.

Versions: v0, the first.
"""

from palaestra.envs.arena.game import GameArena, forms
from palaestra.envs.arena.games.goofspiel import Goofspiel

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules(cards: int = 5, order: str = "random") -> Goofspiel:
    """Return the rules alone."""
    return Goofspiel(cards, order)


def raw_env(
    *,
    cards: int = 5,
    order: str = "random",
    explain: bool = True,
    illegal: str = "lose",
    tries: int = 3,
    render_mode: str | None = None,
) -> GameArena:
    """Return the arena; see `Goofspiel` and `Arena` for the arguments."""
    return GameArena(rules(cards, order), explain=explain, illegal=illegal, tries=tries, render_mode=render_mode)


env, parallel_env = forms(raw_env)
