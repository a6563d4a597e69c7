"""Two policies on the same tasks: how far apart they are, and whether that may be chance. Pure functions.

A task is the unit: its attempts by one policy are averaged first. Under the hypothesis that the two are alike, either
sign of each task's difference is as probable.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.errors import ShapeError
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.evaluation.statistics import RESAMPLES
from scipy.stats import binomtest

__all__ = ["ALPHA", "Comparison", "Paired", "compare", "holm", "rank_ranges"]

ALPHA = 0.05
MCNEMAR = "McNemar's exact test"
SIGN_FLIP = "sign-flip permutation test"
_BOUNDS = (0.025, 0.975)
# Of so many differing tasks all signs are tried, which is exact; of more, as many are drawn.
_EXACT = 13


class Paired(NamedTuple):
    """Two policies in one environment.

    Attributes:
        one: `[T]` mean of the attempts at each task that count, T at least 1.
        other: `[T]` of the same tasks.
    """

    one: Sequence[float]
    other: Sequence[float]


class Comparison(NamedTuple):
    """How far one policy is ahead of another.

    Attributes:
        difference: Accuracy of the one less that of the other, -1 to 1, with the paired bootstrap's 95 % interval.
        effect: The same over the deviation of the tasks' differences (Cohen's d for pairs), with its interval; None
            where no two tasks differ.
        p: How probable a difference as large is, were both alike; two-sided, before any correction.
        test: Which test says so.
        tasks: How many tasks both played.
        differing: On how many of them they differ.
    """

    difference: Estimate
    effect: Estimate | None
    p: float
    test: str
    tasks: int
    differing: int


def compare(pairs: Sequence[Paired], generator: np.random.Generator) -> Comparison:
    """Compare two policies over one or several environments, each of which counts alike.

    Args:
        pairs: One an environment.
        generator: Draws resamples and signs.

    Raises:
        ShapeError: If there is no environment, or no task in one, or tasks do not pair.
    """
    if not pairs or any(len(pair.one) != len(pair.other) or not len(pair.one) for pair in pairs):
        raise ShapeError(f"A comparison needs the same tasks on both sides, got {[tuple(map(len, p)) for p in pairs]}.")
    each = [np.asarray(pair.one, np.float64) - np.asarray(pair.other, np.float64) for pair in pairs]
    value = float(np.mean([one.mean() for one in each]))
    means, deviations = zip(*(_resampled(one, generator) for one in each), strict=True)
    mean, deviation = np.mean(means, axis=0), np.sqrt(np.mean(np.square(deviations), axis=0))
    low, high = np.quantile(mean, _BOUNDS)
    weighed = np.concatenate([one / (len(one) * len(each)) for one in each])
    p, test = _chance(each[0] if len(each) == 1 else weighed, generator)
    return Comparison(
        Estimate(value, float(low), float(high)),
        _effect(value, each, mean, deviation),
        p,
        test,
        len(weighed),
        int(np.count_nonzero(weighed)),
    )


def _resampled(
    differences: NDArray[np.float64], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `[RESAMPLES]` means and deviations of tasks drawn with repetition."""
    values, counts = np.unique(differences, return_counts=True)
    draws = generator.multinomial(len(differences), counts / len(differences), size=RESAMPLES) / len(differences)
    mean = draws @ values
    return mean, np.sqrt(np.maximum(0.0, draws @ np.square(values) - np.square(mean)))


def _effect(
    value: float,
    each: Sequence[NDArray[np.float64]],
    mean: NDArray[np.float64],
    deviation: NDArray[np.float64],
) -> Estimate | None:
    spread = math.sqrt(float(np.mean([one.var() for one in each])))
    if spread == 0.0:
        return None
    some = deviation > 0
    low, high = np.quantile(mean[some] / deviation[some], _BOUNDS)
    return Estimate(value / spread, float(low), float(high))


def _chance(differences: NDArray[np.float64], generator: np.random.Generator) -> tuple[float, str]:
    """Return the two-sided p-value of a sum of differences, and the test it comes from.

    Source: McNemar 1947, "Note on the sampling error of the difference between correlated proportions", in its exact
    form, where tasks are right or wrong; else Fisher's randomisation test, with the plus one of Phipson and Smyth 2010,
    "Permutation p-values should never be zero", and beyond what draws can tell Hoeffding's bound of 1963.
    """
    left = differences[differences != 0]
    if not len(left):
        return 1.0, MCNEMAR
    if np.isin(differences, (-1.0, 0.0, 1.0)).all():
        return float(binomtest(int((left > 0).sum()), len(left)).pvalue), MCNEMAR
    seen = abs(float(left.sum())) * (1 - 1e-9)
    if len(left) <= _EXACT:
        signs = 1.0 - 2.0 * (np.arange(2 ** len(left))[:, None] >> np.arange(len(left)) & 1)
        return float(np.mean(np.abs(signs @ left) >= seen)), SIGN_FLIP
    as_large = 0
    for _ in range(10):  # in parts, so that thousands of tasks take no gigabytes
        signs = generator.choice(np.array([-1.0, 1.0], np.float32), size=(RESAMPLES // 10, len(left)))
        as_large += int(np.count_nonzero(np.abs(signs @ left) >= seen))
    p = (as_large + 1) / (RESAMPLES + 1)
    if not as_large:
        # So small a p-value is not seen in so few draws; of signs there is a bound that holds for any number of them.
        p = min(p, 2.0 * math.exp(-(seen**2) / (2.0 * float(np.square(left).sum()))))
    return p, SIGN_FLIP


def holm(chances: Sequence[float]) -> list[float]:
    """Correct p-values of several tests so that the chance of any false finding stays below the level.

    Args:
        chances: `[N]` p-values.

    Returns:
        `[N]` corrected ones, in the same order.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    corrected, least = [0.0] * len(chances), 0.0
    for place, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        least = max(least, min(1.0, (len(chances) - place) * chances[index]))
        corrected[index] = least
    return corrected


def rank_ranges(count: int, better: Mapping[tuple[int, int], bool]) -> list[tuple[int, int]]:
    """Return the best and worst rank that each of some policies may have.

    Args:
        count: How many there are.
        better: Whether the first of two is surely ahead of the second; pairs that are not there are not sure.

    Returns:
        Ranks from 1: one more than are surely ahead, and the number less those surely behind. Policies whose ranges
        meet are tied.
    """
    ahead = [sum(better.get((j, i), False) for j in range(count)) for i in range(count)]
    behind = [sum(better.get((i, j), False) for j in range(count)) for i in range(count)]
    return [(1 + ahead[i], count - behind[i]) for i in range(count)]
