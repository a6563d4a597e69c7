"""Bargaining over several kinds of items: quantities that both know, values that only their owner knows."""

from collections.abc import Hashable, Iterator
from functools import cache
from typing import ClassVar, Final, NamedTuple

from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from palaestra.envs.errors import UsageError

__all__ = ["Bargain", "Negotiation"]

_MOST_ITEMS: Final = 12
_MOST_TOTAL: Final = 20
_NAMES: Final = ("books", "hats", "balls", "cups")

Counts = tuple[int, ...]


class Bargain(NamedTuple):
    """What is on the table.

    Attributes:
        pool: How many there are of each kind; empty before they are drawn.
        values: What one item of each kind is worth, to each seat; empty before they are drawn.
        moves: What was done so far, in turn.
    """

    pool: Counts
    values: tuple[Counts, ...]
    moves: tuple[int, ...]


class Negotiation(Rules[Bargain]):
    """Divide the items or get nothing.

    Chance draws the quantities, all pools alike likely, and then the values, all pairs alike likely. To each seat the
    whole pool is worth `total`; every kind is worth something to somebody, and one kind at least to both. In turn, a
    seat offers (and says what it keeps), accepts what the other offered, or walks away. When `turns` offers were made,
    the next can only accept or walk.

    Args:
        kinds: How many kinds of items, 2 to 4.
        fewest: Fewest items in all, at least one of each kind.
        most: Most items in all, up to 12.
        total: What the whole pool is worth to each seat, 1 to 20.
        turns: Most offers in all, 1 to 20.

    Raises:
        UsageError: If a number is out of its range, or no values fulfil the conditions.

    Source: Lewis et al. 2017, "Deal or No Deal? End-to-End Learning for Negotiation Dialogues" (3 kinds, 5 to 7 items,
    total 10; the scores are kept, and divided by the total).
    """

    name: ClassVar[str] = "negotiation"
    zero_sum = False
    perfect_information = False
    lowest, highest = 0.0, 1.0

    def __init__(self, kinds: int = 3, fewest: int = 5, most: int = 7, total: int = 10, turns: int = 6) -> None:
        if not 2 <= kinds <= len(_NAMES):
            raise UsageError(f"kinds must be 2 to {len(_NAMES)}, got {kinds}.")
        if not kinds <= fewest <= most <= _MOST_ITEMS:
            raise UsageError(
                f"Expected kinds <= fewest <= most <= {_MOST_ITEMS} items (one at least of each of {kinds} kinds), got "
                f"fewest={fewest} and most={most}."
            )
        if not 1 <= total <= _MOST_TOTAL or not 1 <= turns <= 20:
            raise UsageError(f"total must be 1 to {_MOST_TOTAL} and turns 1 to 20, got {total} and {turns}.")
        self.kinds, self.total, self.turns = kinds, total, turns
        self.names = _NAMES[:kinds]
        # An offer is a number whose digits say how many of each kind are kept.
        self._base = most - kinds + 2
        self.accept = self._base**kinds
        self.walk = self.accept + 1
        self.actions = self.walk + 1
        self._pairs, self._offers = cache(self._paired), cache(self._offered)
        drawn = (pool for items in range(fewest, most + 1) for pool in _divided(items, kinds))
        self._pools = tuple(pool for pool in drawn if self._pairs(pool))
        if not self._pools:
            raise UsageError(
                f"No values of {kinds} kinds of {fewest} to {most} items are worth {total} to each of two players, "
                "with one kind at least worth something to both. Raise total."
            )
        self.explanation = (
            f"Negotiation, 2 players. Divide {', '.join(self.names[:-1])} and {self.names[-1]}. How many there are "
            "both know; what one of each is worth to you only you know, and to the other it is worth something else. "
            f"All together are worth {total} to each of you. In turn, say offer and how many of each kind you keep, "
            f"in that order (offer {' '.join('1' * kinds)}; the other gets the rest), accept, to take what the other "
            f"left you, or walk, to end without a deal. After {turns} offers in all one can only accept or walk. You "
            f"get what your share is worth to you, divided by {total}; without a deal both get 0. What you write in "
            "the lines before your move the other can read."
        )

    def _paired(self, pool: Counts) -> tuple[tuple[Counts, Counts], ...]:
        """Return every pair of values that the two seats may have."""
        worth = tuple(_weighed(pool, self.total))
        return tuple(
            (ours, theirs)
            for ours in worth
            for theirs in worth
            if all(a or b for a, b in zip(ours, theirs, strict=True))
            and any(a and b for a, b in zip(ours, theirs, strict=True))
        )

    def offer(self, kept: Counts) -> int:
        """Return the action of an offer that keeps so many of each kind."""
        action = 0
        for count in kept:
            action = action * self._base + count
        return action

    def kept(self, action: int) -> Counts:
        """Return how many of each kind an offer keeps."""
        counts = []
        for _ in range(self.kinds):
            action, count = divmod(action, self._base)
            counts.append(count)
        return tuple(reversed(counts))

    def initial(self) -> Bargain:  # noqa: D102
        return Bargain((), (), ())

    def turn(self, state: Bargain) -> int:  # noqa: D102
        if not state.values:
            return CHANCE
        return OVER if state.moves and state.moves[-1] >= self.accept else len(state.moves) & 1

    def legal(self, state: Bargain) -> tuple[int, ...]:  # noqa: D102
        if not state.pool:
            return tuple(range(len(self._pools)))
        if not state.values:
            return tuple(range(len(self._pairs(state.pool))))
        offers = self._offers(state.pool) if len(state.moves) < self.turns else ()
        return (*offers, self.accept, self.walk) if state.moves else (*offers, self.walk)

    def _offered(self, pool: Counts) -> tuple[int, ...]:
        """Return every offer that can be made of a pool, ascending."""
        kept: list[Counts] = [()]
        for count in pool:
            kept = [(*some, more) for some in kept for more in range(count + 1)]
        return tuple(self.offer(counts) for counts in kept)

    def next(self, state: Bargain, action: int) -> Bargain:  # noqa: D102
        if not state.pool:
            return Bargain(self._pools[action], (), ())
        if not state.values:
            return Bargain(state.pool, self._pairs(state.pool)[action], ())
        return Bargain(state.pool, state.values, (*state.moves, action))

    def returns(self, state: Bargain) -> tuple[float, ...]:  # noqa: D102
        if state.moves[-1] != self.accept:
            return 0.0, 0.0
        kept = self.kept(state.moves[-2])
        left = tuple(count - some for count, some in zip(state.pool, kept, strict=True))
        offered = len(state.moves) & 1  # the seat that made the offer
        shares = (left, kept) if offered else (kept, left)
        return tuple(
            sum(value * count for value, count in zip(values, share, strict=True)) / self.total
            for values, share in zip(state.values, shares, strict=True)
        )

    def information(self, state: Bargain, seat: int) -> Hashable:  # noqa: D102
        return state.pool, state.values[seat : seat + 1], state.moves

    def describe(self, state: Bargain, seat: int) -> str:  # noqa: D102
        if not state.values:
            return f"You are player_{seat}. Nothing is on the table yet."
        items = ", ".join(
            f"{count} {name} worth {value} each"
            for count, name, value in zip(state.pool, self.names, state.values[seat], strict=True)
        )
        done = (
            f"{'You' if number & 1 == seat else 'They'}: {self._said(action)}."
            for number, action in enumerate(state.moves)
        )
        left = max(0, self.turns - len(state.moves))
        return "\n".join([f"You are player_{seat}. On the table: {items}. Offers left: {left}.", *done])

    def _said(self, action: int) -> str:
        if action >= self.accept:
            return "accept" if action == self.accept else "walk"
        return f"offer {' '.join(map(str, self.kept(action)))}"

    def word(self, state: Bargain, action: int) -> str:  # noqa: D102
        del state
        return self._said(action)


def _divided(items: int, kinds: int) -> Iterator[Counts]:
    """Yield every way to have so many items of so many kinds, at least one of each."""
    if kinds == 1:
        yield (items,)
        return
    for count in range(1, items - kinds + 2):
        for rest in _divided(items - count, kinds - 1):
            yield (count, *rest)


def _weighed(pool: Counts, total: int) -> Iterator[Counts]:
    """Yield all values of the kinds of a pool, from 0, by which the pool is worth the total."""
    if len(pool) == 1:
        if total % pool[0] == 0:
            yield (total // pool[0],)
        return
    for value in range(total // pool[0] + 1):
        for rest in _weighed(pool[1:], total - value * pool[0]):
            yield (value, *rest)
