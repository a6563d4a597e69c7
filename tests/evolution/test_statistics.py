from itertools import combinations
from math import comb, isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.errors import ShapeError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.evaluation.statistics import (
    difference,
    mean_pass_at_k,
    paired_difference,
    pass_at_k,
    wilson,
)


def wilson_by_hand(successes: int, trials: int) -> tuple[float, float]:
    z = 1.959963984540054
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return middle - half, middle + half


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_the_closed_form(case: tuple[int, int]) -> None:
    estimate = wilson(*case)
    assert estimate.value == case[0] / case[1]
    assert (estimate.low, estimate.high) == pytest.approx(wilson_by_hand(*case), abs=1e-9)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_wilson_against_published_numbers() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263 is 0.2553 to 0.3662; 0 of 20 is 0.0000 to 0.1611.
    assert (wilson(81, 263).low, wilson(81, 263).high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (wilson(0, 20).low, wilson(0, 20).high) == pytest.approx((0.0, 0.1611), abs=5e-5)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_impossible_counts(successes: int, trials: int) -> None:
    with pytest.raises(ShapeError):
        wilson(successes, trials)


def test_of_no_trial_nothing_is_known() -> None:
    estimate = wilson(0, 0)
    assert isnan(estimate.value)
    assert (estimate.low, estimate.high) == (0.0, 1.0)


def test_pass_at_k_by_hand() -> None:
    # Four attempts, one right: of the six pairs three hold it.
    assert pass_at_k(4, 1, 2) == 0.5
    assert pass_at_k(10, 3, 1) == pytest.approx(0.3)
    assert pass_at_k(5, 2, 3) == pytest.approx(1 - 1 / 10)
    assert pass_at_k(5, 0, 5) == 0.0
    assert pass_at_k(5, 3, 3) == 1.0


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_counts_the_subsets(case: tuple[int, int, int]) -> None:
    n, c, k = case
    hits = sum(any(i < c for i in chosen) for chosen in combinations(range(n), k))
    assert pass_at_k(n, c, k) == pytest.approx(hits / comb(n, k))


def test_pass_at_k_of_many_attempts_is_exact() -> None:
    assert pass_at_k(2000, 1, 1000) == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(4, 1, 0), (4, 1, 5), (4, 5, 1), (0, 0, 0)])
def test_pass_at_k_refuses_impossible_counts(n: int, c: int, k: int) -> None:
    with pytest.raises(ShapeError):
        pass_at_k(n, c, k)


def test_mean_pass_at_k_averages_over_tasks() -> None:
    estimate = mean_pass_at_k([0, 1, 4, 4], 4, 2, derive_generator(0, "test"))
    assert estimate.value == pytest.approx((0 + 0.5 + 1 + 1) / 4)
    assert 0 <= estimate.low < estimate.value < estimate.high <= 1
    assert estimate == mean_pass_at_k([0, 1, 4, 4], 4, 2, derive_generator(0, "test"))


def test_the_bootstrap_agrees_with_resampling_tasks_one_by_one() -> None:
    generator = derive_generator(1, "tasks")
    figures = generator.random(60)
    means = np.mean(generator.choice(figures, size=(10_000, 60)), axis=1)
    estimate = paired_difference(np.zeros(60).tolist(), figures.tolist(), derive_generator(2, "test"))
    assert (estimate.low, estimate.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.005)


def test_bootstrap_intervals_hold_the_truth_as_often_as_they_say() -> None:
    generator = derive_generator(3, "coverage")
    held = 0
    for _ in range(300):
        estimate = mean_pass_at_k(generator.binomial(8, 0.4, size=100).tolist(), 8, 1, generator)
        held += estimate.low <= 0.4 <= estimate.high
    assert 0.90 <= held / 300 <= 0.99


def test_paired_difference_by_hand() -> None:
    estimate = paired_difference([0, 0, 1, 1], [1, 1, 1, 0], derive_generator(0, "test"))
    assert estimate.value == 0.25
    assert estimate.low < 0.25 < estimate.high
    same = paired_difference([0.5, 0.25], [0.5, 0.25], derive_generator(0, "test"))
    assert same == Estimate(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("before", "after"), [([], []), ([1.0], [1.0, 0.0])])
def test_paired_difference_refuses_what_is_no_pairs(before: list[float], after: list[float]) -> None:
    with pytest.raises(ShapeError):
        paired_difference(before, after, derive_generator(0, "test"))


def test_difference_against_published_numbers() -> None:
    # Newcombe 1998, table II, method 10: 56/70 against 48/80 is 0.0524 to 0.3339.
    change = difference(wilson(48, 80), wilson(56, 70))
    assert (change.value, change.low, change.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
