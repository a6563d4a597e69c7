"""Threads for calls that may block: bounded in number, and none is waited for longer than stated.

A call that does not answer in time is left to itself, because nothing can stop it: whoever waits is told, and another
thread takes the place of the one that is stuck. The threads are daemons, so one that never comes back does not hold up
the end of the process either.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from palaestra.envs.errors import StuckError

__all__ = ["Crew"]

# Calls that are late are looked for this often, or four times within the limit if that is oftener.
_LOOK_SECONDS = 1.0


@dataclass(eq=False, slots=True)
class _Work:
    call: Callable[[], Any]
    who: str
    future: Future[Any] = field(default_factory=Future)
    began: float = 0.0


class Crew:
    """Threads that carry out calls; a context manager that lets them go.

    Args:
        workers: Most calls at a time. Those that are stuck are not counted.
        seconds: How long a call may take, from when a thread begins it; None sets no limit.
    """

    def __init__(self, workers: int, seconds: float | None) -> None:
        self._workers = workers
        self._seconds = seconds
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._running: set[_Work] = set()
        self._threads = 0
        self._free = 0  # threads that wait for a call which nobody has submitted yet
        self._over = threading.Event()

    def submit(self, call: Callable[[], Any], who: str) -> Future[Any]:
        """Have a call made on a thread.

        Args:
            call: What to call.
            who: Whose call it is, for the error: the beginning of a sentence.

        Returns:
            Its result, or what it raised; `StuckError` if it took too long.
        """
        work = _Work(call, who)
        with self._lock:
            if self._free:
                self._free -= 1
            elif self._threads < self._workers:
                if self._threads == 0 and self._seconds is not None:
                    _start(partial(self._watch, self._seconds))
                self._threads += 1
                _start(self._work)
            self._queue.put(work)
        return work.future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the threads go; calls that no thread has begun are never made."""
        self._over.set()
        with self._lock:
            threads = self._threads
        for _ in range(threads):
            self._queue.put(None)

    def _work(self) -> None:
        while (work := self._queue.get()) is not None and not self._over.is_set():
            with self._lock:
                work.began = time.monotonic()
                self._running.add(work)
            result, error = None, None
            try:
                result = work.call()
            except BaseException as raised:
                error = raised
            with self._lock:
                if work not in self._running:
                    return  # It took too long: another thread has this one's place.
                self._running.remove(work)
                # Before anybody is told: who is told may submit again at once.
                self._free += self._queue.empty()
            if error is None:
                work.future.set_result(result)
            else:
                work.future.set_exception(error)
            del work, result, error  # else the thread keeps them alive while it waits

    def _watch(self, seconds: float) -> None:
        """Give up calls that take too long."""
        while not self._over.wait(min(_LOOK_SECONDS, seconds / 4)):
            now = time.monotonic()
            with self._lock:
                late = [work for work in self._running if now - work.began > seconds]
                self._running.difference_update(late)
                for _ in late:
                    self._free += self._queue.empty()
                    _start(self._work)
            for work in late:
                since = datetime.fromtimestamp(time.time() - (now - work.began)).astimezone()
                work.future.set_exception(
                    StuckError(
                        f"{work.who} has been waited for since {since:%Y-%m-%d %H:%M:%S %Z}, longer than the "
                        f"{seconds:g} s that a call may take; it was left to itself. Mend what does not answer, or "
                        "allow it more: Rollout(step_seconds=...)."
                    )
                )


def _start(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="crew", daemon=True).start()
