"""Programs: XPaths of which all but the last prune a page, and the last extracts; run where they can do no harm."""

import atexit
import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from palaestra.envs.sandbox import Limits, Sandbox, Session, SessionEndedError

__all__ = ["LONGEST_CHARS", "MOST_XPATHS", "Crawlers", "Step", "TooLongError", "refusal", "shared_crawlers"]

LONGEST_CHARS = 400
"""Longer XPaths are refused."""
MOST_XPATHS = 12
"""Programs of more are refused."""
_DEEPEST = 6
_SERVICE = Path(__file__).with_name("service.py")
_MEMORY_MB = 512
# A request takes a few milliseconds; a machine that does much else takes longer.
_SECONDS = 10.0
_LITERAL = re.compile(r"\"[^\"]*\"|'[^']*'")
_CALL = re.compile(r"([\w.:-]+)\s*\(")
# The functions and node tests of XPath 1.0, and words that stand before a bracket of their own.
_KNOWN = frozenset(
    (
        *("last", "position", "count", "id", "local-name", "name", "string", "concat", "starts-with", "contains"),
        *("substring-before", "substring-after", "substring", "string-length", "normalize-space", "translate"),
        *("boolean", "not", "true", "false", "lang", "number", "sum", "floor", "ceiling", "round"),
        *("text", "node", "comment", "and", "or", "div", "mod"),
    )
)
_AXIS = re.compile(r"^[a-z-]+::")


class TooLongError(Exception):
    """A program that took too long, or too much memory, on a page."""


class Step(NamedTuple):
    """What came of a program on one page.

    Attributes:
        found: The values, or in words why there are none.
        right: Whether these are the values that were named.
        kept: XPaths that lead up to a part of the page that holds the named values; empty where nothing is gained.
    """

    found: tuple[str, ...] | str
    right: bool
    kept: tuple[str, ...]


def refusal(program: Sequence[str]) -> str:
    """Return why a program is not run, or nothing where nothing speaks against it."""
    if not program:
        return "there is no XPath"
    if len(program) > MOST_XPATHS:
        return f"{len(program)} XPaths, more than {MOST_XPATHS}"
    return next(filter(None, map(_refused, program)), "")


def _refused(xpath: str) -> str:
    if len(xpath) > LONGEST_CHARS:
        return f"an XPath of {len(xpath)} characters, more than {LONGEST_CHARS}"
    if not xpath.isprintable():
        return "an XPath with characters that cannot be printed"
    bare = _LITERAL.sub("''", xpath)
    depth = deepest = 0
    for character in bare:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        return f"brackets that are nested {deepest} deep, more than {_DEEPEST}"
    if "$" in bare:
        return "there are no variables"
    for name in _CALL.findall(bare):
        if _AXIS.sub("", name) not in _KNOWN:
            return f"there is no function {name[:40]}"
    return ""


class Crawlers:
    """Runs programs on pages, several at a time. Thread-safe; starts when it is first asked.

    Args:
        workers: Requests at the same time; None takes one for each processor core.
        seconds: Wall-clock that a request may take, be it one page or all.
    """

    def __init__(self, workers: int | None = None, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._sandbox = Sandbox(workers, packages=("lxml",), service=_SERVICE)
        self._places = threading.BoundedSemaphore(self._sandbox.workers)
        self._lock = threading.Lock()
        self._idle: list[Session] = []

    def show(self, page: str, kept: Sequence[str] = ()) -> str:
        """Return a page without what nobody reads (scripts, styles, most attributes), pruned by `kept`."""
        return str(self._asked({"do": "show", "page": page, "kept": list(kept)})["html"])

    def run(self, programs: Sequence[Sequence[str]], pages: Sequence[str]) -> list[list[tuple[str, ...] | str]]:
        """Run programs that `refusal` has nothing against.

        Returns:
            For each program and page the values, or in words why there are none.

        Raises:
            TooLongError: If one took too long.
            InfrastructureError: If our own machinery failed.
        """
        said = self._asked({"do": "run", "pages": list(pages), "programs": [list(program) for program in programs]})
        return [[_values(one) for one in row] for row in said["values"]]

    def step(
        self, page: str, kept: Sequence[str], program: Sequence[str], values: Sequence[str], *, back: bool
    ) -> Step:
        """Run a program on what `kept` leaves of a page; where it fails and `back` is set, step back up the page.

        Raises:
            TooLongError: If it took too long.
            InfrastructureError: If our own machinery failed.
        """
        request = {"do": "step", "page": page, "kept": list(kept), "program": list(program), "values": list(values)}
        said = self._asked({**request, "back": back})
        return Step(_values(said["found"]), said["right"], tuple(said["kept"]))

    def _asked(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._places:
            with self._lock:
                session = self._idle.pop() if self._idle else None
            session = session or self._sandbox.session(Limits(memory_mb=_MEMORY_MB))
            try:
                answer = session.ask(request, self._seconds)
            except SessionEndedError as error:
                raise TooLongError(f"it took more than {self._seconds:g} s, or too much memory") from error
            except BaseException:
                session.close()
                raise
            with self._lock:
                self._idle.append(session)
        if not isinstance(answer, dict):
            raise TooLongError("it could not be run")
        return answer

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()
        self._sandbox.close()


def _values(said: Any) -> tuple[str, ...] | str:
    return said if isinstance(said, str) else tuple(map(str, said))


_shared: Crawlers | None = None
_shared_lock = threading.Lock()


def shared_crawlers() -> Crawlers:
    """Return the process's own, made on first use and closed at exit."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Crawlers()
        return _shared


def _close_shared() -> None:
    if _shared is not None:
        _shared.close()


def _forget_in_child() -> None:
    """A fork of this process shares no sessions with it: two would read one another's answers."""
    global _shared, _shared_lock
    _shared, _shared_lock = None, threading.Lock()


atexit.register(_close_shared)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
