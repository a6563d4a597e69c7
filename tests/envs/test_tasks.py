"""Tasks, task sets and held-out splits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task, TaskSet


def numbered(count: int, name: str = "t") -> TaskSet:
    return TaskSet((Task(f"{name}{i}", f"prompt {i}", i) for i in range(count)), name)


def test_a_renamed_copy_has_the_same_fingerprint() -> None:
    assert Task("a", "p", 1, {"x": 1}).fingerprint == Task("b", "p", 1).fingerprint
    assert Task("a", "p", 1).fingerprint != Task("a", "p", 2).fingerprint
    assert Task("a", "p", {"x": 1, "y": 2}).fingerprint == Task("a", "p", {"y": 2, "x": 1}).fingerprint
    assert len(Task("a", "half a pair \ud800").fingerprint) == 32


def test_ids_are_unique() -> None:
    with pytest.raises(UsageError, match=r"'a'.*unique"):
        TaskSet([Task("a", "p"), Task("b", "p"), Task("a", "q")])


@given(st.sets(st.integers(0, 10_000), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_a_split_keeps_every_task_on_exactly_one_side(numbers: set[int], share: float) -> None:
    tasks = TaskSet(Task(f"{n}", f"{n}", n) for n in numbers)
    train, test = tasks.split(share)
    assert sorted(t.id for t in [*train, *test]) == sorted(t.id for t in tasks)
    assert not {t.fingerprint for t in train} & {t.fingerprint for t in test}


@given(st.sets(st.integers(0, 500), min_size=1), st.sets(st.integers(0, 500), min_size=1))
def test_a_task_held_out_once_is_held_out_everywhere(some: set[int], others: set[int]) -> None:
    first = TaskSet(Task(f"{n}", f"{n}", n) for n in some).split(0.3)
    second = TaskSet(Task(f"other-{n}", f"{n}", n) for n in others).split(0.3)
    assert not {t.fingerprint for t in first.train} & {t.fingerprint for t in second.test}
    assert not {t.fingerprint for t in first.test} & {t.fingerprint for t in second.train}


def test_a_larger_share_holds_out_the_same_tasks_and_more() -> None:
    tasks = numbered(2_000)
    small, large = ({t.id for t in tasks.split(share).test} for share in (0.1, 0.3))
    assert small < large
    # Three deviations of a binomial count.
    assert abs(len(small) - 200) < 3 * np.sqrt(2_000 * 0.1 * 0.9)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5])
def test_a_share_is_between_0_and_1(share: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        numbered(3).split(share)


def test_the_digest_depends_on_content_and_order() -> None:
    tasks = numbered(3)
    assert tasks.digest == numbered(3, "t").digest
    assert tasks.digest != numbered(3, "u").digest
    assert tasks.digest != TaskSet(reversed(list(tasks))).digest


def test_generated_tasks_are_distinct_seeded_and_may_be_fewer() -> None:
    def make(generator: np.random.Generator) -> Task:
        number = int(generator.integers(50))
        return Task("", str(number), number)

    tasks = TaskSet.generated(make, size=1_000, seed=1, name="n")
    assert len(tasks) == 50
    assert tasks[0].id == "n/0"
    assert tasks.digest == TaskSet.generated(make, size=1_000, seed=1, name="n").digest
    assert tasks.digest != TaskSet.generated(make, size=1_000, seed=2, name="n").digest


def test_drawing_repeats_only_when_all_were_drawn() -> None:
    tasks = numbered(5)
    drawn = tasks.draw(np.random.default_rng(0), 12)
    assert {t.id for t in drawn[:5]} == {t.id for t in drawn[5:10]} == {t.id for t in tasks}
    assert len(drawn) == 12
    with pytest.raises(UsageError, match="no task"):
        TaskSet([]).draw(np.random.default_rng(0), 1)


def test_lookup_and_slices() -> None:
    tasks = numbered(5)
    assert tasks.by_id("t3") is tasks[3]
    assert [t.id for t in tasks[1:3]] == ["t1", "t2"]
    with pytest.raises(UsageError, match="no task 'x'"):
        tasks.by_id("x")
