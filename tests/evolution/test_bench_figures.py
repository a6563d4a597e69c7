"""Figures of a benchmark against numbers worked by hand or by another library."""

from itertools import product

import numpy as np
import pytest
from palaestra.agents.episode import Episode, Turn
from palaestra.envs import catalogue
from palaestra.envs.errors import ShapeError
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.benchmark.comparing import Paired, compare, holm, rank_ranges
from palaestra.evolution.benchmark.contrasts import compare_all, overall
from palaestra.evolution.benchmark.estimates import Tally, ks_of, mean_accuracy, pass_figure
from palaestra.evolution.benchmark.suite import Course
from palaestra.evolution.benchmark.summary import compares_answers, summarise_cell
from scipy.stats import bootstrap

ARITHMETIC = catalogue.make("arithmetic")


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_pass_at_k_is_unbiased_and_leaves_out_tasks_with_too_few_attempts() -> None:
    tallies = [Tally(1, 4), Tally(0, 4), Tally(2, 2)]
    two = pass_figure(tallies, 2, generator())
    assert two is not None
    # Of six pairs of four attempts three hold the right one.
    assert two.over_tasks.value == pytest.approx((3 / 6 + 0 + 1) / 3)
    four = pass_figure(tallies, 4, generator())
    assert four is not None
    assert (four.over_tasks.value, four.tasks) == (0.5, 2)
    assert pass_figure(tallies, 5, generator()) is None
    assert (ks_of(1), ks_of(6), ks_of(8), ks_of(0)) == ([1], [1, 2, 4, 6], [1, 2, 4, 8], [])


def test_intervals_over_tasks_and_over_attempts_are_those_of_plain_bootstraps() -> None:
    rng = np.random.default_rng(1)
    right = rng.binomial(8, rng.beta(0.5, 0.5, 60))
    found = mean_accuracy([Tally(int(c), 8) for c in right], generator())
    plain = bootstrap((right / 8,), np.mean, method="percentile", random_state=1).confidence_interval
    assert found.over_tasks.low == pytest.approx(plain.low, abs=0.01)
    assert found.over_tasks.high == pytest.approx(plain.high, abs=0.01)
    again = rng.binomial(8, np.broadcast_to(right / 8, (20_000, 60))).mean(1) / 8
    assert found.again is not None
    assert (found.again.low, found.again.high) == pytest.approx(tuple(np.quantile(again, [0.025, 0.975])), abs=0.005)
    # What the same tasks might give is known better than what others might.
    assert found.again.high - found.again.low < found.over_tasks.high - found.over_tasks.low


def test_where_all_tasks_are_alike_the_interval_still_has_a_width() -> None:
    every = mean_accuracy([Tally(1, 1)] * 10, generator())
    assert (every.over_tasks.low, every.over_tasks.high) == (pytest.approx(0.7225, abs=1e-4), 1.0)
    assert every.again is None
    with pytest.raises(ShapeError):
        mean_accuracy([], generator())


def test_mcnemars_exact_test_counts_only_tasks_that_differ() -> None:
    one, other = [1] * 9 + [0] + [1] * 20, [0] * 9 + [1] + [1] * 20
    found = compare([Paired(one, other)], generator())
    assert found.test.startswith("McNemar")
    assert found.p == pytest.approx(2 * (1 + 10) / 2**10)
    assert (found.tasks, found.differing) == (30, 10)
    assert found.difference.value == pytest.approx(8 / 30)
    assert found.effect is not None
    assert found.effect.value == pytest.approx((8 / 30) / np.std(np.subtract(one, other)))
    same = compare([Paired([1, 0], [1, 0])], generator())
    assert (same.p, same.effect, same.difference.high) == (1.0, None, 0.0)


def test_the_permutation_test_tries_all_signs_or_draws_many() -> None:
    differences = np.array([0.5, 0.25, -0.25, 0.75, 0.5])
    few = compare([Paired(differences, np.zeros(5))], generator())
    sums = [abs(np.dot(signs, differences)) for signs in product([-1, 1], repeat=5)]
    assert few.p == pytest.approx(np.mean(np.array(sums) >= 1.75 - 1e-9))
    rng = np.random.default_rng(3)
    many = rng.choice([-0.5, -0.25, 0.25, 0.5], 40)
    drawn = compare([Paired(many, np.zeros(40))], generator()).p
    signs = rng.choice([-1, 1], (200_000, 40))
    assert drawn == pytest.approx(np.mean(np.abs(signs @ many) >= abs(many.sum()) - 1e-9), abs=0.02)
    # A difference that no draw reaches is not held up by how few there are.
    assert compare([Paired(np.full(100, 0.5), np.zeros(100))], generator()).p < 1e-9


def test_environments_count_alike_when_compared_together() -> None:
    found = compare([Paired([1] * 100, [0] * 100), Paired([0] * 2, [1] * 2)], generator())
    assert found.difference.value == 0.0
    with pytest.raises(ShapeError):
        compare([Paired([1], [])], generator())


def test_the_level_of_the_test_is_kept() -> None:
    """Where two policies are alike, about one comparison in twenty looks otherwise."""
    rng = np.random.default_rng(5)
    chances = []
    for _ in range(150):
        skill = rng.random(40)
        one, other = (rng.binomial(4, skill) / 4 for _ in range(2))
        chances.append(compare([Paired(one, other)], rng).p)
    assert 0.01 <= np.mean(np.array(chances) <= 0.05) <= 0.1


