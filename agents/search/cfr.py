"""Counterfactual regret minimisation: towards an equilibrium by playing against oneself.

Left out: sampling, pruning and abstraction; every iteration walks the whole tree.

Source: Zinkevich et al. 2007, "Regret minimization in games with incomplete information"; Tammelin 2014, "Solving large
imperfect information games using CFR+" (regrets cut off at 0, seats in turn, average weighted by the iteration).
"""

from typing import Any

import numpy as np
from palaestra.agents.search.tabular import TabularPolicy
from palaestra.agents.search.tree import Floats, GameTree, Ints, tree_of
from palaestra.envs.arena.rules import Rules
from palaestra.envs.errors import UsageError

__all__ = ["CFR", "solve"]


class CFR:
    """CFR+ on a game that fits into memory.

    The average policy tends to an equilibrium in zero-sum games of two; with more seats nothing is promised.

    Args:
        game: The game, or its tree.

    Attributes:
        tree: The tree of the game.
        iterations: How many were run.

    Raises:
        UsageError: If the game is too large, or what a seat knows does not tell what it did.
    """

    def __init__(self, game: Rules[Any] | GameTree) -> None:
        self.tree = tree_of(game)
        if not self.tree.recalls:
            raise UsageError(
                f"In {self.tree.rules.name} a seat's information does not tell what it did before, which this method "
                "needs: take search:minimax or search:mcts, which are for games of complete information."
            )
        self.iterations = 0
        choices = len(self.tree.action)
        self._regrets = np.zeros(choices)
        self._sums = np.zeros(choices)
        self._even = 1.0 / np.diff(self.tree.first)[self.tree.decision]
        self._chosen = self._even.copy()

    def run(self, iterations: int) -> None:
        """Go on for some iterations."""
        for _ in range(iterations):
            self.iterations += 1
            for seat in range(self.tree.rules.seats):
                self._update(seat)

    def _update(self, seat: int) -> None:
        """Let one seat regret what it did, and do better."""
        tree, ranks = self.tree, self.tree.ranks[seat]
        if not ranks:
            return
        mine = slice(int(tree.first[ranks[0].start]), int(tree.first[ranks[-1].stop]))
        taken = tree.probabilities(self._chosen)
        worth = tree.weights(seat, tree.reach(taken, without=seat), tree.values(taken, seat))[mine]
        chosen, decision = self._chosen[mine], tree.decision[mine] - ranks[0].start
        self._sums[mine] += self.iterations * self._own_reach(seat)[decision] * chosen
        regrets = self._regrets[mine]
        regrets += worth - np.bincount(decision, weights=chosen * worth)[decision]
        np.maximum(regrets, 0.0, out=regrets)
        self._chosen[mine] = _shares(regrets, decision, self._even[mine])

    def _own_reach(self, seat: int) -> Floats:
        """Return how often a seat's own choices let it come to each of its decisions."""
        tree, ranks = self.tree, self.tree.ranks[seat]
        begin = ranks[0].start
        reach = np.ones(ranks[-1].stop - begin)
        for decisions in ranks[1:]:
            earlier = tree.earlier[decisions]
            came = reach[tree.decision[earlier] - begin] * self._chosen[earlier]
            reach[decisions.start - begin : decisions.stop - begin] = came
        return reach

    def average(self) -> TabularPolicy:
        """Return the average policy of all iterations so far, of all seats."""
        return TabularPolicy(self.tree.written(_shares(self._sums, self.tree.decision, self._even)))


def _shares(weights: Floats, decision: Ints, even: Floats) -> Floats:
    """Divide each weight by the sum of its decision's; evenly where that is 0."""
    whole = np.bincount(decision, weights=weights)[decision]
    shares = even.copy()
    np.divide(weights, whole, out=shares, where=whole > 0.0)
    return shares


def solve(game: Rules[Any] | GameTree, iterations: int) -> TabularPolicy:
    """Return the average policy after some iterations of CFR+."""
    solver = CFR(game)
    solver.run(iterations)
    return solver.average()
