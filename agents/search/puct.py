"""Tree search led by a policy's own priors and values, in many games at once.

Each simulation walks down the tree by what a move has brought so far and how much the policy thinks of it (PUCT), and
ends at a position that was not met before, which is valued by the policy instead of being played out. The trees of all
games advance together, so that the policy is asked for one batch a simulation.

Left out: a tree kept from move to move.

Source: Silver et al. 2018, "A general reinforcement learning algorithm that masters chess, shogi, and Go through
self-play".
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from palaestra.agents.search.player import need_complete_information
from palaestra.envs.arena.rules import OVER, Rules
from palaestra.envs.errors import UsageError

__all__ = ["Look", "Opinion", "Puct"]

# What priors count for against what moves brought, and the noise that lets a root's every move be tried: as published,
# but for one number for games of any size, and noise spread over about ten moves' worth.
_LED: Final = 1.25
_NOISE: Final = 0.25
_NOISE_SPREAD: Final = 10.0


class Opinion(NamedTuple):
    """What a policy thinks of a position.

    Attributes:
        priors: How much it thinks of each legal action; they sum to 1.
        value: What it thinks that the seat whose turn it is will get: -1 is lost, 1 won.
    """

    priors: Mapping[int, float]
    value: float


Look: TypeAlias = Callable[[Sequence[Any]], Sequence[Opinion]]
"""Gives an opinion on each of some positions in which it is somebody's turn."""


class _Node:
    """A position that was met.

    What its moves brought is counted for the seat whose turn it is.
    """

    __slots__ = ("actions", "after", "brought", "opinion", "outcome", "priors", "state", "turn", "visits")

    def __init__(self, rules: Rules[Any], state: Any) -> None:
        self.state = state
        self.turn = rules.turn(state)
        self.outcome = _scaled(rules, rules.returns(state)[0]) if self.turn == OVER else 0.0
        self.actions = rules.legal(state) if self.turn != OVER else ()
        self.after: list[_Node | None] = [None] * len(self.actions)
        self.visits = [0] * len(self.actions)
        self.brought = [0.0] * len(self.actions)
        self.priors: list[float] = []

    def most_promising(self) -> int:
        """Return the number of the move to look at next."""
        spread = _LED * math.sqrt(sum(self.visits) + 1)
        best, found = 0, -math.inf
        for number, (prior, count, sum_) in enumerate(zip(self.priors, self.visits, self.brought, strict=True)):
            promise = (sum_ / count if count else 0.0) + spread * prior / (1 + count)
            if promise > found:
                best, found = number, promise
        return best


def _scaled(rules: Rules[Any], paid: float) -> float:
    return 2.0 * (paid - rules.lowest) / (rules.highest - rules.lowest) - 1.0


@dataclass(frozen=True)
class Puct:
    """A search.

    Attributes:
        rules: A zero-sum game of two without chance, in which nothing is hidden.
        simulations: Positions looked at for each move.

    Raises:
        UsageError: If the game is another kind of game, or nothing shall be looked at.
    """

    rules: Rules[Any]
    simulations: int

    def __post_init__(self) -> None:
        rules = self.rules
        need_complete_information(rules, "alphazero")
        if rules.seats != 2 or not rules.zero_sum:
            raise UsageError(f"alphazero is for zero-sum games of two, and {rules.name} is none.")
        if self.simulations < 1:
            raise UsageError(f"simulations must be at least 1, got {self.simulations}.")

    def visits(self, states: Sequence[Any], look: Look, generator: np.random.Generator) -> list[dict[int, int]]:
        """Return how often each legal action of each state was looked at.

        Args:
            states: In each it is a seat's turn.
            look: Gives opinions.
            generator: Names the noise at the roots.
        """
        roots = [_Node(self.rules, state) for state in states]
        self._thought(roots, look)
        for root in roots:
            root.priors = _noisy(root.priors, generator)
        for _ in range(self.simulations):
            ways = [self._way(root) for root in roots]
            leaves = [way[-1][0] for way in ways]
            values = self._thought(leaves, look)
            for way, value in zip(ways, values, strict=True):
                _credit(way, value)
        return [dict(zip(root.actions, root.visits, strict=True)) for root in roots]

    def _way(self, node: _Node) -> list[tuple[_Node, int]]:
        """Walk down to a position not met before or to an end; each is paired with the move that leads on."""
        way: list[tuple[_Node, int]] = []
        while node.turn != OVER:
            number = node.most_promising()
            way.append((node, number))
            after = node.after[number]
            if after is None:
                after = _Node(self.rules, self.rules.next(node.state, node.actions[number]))
                node.after[number] = after
                node = after
                break
            node = after
        way.append((node, -1))
        return way

    def _thought(self, nodes: Sequence[_Node], look: Look) -> list[float]:
        """Return what the first seat will get from each node on, and keep the priors of those that are not over."""
        going = [node for node in nodes if node.turn != OVER]
        opinions = iter(look([node.state for node in going]) if going else ())
        values = []
        for node in nodes:
            if node.turn == OVER:
                values.append(node.outcome)
                continue
            opinion = next(opinions)
            node.priors = [opinion.priors[action] for action in node.actions]
            values.append(opinion.value if node.turn == 0 else -opinion.value)
        return values


def _credit(way: Sequence[tuple[_Node, int]], value: float) -> None:
    """Credit the moves of a way with what the first seat gets."""
    for node, number in way[:-1]:
        node.visits[number] += 1
        node.brought[number] += value if node.turn == 0 else -value


def _noisy(priors: Sequence[float], generator: np.random.Generator) -> list[float]:
    noise = generator.dirichlet([_NOISE_SPREAD / len(priors)] * len(priors))
    return [(1.0 - _NOISE) * prior + _NOISE * float(extra) for prior, extra in zip(priors, noise, strict=True)]
