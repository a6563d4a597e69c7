"""Lives that wait for policies of either kind, for futures and for steps."""

import threading
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import numpy as np
import pytest
from palaestra.agents.driving import Asked, Drive, Step
from palaestra.agents.policy import FinishReason, Request, Sample, Sampling, is_continuous
from palaestra.envs.errors import InfrastructureError

SAMPLING = Sampling()


def answer_to(request):
    """A sample that repeats the request's seed."""
    ids = np.array([request.seed], np.int32)
    return Sample(ids, np.zeros(1, np.float32), FinishReason.STOP, np.zeros(1, np.int32))


def ask(policy, seed):
    return Asked(policy, Request(np.array([1], np.int32), SAMPLING, seed))


class Batching:
    def __init__(self):
        self.batches = []

    def sample(self, requests):
        self.batches.append([request.seed for request in requests])
        return [answer_to(request) for request in requests]


class Answering:
    """Answers each request by itself, on threads, later ones sooner."""

    def __init__(self, broken=()):
        self.broken = broken
        self.threads = ThreadPoolExecutor(32)

    def submit(self, request):
        def work():
            time.sleep(0.02 / (1 + request.seed))
            if request.seed in self.broken:
                raise InfrastructureError(f"lost {request.seed}")
            return answer_to(request)

        return self.threads.submit(work)

    def sample(self, requests):
        raise AssertionError("a continuous policy is asked one by one")


def drive(live, jobs, in_flight=64, **options):
    return Drive(live, in_flight, 8, **options).run(jobs)


def test_a_continuous_policy_answers_one_by_one_and_results_keep_their_order():
    policy = Answering()
    assert is_continuous(policy)
    assert not is_continuous(Batching())
    ended = []

    def live(job):
        said = []
        for turn in range(3):
            sample = yield ask(policy, 10 * job + turn)
            said.append(int(sample.ids[0]))
        return said

    results = drive(live, range(40), on_end=ended.append)
    assert results == [[10 * job + turn for turn in range(3)] for job in range(40)]
    assert sorted(ended) == results


def test_a_request_that_fails_ends_its_own_life_only():
    policy = Answering(broken={3, 7})

    def live(job):
        try:
            sample = yield ask(policy, job)
        except InfrastructureError as error:
            return str(error)
        return int(sample.ids[0])

    assert drive(live, range(10)) == [f"lost {i}" if i in (3, 7) else i for i in range(10)]


def test_futures_of_others_are_waited_for():
    futures = [Future() for _ in range(4)]

    def live(job):
        try:
            return (yield futures[job])
        except CancelledError:
            return "cancelled"
        except ValueError as error:
            return str(error)

    futures[0].set_result("done before")
    futures[1].cancel()

    def later():
        futures[3].set_result("last")
        futures[2].set_exception(ValueError("failed"))

    threading.Timer(0.05, later).start()
    assert drive(live, range(4)) == ["done before", "cancelled", "failed", "last"]


def test_batches_depend_on_the_jobs_alone_where_nothing_else_is_waited_for():
    def batches():
        policy = Batching()

        def live(job):
            for turn in range(1 + job % 3):
                yield ask(policy, 100 * job + turn)
            return job

        assert drive(live, range(30), in_flight=8) == list(range(30))
        return policy.batches

    first = batches()
    assert first == batches()
    assert max(map(len, first)) == 8


def test_lives_of_both_kinds_of_policy_and_of_steps_side_by_side():
    batching, answering = Batching(), Answering()

    def live(job):
        for turn in range(4):
            sample = yield ask(batching if job % 2 else answering, 10 * job + turn)
            assert int(sample.ids[0]) == 10 * job + turn
            assert (yield Step(lambda: job)) == job
        return job

    assert drive(live, range(20)) == list(range(20))


@pytest.mark.parametrize("seconds", [0.05, 0.2])
def test_a_step_beyond_its_time_is_given_up_and_its_late_answer_is_for_nobody(seconds):
    release = threading.Event()
    follows: Future = Future()

    def live(job):
        if job:
            return (yield follows)
        began = time.monotonic()
        try:
            yield Step(lambda: release.wait(10) and "late", seconds)
        except TimeoutError:
            waited = time.monotonic() - began
            release.set()
        else:
            return "not given up"
        # The call that was given up ends while this life waits for something else.
        answer = yield Step(lambda: (time.sleep(0.1), "mine")[1], 10)
        follows.set_result("followed")
        return answer, waited >= seconds

    assert drive(live, range(2)) == [("mine", True), "followed"]


def test_a_step_within_its_time_is_not_given_up():
    def live(job):
        first = yield Step(lambda: job, 30)
        return first, (yield Step(lambda: -job, None))

    assert drive(live, range(5)) == [(job, -job) for job in range(5)]


def test_waiting_for_many_costs_little_for_each():
    """Work grows with the lives that go on, not with those that wait: counted, not timed."""
    waiting = [Future() for _ in range(600)]
    registered = []

    class Counted(Future):
        def add_done_callback(self, call):
            registered.append(1)
            super().add_done_callback(call)

    ends = [Counted() for _ in range(600)]

    def live(job):
        yield waiting[job]
        if job + 1 < len(waiting):
            waiting[job + 1].set_result(None)
        yield ends[job]
        return job

    waiting[0].set_result(None)

    def finish():
        for end in ends:
            end.set_result(None)

    threading.Timer(0.3, finish).start()
    assert drive(live, range(600), in_flight=600) == list(range(600))
    assert len(registered) == 600
