"""Many lives at once: each waits for something, and what they ask of a policy is answered in batches.

A life is a generator that yields what it waits for: `Asked`, a request to a policy, a `Step`, a call that may block, or
a `Future` that somebody else completes. The drive sends the answers back. Where lives wait only for a policy that
answers batches, the batches, and so the lives bit for bit, depend only on the jobs; otherwise the composition of
batches depends on timing, and log-probabilities may differ by rounding.
"""

import heapq
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from palaestra.agents.policy import Policy, Request, is_continuous
from palaestra.envs.errors import InfrastructureError

__all__ = ["Asked", "Awaited", "Drive", "Life", "Step"]

# How long a small batch waits for steps that are about to end, as a share of the last batch's time.
LINGER = 0.25
# A thread that waits for its lives turns this often, so that whoever watches it can tell waiting from being stuck.
_TURN_SECONDS = 10.0

J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A request to a policy."""

    policy: Policy
    request: Request


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A call that may block.

    Attributes:
        call: Runs on another thread.
        seconds: After so long the life is sent a `TimeoutError` and the call is left to itself; `math.inf` waits for
            ever on a thread of its own, None as long as whoever drives allows.
    """

    call: Callable[[], Any]
    seconds: float | None = None


Awaited: TypeAlias = Asked | Step | Future[Any]
Life: TypeAlias = Generator[Awaited, Any, R]


class Drive(Generic[J, R]):
    """Lives through jobs, `in_flight` at a time.

    Args:
        live: Begins the life of a job. A life never raises: what goes wrong is its result.
        in_flight: Most lives at a time.
        workers: Threads for steps.
        on_end: Called with each result as its life ends.
    """

    def __init__(
        self, live: Callable[[J], Life[R]], in_flight: int, workers: int, on_end: Callable[[R], None] | None = None
    ) -> None:
        self._live = live
        self._in_flight = in_flight
        self._workers = workers
        self._on_end = on_end
        self._lives: dict[int, Life[R]] = {}
        self._asking: list[tuple[int, Asked]] = []
        # By life: the future it waits for. Futures that are done report themselves, because looking at hundreds of
        # them for each one that ends would cost more than the lives do.
        self._waiting: dict[int, Future[Any]] = {}
        self._done: queue.SimpleQueue[tuple[int, Future[Any]]] = queue.SimpleQueue()
        # When whose patience with which future ends; entries of futures that are done lie here until they are met.
        self._deadlines: list[tuple[float, int, Future[Any]]] = []
        self._results: dict[int, R] = {}
        self._batch_seconds = 0.0

    def run(self, jobs: Iterable[J]) -> list[R]:
        """Live through all jobs and return the results in their order."""
        jobs_left = deque(enumerate(jobs))
        self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="step")
        try:
            while jobs_left or self._lives:
                while jobs_left and len(self._lives) < self._in_flight:
                    index, job = jobs_left.popleft()
                    self._lives[index] = self._live(job)
                    self._advance(index)
                self._collect()
                if self._asking:
                    self._answer()
        finally:
            # After an interruption nobody waits for steps whose answer nobody will read.
            self._threads.shutdown(wait=False, cancel_futures=True)
        return [self._results[index] for index in sorted(self._results)]

    def _advance(self, index: int, answer: Any = None, error: BaseException | None = None) -> None:
        """Let one life go on with what it waited for until it waits again, and note for what."""
        life = self._lives[index]
        try:
            awaited = life.send(answer) if error is None else life.throw(error)
        except StopIteration as end:
            del self._lives[index]
            self._results[index] = end.value
            if self._on_end:
                self._on_end(end.value)
            return
        if isinstance(awaited, Asked) and is_continuous(awaited.policy):
            self._await(index, awaited.policy.submit(awaited.request))
        elif isinstance(awaited, Asked):
            self._asking.append((index, awaited))
        elif isinstance(awaited, Future):
            self._await(index, awaited)
        elif awaited.seconds is None:
            self._await(index, self._threads.submit(awaited.call))
        else:
            deadline = time.monotonic() + awaited.seconds if awaited.seconds < math.inf else None
            self._await(index, _alone(awaited.call), deadline)

    def _await(self, index: int, future: Future[Any], deadline: float | None = None) -> None:
        self._waiting[index] = future
        if deadline is not None:
            heapq.heappush(self._deadlines, (deadline, index, future))
        future.add_done_callback(lambda done: self._done.put((index, done)))

    def _collect(self) -> None:
        """Let the lives whose futures are done go on; wait only when there is little or nothing else to do."""
        if not self._waiting:
            return
        if not self._asking:
            patience = self._patience()
            within = _TURN_SECONDS if patience is None else min(patience, _TURN_SECONDS)
        elif 2 * len(self._asking) < len(self._lives):
            within = LINGER * self._batch_seconds
        else:
            within = 0.0
        ready = self._ready(within)
        late = self._late(ready)
        # Not the order in which they were done, which differs from run to run where it does not have to.
        for index in sorted(ready | late):
            future = self._waiting.pop(index)
            if index in late:
                self._advance(index, error=TimeoutError())
            elif future.cancelled():
                self._advance(index, error=CancelledError())
            elif (error := future.exception()) is not None:
                self._advance(index, error=error)
            else:
                self._advance(index, future.result())

    def _patience(self) -> float | None:
        """Return the seconds until the next deadline, None when there is none."""
        while self._deadlines and self._waiting.get(self._deadlines[0][1]) is not self._deadlines[0][2]:
            heapq.heappop(self._deadlines)
        return max(0.0, self._deadlines[0][0] - time.monotonic()) if self._deadlines else None

    def _ready(self, within: float) -> set[int]:
        """Return the lives whose future is done; wait for the first `within` seconds."""
        ready: set[int] = set()
        try:
            index, future = self._done.get(timeout=within) if within != 0.0 else self._done.get_nowait()
            while True:
                # A future that was given up may be done later; then its life waits for another, or has ended.
                if self._waiting.get(index) is future:
                    ready.add(index)
                index, future = self._done.get_nowait()
        except queue.Empty:
            return ready

    def _late(self, ready: set[int]) -> set[int]:
        """Return the lives whose patience has ended."""
        late: set[int] = set()
        while self._patience() == 0.0:
            _, index, _ = heapq.heappop(self._deadlines)
            if index not in ready:
                late.add(index)
        return late

    def _answer(self) -> None:
        """Sample for everyone who asks, in one batch for each policy."""
        asking, self._asking = self._asking, []
        began = time.perf_counter()
        for policy in {id(asked.policy): asked.policy for _, asked in asking}.values():
            mine = [(index, asked.request) for index, asked in asking if asked.policy is policy]
            try:
                samples = policy.sample([request for _, request in mine])
            except InfrastructureError as error:
                for index, _ in mine:
                    self._advance(index, error=error)
                continue
            for (index, _), sample in zip(mine, samples, strict=True):
                self._advance(index, sample)
        self._batch_seconds = time.perf_counter() - began


def _alone(call: Callable[[], Any]) -> Future[Any]:
    """Run a call on a thread of its own, which nobody waits for when the process ends."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="timed-step", daemon=True).start()
    return future
