"""Leduc poker, for two players."""

from collections.abc import Hashable
from typing import ClassVar, Final, NamedTuple

from palaestra.envs.arena.rules import CHANCE, OVER, Rules

__all__ = ["Hand", "LeducPoker"]

FOLD: Final = 0
CALL: Final = 1
RAISE: Final = 2
_RANKS: Final = "JQK"
_COPIES: Final = 2
_ANTE: Final = 1
_RAISES: Final = (2, 4)
_MOST_RAISES: Final = 2


class Hand(NamedTuple):
    """What was dealt so far, by rank: one card for each seat, then the board's; and what was done in each round."""

    cards: tuple[int, ...]
    first: tuple[int, ...]
    second: tuple[int, ...]


def _settled(actions: tuple[int, ...]) -> bool:
    """Return whether both have answered: nobody folds without an end of the game, so the last word is a call."""
    return len(actions) > 1 and actions[-1] == CALL


def _paid(actions: tuple[int, ...], raised_by: int) -> tuple[int, int]:
    """Return what each seat puts into the pot in one round."""
    paid = [0, 0]
    for turn, action in enumerate(actions):
        if action != FOLD:
            paid[turn % 2] = max(paid) + (raised_by if action == RAISE else 0)
    return paid[0], paid[1]


class LeducPoker(Rules[Hand]):
    """Two rounds of betting around one open card.

    The suits of the six cards mean nothing, so chance deals ranks.

    Source: Southey et al. 2005, "Bayes' bluff"; as OpenSpiel's `leduc_poker`, which counts the two cards of a rank as
    different unless `suit_isomorphism` is set.
    """

    name: ClassVar[str] = "leduc_poker"
    actions = 3
    perfect_information = False
    lowest, highest = -13.0, 13.0
    explanation = (
        "Leduc poker. The deck has two cards each of J, Q and K, K the highest; each player pays 1 chip and gets one "
        "card that only they see. There are two rounds, player_0 begins both; between them one card is laid open. In "
        "turn, say raise (call, then add 2 chips in the first round, 4 in the second; at most two raises a round), "
        "call (pay as much as the other; check when there is nothing to pay) or fold (give up the pot). In the end who "
        "has a pair with the open card takes the pot, else who has the higher card; equal cards share it."
    )

    def initial(self) -> Hand:  # noqa: D102
        return Hand((), (), ())

    def turn(self, state: Hand) -> int:  # noqa: D102
        cards, first, second = state
        if len(cards) < 2:
            return CHANCE
        actions = second if len(cards) == 3 else first
        if actions and actions[-1] == FOLD:
            return OVER
        if _settled(actions):
            return OVER if len(cards) == 3 else CHANCE
        return len(actions) % 2

    def _left(self, cards: tuple[int, ...]) -> list[int]:
        return [_COPIES - cards.count(rank) for rank in range(len(_RANKS))]

    def legal(self, state: Hand) -> tuple[int, ...]:  # noqa: D102
        cards, first, second = state
        if len(cards) < 2 or (len(cards) == 2 and _settled(first)):
            return tuple(rank for rank, left in enumerate(self._left(cards)) if left)
        actions = second if len(cards) == 3 else first
        owing = (FOLD,) if actions and actions[-1] == RAISE else ()
        return (*owing, CALL, RAISE) if actions.count(RAISE) < _MOST_RAISES else (*owing, CALL)

    def chances(self, state: Hand) -> tuple[float, ...]:  # noqa: D102
        left = self._left(state.cards)
        return tuple(count / sum(left) for count in left if count)

    def next(self, state: Hand, action: int) -> Hand:  # noqa: D102
        cards, first, second = state
        if len(cards) < 2 or (len(cards) == 2 and _settled(first)):
            return Hand((*cards, action), first, second)
        if len(cards) == 2:
            return Hand(cards, (*first, action), second)
        return Hand(cards, first, (*second, action))

    def returns(self, state: Hand) -> tuple[float, ...]:  # noqa: D102
        cards, first, second = state
        before, after = _paid(first, _RAISES[0]), _paid(second, _RAISES[1])
        paid = [_ANTE + before[seat] + after[seat] for seat in (0, 1)]
        last = second if len(cards) == 3 else first
        if last[-1] == FOLD:
            winner = len(last) % 2
        elif cards[0] == cards[1]:
            return 0.0, 0.0
        else:
            winner = cards.index(cards[2]) if cards[2] in cards[:2] else cards.index(max(cards[:2]))
        won = float(paid[1 - winner])
        return (won, -won) if winner == 0 else (-won, won)

    def information(self, state: Hand, seat: int) -> Hashable:  # noqa: D102
        return state.cards[seat : seat + 1], state.cards[2:], state.first, state.second

    def _said(self, actions: tuple[int, ...]) -> str:
        names = [self._name(actions[:turn], action) for turn, action in enumerate(actions)]
        return " ".join(names) or "nothing"

    def _name(self, before: tuple[int, ...], action: int) -> str:
        if action == CALL and RAISE not in before:
            return "check"
        return ("fold", "call", "raise")[action]

    def describe(self, state: Hand, seat: int) -> str:  # noqa: D102
        cards, first, second = state
        card = _RANKS[cards[seat]] if seat < len(cards) else "?"
        told = f"You are player_{seat}. Card: {card}. First round: {self._said(first)}."
        return f"{told} Open: {_RANKS[cards[2]]}. Second: {self._said(second)}." if len(cards) == 3 else told

    def word(self, state: Hand, action: int) -> str:  # noqa: D102
        return self._name(state.second if len(state.cards) == 3 else state.first, action)

    def picture(self, state: Hand) -> str:  # noqa: D102
        cards, first, second = state
        lines = [f"player_{seat} \x1b[33m{_RANKS[card]}\x1b[0m" for seat, card in enumerate(cards[:2])]
        lines.append(f"first round: {self._said(first)}")
        if len(cards) == 3:
            lines.append(f"open \x1b[36m{_RANKS[cards[2]]}\x1b[0m, second round: {self._said(second)}")
        return "\n".join(lines)
