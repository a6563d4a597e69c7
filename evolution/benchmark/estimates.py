"""Figures of a cell with their intervals: pure functions of how many attempts at each task were right."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.errors import ShapeError
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.evaluation.statistics import RESAMPLES, mean_over_tasks, pass_at_k, wilson
from palaestra.evolution.evaluation.voting import Ballot, elected

__all__ = ["Figure", "Tally", "ks_of", "majority_figure", "mean_accuracy", "pass_figure"]

_BOUNDS = (0.025, 0.975)


class Tally(NamedTuple):
    """The attempts at one task that count.

    Attributes:
        right: How many were correct.
        made: How many there are, at least 1.
    """

    right: int
    made: int


class Figure(NamedTuple):
    """An estimate with what it may be elsewhere.

    Attributes:
        over_tasks: With the 95 % interval over tasks: what other tasks of the kind might give.
        again: With the 95 % interval over attempts: what the same tasks might give, tried anew. None with one attempt.
        tasks: How many tasks stand behind it.
    """

    over_tasks: Estimate
    again: Estimate | None
    tasks: int


def mean_accuracy(tallies: Sequence[Tally], generator: np.random.Generator) -> Figure:
    """Average over tasks the share of attempts that were right.

    Args:
        tallies: `[T]`, T at least 1.
        generator: Draws the resamples.
    """
    return _figure(tallies, lambda n, c: c / n, generator)


def pass_figure(tallies: Sequence[Tally], k: int, generator: np.random.Generator) -> Figure | None:
    """Average `pass_at_k` over the tasks with at least `k` attempts that count; None where there is none.

    Source: Chen et al. 2021, "Evaluating large language models trained on code", equation 1.
    """
    enough = [tally for tally in tallies if tally.made >= k]
    return _figure(enough, lambda n, c: pass_at_k(n, c, k), generator) if enough else None


def majority_figure(ballots: Sequence[Sequence[Ballot]], k: int, generator: np.random.Generator) -> Figure | None:
    """Average over tasks the chance that a vote of `k` attempts is right; None where no task has so many that count.

    Of more than `k` attempts at a task, the first `k` vote, then the next, as often as there are `k`: the mean of these
    votes is that of any `k`.
    """
    enough = [mine for mine in ballots if len(mine) >= k]
    shares = [float(np.mean([elected(mine[at : at + k]) for at in range(0, len(mine) - k + 1, k)])) for mine in enough]
    return Figure(_over_tasks(shares, generator), None, len(shares)) if shares else None


def ks_of(attempts: int) -> list[int]:
    """Return 1, 2, 4, ... up to the number of attempts, and that."""
    return sorted({attempts} | {2**i for i in range(attempts.bit_length())}) if attempts else []


def _figure(tallies: Sequence[Tally], value: Callable[[int, int], float], generator: np.random.Generator) -> Figure:
    if not tallies:
        raise ShapeError("A figure over tasks needs at least one task with an attempt that counts, got none.")
    over = _over_tasks([value(n, c) for c, n in tallies], generator)
    several = any(tally.made > 1 for tally in tallies)
    return Figure(over, _again(tallies, value, over.value, generator) if several else None, len(tallies))


def _over_tasks(values: Sequence[float], generator: np.random.Generator) -> Estimate:
    """Bootstrap over tasks; where all tasks are alike at 0 or 1 it knows no spread, and Wilson's interval is taken."""
    if set(values) in ({0.0}, {1.0}):
        return wilson(int(sum(values)), len(values))
    return mean_over_tasks(values, generator)


def _again(
    tallies: Sequence[Tally], value: Callable[[int, int], float], mean: float, generator: np.random.Generator
) -> Estimate:
    """Bootstrap over attempts: each task's are drawn again from those it had, all tasks stay."""
    sums: NDArray[np.float64] = np.zeros(RESAMPLES)
    for (right, made), tasks in Counter(tallies).items():
        # Tasks of one tally together: how many of them come to each number of right attempts.
        chances = _binomial(made, right / made)
        counts = generator.multinomial(tasks, chances, size=RESAMPLES)
        sums += counts @ np.array([value(made, c) for c in range(made + 1)])
    low, high = np.quantile(sums / len(tallies), _BOUNDS)
    return Estimate(mean, float(low), float(high))


def _binomial(made: int, share: float) -> NDArray[np.float64]:
    from scipy.stats import binom

    chances: NDArray[np.float64] = np.asarray(binom.pmf(np.arange(made + 1), made, share), np.float64)
    chances /= chances.sum()
    return chances