def test_holms_correction_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_ties_are_ranges_of_ranks() -> None:
    # 0 is ahead of 2 and 3, 1 of 3 alone: 0 and 1 are tied, and so are 1 and 2, and 2 and 3.
    assert rank_ranges(4, {(0, 2): True, (0, 3): True, (1, 3): True}) == [(1, 2), (1, 3), (2, 4), (3, 4)]
    assert rank_ranges(2, {}) == [(1, 2), (1, 2)]


def episode(task: Task, attempt: int, status: Status, answer: str = "1") -> Episode:
    verdict = Verdict(float(status is Status.CORRECT), status, "the server was away")
    turns = (Turn(task.prompt, answer, answer, verdict.reward, verdict),) if status.valid else ()
    name = f"{task.id}/a{attempt}"
    return Episode(name, "arithmetic", task.id, task.fingerprint, task.id, attempt, 0, "p", turns, verdict)


def cell(statuses: list[list[Status]], answers: list[list[str]] | None = None):
    tasks = [Task(f"t{n}", f"{n} + 1 = ?", n + 1, {"difficulty": n % 2}) for n in range(len(statuses))]
    lived = [
        episode(task, attempt, status, answers[n][attempt] if answers else "1")
        for n, (task, of_task) in enumerate(zip(tasks, statuses, strict=True))
        for attempt, status in enumerate(of_task)
    ]
    course = Course("sums", "arithmetic", attempts=max(map(len, statuses)))
    return summarise_cell(course, tasks, [task.id for task in tasks], ARITHMETIC, lived)


R, W, B = Status.CORRECT, Status.WRONG, Status.INFRASTRUCTURE


def test_a_failure_is_counted_apart_and_is_in_no_figure() -> None:
    found = cell([[R] * 4, [W] * 4] * 10 + [[R, R, R, B]])
    assert (found["invalid"], found["episodes"], found["marked"]) == (1, 84, "")
    assert found["accuracy"]["value"] == pytest.approx((10 + 1) / 21)
    assert found["outcomes"]["t20"] == [3, 3, 1.0]
    assert found["pass_at_k"]["4"]["tasks"] == 20
    assert found["statuses"] == {"correct": 43, "wrong": 40}
    assert {k: v["tasks"] for k, v in found["by"]["difficulty"].items()} == {"0": 11, "1": 10}
    assert found["by"]["difficulty"]["1"]["value"] == 0.0


def test_a_cell_with_too_many_failures_is_marked_and_not_averaged() -> None:
    found = cell([[R, R, B], [R, W, R]])
    assert "1 of 6 episodes (17 %) are invalid, more than 5 %" in found["marked"]
    assert found["invalid_reasons"] == [{"reason": "infrastructure: the server was away", "count": 1}]
    assert not {"accuracy", "pass_at_k", "outcomes"} & set(found)


def test_majorities_are_of_answers_not_of_verdicts() -> None:
    found = cell([[R, R, W]], [["= 1", "the answer is 1", "7"]])
    assert found["majority_at_k"]["3"]["value"] == 1.0
    # Two wrong answers alike outvote the right one; two that differ tie with it.
    assert cell([[R, W, W]], [["1", "7", "7"]])["majority_at_k"]["3"]["value"] == 0.0
    assert cell([[R, W, W]], [["1", "7", "8"]])["majority_at_k"]["3"]["value"] == pytest.approx(1 / 3)
    # Every k that pass@k has: one attempt each; two, three times; the first four; all five and six.
    found = cell([[R, W, W, W, R, R], [R] * 6], [["1", "7", "7", "7", "1", "1"], ["1"] * 6])["majority_at_k"]
    assert {k: one["value"] for k, one in found.items()} == {"1": 0.75, "2": 0.75, "4": 0.5, "6": 0.75}
    assert list(found) == ["1", "2", "4", "6"]
    # Of a task that lacks attempts no greater vote is known.
    broken = cell([[R] * 4] * 20 + [[R, R, R, B]], [["1"] * 4] * 21)["majority_at_k"]
    assert {k: one["tasks"] for k, one in broken.items()} == {"1": 21, "2": 21, "4": 20}
    assert compares_answers(ARITHMETIC)
    assert not compares_answers(catalogue.make("countdown"))
    assert not compares_answers(catalogue.make("GuessNumber"))


def test_a_mean_over_environments_needs_all_of_them() -> None:
    of = {key: cell([[status]] * 4) for key, status in (("right", R), ("wrong", W))}
    cells = {("a", "x"): of["right"], ("a", "y"): of["wrong"], ("b", "x"): of["right"]}
    a, b = overall(["a", "b"], ["x", "y"], cells)
    assert a["accuracy"]["value"] == 0.5
    assert 0.25 < a["accuracy"]["low"] < 0.5 < a["accuracy"]["high"] < 0.75
    assert b["accuracy"] is None
    # Nothing is said over all where only one environment is common.
    assert [row["env"] for row in compare_all(["a", "b"], ["x", "y"], cells)] == ["x"]
