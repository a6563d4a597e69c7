"""The formats in which a task says how programs are tested: read once, strictly, into records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, wraps
from keyword import iskeyword
from typing import TypeAlias, TypeVar

from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.sandbox.inside.values import shown
from palaestra.envs.task import Json, Task

__all__ = [
    "REMEMBERED",
    "CallCase",
    "Calls",
    "Format",
    "HumanEval",
    "Mbpp",
    "Stdio",
    "StdioCase",
    "format_of",
    "read",
    "remembered",
]

# Tasks of a few data sets at a time; more are read again when they come back.
REMEMBERED = 8_192


@dataclass(frozen=True, slots=True)
class HumanEval:
    """Tests in a function `check(candidate)`; the task's prompt is the head of the program.

    Attributes:
        test: Python source that defines `check`.
        entry_point: Name of the function that is tested.
    """

    test: str
    entry_point: str


@dataclass(frozen=True, slots=True)
class Mbpp:
    """Tests as assertions that call the program's functions by name.

    Attributes:
        asserts: Python source of each.
        setup: Python source that comes before program and tests, such as imports.
    """

    asserts: tuple[str, ...]
    setup: str = ""


@dataclass(frozen=True, slots=True)
class StdioCase:
    """What a program reads, and what it should print."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Stdio:
    """Whole programs that read standard input and print.

    Attributes:
        cases: The tests.
        checker: Python source of `check(case_input, actual, expected)`; empty where outputs are compared.
    """

    cases: tuple[StdioCase, ...]
    checker: str = ""


@dataclass(frozen=True, slots=True)
class CallCase:
    """Positional arguments, and what should be returned, as JSON values."""

    arguments: tuple[Json, ...]
    expected: Json


@dataclass(frozen=True, slots=True)
class Calls:
    """A function whose arguments and results are JSON values.

    Attributes:
        entry_point: Its name; `Class.method` is called on a new instance each time.
        cases: The tests.
        checker: Python source of `check(case_input, actual, expected)`; empty where results are compared.
    """

    entry_point: str
    cases: tuple[CallCase, ...]
    checker: str = ""


Format: TypeAlias = HumanEval | Mbpp | Stdio | Calls


class _Fields:
    """Takes the fields of a mapping one by one, and refuses those that nobody took."""

    def __init__(self, row: Mapping[str, Json], where: str) -> None:
        self._row = row
        self._where = where
        self._left = set(row)

    def fail(self, field: str, expected: str) -> UsageError:
        came = f"got {shown(self._row[field], 100)}" if field in self._row else "it is missing"
        return UsageError(f"{self._where}: field {field!r} must be {expected}, {came}.")

    def take(self, field: str) -> Json:
        self._left.discard(field)
        if field not in self._row:
            raise self.fail(field, "given")
        return self._row[field]

    def text(self, field: str, *, default: str | None = None, blank: bool = True) -> str:
        if default is not None and self._row.get(field) is None:
            self._left.discard(field)
            return default
        value = self.take(field)
        if not isinstance(value, str):
            raise self.fail(field, "text")
        if not blank and not value.strip():
            raise self.fail(field, "text that is not blank")
        return value

    def name(self, field: str, *, dotted: bool = False) -> str:
        value = self.text(field)
        parts = value.split(".") if dotted else [value]
        if len(parts) > 2 or not all(part.isidentifier() and not iskeyword(part) for part in parts):
            raise self.fail(field, "a function's name" + (", or Class.method" if dotted else ""))
        return value

    def rows(self, field: str, expected: str) -> list[Json]:
        value = self.take(field)
        if not isinstance(value, list | tuple) or not value:
            raise self.fail(field, f"a list of at least one {expected}")
        return list(value)

    def finish(self) -> None:
        if self._left:
            raise UsageError(f"{self._where}: unknown field {', '.join(map(repr, sorted(self._left)))}; leave it out.")


def _case(row: Json, number: int) -> _Fields:
    where = f"case {number} of the reference"
    if not isinstance(row, Mapping):
        raise UsageError(f"{where} must be an object, got {shown(row, 100)}.")
    return _Fields(row, where)


def _humaneval(fields: _Fields) -> HumanEval:
    return HumanEval(fields.text("test", blank=False), fields.name("entry_point"))


def _mbpp(fields: _Fields) -> Mbpp:
    asserts = fields.rows("asserts", "assertion")
    texts = tuple(row for row in asserts if isinstance(row, str) and row.strip())
    if len(texts) < len(asserts):
        raise fields.fail("asserts", "a list of texts that are not blank")
    return Mbpp(texts, fields.text("setup", default=""))


def _stdio(fields: _Fields) -> Stdio:
    cases = []
    for number, row in enumerate(fields.rows("cases", "case"), start=1):
        case = _case(row, number)
        cases.append(StdioCase(case.text("input"), case.text("output")))
        case.finish()
    return Stdio(tuple(cases), fields.text("checker", default=""))


def _calls(fields: _Fields) -> Calls:
    cases = []
    for number, row in enumerate(fields.rows("cases", "case"), start=1):
        case = _case(row, number)
        arguments = case.take("arguments")
        if not isinstance(arguments, list | tuple):
            raise case.fail("arguments", "a list of positional arguments")
        cases.append(CallCase(tuple(arguments), case.take("expected")))
        case.finish()
    return Calls(fields.name("entry_point", dotted=True), tuple(cases), fields.text("checker", default=""))


_READERS: Mapping[str, Callable[[_Fields], Format]] = {
    "humaneval": _humaneval,
    "mbpp": _mbpp,
    "stdio": _stdio,
    "calls": _calls,
}


def read(reference: Json) -> Format:
    """Read a task's reference.

    Args:
        reference: An object whose `format` names one of the formats, with exactly that format's fields.

    Raises:
        UsageError: If it is none; the message says which field is wrong and what was expected.
    """
    if not isinstance(reference, Mapping) or "format" not in reference:
        raise UsageError(f"The reference must be an object with a field 'format', got {shown(reference, 100)}.")
    kind = reference["format"]
    if not isinstance(kind, str) or kind not in _READERS:
        raise UnknownNameError("reference format", str(kind), _READERS)
    fields = _Fields({k: v for k, v in reference.items() if k != "format"}, f"reference of format {kind!r}")
    found = _READERS[kind](fields)
    fields.finish()
    return found


class _ByFingerprint:
    """A task that equals every other of the same prompt and reference."""

    __slots__ = ("task",)

    def __init__(self, task: Task) -> None:
        self.task = task

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByFingerprint) and self.task.fingerprint == other.task.fingerprint

    def __hash__(self) -> int:
        return hash(self.task.fingerprint)


_T = TypeVar("_T")


def remembered(function: Callable[[Task], _T]) -> Callable[[Task], _T]:
    """Compute a function of a task's prompt and reference once for each fingerprint."""
    kept = lru_cache(maxsize=REMEMBERED)(lambda key: function(key.task))
    return wraps(function)(lambda task: kept(_ByFingerprint(task)))


@remembered
def format_of(task: Task) -> Format:
    """Return how a task's programs are tested.

    Raises:
        UsageError: If its reference is broken.
    """
    return read(task.reference)
