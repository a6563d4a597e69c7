"""Liar's dice."""

from collections.abc import Hashable
from typing import ClassVar, NamedTuple

from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from palaestra.envs.errors import UsageError

__all__ = ["Cup", "LiarsDice"]


class Cup(NamedTuple):
    """The faces rolled so far, from 0, die by die and seat by seat; and the bids."""

    rolled: tuple[int, ...]
    bids: tuple[int, ...]


class LiarsDice(Rules[Cup]):
    """Bid on all dice, seeing your own; the highest face counts as any other.

    The bid of n dice of face f (from 1) is action `(n - 1) * sides + f - 1`; the last action calls the last bid a lie.

    Args:
        players: How many play, 2 to 6.
        dice: How many each has, 1 to 5.
        sides: How many faces a die has, 2 to 9.

    Source: as OpenSpiel's `liars_dice`, whose bids rise in number, or in face at the same number. With more than two
    players only the two that the call is about win and lose.
    """

    name: ClassVar[str] = "liars_dice"
    perfect_information = False

    def __init__(self, players: int = 2, dice: int = 1, sides: int = 6) -> None:
        for what, value, least, most in (("players", players, 2, 6), ("dice", dice, 1, 5), ("sides", sides, 2, 9)):
            if not least <= value <= most:
                raise UsageError(f"Liar's dice is played with {least} to {most} {what}, got {value}.")
        self.seats, self._dice, self._sides = players, dice, sides
        self._rolls = players * dice
        self._liar = self._rolls * sides
        self.actions = self._liar + 1
        self.explanation = (
            f"Liar's dice, {players} players. Each rolls {dice} dice with faces 1 to {sides} that only they see. In "
            "turn, bid how many dice of a face all players have together at least: 2x3 says two threes. Dice that show "
            f"{sides} count as every face. A bid must name more dice than the last one, or as many of a higher face. "
            "Or say liar: then all dice are shown; if there are fewer than the last bid says, its bidder loses and you "
            "win, else the other way round."
        )

    def initial(self) -> Cup:  # noqa: D102
        return Cup((), ())

    def turn(self, state: Cup) -> int:  # noqa: D102
        rolled, bids = state
        if len(rolled) < self._rolls:
            return CHANCE
        if bids and bids[-1] == self._liar:
            return OVER
        return len(bids) % self.seats

    def legal(self, state: Cup) -> tuple[int, ...]:  # noqa: D102
        rolled, bids = state
        if len(rolled) < self._rolls:
            return tuple(range(self._sides))
        return tuple(range(bids[-1] + 1, self.actions)) if bids else tuple(range(self._liar))

    def next(self, state: Cup, action: int) -> Cup:  # noqa: D102
        rolled, bids = state
        return Cup((*rolled, action), bids) if len(rolled) < self._rolls else Cup(rolled, (*bids, action))

    def returns(self, state: Cup) -> tuple[float, ...]:  # noqa: D102
        rolled, bids = state
        count, face = divmod(bids[-2], self._sides)
        there = sum(die in (face, self._sides - 1) for die in rolled)
        caller, bidder = (len(bids) - 1) % self.seats, (len(bids) - 2) % self.seats
        winner, loser = (bidder, caller) if there > count else (caller, bidder)
        return tuple(1.0 if seat == winner else -1.0 if seat == loser else 0.0 for seat in range(self.seats))

    def _own(self, state: Cup, seat: int) -> tuple[int, ...]:
        return tuple(sorted(state.rolled[seat * self._dice : (seat + 1) * self._dice]))

    def information(self, state: Cup, seat: int) -> Hashable:  # noqa: D102
        return self._own(state, seat), state.bids

    def describe(self, state: Cup, seat: int) -> str:  # noqa: D102
        faces = " ".join(str(die + 1) for die in self._own(state, seat)) or "?"
        bids = " ".join(self.word(state, bid) for bid in state.bids) or "none"
        return f"You are player_{seat}. Dice: {faces}. Bids: {bids}."

    def word(self, state: Cup, action: int) -> str:  # noqa: D102
        del state
        if action == self._liar:
            return "liar"
        count, face = divmod(action, self._sides)
        return f"{count + 1}x{face + 1}"

    def picture(self, state: Cup) -> str:  # noqa: D102
        lines = []
        for seat in range(self.seats):
            faces = " ".join(str(die + 1) for die in self._own(state, seat))
            bids = " ".join(self.word(state, bid) for bid in state.bids[seat :: self.seats])
            lines.append(f"player_{seat} \x1b[33m{faces}\x1b[0m {bids}")
        return "\n".join(lines)
