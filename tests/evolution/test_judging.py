"""Judging a stream: order, the bounded window, failures of ours, and what the tally counts."""

import threading
import time
from collections.abc import Iterator
from itertools import islice
from math import isnan

import pytest
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation import judging
from palaestra.evolution.evaluation.judging import Judged, Judgement, Reply, Tally, judge_in_order

TASK = Task("t", "?", "1")
RIGHT, WRONG = Judgement(Verdict(1.0, Status.CORRECT), 0.0), Judgement(Verdict(0.0, Status.WRONG), 0.0)


def replies(count: int) -> list[Reply]:
    return [Reply(line, Task(f"t{line}", "?"), str(line)) for line in range(1, count + 1)]


def test_order_is_kept_while_many_are_judged_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def judge(task: Task, text: str) -> Judgement:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01 if int(text) % 7 == 1 else 0.001)
        with lock:
            running -= 1
        return Judgement(Verdict(float(text), Status.PARTIAL), 0.0)

    judged = list(judge_in_order(replies(100), judge, 8))
    assert [j.line for j in judged] == list(range(1, 101))
    assert [(j.task_id, j.judgement.verdict.reward) for j in judged] == [(f"t{i}", float(i)) for i in range(1, 101)]
    assert 2 < most <= 8


def test_a_judge_that_raises_is_our_failure() -> None:
    def judge(task: Task, text: str) -> Judgement:
        if text == "2":
            raise ZeroDivisionError("oh")
        return RIGHT

    first, second, third = judge_in_order(replies(3), judge, 1)
    assert second.judgement.verdict == Verdict(0.0, Status.INFRASTRUCTURE, "the judge raised ZeroDivisionError: oh")
    assert first.judgement == third.judgement == RIGHT


@pytest.mark.parametrize(("name", "limit", "most"), [("_WINDOW", 10, 10), ("_WINDOW_CHARS", 1_000, 10)])
def test_replies_are_read_only_as_far_ahead_as_the_window_reaches(
    name: str, limit: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, name, limit)
    read = 0
    go_on = threading.Event()

    def endless() -> Iterator[Reply]:
        nonlocal read
        while True:
            read += 1
            yield Reply(read, TASK, "x" * 100)

    def judge(task: Task, text: str) -> Judgement:
        go_on.wait(10)
        return RIGHT

    stream = judge_in_order(endless(), judge, 2)
    threading.Timer(0.1, go_on.set).start()
    assert next(stream).line == 1
    assert read == most
    # One at a time from now on, however long it lasts.
    assert [judged.line for judged in islice(stream, 500)] == list(range(2, 502))
    assert read <= 501 + most
    stream.close()


def test_a_slow_one_holds_back_no_others() -> None:
    done: list[str] = []

    def judge(task: Task, text: str) -> Judgement:
        if text == "1":
            time.sleep(0.2)
        done.append(text)
        return RIGHT

    next(judge_in_order(replies(50), judge, 2))
    assert done[-1] == "1"
    assert len(done) == 50


def judged(task: str, *verdicts: Judgement) -> list[Judged]:
    return [Judged(0, task, verdict) for verdict in verdicts]


def tally_of(*rows: Judged) -> Tally:
    tally = Tally()
    for row in rows:
        tally.add(row)
    return tally


def test_what_is_no_reward_is_in_no_figure() -> None:
    broken = [Judgement(Verdict(0.0, status), 0.0) for status in (Status.INFRASTRUCTURE, Status.BROKEN_TASK)]
    partial = Judgement(Verdict(0.5, Status.PARTIAL), 0.0)
    tally = tally_of(*judged("a", RIGHT, partial, *broken), *judged("b", *broken))
    assert tally.replies == 6
    assert tally.statuses == {Status.CORRECT: 1, Status.PARTIAL: 1}
    assert tally.invalid == {Status.INFRASTRUCTURE: 2, Status.BROKEN_TASK: 2}
    assert tally.mean_reward == 0.75
    assert tally.tasks == 1
    assert {k: e.value for k, e in tally.pass_at_k().items()} == {1: 0.5, 2: 1.0}


def test_pass_at_k_is_unbiased_over_tasks_of_unequal_replies() -> None:
    tally = tally_of(*judged("a", RIGHT, WRONG, WRONG, WRONG), *judged("b", WRONG, RIGHT, WRONG))
    found = tally.pass_at_k()
    assert set(found) == {1, 3}
    assert found[1].value == pytest.approx((1 / 4 + 1 / 3) / 2)
    assert found[3].value == pytest.approx((1 - 1 / 4 + 1) / 2)
    assert found[1].low < found[1].value < found[1].high
    assert set(tally_of(*judged("a", *[RIGHT] * 12)).pass_at_k()) == {1, 10, 12}


def test_of_nothing_nothing_is_known() -> None:
    tally = Tally()
    assert isnan(tally.mean_reward)
    assert tally.pass_at_k() == {}
    assert tally.replies == tally.tasks == 0
