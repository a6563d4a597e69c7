"""Minimax: the best move in a zero-sum game of two in which nothing is hidden.

Alpha-beta with a table of states met before; the moves that cut most elsewhere are tried first. At turns of chance the
mean of what may follow counts (expectiminimax), without cuts across them.

Source: Knuth and Moore 1975, "An analysis of alpha-beta pruning"; Schaeffer 1989, "The history heuristic".
"""

import math
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from palaestra.agents.search.player import Choose, SearchAgent, key_of, need_complete_information, once
from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from palaestra.envs.errors import UsageError

__all__ = ["Minimax", "MinimaxAgent"]

# What may be remembered of one game: some hundred megabytes.
_MOST_REMEMBERED: Final = 500_000
_EXACT: Final = 0
_AT_LEAST: Final = 1
_AT_MOST: Final = 2


class Minimax:
    """A search that remembers.

    Args:
        rules: A zero-sum game of two in which nothing is hidden.
        depth: How many moves of players are looked ahead, what lies behind counting 0; None looks to the end.

    Raises:
        UsageError: If the game is another kind of game.
    """

    def __init__(self, rules: Rules[Any], depth: int | None = None) -> None:
        need_complete_information(rules, "minimax")
        if rules.seats != 2 or not rules.zero_sum:
            raise UsageError(f"minimax is for zero-sum games of two, and {rules.name} is none: take search:mcts.")
        self.rules, self.depth = rules, depth
        # What the first seat can get; no search goes on once this is reached.
        self._lowest = max(rules.lowest, -rules.highest)
        self._highest = min(rules.highest, -rules.lowest)
        self._known: dict[tuple[Hashable, float], tuple[float, int]] = {}
        self._cuts: defaultdict[tuple[int, int], int] = defaultdict(int)

    def value(self, state: Any = None) -> float:
        """Return what the first seat gets from a state on, the initial one by default, when both play their best."""
        state = self.rules.initial() if state is None else state
        left = math.inf if self.depth is None else self.depth
        return self._begun(state, left, self._lowest, self._highest)

    def best(self, state: Any) -> list[int]:
        """Return all moves of a state that are best for the seat whose turn it is."""
        seat = self.rules.turn(state)
        left = (math.inf if self.depth is None else self.depth) - 1
        low, high, top = self._lowest, self._highest, math.nan
        best: list[int] = []
        for move in self._ordered(state, seat):
            found = self._begun(self.rules.next(state, move), left, low, high)
            if best and (found < top if seat == 0 else found > top):
                continue
            best = [*best, move] if found == top else [move]
            top = found
            # A bound just beyond the best so far tells a move that is as good from one that is worse.
            if seat == 0:
                low = max(low, math.nextafter(top, -math.inf))
            else:
                high = min(high, math.nextafter(top, math.inf))
        return sorted(best)

    def _begun(self, state: Any, left: float, low: float, high: float) -> float:
        try:
            return self._value(state, left, low, high)
        except RecursionError as error:
            raise self._too_large() from error

    def _too_large(self) -> UsageError:
        return UsageError(
            f"{self.rules.name} is too large or too long to be searched that far: set a lower depth, as in "
            "search:minimax?depth=4."
        )

    def _ordered(self, state: Any, seat: int) -> list[int]:
        cuts = self._cuts
        return sorted(self.rules.legal(state), key=lambda move: -cuts.get((seat, move), 0))

    def _value(self, state: Any, left: float, low: float, high: float) -> float:
        """Return the first seat's value: exact between `low` and `high`, beyond them a bound."""
        rules = self.rules
        turn = rules.turn(state)
        if turn == OVER:
            return rules.returns(state)[0]
        if turn == CHANCE:
            outcomes = zip(rules.legal(state), rules.chances(state), strict=True)
            bounds = self._lowest, self._highest
            return sum(p * self._value(rules.next(state, outcome), left, *bounds) for outcome, p in outcomes)
        if left <= 0:
            return 0.0
        known = self._known.get((state, left))
        if known is not None:
            found, kind = known
            if kind == _EXACT or (kind == _AT_LEAST and found >= high) or (kind == _AT_MOST and found <= low):
                return found
        found, kind = self._searched(state, turn, left, low, high)
        self._remember((state, left), (found, kind))
        return found

    def _searched(self, state: Any, seat: int, left: float, low: float, high: float) -> tuple[float, int]:
        """Try the moves of a state, and return its value with what is known of it."""
        alpha, beta = low, high
        best = -math.inf if seat == 0 else math.inf
        for move in self._ordered(state, seat):
            found = self._value(self.rules.next(state, move), left - 1, alpha, beta)
            if seat == 0:
                best = max(best, found)
                alpha = max(alpha, best)
            else:
                best = min(best, found)
                beta = min(beta, best)
            if alpha >= beta:
                self._cuts[seat, move] += 1
                break
        if low < best < high or best in (self._lowest, self._highest):
            return best, _EXACT
        return best, _AT_LEAST if best >= high else _AT_MOST

    def _remember(self, key: tuple[Hashable, float], what: tuple[float, int]) -> None:
        if len(self._known) >= _MOST_REMEMBERED:
            if self.depth is None:
                raise self._too_large()
            self._known.clear()
        self._known[key] = what


_SEARCHES: dict[Hashable, Minimax] = {}


@dataclass(frozen=True)
class MinimaxAgent(SearchAgent):
    """Plays a best move, any of several.

    Attributes:
        depth: How many moves it looks ahead; None looks to the end of the game.

    Raises:
        UsageError: If it looks at none.
    """

    depth: int | None = None

    def __post_init__(self) -> None:
        if self.depth is not None and self.depth < 1:
            raise UsageError(f"depth must be at least 1, got {self.depth}.")

    @property
    def name(self) -> str:
        """The spec that names this agent."""
        return "search:minimax" if self.depth is None else f"search:minimax?depth={self.depth}"

    def prepare(self, rules: Rules[Any]) -> Choose:
        """Return a choice among the best moves; what is worked out of a game is kept for later games."""
        search = once(_SEARCHES, (key_of(rules), self.depth), lambda: Minimax(rules, self.depth))

        def choose(state: Any, seat: int, generator: np.random.Generator) -> int:
            del seat
            best = search.best(state)
            return best[int(generator.random() * len(best))]

        return choose
