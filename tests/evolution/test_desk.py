"""What may be played ahead, worked through by hand: no threads, no policy."""

import gc
import itertools
from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np
import pytest
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.rollout import Assignment
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.acquisition.afar import _Feed
from palaestra.evolution.acquisition.desk import AbandonedError, Bounds, Desk, Job

TASK = Task("t", "say", 1)
ATTEMPTS = 2


def draw(env: str, number: int) -> list[Assignment]:
    return [Assignment(f"{env}/g{number}/a{a}", env, TASK, number, f"g{number}", a) for a in range(ATTEMPTS)]


def desk(
    groups: int = 2,
    rounds: int = 1,
    staleness: int = 1,
    *,
    restarts: bool = False,
    numbers: Iterator[int] | None = None,
) -> Desk:
    return Desk(draw, Bounds(groups, rounds, staleness, restarts), numbers or itertools.count(), 0)


class Players:
    """Everyone who may play does; what the desk hands out is `jobs`."""

    def __init__(self, at: Desk) -> None:
        self.desk = at
        self.futures = [at.next() for _ in range(100)]

    @property
    def jobs(self) -> list[Job]:
        return [job for future in self.futures if future.done() and (job := future.result()) is not None]

    def groups(self) -> list[int]:
        return sorted({job.group for job in self.jobs})

    def end(self, group: int, version: int, rewards: tuple[float, ...] = (0.0, 1.0), env: str = "one") -> None:
        """End what is being played of a group, with tokens of a version."""
        newest = {job.assignment.attempt: job for job in self.jobs if job.group == group and job.assignment.env == env}
        for attempt, job in newest.items():
            self.desk.sampled(job, np.full(3, version, np.int32))
            self.desk.ended(job, episode(job.assignment, version, rewards[attempt]))


def episode(assignment: Assignment, version: int, reward: float) -> Episode:
    ids = np.zeros(3, np.int32)
    turn = Turn("", "", "", reward, None, ids, False, ids, ids.astype(np.float32), None, ids + version)
    a = assignment
    return Episode(a.id, a.env, TASK.id, "f", a.group, a.attempt, a.seed, "p", (turn,), Verdict(reward, Status.PARTIAL))


def begun(at: Desk, env: str = "one") -> Players:
    """Begin to play, as the first step does when it finds nothing; its wait is cut short."""
    players = Players(at)
    at.fail(InterruptedError())
    with pytest.raises(InterruptedError):
        at.gather(env)
    at._error = None
    return players


def test_nothing_is_begun_that_could_not_be_learned_from_in_time() -> None:
    at = desk(groups=2, staleness=1)
    players = begun(at)
    assert players.groups() == [0, 1, 2, 3], "two groups for this step and two for the next"
    players.end(0, 0)
    players.end(1, 0)
    assert players.groups() == [0, 1, 2, 3], "what has ended still is to be learned from"
    batch = at.gather("one")
    assert (batch.groups, batch.queue, batch.dropped) == ([0, 1], 2, [])
    assert players.groups() == [0, 1, 2, 3], "the step that learns counts until the weights have changed"
    at.updated(1)
    assert players.groups() == [0, 1, 2, 3, 4, 5]


def test_a_larger_bound_is_for_groups_that_take_long_and_not_for_a_longer_queue() -> None:
    at = desk(groups=2, staleness=3)
    players = begun(at)
    assert players.groups() == [0, 1, 2, 3], "this step and the next"
    players.end(0, 0)
    players.end(1, 0)
    at.gather("one")
    at.updated(1)
    assert players.groups() == [0, 1, 2, 3, 4, 5, 6, 7], "2 and 3 take long, and hold up nobody"
    for number in range(4, 8):
        players.end(number, 1)
    assert at.gather("one").groups == [4, 5]
    at.updated(2)
    assert players.groups()[-1] == 9, "two are ready and two are played; what takes long is not counted"


def test_a_step_takes_what_has_ended_whole_and_the_oldest_first() -> None:
    at = desk(groups=2, staleness=2)
    players = begun(at)
    (half,) = [job for job in players.jobs if job.group == 0 and job.assignment.attempt == 0]
    at.ended(half, episode(half.assignment, 0, 1.0))
    players.end(2, 2)
    players.end(3, 1)
    players.end(1, 0)
    batch = at.gather("one")
    assert batch.groups == [1, 3]
    assert [e.id for e in batch.episodes] == [f"one/g{group}/a{attempt}" for group in (1, 3) for attempt in (0, 1)]
    at.updated(1)
    players.end(4, 1)
    assert at.gather("one").groups == [2, 4]


def test_groups_that_teach_nothing_are_taken_and_replaced() -> None:
    at = desk(groups=1, rounds=3, staleness=1)
    players = begun(at)
    players.end(0, 0, (1.0, 1.0))
    assert players.groups() == [0, 1, 2], "it takes no place of one that teaches"
    players.end(1, 0, (0.0, 1.0))
    assert at.gather("one").groups == [0, 1]
    at.updated(1)
    for number in (2, 3, 4):
        players.end(number, 1, (1.0, 1.0))
    assert at.gather("one").groups == [2, 3, 4], "no more rounds than allowed"


