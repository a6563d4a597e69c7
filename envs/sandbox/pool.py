"""The sandbox: a pool of warm workers that programs wait for, each in a place of its own.

What stands between a program and this machine, where the kernel has it: namespaces of its own for users, mounts,
network, processes, IPC and host name; a file system that holds the interpreter read-only and an empty scratch folder;
Landlock, which says the same again; no capability, and on Linux the identity of `nobody` even when root asks; a
system-call filter without `fork`, `execve` and `socket`; limits on processor time, wall-clock, memory, threads, open
files and everything written. None of it needs root or Docker.

What is not stopped: a flaw of the kernel itself; measuring time to learn about other load on the machine; reading the
standard library and the machine's shared libraries; using the processor and the memory it was allowed. On macOS only
the limits apply: a program is bounded in time and output, and can read what you can read. There is no Windows version.
"""

import os
import queue
import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType

from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.sandbox.job import Job, Layer, Limits, Outcome
from palaestra.envs.sandbox.link import Link, Setup
from palaestra.envs.sandbox.places import readable_places
from palaestra.envs.sandbox.session import Session

__all__ = ["IsolationWarning", "Sandbox", "shared_sandbox"]

# A worker that fails is replaced and its program tried again; what fails so often is not an accident.
_TRIES = 2


class IsolationWarning(UserWarning):
    """A layer of isolation is missing on this machine."""


class Sandbox:
    """Runs programs nobody trusts, many at a time. Thread-safe; workers start when the first program comes.

    Args:
        workers: Processes that run programs at the same time; None takes one for each processor core.
        packages: Packages that programs may import besides the standard library; they are loaded once, and stay warm.
        service: A Python file with a function `answer(request)`, for `session`; None takes a Python prompt.
        require_isolation: Raise instead of warning when a layer of isolation is missing.

    Raises:
        UsageError: If the number of workers is below 1, a package is not installed, or this system cannot fork.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        packages: Sequence[str] = (),
        service: Path | None = None,
        require_isolation: bool = False,
    ) -> None:
        if not hasattr(os, "fork"):
            raise UsageError("Programs are run in forked processes, which this system does not have: use Linux or WSL.")
        if workers is not None and workers < 1:
            raise UsageError(f"workers must be at least 1, got {workers}.")
        self.workers = workers or _cores()
        self._setup = Setup(readable_places(packages), tuple(packages), service)
        self._require_isolation = require_isolation
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Outcome]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._links: set[Link] = set()
        self._spare: list[Link] = []
        self._layers: tuple[Layer, ...] | None = None
        self._closed = False
        self._aborted = False
        _all.add(self)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What stands between programs and this machine; starts a worker to find out."""
        if self._layers is None:
            self._return(self._take())
        return self._layers or ()

    def submit(self, job: Job) -> Future[Outcome]:
        """Queue a job; its time starts when a worker takes it.

        Returns:
            What will hold the outcome, or `InfrastructureError` if our own machinery failed.
        """
        future: Future[Outcome] = Future()
        with self._lock:
            self._require_open()
            if len(self._threads) < self.workers:
                thread = threading.Thread(target=self._work, name="palaestra-sandbox", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._jobs.put((job, future))
        return future

    def run(self, job: Job) -> Outcome:
        """Carry out one job and wait for it.

        Raises:
            InfrastructureError: If our own machinery failed; the program is not to blame.
        """
        return self.submit(job).result()

    def session(self, limits: Limits | None = None) -> Session:
        """Open a process that answers requests and remembers, outside the pool's number of workers."""
        link = self._take()
        try:
            return Session(link, limits or Limits(), self._return)
        except BaseException:
            self._discard(link)
            raise

    def _work(self) -> None:
        link: Link | None = None
        settle: Callable[[], None] | None = None
        while True:
            try:
                work = self._jobs.get(block=settle is None)
            except queue.Empty:
                work, settle = None, settle and settle()
                continue
            if work is None:
                break
            job, future = work
            if not future.set_running_or_notify_cancel():
                continue
            for attempt in range(1, _TRIES + 1):
                try:
                    if link is None or not link.open:
                        link = self._start()
                    link.begin(job)
                    # Only now, while the worker is busy: it shall never wait for what its last program is worth.
                    settle = settle and settle()
                    settle = partial(_settle, future, link.end())
                    break
                except InfrastructureError as error:
                    if link is not None:
                        self._discard(link)
                        link = None
                    if attempt == _TRIES or self._aborted:
                        future.set_exception(error)
                        break
                except Exception as error:  # a job that cannot even be written down, such as one of no plain data
                    future.set_exception(error)
                    break
        if settle:
            settle()
        if link is not None:
            self._discard(link)

    def _start(self) -> Link:
        link = Link(self._setup)
        missing = [f"{layer.name} ({layer.note})" for layer in link.layers if not layer.active]
        with self._lock:
            first = self._layers is None
            self._layers = link.layers
            self._links.add(link)
        if missing and self._require_isolation:
            self._discard(link)
            raise InfrastructureError(f"Isolation is required and incomplete here. Missing: {', '.join(missing)}.")
        if missing and first:
            advice = "Run `palaestra doctor` for what is active; require isolation to make this an error."
            warnings.warn(f"Programs run less isolated: no {', no '.join(missing)}. {advice}", IsolationWarning, 2)
        return link

    def _take(self) -> Link:
        with self._lock:
            self._require_open()
            if self._spare:
                return self._spare.pop()
        return self._start()

    def _return(self, link: Link) -> None:
        with self._lock:
            # More would be kept only until the next crowd of sessions, at some megabytes each.
            if link.open and not self._closed and len(self._spare) < self.workers:
                self._spare.append(link)
                return
        self._discard(link)

    def _discard(self, link: Link) -> None:
        link.close()
        with self._lock:
            self._links.discard(link)

    def _require_open(self) -> None:
        if self._closed:
            raise UsageError("This sandbox is closed: make a new one.")

    def close(self) -> None:
        """End all workers once what was submitted is done."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            threads, spare, self._spare = self._threads, self._spare, []
            for _ in threads:
                self._jobs.put(None)
        for thread in threads:
            thread.join()
        for link in spare:
            self._discard(link)
        for link in list(self._links):
            self._discard(link)

    def abort(self) -> None:
        """End all workers at once: what waits is cancelled, and what runs ends as a failure of the machinery."""
        self._aborted = True
        with suppress(queue.Empty):
            while (work := self._jobs.get_nowait()) is not None:
                work[1].cancel()
        for link in list(self._links):
            link.kill()
        self.close()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close() if error is None else self.abort()


def _settle(future: Future[Outcome], read: Callable[[], Outcome]) -> None:
    try:
        outcome = read()
    except Exception as error:
        future.set_exception(error)
    else:
        future.set_result(outcome)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_all: "weakref.WeakSet[Sandbox]" = weakref.WeakSet()
_shared: Sandbox | None = None
_shared_lock = threading.Lock()


def shared_sandbox() -> Sandbox:
    """Return the process's own sandbox, with the standard library only, made on first use and closed at exit."""
    global _shared
    with _shared_lock:
        if _shared is None or _shared._closed:
            _shared = Sandbox()
        return _shared


def _forget_in_child() -> None:
    """A fork of this process shares no workers with it: two would read one another's reports."""
    global _shared, _shared_lock
    _shared = None
    _shared_lock = threading.Lock()
    for sandbox in list(_all):
        sandbox._closed = True
        for link in list(sandbox._links):
            with suppress(OSError):
                link.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
