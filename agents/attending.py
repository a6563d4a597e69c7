"""What surrounds a life while it is driven: a watch on the calls it waits for, and a measure of what it waits for."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from palaestra.agents.crew import Crew
from palaestra.agents.driving import Asked, Awaited, Life, Step
from palaestra.agents.policy import IntArray, Policy, Request, Sample, is_continuous
from palaestra.envs.errors import ContractError
from transformers import PreTrainedTokenizerBase

__all__ = ["JUDGING", "SAMPLING", "Attendant", "Meter"]

SAMPLING, JUDGING = "sampling", "judging"
"""A policy is at work; a world or a tool is."""

R = TypeVar("R")


class Meter:
    """Wall-clock in which something was going on, once or many times over; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._going_on: dict[str, int] = {}
        self._seconds: dict[str, float] = {}

    def begin(self, kind: str) -> None:
        """One more of a kind begins."""
        with self._lock:
            count = self._going_on.get(kind, 0)
            self._going_on[kind] = count + 1
            if count == 0:
                self._seconds[kind] = self._seconds.get(kind, 0.0) - time.perf_counter()

    def end(self, kind: str) -> None:
        """One of a kind ends."""
        with self._lock:
            self._going_on[kind] -= 1
            if self._going_on[kind] == 0:
                self._seconds[kind] += time.perf_counter()

    def add(self, kind: str, seconds: float) -> None:
        """Count what was measured elsewhere."""
        with self._lock:
            self._seconds[kind] = self._seconds.get(kind, 0.0) + seconds

    @contextmanager
    def __call__(self, kind: str) -> Iterator[None]:
        """Measure what is done inside."""
        self.begin(kind)
        try:
            yield
        finally:
            self.end(kind)

    def read(self) -> dict[str, float]:
        """Return the seconds so far by kind, up to now."""
        with self._lock:
            now = time.perf_counter()
            return {k: s + now * (self._going_on.get(k, 0) > 0) for k, s in self._seconds.items()}


class _Metered:
    """A policy whose batches are measured; everything else is its own."""

    def __init__(self, policy: Policy, meter: Meter) -> None:
        self._policy = policy
        self._meter = meter

    @property
    def name(self) -> str:
        return self._policy.name

    @property
    def version(self) -> int:
        return self._policy.version

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        return self._policy.tokenizer

    @property
    def context_limit(self) -> int:
        return self._policy.context_limit

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        with self._meter(SAMPLING):
            return self._policy.sample(requests)


class Attendant:
    """Attends lives that one drive drives.

    Args:
        crew: Makes the calls that set no limit of their own.
        meter: Measures.
    """

    def __init__(self, crew: Crew, meter: Meter) -> None:
        self.crew = crew
        self.meter = meter
        self._metered: dict[int, _Metered] = {}

    def attend(self, life: Life[R], who: str, on_versions: Callable[[IntArray], None] | None = None) -> Life[R]:
        """Live a life whose calls are watched and whose waiting is measured.

        Args:
            life: What to live.
            who: Whose life it is: the beginning of a sentence.
            on_versions: Called with the versions of every sample it gets; what it raises ends the life.
        """
        answer: Any = None
        error: BaseException | None = None
        try:
            while True:
                try:
                    awaited = life.send(answer) if error is None else life.throw(error)
                except StopIteration as end:
                    result: R = end.value
                    return result
                kind, awaited = self._watched(awaited, who)
                answer, error = None, None
                try:
                    if kind is None:
                        answer = yield awaited
                    else:
                        with self.meter(kind):
                            answer = yield awaited
                except Exception as raised:
                    error = raised
                if on_versions is not None and isinstance(answer, Sample):
                    on_versions(answer.versions)
        finally:
            life.close()

    def _watched(self, awaited: Awaited, who: str) -> tuple[str | None, Awaited]:
        """Return what is to be measured while waiting, and what to wait for."""
        if isinstance(awaited, Asked):
            if is_continuous(awaited.policy):
                return SAMPLING, awaited
            policy = self._metered.setdefault(id(awaited.policy), _Metered(awaited.policy, self.meter))
            return None, Asked(policy, awaited.request)
        if isinstance(awaited, Step):
            return JUDGING, self.crew.submit(awaited.call, who) if awaited.seconds is None else awaited
        if isinstance(awaited, Future):
            return None, awaited
        raise ContractError(f"{who} waits for {awaited!r}; expected Asked, Step or Future.")