def test_what_has_become_too_old_is_dropped_and_counted() -> None:
    at = desk(groups=1, staleness=1)
    players = begun(at)
    old = [job for job in players.jobs if job.group == 0]
    at.sampled(old[0], np.array([0, 0], np.int32))
    players.end(1, 0)
    assert at.gather("one").groups == [1]
    at.updated(1)
    players.end(2, 1)
    assert at.gather("one").groups == [2]
    at.updated(2)
    with pytest.raises(AbandonedError):
        at.sampled(old[0], np.array([2], np.int32))
    at.ended(old[1], episode(old[1].assignment, 2, 0.0))
    players.end(3, 2)
    batch = at.gather("one")
    assert (batch.groups, batch.dropped) == ([3], [0])
    at.updated(3)
    players.end(4, 3)
    assert at.gather("one").dropped == [], "counted once"


def test_an_answer_that_comes_too_late_is_too_old_at_once() -> None:
    at = desk(groups=1, staleness=1)
    players = begun(at)
    (slow, _) = [job for job in players.jobs if job.group == 0]
    for version in (1, 2):
        players.end(version, version - 1)
        at.gather("one")
        at.updated(version)
    with pytest.raises(AbandonedError, match="too old"):
        at.sampled(slow, np.array([0], np.int32))
    players.end(3, 2)
    assert at.gather("one").dropped == [0]


def test_episodes_in_mid_life_go_on_or_begin_anew() -> None:
    for restarts in (False, True):
        at = desk(groups=1, staleness=2, restarts=restarts)
        players = begun(at)
        (first, untouched) = [job for job in players.jobs if job.group == 0]
        at.sampled(first, np.array([0], np.int32))
        players.end(1, 0)
        at.gather("one")
        at.updated(1)
        again = [job for job in players.jobs if job.assignment is first.assignment]
        assert len(again) == 1 + restarts
        if restarts:
            with pytest.raises(AbandonedError):
                at.sampled(first, np.array([1], np.int32))
        else:
            at.sampled(first, np.array([1], np.int32))
            assert first.oldest == 0
        assert [job for job in players.jobs if job.assignment is untouched.assignment] == [untouched]


def test_an_answer_of_two_versions_is_of_no_use_where_episodes_begin_anew() -> None:
    at = desk(groups=1, staleness=2, restarts=True)
    players = begun(at)
    (job, _) = [job for job in players.jobs if job.group == 0]
    players.end(1, 0)
    at.gather("one")
    at.updated(1)  # before anybody knew that an answer was on its way
    at.sampled(job, np.array([0], np.int32))
    with pytest.raises(AbandonedError, match="anew"):
        at.sampled(job, np.array([1], np.int32))
    assert len([again for again in players.jobs if again.assignment is job.assignment]) == 2


def test_another_environment_drops_what_was_begun_in_the_last() -> None:
    at = desk(groups=1, staleness=1)
    players = begun(at)
    players.end(0, 0)
    at.fail(InterruptedError())
    with pytest.raises(InterruptedError):
        at.gather("two")
    at._error = None
    players.end(2, 0, env="two")
    batch = at.gather("two")
    assert [e.env for e in batch.episodes] == ["two", "two"]
    assert (batch.groups, sorted(batch.dropped)) == ([2], [0, 1])


def test_groups_come_in_order_and_each_once_whichever_ends_first() -> None:
    generator = np.random.default_rng(0)
    at = desk(groups=3, staleness=2, numbers=(n for n in itertools.count() if n not in (1, 5)))
    players = begun(at)
    taken: list[int] = []
    for version in range(30):
        while len(at._ready) < 3:
            group = int(generator.choice(list(at._open)))
            players.end(group, version)
            players.futures += [at.next() for _ in range(4)]
        taken += at.gather("one").groups
        at.updated(version + 1)
        assert len(at._open) + len(at._ready) <= 9
    seen = sorted({*taken, *at._open, *(group.number for group in at._ready)})
    assert len(taken) == len(set(taken)) == 90
    assert seen == [n for n in range(seen[-1] + 1) if n not in (1, 5)]


def test_a_closed_desk_sends_everyone_home() -> None:
    at = desk()
    players = Players(at)
    at.close()
    assert [future.result(0) for future in players.futures] == [None] * 100
    assert at.next().result(0) is None


def test_what_was_played_afar_and_has_ended_is_not_kept() -> None:
    """Outposts may play for as long as a run takes without ever having nothing to play."""

    def jobs() -> int:
        gc.collect()
        return sum(type(thing) is Job for thing in gc.get_objects())

    before, at = jobs(), desk(groups=2, staleness=1)
    at.fail(InterruptedError())
    with pytest.raises(InterruptedError):
        at.gather("one")
    feed = _Feed(at, Future())
    taken = list(feed)
    assert jobs() - before == len(taken) == 8
    for place, assignment in enumerate(taken):
        feed.ended(place, episode(assignment, 0, float(place % 2)))
    assert jobs() == before
    assert len(at._ready) == 4
