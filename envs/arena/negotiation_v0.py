"""Negotiation.

| | |
|---|---|
| Players | 2: `player_0` makes the first offer |
| Observation | text: the items and what each is worth to oneself, what was offered and said so far, and the moves |
| Action | text: `offer 2 1 0` (what one keeps of each kind), `accept` or `walk`; words beside it reach the other |
| Reward | at the end: what one's share is worth to oneself, of what all is worth, 0 to 1; 0 without a deal |
| Illegal moves | end it without a deal; `illegal="retry"` or `"random"` treats them otherwise |

How many items of each kind there are both know; what they are worth only their owner knows. It is a game of general
sum: a good deal gives each what they value more. Words bind nobody.

Source: Lewis et al. 2017, "Deal or No Deal? End-to-End Learning for Negotiation Dialogues".

Versions: v0, the first.
"""

from palaestra.envs.arena.dialogues.bargain import Negotiation
from palaestra.envs.arena.dialogues.negotiating import NegotiationArena
from palaestra.envs.arena.game import forms

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules(kinds: int = 3, fewest: int = 5, most: int = 7, total: int = 10, turns: int = 6) -> Negotiation:
    """Return the rules alone; see `Negotiation` for the arguments."""
    return Negotiation(kinds, fewest, most, total, turns)


def raw_env(
    *,
    kinds: int = 3,
    fewest: int = 5,
    most: int = 7,
    total: int = 10,
    turns: int = 6,
    message: int = 300,
    explain: bool = True,
    illegal: str = "lose",
    tries: int = 3,
    render_mode: str | None = None,
) -> NegotiationArena:
    """Return the arena; see `Negotiation` and `NegotiationArena` for the arguments."""
    return NegotiationArena(
        rules(kinds, fewest, most, total, turns),
        message=message,
        explain=explain,
        illegal=illegal,
        tries=tries,
        render_mode=render_mode,
    )


env, parallel_env = forms(raw_env)
