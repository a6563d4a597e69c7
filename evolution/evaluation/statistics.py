"""Estimates with their intervals: all pure functions, all at 95 % confidence."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.errors import ShapeError
from palaestra.evolution.evaluation.record import Estimate
from scipy.stats import binomtest, t

__all__ = [
    "RESAMPLES",
    "difference",
    "gap_recovered",
    "mean_over_runs",
    "mean_over_tasks",
    "mean_pass_at_k",
    "mean_share",
    "paired_difference",
    "pass_at_k",
    "wilson",
]

CONFIDENCE = 0.95
RESAMPLES = 10_000
"""Bootstrap resamples: the percentile bounds then move by less than a hundredth of the interval between seeds."""


def wilson(successes: int, trials: int) -> Estimate:
    """Estimate a share with Wilson's score interval, which stays honest near 0 and 1 where Wald's collapses.

    Args:
        successes: How many trials succeeded.
        trials: How many were made. Of none nothing is known: the estimate is nan, anywhere between 0 and 1.

    Raises:
        ShapeError: If not `0 <= successes <= trials`.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if not 0 <= successes <= trials:
        raise ShapeError(f"A share needs 0 <= successes <= trials, got {successes} of {trials}.")
    if trials == 0:
        return Estimate(math.nan, 0.0, 1.0)
    interval = binomtest(int(successes), int(trials)).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(successes / trials, float(interval.low), float(interval.high))


