"""A game laid out for solvers: states by depth, what seats know, and sums that run over all of a depth at once.

Two states that are equal are one, however they were reached; what a seat knows of them is then equal too. So this is
a graph without cycles, and a tree wherever the states remember everything.
"""

from collections.abc import Hashable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.arena.rules import OVER, Rules
from palaestra.envs.arena.table import MOST_STATES, Tabulated
from palaestra.envs.errors import ContractError, ShapeError, UsageError

__all__ = ["Floats", "GameTree", "Ints", "tree_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDING: Final = 1e-6


class _Level(NamedTuple):
    """States of equal depth: which ones, the edges into them and, of those where something can be done, out of them."""

    states: slice
    edges_in: slice
    starts_in: Ints
    deciding: slice
    edges_out: slice
    starts_out: Ints


class GameTree:
    """A game whose states, edges and decisions are numbers.

    A *decision* is a seat with what it knows at its turn (an information set); a *choice* is an action at a decision.
    States are ordered by depth, edges by the state they leave, decisions by seat, and of a seat by how many decisions
    of its own came before. S states, E edges, D decisions, K choices.

    Attributes:
        rules: The game.
        states: The states, by number.
        turn: `[S]` whose turn it is.
        returns: `[S, seats]` what each seat gets where the game is over, 0 elsewhere.
        source: `[E]` the state that an edge leaves.
        target: `[E]` the state that it leads to.
        chance: `[E]` the probability of an outcome of chance, 0 for what players do.
        choice: `[E]` the number of the choice, -1 for chance.
        keys: For each decision its seat and what is known.
        examples: For each decision, one of its states.
        first: `[D + 1]` the first choice of each decision.
        decision: `[K]` the decision that a choice belongs to.
        action: `[K]` the action of a choice.
        earlier: `[D]` the choice of the same seat that came before a decision, -1 where there is none.
        ranks: For each seat, its decisions by how many of its own came before: slices of the decisions.
        recalls: Whether every seat remembers what it did, so that `earlier` is well defined. Without it every decision
            must be a single state (complete information).

    Args:
        rules: The game.
        most_states: How many states there may be.

    Raises:
        UsageError: If there are more states, or a game may come back to a state it was in.
        ContractError: If a seat forgets what it knew, or has different actions where it knows the same.
    """

    def __init__(self, rules: Rules[Any], most_states: int = MOST_STATES) -> None:
        self.rules = rules
        table = Tabulated(rules, most_states)
        depth = _depths(table)
        order = np.lexsort((table.turn == OVER, depth))
        edges = np.argsort(np.argsort(order)[table.source], kind="stable")
        number = np.argsort(order)
        self.states: tuple[Any, ...] = tuple(table.states[i] for i in order)
        self.turn: Ints = table.turn[order]
        self.returns: Floats = table.returns[order]
        self.source: Ints = number[table.source][edges]
        self.target: Ints = number[table.target][edges]
        self.chance: Floats = table.chance[edges]
        self._seat: Ints = self.turn[self.source]
        self._into: Ints = np.argsort(self.target, kind="stable")
        self._source_into: Ints = self.source[self._into]
        self._levels = self._lay(depth[order])
        self._decide(table.action[edges])

    def _lay(self, depth: Ints) -> list[_Level]:
        """Cut the states into depths."""
        over = self.turn == OVER
        arrivals = np.bincount(self.target, minlength=len(self.states))
        departures = np.bincount(self.source, minlength=len(self.states))
        into, out = np.concatenate([[0], np.cumsum(arrivals)]), np.concatenate([[0], np.cumsum(departures)])
        cuts = np.flatnonzero(np.diff(depth, prepend=-1, append=depth[-1] + 1))
        levels = []
        for begin, end in pairwise(cuts.tolist()):
            middle = begin + int(np.count_nonzero(~over[begin:end]))
            levels.append(
                _Level(
                    slice(begin, end),
                    slice(int(into[begin]), int(into[end])),
                    into[begin:end] - into[begin],
                    slice(begin, middle),
                    slice(int(out[begin]), int(out[middle])),
                    out[begin:middle] - out[begin],
                )
            )
        return levels

    def _decide(self, actions: Ints) -> None:
        """Find the decisions, number them and their choices."""
        rules, players = self.rules, np.flatnonzero(self.turn >= 0)
        number: dict[tuple[int, Hashable], int] = {}
        found = np.full(len(self.states), -1)
        for state in players.tolist():
            seat = int(self.turn[state])
            found[state] = number.setdefault((seat, rules.information(self.states[state], seat)), len(number))
        keys = list(number)
        seats = np.array([seat for seat, _ in keys], dtype=np.int64)
        own = self._decisions_before()
        rank = np.zeros(len(keys), dtype=np.int64)
        np.maximum.at(rank, found[players], own[self.turn[players], players])
        order = np.lexsort((rank, seats))
        place = np.argsort(order)
        found[players] = place[found[players]]
        self.keys: tuple[tuple[int, Hashable], ...] = tuple(keys[i] for i in order)
        self.examples: Ints = np.zeros(len(keys), dtype=np.int64)
        self.examples[found[players][::-1]] = players[::-1]
        self._number(found, actions)
        self._remember(found)
        seats, rank = seats[order], rank[order]
        self.ranks: list[list[slice]] = []
        for seat in range(rules.seats):
            mine = np.flatnonzero(seats == seat)
            cuts = [mine[0] + cut for cut in np.flatnonzero(np.diff(rank[mine], prepend=-1))] if len(mine) else []
            self.ranks.append([slice(int(a), int(b)) for a, b in pairwise([*cuts, *(mine[-1:] + 1)])])

    def _decisions_before(self) -> Ints:
        """Return `[seats, S]` how many decisions of each seat may at most have come before a state."""
        before = np.zeros((self.rules.seats, len(self.states)), dtype=np.int64)
        for level in self._levels[1:]:
            for seat in range(self.rules.seats):
                came = before[seat, self._source_into[level.edges_in]]
                came = came + (self.turn[self._source_into[level.edges_in]] == seat)
                before[seat, level.states] = np.maximum.reduceat(came, level.starts_in)
        return before

    def _number(self, found: Ints, actions: Ints) -> None:
        """Number the choices."""
        departures = np.bincount(self.source, minlength=len(self.states))
        leaving = np.concatenate([[0], np.cumsum(departures)])
        counts = departures[self.examples]
        self.first: Ints = np.concatenate([[0], np.cumsum(counts)])
        self.decision: Ints = np.repeat(np.arange(len(counts)), counts)
        nth = np.arange(len(self.source)) - leaving[self.source]
        of = found[self.source]
        self.choice: Ints = np.where(of >= 0, self.first[of] + nth, -1)
        self.action: Ints = actions[
            leaving[self.examples][self.decision] + np.arange(self.first[-1]) - self.first[self.decision]
        ]
        mine = of >= 0
        alike = (departures[self.source] == counts[of])[mine] & (nth < counts[of])[mine]
        if not alike.all() or not (self.action[self.choice[mine]] == actions[mine]).all():
            raise ContractError(f"{self.rules.name} offers a seat different actions where it knows the same.")

    def _remember(self, found: Ints) -> None:
        """Find the choice of the same seat before each decision."""
        shape = (self.rules.seats, len(self.states))
        least, most = np.full(shape, -1), np.full(shape, -1)
        choice_into, seat_into = self.choice[self._into], self._seat[self._into]
        for level in self._levels[1:]:
            edges = level.edges_in
            for seat in range(self.rules.seats):
                for known, reduce in ((least, np.minimum), (most, np.maximum)):
                    came = known[seat, self._source_into[edges]]
                    latest = np.where(seat_into[edges] == seat, choice_into[edges], came)
                    known[seat, level.states] = reduce.reduceat(latest, level.starts_in)
        players = np.flatnonzero(found >= 0)
        low, high = np.full(len(self.keys), len(self.choice)), np.full(len(self.keys), -1)
        np.minimum.at(low, found[players], least[self.turn[players], players])
        np.maximum.at(high, found[players], most[self.turn[players], players])
        self.earlier: Ints = high
        self.recalls = bool((low == high).all())
        if not self.recalls and len(players) > len(self.keys):
            raise ContractError(
                f"A seat of {self.rules.name} knows the same after it did different things: let `information` tell "
                "all that a seat has seen and done."
            )

    # Sums over the tree.

    def probabilities(self, chosen: Floats) -> Floats:
        """Return `[E]` how often each edge is taken.

        Args:
            chosen: `[K]` how often each choice is made.
        """
        return np.where(self.choice >= 0, chosen[self.choice], self.chance)

    def reach(self, probabilities: Floats, without: int | None = None) -> Floats:
        """Return `[S]` how often each state is reached.

        Args:
            probabilities: `[E]` how often each edge is taken.
            without: A seat whose choices are passed over: the counterfactual reach of that seat.
        """
        taken = probabilities if without is None else np.where(self._seat == without, 1.0, probabilities)
        taken = taken[self._into]
        reach = np.empty(len(self.states))
        reach[0] = 1.0
        for level in self._levels[1:]:
            came = reach[self._source_into[level.edges_in]] * taken[level.edges_in]
            reach[level.states] = np.add.reduceat(came, level.starts_in)
        return reach

    def values(self, probabilities: Floats, seat: int) -> Floats:
        """Return `[S]` what a seat gets on average from each state on.

        Args:
            probabilities: `[E]` how often each edge is taken.
            seat: Whose returns.
        """
        values = self.returns[:, seat].copy()
        for level in self._levels[::-1]:
            if level.starts_out.size:
                edges = level.edges_out
                gained = probabilities[edges] * values[self.target[edges]]
                values[level.deciding] = np.add.reduceat(gained, level.starts_out)
        return values

    @cached_property
    def edges_of(self) -> list[Ints]:
        """For each seat, the edges that are its choices."""
        return [np.flatnonzero(self._seat == seat) for seat in range(self.rules.seats)]

    def weights(self, seat: int, reach: Floats, values: Floats) -> Floats:
        """Return `[K]` what each choice of a seat is worth, weighted by how often others let it come to it.

        Args:
            seat: Whose choices; 0 for those of others.
            reach: `[S]` its counterfactual reach.
            values: `[S]` its values.
        """
        edges = self.edges_of[seat]
        worth = reach[self.source[edges]] * values[self.target[edges]]
        summed: Floats = np.bincount(self.choice[edges], weights=worth, minlength=len(self.action)).astype(np.float64)
        return summed

    # Policies.

    @cached_property
    def legal(self) -> list[tuple[int, ...]]:
        """For each decision, the legal actions."""
        actions = self.action.tolist()
        return [tuple(actions[begin:end]) for begin, end in pairwise(self.first.tolist())]

    def chosen(self, policy: Mapping[tuple[int, Hashable], Mapping[int, float]]) -> Floats:
        """Return `[K]` how often a policy makes each choice.

        Raises:
            UsageError: If the policy lacks a decision, takes what is not legal, or its probabilities are none.
        """
        chosen = np.zeros(len(self.action))
        for number, key in enumerate(self.keys):
            if key not in policy:
                raise UsageError(f"The policy does not say what seat {key[0]} of {self.rules.name} does at {key[1]!r}.")
            at, legal = policy[key], self.legal[number]
            part = np.array([at.get(action, 0.0) for action in legal])
            whole = sum(at.values())
            if (part < 0).any() or abs(whole - 1.0) > _ROUNDING or abs(part.sum() - whole) > _ROUNDING:
                raise UsageError(f"At {key!r} the policy says {dict(at)}: give probabilities of the actions {legal}.")
            chosen[self.first[number] : self.first[number + 1]] = part
        return chosen

    def written(self, chosen: Floats) -> dict[tuple[int, Hashable], dict[int, float]]:
        """Return choices by number as a table of a policy.

        Raises:
            ShapeError: If there is not one number for each choice.
        """
        if chosen.shape != self.action.shape:
            raise ShapeError(f"Expected {self.action.shape} probabilities, one a choice, got {chosen.shape}.")
        listed = chosen.tolist()
        return {
            key: dict(zip(legal, listed[begin : begin + len(legal)], strict=True))
            for key, legal, begin in zip(self.keys, self.legal, self.first.tolist(), strict=False)
        }


def tree_of(game: Rules[Any] | GameTree) -> GameTree:
    """Lay a game out, if it is not yet."""
    return game if isinstance(game, GameTree) else GameTree(game)


def _depths(table: Tabulated) -> Ints:
    """Return `[S]` the length of the longest way to each state."""
    waiting = np.bincount(table.target, minlength=len(table.states))
    depth = np.full(len(table.states), -1)
    wave, passed = np.zeros(1, dtype=np.int64), 0
    while wave.size:
        depth[wave] = passed
        leaving = np.concatenate([np.arange(table.first[s], table.first[s + 1]) for s in wave.tolist()])
        met = table.target[leaving]
        np.subtract.at(waiting, met, 1)
        met = np.unique(met)
        wave, passed = met[waiting[met] == 0], passed + 1
    if (depth < 0).any() or waiting.any():
        raise UsageError(
            f"A game of {table.rules.name} may come back to a state it was in: it has no depth to solve by."
        )
    return depth
