"""Policies written down: how often each action is taken, for everything that a seat may know."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from palaestra.agents.search.tree import Floats, GameTree, tree_of
from palaestra.envs.arena.rules import Rules
from palaestra.envs.arena.table import Tabulated
from palaestra.envs.errors import UsageError

__all__ = ["Probabilities", "TabularPolicy", "joined", "uniform"]

Probabilities: TypeAlias = Mapping[int, float]
"""How often each action is taken; what is missing is never taken."""


@dataclass(frozen=True)
class TabularPolicy(Mapping[tuple[int, Hashable], Probabilities]):
    """A policy for some or all seats of a game.

    Attributes:
        table: For each seat and what it knows (`Rules.information`), how often it takes each action.
    """

    table: Mapping[tuple[int, Hashable], Probabilities]

    def __getitem__(self, key: tuple[int, Hashable]) -> Probabilities:
        """Return how often a seat that knows this takes each action."""
        return self.table[key]

    def __iter__(self) -> Iterator[tuple[int, Hashable]]:
        """Go through all seats with what they may know."""
        return iter(self.table)

    def __len__(self) -> int:
        """Return how many decisions are written down."""
        return len(self.table)

    def of_seat(self, seat: int) -> "TabularPolicy":
        """Return what concerns one seat."""
        return TabularPolicy({key: chosen for key, chosen in self.table.items() if key[0] == seat})

    def on(self, table: Tabulated) -> Floats:
        """Return `[E]` how often each edge of a tabulated game is taken, for `Tabulated.play`.

        Raises:
            UsageError: If the policy does not say what a seat does somewhere.
        """
        taken = table.chance.copy()
        for state in np.flatnonzero(table.turn >= 0).tolist():
            seat, edges = int(table.turn[state]), slice(table.first[state], table.first[state + 1])
            chosen = self.table.get((seat, table.rules.information(table.states[state], seat)))
            if chosen is None:
                raise UsageError(f"The policy does not say what seat {seat} does at {table.states[state]!r}.")
            taken[edges] = [chosen.get(action, 0.0) for action in table.action[edges].tolist()]
        return taken

    @classmethod
    def written(
        cls, game: Rules[Any] | GameTree, decide: Callable[[Any, int, tuple[int, ...]], Probabilities]
    ) -> "TabularPolicy":
        """Write down any policy.

        Args:
            game: The game.
            decide: Given a state, the seat to move and the legal actions, returns how often it takes each. It is asked
                once for all states that the seat cannot tell apart, with one of them.
        """
        tree = tree_of(game)
        legal = tree.legal
        return cls(
            {
                (seat, information): dict(decide(tree.states[example], seat, legal[number]))
                for number, ((seat, information), example) in enumerate(zip(tree.keys, tree.examples, strict=True))
            }
        )


def uniform(game: Rules[Any] | GameTree) -> TabularPolicy:
    """Return the policy of all seats that chooses evenly among what is legal."""
    return TabularPolicy.written(game, lambda _state, _seat, legal: dict.fromkeys(legal, 1.0 / len(legal)))


def joined(policies: Sequence[TabularPolicy]) -> TabularPolicy:
    """Return the policy whose every seat plays as in the policy given for it.

    Raises:
        UsageError: If a policy says nothing of its seat.
    """
    table: dict[tuple[int, Hashable], Probabilities] = {}
    for seat, policy in enumerate(policies):
        part = policy.of_seat(seat).table
        if not part:
            raise UsageError(f"The policy given for seat {seat} says nothing of that seat.")
        table |= part
    return TabularPolicy(table)
