"""Kuhn poker, for two or more players."""

from collections.abc import Hashable
from typing import ClassVar, Final, NamedTuple

from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from palaestra.envs.errors import UsageError

__all__ = ["KuhnPoker", "Table"]

PASS: Final = 0
BET: Final = 1
_RANKS: Final = "23456789TJQK"


class Table(NamedTuple):
    """The cards dealt so far, by seat, and what was done so far."""

    cards: tuple[int, ...]
    history: tuple[int, ...]


class KuhnPoker(Rules[Table]):
    """One card each, one chip in, one bet.

    Args:
        players: How many play, 2 to 10; there is one card more than players.

    Source: Kuhn 1950, "A simplified two-person poker"; for more players as in OpenSpiel.
    """

    name: ClassVar[str] = "kuhn_poker"
    perfect_information = False

    def __init__(self, players: int = 2) -> None:
        if not 2 <= players <= 10:
            raise UsageError(f"Kuhn poker is for 2 to 10 players, got {players}.")
        self.seats = players
        self.actions = 2
        self.lowest, self.highest = -2.0, 2.0 * (players - 1)
        self._ranks = _RANKS[len(_RANKS) - players - 1 :]
        self.explanation = (
            f"Kuhn poker, {players} players. The cards are {', '.join(self._ranks)}, the last the highest; each player "
            "pays 1 chip and gets one card that only they see. In turn, say pass or bet. The first to bet adds 1 chip; "
            "from then on a bet is a call, which adds 1 chip, and a pass gives up the hand. The hand is over when all "
            "have passed, or all others have answered a bet. The highest card of those who called, or of all if "
            "nobody bet, takes the chips."
        )

    def initial(self) -> Table:  # noqa: D102
        return Table((), ())

    def turn(self, state: Table) -> int:  # noqa: D102
        cards, history = state
        if len(cards) < self.seats:
            return CHANCE
        count = len(history)
        if BET in history:
            return OVER if count == history.index(BET) + self.seats else count % self.seats
        return OVER if count == self.seats else count

    def legal(self, state: Table) -> tuple[int, ...]:  # noqa: D102
        if len(state.cards) < self.seats:
            return tuple(card for card in range(self.seats + 1) if card not in state.cards)
        return PASS, BET

    def next(self, state: Table, action: int) -> Table:  # noqa: D102
        if len(state.cards) < self.seats:
            return Table((*state.cards, action), ())
        return Table(state.cards, (*state.history, action))

    def _bet(self, history: tuple[int, ...]) -> list[bool]:
        """Return for each seat whether it has bet or called."""
        return [any(history[turn] == BET for turn in range(s, len(history), self.seats)) for s in range(self.seats)]

    def returns(self, state: Table) -> tuple[float, ...]:  # noqa: D102
        bet = self._bet(state.history)
        showing = [seat for seat in range(self.seats) if bet[seat] or not any(bet)]
        winner = max(showing, key=lambda seat: state.cards[seat])
        paid = [2.0 if has_bet else 1.0 for has_bet in bet]
        return tuple(sum(paid) - paid[s] if s == winner else -paid[s] for s in range(self.seats))

    def information(self, state: Table, seat: int) -> Hashable:  # noqa: D102
        return state.cards[seat : seat + 1], state.history

    def describe(self, state: Table, seat: int) -> str:  # noqa: D102
        said = "".join(f" {'bet' if action == BET else 'pass'}" for action in state.history) or " nothing"
        card = self._ranks[state.cards[seat]] if seat < len(state.cards) else "?"
        return f"You are {seat}. Card {card}. Said:{said}"

    def word(self, state: Table, action: int) -> str:  # noqa: D102
        del state
        return "bet" if action == BET else "pass"

    def picture(self, state: Table) -> str:  # noqa: D102
        lines = []
        for seat, card in enumerate(state.cards):
            done = ["bet" if a == BET else "pass" for a in state.history[seat :: self.seats]]
            lines.append(f"player_{seat} \x1b[33m{self._ranks[card]}\x1b[0m {' '.join(done)}")
        return "\n".join(lines)
