"""How good a written-down policy is: its value, the best answer to it, and how much that answer gains.

All exact, over what seats know, in the game's own units, for seats that remember what they saw and did.

Source: Lanctot et al. 2017, "A unified game-theoretic approach to multiagent reinforcement learning" (NashConv);
Johanson et al. 2011, "Accelerating best response calculation in large extensive games".
"""

from typing import Any, NamedTuple

import numpy as np
from palaestra.agents.search.tabular import TabularPolicy
from palaestra.agents.search.tree import Floats, GameTree, tree_of
from palaestra.envs.arena.rules import Rules
from palaestra.envs.errors import UsageError

__all__ = ["BestResponse", "best_response", "exploitability", "nash_conv", "value"]


class BestResponse(NamedTuple):
    """The best that one seat can do against the others.

    Attributes:
        value: What it gets on average.
        policy: What it does; of several best actions, the first.
    """

    value: float
    policy: TabularPolicy


def value(game: Rules[Any] | GameTree, policy: TabularPolicy) -> tuple[float, ...]:
    """Return what each seat gets on average when all play a policy.

    Args:
        game: The game, or its tree where several things are asked of it.
        policy: A policy of all seats; see `joined` for one policy against another.

    Raises:
        UsageError: If the game is too large, or the policy is not one of this game.
    """
    tree = tree_of(game)
    taken = tree.probabilities(tree.chosen(policy))
    return tuple(float(tree.values(taken, seat)[0]) for seat in range(tree.rules.seats))


def best_response(game: Rules[Any] | GameTree, policy: TabularPolicy, seat: int) -> BestResponse:
    """Return the best that a seat can do when the others play a policy.

    Args:
        game: The game, or its tree.
        policy: A policy of all seats; that of `seat` itself does not matter.
        seat: Who answers.
    """
    tree = tree_of(game)
    best, chosen = _answer(tree, tree.chosen(policy), seat)
    return BestResponse(best, TabularPolicy(tree.written(chosen)).of_seat(seat))


def _answer(tree: GameTree, chosen: Floats, seat: int) -> tuple[float, Floats]:
    """Decide the last decisions first: what one is worth depends on the seat's later ones, and on no earlier one."""
    chosen = chosen.copy()
    reach = tree.reach(tree.probabilities(chosen), without=seat)
    for decisions in reversed(tree.ranks[seat]):
        worth = tree.weights(seat, reach, tree.values(tree.probabilities(chosen), seat))
        for begin, end in zip(tree.first[decisions], tree.first[1:][decisions], strict=True):
            chosen[begin:end] = 0.0
            chosen[begin + np.argmax(worth[begin:end])] = 1.0
    return float(tree.values(tree.probabilities(chosen), seat)[0]), chosen


def nash_conv(game: Rules[Any] | GameTree, policy: TabularPolicy) -> float:
    """Return how much all seats together would gain if each answered a policy as well as it can.

    It is 0 for an equilibrium and above 0 for anything else.
    """
    tree = tree_of(game)
    chosen = tree.chosen(policy)
    taken = tree.probabilities(chosen)
    seats = range(tree.rules.seats)
    return sum(_answer(tree, chosen, seat)[0] - float(tree.values(taken, seat)[0]) for seat in seats)


def exploitability(game: Rules[Any] | GameTree, policy: TabularPolicy) -> float:
    """Return how much a seat loses on average to the best answer, in a zero-sum game of two.

    It is `nash_conv` divided by the number of seats, as in OpenSpiel.

    Raises:
        UsageError: If the game is not one of two seats and zero sum, for which `nash_conv` is the measure.
    """
    tree = tree_of(game)
    if tree.rules.seats != 2 or not tree.rules.zero_sum:
        raise UsageError(
            f"Exploitability is defined for zero-sum games of two, and {tree.rules.name} here is for "
            f"{tree.rules.seats}{'' if tree.rules.zero_sum else ', not zero-sum'}: take nash_conv."
        )
    return nash_conv(tree, policy) / 2