def mean_share(shares: Sequence[float]) -> Estimate:
    """Estimate the mean of shares, such as what was won of what could be won, game by game.

    Args:
        shares: `[N]` numbers from 0 to 1. Of fewer than two nothing is known.

    Raises:
        ShapeError: If a number is out of range.

    Source: Student's t interval, kept within 0 and 1; where all shares are equal, which says nothing of their spread,
        Wilson's score interval of as many trials: no share between 0 and 1 varies more than theirs.
    """
    values = np.asarray(shares, np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ShapeError(f"Shares lie between 0 and 1, got {values.min()} to {values.max()}.")
    if len(values) < 2:
        return Estimate(float(values.mean()) if len(values) else math.nan, 0.0, 1.0)
    if values.min() == values.max():
        won = float(values.sum())
        ends = (wilson(math.floor(won), len(values)), wilson(math.ceil(won), len(values)))
        return Estimate(float(values[0]), ends[0].low, ends[1].high)
    whole = mean_over_runs(shares)
    return Estimate(whole.value, max(0.0, whole.low), min(1.0, whole.high))


def mean_over_runs(figures: Sequence[float]) -> Estimate:
    """Estimate the mean of a figure over independent runs, such as the same comparison with several seeds.

    Args:
        figures: `[N]` figures in any unit. Where there are fewer than two, or one is not finite, nothing is known of
            the spread: the interval is unbounded.

    Source: Student's t interval. Of a difference it is the paired one.
    """
    values = np.asarray(figures, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return Estimate(float(values.mean()) if len(values) else math.nan, -math.inf, math.inf)
    mean = float(values.mean())
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return Estimate(mean, mean - half, mean + half)


def pass_at_k(n: int, c: int, k: int) -> float:
    """Estimate without bias the chance that at least one of `k` attempts succeeds: `1 - C(n-c, k) / C(n, k)`.

    Args:
        n: Attempts made at the task.
        c: How many of them succeeded.
        k: Attempts allowed, `1 <= k <= n`.

    Raises:
        ShapeError: If `k` is not in `[1, n]` or `c` not in `[0, n]`.

    Source: Chen et al. 2021, "Evaluating large language models trained on code", equation 1.
    """
    if not 1 <= k <= n or not 0 <= c <= n:
        raise ShapeError(f"pass@k needs 1 <= k <= n and 0 <= c <= n, got n={n}, c={c}, k={k}.")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def mean_pass_at_k(
    successes_per_task: Sequence[int], attempts: int | Sequence[int], k: int, generator: np.random.Generator
) -> Estimate:
    """Average `pass_at_k` over tasks; the interval is the percentile bootstrap over tasks.

    When every task has the same estimate the interval has no width: the bootstrap knows no task but those it saw.

    Args:
        successes_per_task: `[T]` successful attempts of each task, T at least 1.
        attempts: Attempts made at every task, or `[T]` at each.
        k: Attempts allowed, `1 <= k <= attempts`.
        generator: Draws the `RESAMPLES` resamples.

    Raises:
        ShapeError: If there is no task, or a number does not fit `attempts`.
    """
    made = [attempts] * len(successes_per_task) if isinstance(attempts, int) else attempts
    if len(made) != len(successes_per_task):
        raise ShapeError(f"Every task needs its attempts, got {len(made)} for {len(successes_per_task)} tasks.")
    return _bootstrap([pass_at_k(n, int(c), k) for n, c in zip(made, successes_per_task, strict=True)], generator)


def mean_over_tasks(figures: Sequence[float], generator: np.random.Generator) -> Estimate:
    """Average a figure over tasks; the interval is the percentile bootstrap over tasks.

    Args:
        figures: `[T]` finite figures, T at least 1.
        generator: Draws the `RESAMPLES` resamples.

    Raises:
        ShapeError: If there is no task.
    """
    return _bootstrap(figures, generator)


def gap_recovered(weak: float, taught: float, ceiling: float) -> float:
    """Return which share of the gap between a weak teacher and what is possible its pupil has closed.

    Args:
        weak: Accuracy of the teacher.
        taught: Accuracy of the pupil that learned from the teacher's labels.
        ceiling: Accuracy of the same pupil taught with true labels.

    Returns:
        `(taught - weak) / (ceiling - weak)`: 0 where the pupil is like the teacher, 1 at the ceiling; below and above
        are possible.

    Raises:
        ShapeError: If the ceiling is not above the teacher, so that there is no gap.

    Source: Burns et al. 2023, "Weak-to-strong generalization", performance gap recovered.
    """
    if not ceiling > weak:
        raise ShapeError(f"There is no gap to recover: the ceiling {ceiling} is not above the teacher's {weak}.")
    return (taught - weak) / (ceiling - weak)


def paired_difference(before: Sequence[float], after: Sequence[float], generator: np.random.Generator) -> Estimate:
    """Average `after - before` over tasks measured twice; the interval is the percentile bootstrap over tasks.

    Args:
        before: `[T]` finite figures (such as 1 for correct, 0 for not), T at least 1.
        after: `[T]` figures of the same tasks in the same order.
        generator: Draws the `RESAMPLES` resamples.

    Returns:
        An estimate in the unit of the figures: shares differ by -1 to 1.

    Raises:
        ShapeError: If the two are of different length or empty.
    """
    if len(before) != len(after):
        raise ShapeError(f"Pairs are needed, got {len(before)} figures before and {len(after)} after.")
    return _bootstrap(np.asarray(after, np.float64) - np.asarray(before, np.float64), generator)


def difference(before: Estimate, after: Estimate) -> Estimate:
    """Estimate `after - before` of two shares from their intervals alone.

    It treats the two as independent. For one set of tasks played twice that errs on the side of caution.

    Returns:
        A difference of shares, -1 to 1.

    Source: Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10.
    """
    change = after.value - before.value
    return Estimate(
        change,
        change - math.hypot(after.value - after.low, before.high - before.value),
        change + math.hypot(after.high - after.value, before.value - before.low),
    )


def _bootstrap(figures: Sequence[float] | NDArray[np.float64], generator: np.random.Generator) -> Estimate:
    if len(figures) == 0:
        raise ShapeError("An average over tasks needs at least one task, got none.")
    # Drawing T tasks with repetition is drawing how often each distinct figure comes: the same law, far fewer numbers.
    values, counts = np.unique(np.asarray(figures, np.float64), return_counts=True)
    draws = generator.multinomial(len(figures), counts / len(figures), size=RESAMPLES)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws @ values / len(figures), [tail, 1 - tail])
    return Estimate(float(np.mean(figures)), float(low), float(high))
