"""Many lives at once: each waits for something, and what they ask of a policy is answered in batches.

A life is a generator that yields what it waits for: `Asked`, a request to a policy, a `Step`, a call that may block, or
a `Future` that somebody else completes. The drive sends the answers back. Where lives wait only for a policy that
answers batches, the batches, and so the lives bit for bit, depend only on the jobs; otherwise the composition of
batches depends on timing, and log-probabilities may differ by rounding.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from palaestra.agents.policy import Continuous, Policy, Request
from palaestra.envs.errors import InfrastructureError

__all__ = ["Asked", "Awaited", "Drive", "Life", "Step"]

# How long a small batch waits for steps that are about to end, as a share of the last batch's time.
LINGER = 0.25

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
        seconds: After so long the life is sent a `TimeoutError` and the call is left to itself; None waits for ever.
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
        self._stepping: dict[Future[Any], tuple[int, float]] = {}
        self._results: dict[int, R] = {}
        self._batch_seconds = 0.0

    def run(self, jobs: Iterable[J]) -> list[R]:
        """Live through all jobs and return the results in their order."""
        queue = deque(enumerate(jobs))
        self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="step")
        try:
            while queue or self._lives:
                while queue and len(self._lives) < self._in_flight:
                    index, job = queue.popleft()
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
        if isinstance(awaited, Asked) and isinstance(awaited.policy, Continuous):
            self._stepping[awaited.policy.submit(awaited.request)] = index, float("inf")
        elif isinstance(awaited, Asked):
            self._asking.append((index, awaited))
        elif isinstance(awaited, Future):
            self._stepping[awaited] = index, float("inf")
        elif awaited.seconds is None:
            self._stepping[self._threads.submit(awaited.call)] = index, float("inf")
        else:
            self._stepping[_alone(awaited.call)] = index, time.monotonic() + awaited.seconds

    def _collect(self) -> None:
        """Let the lives whose steps have ended go on; wait only when there is little or nothing else to do."""
        if not self._stepping:
            return
        if not self._asking:
            timeout = min(deadline for _, deadline in self._stepping.values()) - time.monotonic()
        elif 2 * len(self._asking) < len(self._lives):
            timeout = LINGER * self._batch_seconds
        else:
            timeout = 0.0
        within = None if timeout == float("inf") else max(0.0, timeout)
        ready, _ = wait(self._stepping, timeout=within, return_when=FIRST_COMPLETED)
        now = time.monotonic()
        late = {future for future, (_, deadline) in self._stepping.items() if deadline <= now} - ready
        # Not the set's own order: it differs from process to process.
        for future in sorted(ready | late, key=self._stepping.__getitem__):
            index, _ = self._stepping.pop(future)
            error = TimeoutError() if future in late else future.exception()
            if error is None:
                self._advance(index, future.result())
            else:
                self._advance(index, error=error)

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
