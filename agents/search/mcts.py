"""Monte Carlo tree search: the move that random games from the positions behind it speak for.

Each simulation walks down the tree by the upper confidence bound of the seat whose turn it is (UCT), adds one position,
plays on at random to the end and credits each seat with what it gets. Chance is drawn. Any number of seats.

Left out: a tree kept from move to move, and positions shared between branches.

Source: Kocsis and Szepesvári 2006, "Bandit based Monte-Carlo planning".
"""

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np
from palaestra.agents.search.player import Choose, SearchAgent, need_complete_information
from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from palaestra.envs.errors import UsageError

__all__ = ["MCTSAgent", "search", "visits"]

# For what is won and lost scaled to 1 and 0, as UCB1 has it.
_EXPLORATION: Final = math.sqrt(2.0)


class _Node:
    """A position that was met."""

    __slots__ = ("after", "bounds", "gained", "legal", "state", "turn", "untried", "visits")

    def __init__(self, rules: Rules[Any], state: Any) -> None:
        self.state = state
        self.turn = rules.turn(state)
        self.after: dict[int, _Node] = {}
        # What the seat that moved here gained in all, scaled to between 0 and 1 a visit.
        self.gained, self.visits = 0.0, 0
        self.legal = rules.legal(state) if self.turn != OVER else ()
        self.untried = list(self.legal) if self.turn >= 0 else []
        self.bounds = np.cumsum(rules.chances(state)).tolist() if self.turn == CHANCE else []

    def most_promising(self) -> "_Node":
        """Return what follows the move of the highest upper confidence bound."""
        spread = _EXPLORATION * math.sqrt(math.log(self.visits))
        return max(self.after.values(), key=lambda node: node.gained / node.visits + spread / math.sqrt(node.visits))


def _drawn(legal: tuple[int, ...], bounds: list[float], generator: np.random.Generator) -> int:
    """Draw an outcome of chance."""
    point = generator.random() * bounds[-1]
    return next(outcome for outcome, bound in zip(legal, bounds, strict=True) if point < bound)


def _played_out(rules: Rules[Any], state: Any, generator: np.random.Generator) -> tuple[float, ...]:
    """Play on at random and return what each seat gets."""
    while (turn := rules.turn(state)) != OVER:
        legal = rules.legal(state)
        if turn == CHANCE:
            action = _drawn(legal, np.cumsum(rules.chances(state)).tolist(), generator)
        else:
            action = legal[int(generator.random() * len(legal))]
        state = rules.next(state, action)
    return rules.returns(state)


def _simulate(rules: Rules[Any], root: _Node, generator: np.random.Generator) -> None:
    """Walk down, add a position, play on, and credit all positions on the way."""
    node, way = root, [root]
    added = False
    while node.turn != OVER and not added:
        if node.turn == CHANCE:
            action = _drawn(node.legal, node.bounds, generator)
            after = node.after.get(action)
            if after is None:
                after = node.after[action] = _Node(rules, rules.next(node.state, action))
        elif node.untried:
            action = node.untried.pop(int(generator.random() * len(node.untried)))
            after = node.after[action] = _Node(rules, rules.next(node.state, action))
            added = True
        else:
            after = node.most_promising()
        node = after
        way.append(node)
    returns = _played_out(rules, node.state, generator)
    span = rules.highest - rules.lowest
    root.visits += 1
    for before, here in pairwise(way):
        here.visits += 1
        if before.turn >= 0:
            here.gained += (returns[before.turn] - rules.lowest) / span


def visits(rules: Rules[Any], state: Any, simulations: int, generator: np.random.Generator) -> dict[int, int]:
    """Return how often each legal action was tried.

    Args:
        rules: A game in which nothing is hidden.
        state: A state in which it is a seat's turn.
        simulations: How many games are played.
        generator: Names all chance.
    """
    root = _Node(rules, state)
    for _ in range(simulations):
        _simulate(rules, root, generator)
    return {action: root.after[action].visits if action in root.after else 0 for action in root.legal}


def search(rules: Rules[Any], simulations: int, state: Any, seat: int, generator: np.random.Generator) -> int:
    """Return the action that was tried most, any of several."""
    del seat
    legal = rules.legal(state)
    if len(legal) == 1:
        return legal[0]
    tried = visits(rules, state, simulations, generator)
    most = max(tried.values())
    best = [action for action, count in tried.items() if count == most]
    return best[int(generator.random() * len(best))]


@dataclass(frozen=True)
class MCTSAgent(SearchAgent):
    """Plays what Monte Carlo tree search says.

    Attributes:
        simulations: How many games are played in thought for each move.

    Raises:
        UsageError: If there are none.
    """

    simulations: int = 200

    def __post_init__(self) -> None:
        if self.simulations < 1:
            raise UsageError(f"simulations must be at least 1, got {self.simulations}.")

    @property
    def name(self) -> str:
        """The spec that names this agent."""
        return f"search:mcts?simulations={self.simulations}"

    def prepare(self, rules: Rules[Any]) -> Choose:
        """Return a search from the state at hand."""
        need_complete_information(rules, "mcts")
        return partial(search, rules, self.simulations)
