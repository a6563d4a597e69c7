"""Goofspiel, for two players."""

from collections.abc import Hashable
from typing import ClassVar, NamedTuple

from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["Auction", "Goofspiel"]

_ORDERS = ("random", "descending")


class Auction(NamedTuple):
    """The prizes shown so far and the cards bid for them, all from 0.

    Both bids of a round stand in `bids` once they are made; before, that of seat 0 alone stands in `pending`.
    """

    prizes: tuple[int, ...]
    bids: tuple[tuple[int, int], ...]
    pending: tuple[int, ...]


class Goofspiel(Rules[Auction]):
    """Bid cards for prizes, at the same time; each card can be bid once.

    Args:
        cards: How many cards each has, 2 to 13, and as many prizes.
        order: `"random"` or `"descending"`: how the prizes are shown.

    Source: as OpenSpiel's `goofspiel` with two players and open bids: a prize that both bid the same for is lost, the
    last cards are bid by themselves, and who has more points wins.
    """

    name: ClassVar[str] = "goofspiel"
    simultaneous = True
    # Nothing but a bid of the same round is ever hidden.
    perfect_information = False

    def __init__(self, cards: int = 5, order: str = "random") -> None:
        if not 2 <= cards <= 13:
            raise UsageError(f"Goofspiel is played with 2 to 13 cards each, got {cards}.")
        if order not in _ORDERS:
            raise UnknownNameError("order of prizes", order, _ORDERS)
        self.actions = self._cards = cards
        self._shuffled = order == "random"
        how = "in random order" if self._shuffled else "from the highest down"
        self.explanation = (
            f"Goofspiel. There are prizes of 1 to {cards} points, shown one a round {how}, and each player has the "
            f"cards 1 to {cards}. In each round both bid one of their cards at the same time; the higher one takes the "
            "prize; if they are equal nobody does. The cards are then gone. The last cards are bid by themselves. Who "
            "has more points in the end wins. Say the card that you bid."
        )

    def initial(self) -> Auction:  # noqa: D102
        return Auction(() if self._shuffled else (self._cards - 1,), (), ())

    def turn(self, state: Auction) -> int:  # noqa: D102
        if len(state.bids) == self._cards:
            return OVER
        return CHANCE if len(state.prizes) == len(state.bids) else len(state.pending)

    def _hand(self, state: Auction, seat: int) -> tuple[int, ...]:
        """Return the cards that a seat has at the beginning of the round."""
        gone = {pair[seat] for pair in state.bids}
        return tuple([card for card in range(self._cards) if card not in gone])

    def legal(self, state: Auction) -> tuple[int, ...]:  # noqa: D102
        if len(state.prizes) == len(state.bids):
            return tuple(prize for prize in range(self._cards) if prize not in state.prizes)
        return self._hand(state, len(state.pending))

    def next(self, state: Auction, action: int) -> Auction:  # noqa: D102
        prizes, bids, pending = state
        if len(prizes) == len(bids):
            return Auction((*prizes, action), bids, ())
        if not pending:
            return Auction(prizes, bids, (action,))
        after = Auction(prizes, (*bids, (pending[0], action)), ())
        last = len(after.bids) == self._cards - 1
        if self._shuffled and not last:
            return after
        shown = (*prizes, max(set(range(self._cards)).difference(prizes)))
        # The last prize and the last cards leave nothing to choose.
        closing = ((self._hand(after, 0)[0], self._hand(after, 1)[0]),) if last else ()
        return Auction(shown, after.bids + closing, ())

    def _points(self, state: Auction) -> tuple[int, int]:
        won = [0, 0]
        for prize, (mine, theirs) in zip(state.prizes, state.bids, strict=False):
            if mine != theirs:
                won[theirs > mine] += prize + 1
        return won[0], won[1]

    def returns(self, state: Auction) -> tuple[float, ...]:  # noqa: D102
        first, second = self._points(state)
        return (0.0, 0.0) if first == second else (1.0, -1.0) if first > second else (-1.0, 1.0)

    def information(self, state: Auction, seat: int) -> Hashable:  # noqa: D102
        return state.prizes, state.bids, state.pending if seat == 0 else ()

    def describe(self, state: Auction, seat: int) -> str:  # noqa: D102
        prizes, bids, pending = state
        points = self._points(state)
        lines = [f"You are player_{seat}. Points: you {points[seat]}, they {points[1 - seat]}."]
        if bids:
            rounds = [
                f"{prize + 1}: {pair[seat] + 1}-{pair[1 - seat] + 1}" for prize, pair in zip(prizes, bids, strict=False)
            ]
            lines.append(f"Past prizes with bids, yours first: {', '.join(rounds)}.")
        if len(prizes) > len(bids):
            cards = " ".join(str(card + 1) for card in self._hand(state, 1 - seat))
            lines.append(f"Their cards: {cards}. Prize: {prizes[-1] + 1}.")
        if pending and seat == 0:
            lines.append(f"You bid {pending[0] + 1}.")
        return " ".join(lines)

    def word(self, state: Auction, action: int) -> str:  # noqa: D102
        del state
        return str(action + 1)

    def picture(self, state: Auction) -> str:  # noqa: D102
        prizes, bids, pending = state
        shown = [*bids, (*pending, None)] if len(prizes) > len(bids) else [*bids]
        lines = ["prize    " + " ".join(f"\x1b[33m{prize + 1:2}\x1b[0m" for prize in prizes)]
        for seat, points in enumerate(self._points(state)):
            cells = [pair[seat] if seat < len(pair) else None for pair in shown]
            row = " ".join(" ." if card is None else f"{card + 1:2}" for card in cells)
            lines.append(f"player_{seat} {row}  = {points}")
        return "\n".join(lines)
