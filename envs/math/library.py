"""Math-Verify behind a border: in processes of their own, which end when they take too long."""

import atexit
import os
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from palaestra.envs.sandbox import Limits, Sandbox, Session, SessionEndedError

__all__ = ["DEEPEST_BRACKETS", "LONGEST_CHARS", "Library", "Said", "refusal", "shared_library"]

LONGEST_CHARS = 2_000
"""Longer answers are refused."""
DEEPEST_BRACKETS = 40
"""Answers whose brackets are nested deeper are refused."""
_PACKAGES = ("math_verify", "latex2sympy2_extended", "sympy", "mpmath", "antlr4")
_MEMORY_MB = 1_024
# The library reads no text that ends like a sentence.
_ENDS = " \t\r\n.,;$"
_SERVICE = Path(__file__).with_name("library_service.py")


class Said(StrEnum):
    """What came of a comparison."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN_EXPECTED = "unknown expected"
    """The known answer cannot be read, so nothing can be compared with it."""
    TIMEOUT = "timeout"
    """The comparison took longer than it may."""
    CRASHED = "crashed"
    """The comparison ended its process, as by asking for too much memory."""


def refusal(text: str) -> str:
    """Return why an answer is not given to the library, or an empty text where nothing speaks against it.

    Args:
        text: An answer.
    """
    if len(text) > LONGEST_CHARS:
        return f"it has {len(text)} characters, more than {LONGEST_CHARS}"
    depth = deepest = 0
    for character in text:
        depth += (character in "{([") - (character in "})]")
        deepest = max(deepest, depth)
    if deepest > DEEPEST_BRACKETS:
        return f"its brackets are nested {deepest} deep, more than {DEEPEST_BRACKETS}"
    return ""


@dataclass(slots=True)
class _Open:
    """An open session, and whether it has answered anything yet."""

    session: Session
    used: bool = False


class Library:
    """Compares answers with Math-Verify, several at a time. Thread-safe; starts when it is first asked.

    Args:
        workers: Comparisons at the same time; None takes one for each processor core.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._sandbox = Sandbox(workers, packages=_PACKAGES, service=_SERVICE)
        self.workers = self._sandbox.workers
        self._places = threading.BoundedSemaphore(self.workers)
        self._lock = threading.Lock()
        self._idle: list[_Open] = []
        self._hopeless: set[str] = set()

    def compare(self, given: str, expected: str, seconds: float) -> Said:
        """Compare two answers that `refusal` has nothing against.

        Args:
            given: The answer that came.
            expected: The known one. The comparison is not always symmetric.
            seconds: Wall-clock that it may take. Waiting for a free process is not counted.

        Raises:
            InfrastructureError: If our own machinery failed.
        """
        given, expected = (text.lstrip(" \t\r\n$").rstrip(_ENDS) for text in (given, expected))
        if expected in self._hopeless:
            return Said.UNKNOWN_EXPECTED
        said = self._asked({"expected": expected, "given": given}, seconds)
        ended = (Said.TIMEOUT, Said.CRASHED)
        if said in ended and self._asked({"expected": expected, "given": "1"}, seconds) in ended:
            # The known answer itself is to blame: nothing can be compared with it.
            self._hopeless.add(expected)
            return Said.UNKNOWN_EXPECTED
        return said

    def _asked(self, request: dict[str, str], seconds: float) -> Said:
        with self._places:
            while True:
                place = self._take()
                try:
                    answer = place.session.ask(request, seconds)
                except SessionEndedError as error:
                    if error.ended.timeout:
                        return Said.TIMEOUT
                    if place.used:
                        # What it answered before may have used up its memory: once more, in a fresh process.
                        continue
                    return Said.CRASHED
                except BaseException:
                    place.session.close()
                    raise
                place.used = True
                with self._lock:
                    self._idle.append(place)
                return _said(answer)

    def _take(self) -> _Open:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Open(self._sandbox.session(Limits(memory_mb=_MEMORY_MB)))

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for place in idle:
            place.session.close()
        self._sandbox.close()

    def __enter__(self) -> "Library":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _said(answer: object) -> Said:
    if not isinstance(answer, dict):
        return Said.CRASHED
    if answer.get("equal") is True:
        return Said.EQUAL
    return Said.DIFFERENT if answer.get("known") is True else Said.UNKNOWN_EXPECTED


_shared: Library | None = None
_shared_lock = threading.Lock()


def shared_library() -> Library:
    """Return the process's own library, made on first use and closed at exit."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Library()
        return _shared


def _close_shared() -> None:
    if _shared is not None:
        _shared.close()


atexit.register(_close_shared)


def _forget_in_child() -> None:
    """A fork of this process shares no sessions with it: two would read one another's answers."""
    global _shared, _shared_lock
    _shared, _shared_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
