"""Small games as arrays: every state worked out once, many games played at a time."""

from collections.abc import Hashable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from palaestra.envs.errors import ShapeError, UsageError

__all__ = ["Played", "Tabulated"]

MOST_STATES: Final = 500_000
"""More states than this are not worked out unless told so: some hundred megabytes, and a few seconds."""

# So many games are played at once that their states stay in the processor's cache.
_AT_ONCE: Final = 16_384


class Played(NamedTuple):
    """Many games that were played.

    Attributes:
        returns: `[games, seats]` what each seat got, in the game's units.
        steps: How many moves were made in all, without those of chance.
    """

    returns: NDArray[np.float64]
    steps: int


class Tabulated:
    """A game whose states are numbers.

    State 0 is the initial one; a state is numbered after one that leads to it. What can be done in state `s` are the
    edges `first[s]` to `first[s + 1] - 1`, in the order of `rules.legal`; S states, E edges.

    Attributes:
        rules: The game.
        states: The states themselves, by number.
        turn: `[S]` whose turn it is: a seat, `CHANCE` or `OVER`.
        first: `[S + 1]` the first edge of each state.
        source: `[E]` the state that an edge leaves.
        action: `[E]` what is done: an action or an outcome of chance.
        target: `[E]` the state that it leads to.
        chance: `[E]` the probability of an outcome of chance, 0 for what players do.
        returns: `[S, seats]` what each seat gets where the game is over, 0 elsewhere.

    Args:
        rules: The game.
        most_states: How many states there may be.

    Raises:
        UsageError: If there are more.
    """

    def __init__(self, rules: Rules[Any], most_states: int = MOST_STATES) -> None:
        self.rules = rules
        number: dict[Hashable, int] = {rules.initial(): 0}
        states = list(number)
        turn, first = [], [0]
        action: list[int] = []
        target: list[int] = []
        chance: list[float] = []
        returns: list[tuple[float, ...]] = []
        nothing = (0.0,) * rules.seats
        for state in states:  # grows while it is walked
            mover = rules.turn(state)
            turn.append(mover)
            returns.append(rules.returns(state) if mover == OVER else nothing)
            if mover != OVER:
                legal = rules.legal(state)
                action += legal
                chance += rules.chances(state) if mover == CHANCE else (0.0,) * len(legal)
                for move in legal:
                    after = rules.next(state, move)
                    index = number.setdefault(after, len(states))
                    if index == len(states):
                        states.append(after)
                    target.append(index)
                if len(states) > most_states:
                    raise UsageError(
                        f"{rules.name} has more than {most_states:,} states, too many for a table: "
                        "take a smaller game, or allow more by most_states."
                    )
            first.append(len(action))
        self.states: tuple[Any, ...] = tuple(states)
        self.turn: NDArray[np.int64] = np.array(turn)
        self.first: NDArray[np.int64] = np.array(first)
        self.source: NDArray[np.int64] = np.repeat(np.arange(len(states)), np.diff(self.first))
        self.action: NDArray[np.int64] = np.array(action, dtype=np.int64)
        self.target: NDArray[np.int64] = np.array(target, dtype=np.int64)
        self.chance: NDArray[np.float64] = np.array(chance, dtype=np.float64)
        self.returns: NDArray[np.float64] = np.array(returns, dtype=np.float64)

    def uniform(self) -> NDArray[np.float64]:
        """Return `[E]` the probability of each edge when all players choose evenly among what is legal."""
        even = 1.0 / np.diff(self.first)[self.source]
        chosen: NDArray[np.float64] = np.where(self.turn[self.source] == CHANCE, self.chance, even)
        return chosen

    def play_random(self, games: int, generator: np.random.Generator) -> Played:
        """Play games in which everybody chooses evenly among what is legal."""
        return self.play(self.uniform(), games, generator)

    def play(self, probabilities: NDArray[np.float64], games: int, generator: np.random.Generator) -> Played:
        """Play games.

        Args:
            probabilities: `[E]` how often each edge is taken; those of a state sum to 1.
            games: How many.
            generator: Names all chance.

        Raises:
            ShapeError: If there is not one probability for each edge.
        """
        if probabilities.shape != self.target.shape:
            raise ShapeError(f"Expected {self.target.shape} probabilities, one an edge, got {probabilities.shape}.")
        draw = _Draw(self, probabilities)
        ends = np.empty(games, dtype=np.int32)
        steps = 0
        for begin in range(0, games, _AT_ONCE):
            steps += draw.play(ends[begin : begin + _AT_ONCE], generator)
        return Played(self.returns[ends], steps)


class _Draw:
    """What is drawn from, made ready for one policy: all arrays as narrow as they can be."""

    def __init__(self, table: Tabulated, probabilities: NDArray[np.float64]) -> None:
        count = np.diff(table.first)
        over = count == 0
        # A game that is over stays where it is, by an edge of its own behind all others.
        self.first = np.where(over, len(table.target) + np.cumsum(over) - 1, table.first[:-1]).astype(np.int32)
        self.target = np.concatenate([table.target, np.flatnonzero(over)]).astype(np.int32)
        self.count = np.maximum(count, 1).astype(np.float32)
        self.live, self.moves = ~over, table.turn >= 0
        self.chance = bool((table.turn == CHANCE).any())
        self.even = bool(np.allclose(probabilities * count[table.source], 1.0, rtol=0.0, atol=1e-12))
        if not self.even:
            self._bounds(table, probabilities)

    def _bounds(self, table: Tabulated, probabilities: NDArray[np.float64]) -> None:
        """Lay the edges of all states end to end on one line: state s has the numbers from s to s + 1."""
        summed = np.cumsum(probabilities)
        before = np.concatenate([[0.0], summed])[table.first[:-1]]
        within = summed - before[table.source]
        # What no edge of positive probability comes after ends at s + 1, whatever was lost by rounding.
        within[within > 1.0 - 1e-9] = 1.0
        self.bounds = table.source + within
        self.below = np.nextafter(np.arange(len(table.states)) + 1.0, 0.0)

    def choose(self, state: NDArray[np.int32], generator: np.random.Generator) -> NDArray[np.intp]:
        """Draw an edge for each state."""
        if self.even:
            # Below 2 ** 24 choices, a number below 1 times their count is rounded to less than their count.
            nth = generator.random(len(state), dtype=np.float32) * self.count[state]
            return (self.first[state] + nth.astype(np.intp)).astype(np.intp, copy=False)
        point = np.minimum(state + generator.random(len(state)), self.below[state])
        edge = np.searchsorted(self.bounds, point, side="right")
        return np.where(self.live[state], edge, self.first[state])

    def play(self, ends: NDArray[np.int32], generator: np.random.Generator) -> int:
        """Play one game for each place in `ends`, write there how it ended, and return how many moves were made."""
        state = np.zeros(len(ends), dtype=np.int32)
        games: NDArray[np.intp] | None = None
        steps = 0
        while True:
            live = int(np.count_nonzero(self.live[state]))
            if 2 * live <= len(state):
                games = self._put_away(ends, state, games)
                if not live:
                    return steps
                state = ends[games]
            steps += int(np.count_nonzero(self.moves[state])) if self.chance else live
            state = self.target[self.choose(state, generator)]

    def _put_away(
        self, ends: NDArray[np.int32], state: NDArray[np.int32], games: NDArray[np.intp] | None
    ) -> NDArray[np.intp]:
        """Write down where all games are and return those that go on."""
        if games is None:
            ends[:] = state
            return np.flatnonzero(self.live[state])
        ends[games] = state
        going_on: NDArray[np.intp] = games[self.live[state]]
        return going_on
