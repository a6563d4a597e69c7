"""Suites as TOML files; every mistake in one is answered by where it is, what came and what was expected."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar
from urllib.parse import quote

from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.benchmark.suite import ALL, HELD_OUT, TRAIN, Course, Entrant, Suite

__all__ = ["find_suite", "own_suites", "read_suite"]

T = TypeVar("T")
Place: TypeAlias = tuple[str | int, ...]
"""Keys from the top of a file to a value; tables in a list count from 0."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_SAMPLING: Final = {"max_tokens": int, "temperature": float, "top_k": int, "top_p": float, "stop": list}
_SHARED: Final = ("tasks", "attempts", "split", "seeds", "sampling")


def own_suites() -> dict[str, Suite]:
    """Return the suites that come with the package, by name."""
    folder = files("palaestra.evolution.benchmark.suites")
    texts = {
        entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".toml")
    }
    return {name[:-5]: _suite(f"palaestra:{name}", texts[name]) for name in sorted(texts)}


def find_suite(name: str) -> Suite | None:
    """Return the suite that a word names: a file that ends in `.toml`, or one of ours; None for any other word."""
    if name.endswith(".toml") and "?" not in name:
        return read_suite(Path(name))
    return own_suites().get(name) if _NAME.fullmatch(name) else None


def read_suite(path: Path) -> Suite:
    """Read a suite.

    Raises:
        UsageError: If the file cannot be read or holds a mistake.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        own = ", ".join(own_suites())
        raise UsageError(
            f"The suite {path} cannot be read: {error.strerror}. Name a TOML file, or one of ours: {own}."
        ) from error
    except ValueError as error:
        raise UsageError(f"The suite {path} is no text in UTF-8: {error}.") from error
    return _suite(str(path), text)


def _suite(source: str, text: str) -> Suite:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The suite {source} is no TOML: {error}.") from error
    top = _Table(source, _lines(text), (), values)
    name = top.take("name", _name, Path(source).stem.removeprefix("palaestra:"))
    comment = top.take("comment", _text, "")
    shared: dict[str, Any] = {key: values[key] for key in _SHARED if key in values}
    for key in _SHARED:  # what is wrong is told where it stands, not where it is inherited
        top.take(key, _READERS[key], None)
    entrants = tuple(_entrant(table) for table in top.tables("policies"))
    courses = tuple(_course(table, shared) for table in top.tables("environments"))
    top.end()
    if not courses:
        raise UsageError(f"The suite {source} measures nowhere: it needs an [[environments]] table with a spec.")
    for kind, names in (("policies", [e.name for e in entrants]), ("environments", [c.name for c in courses])):
        _refuse_twice(top, kind, names)
    return Suite(name, courses, entrants, comment, source)


def _refuse_twice(top: "_Table", kind: str, names: list[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise top.mistake((kind, index, "name"), f"{name!r} came a second time", "a name of its own")


def _entrant(table: "_Table") -> Entrant:
    spec = table.needed("spec", _text)
    entrant = Entrant(
        name=table.take("name", _text, spec),
        spec=spec,
        comment=table.take("comment", _text, ""),
        sampling=table.take("sampling", _sampling, {}),
    )
    table.end()
    return entrant


def _course(table: "_Table", shared: Mapping[str, Any]) -> Course:
    spec = table.needed("spec", _text)
    options = table.take("options", _options, "")
    spec = f"{spec}{'&' if '?' in spec else '?'}{options}" if options else spec

    def value(key: str, default: T) -> T:
        inherited: T = _READERS[key](shared[key]) if key in shared else default
        found: T = table.take(key, _READERS[key], inherited)
        return found

    ids = table.take("ids", _texts, ())
    tasks = value("tasks", Course.tasks)
    sampling = {**_sampling(shared.get("sampling", {})), **table.take("sampling", _sampling, {})}
    course = Course(
        name=table.take("name", _text, spec),
        spec=spec,
        comment=table.take("comment", _text, ""),
        tasks=len(ids) or tasks,
        ids=ids,
        split=value("split", Course.split),
        attempts=value("attempts", Course.attempts),
        seeds=value("seeds", Course.seeds),
        sampling=sampling,
        tags=table.take("tags", _texts, ()),
    )
    table.end()
    return course


class _Table:
    """A table of a file that is read key by key, so that what nobody reads is told."""

    def __init__(self, source: str, lines: Mapping[Place, int], place: Place, values: Mapping[str, Any]) -> None:
        self._source = source
        self._lines = lines
        self._place = place
        self._left = dict(values)
        self._known: list[str] = []

    def take(self, key: str, read: Callable[[Any], T], default: Any) -> T:
        """Return the value of a key, or a default."""
        self._known.append(key)
        if key not in self._left:
            return default  # type: ignore[no-any-return]
        value = self._left.pop(key)
        try:
            return read(value)
        except _Unexpected as error:
            raise self.mistake((*self._place, key, *error.place), f"{error.came!r} came", error.expected) from None

    def needed(self, key: str, read: Callable[[Any], T]) -> T:
        """Return the value of a key that must be there."""
        if key not in self._left:
            raise self.mistake(self._place, f"no {key!r} came", f"{key} = ...")
        return self.take(key, read, None)

    def tables(self, key: str) -> "list[_Table]":
        """Return the tables of a list."""
        self._known.append(key)
        found = self._left.pop(key, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self.mistake((*self._place, key), f"{found!r} came", f"tables that begin with [[{key}]]")
        return [_Table(self._source, self._lines, (*self._place, key, n), one) for n, one in enumerate(found)]

    def end(self) -> None:
        """Refuse what nobody has read."""
        for key in self._left:
            where = self._where((*self._place, key))
            raise UnknownNameError("key", key, self._known, f"It stands in {where}.")

    def mistake(self, place: Place, came: str, expected: str) -> UsageError:
        """Return the error of a value."""
        return UsageError(f"{self._where(place)}: {came}, expected {expected}.")

    def _where(self, place: Place) -> str:
        line = next((self._lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self._lines), 0)
        path = "".join(f"[{key + 1}]" if isinstance(key, int) else f".{key}" for key in place).lstrip(".")
        return self._source + (f", line {line}" if line else "") + (f", {path}" if path else "")


class _Unexpected(Exception):  # noqa: N818 (caught before anybody sees it)
    def __init__(self, came: object, expected: str, place: Place = ()) -> None:
        super().__init__(expected)
        self.came = came
        self.expected = expected
        self.place = place


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Unexpected(value, "text")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _Unexpected(value, "letters, digits, '.', '_' and '-', which also name a folder")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise _Unexpected(value, "a list of texts")
    if len(set(value)) != len(value):
        raise _Unexpected(value, "each text once")
    return tuple(value)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _count(value: Any) -> int:
    if not _is_whole(value, 1):
        raise _Unexpected(value, "a whole number from 1")
    return int(value)


def _tasks(value: Any) -> int | Literal["all"]:
    if value == ALL:
        return ALL
    if not _is_whole(value, 1):
        raise _Unexpected(value, f"a whole number from 1, or {ALL!r}")
    return int(value)


def _seeds(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or not all(_is_whole(one, 0) for one in value):
        raise _Unexpected(value, "a list of whole numbers from 0, such as [0, 1]")
    if len(set(value)) != len(value):
        raise _Unexpected(value, "each seed once")
    return tuple(value)


def _split(value: Any) -> str:
    if value not in (HELD_OUT, TRAIN):
        raise _Unexpected(value, f"{HELD_OUT!r}, or {TRAIN!r} for the tasks that may be learned from")
    return str(value)


def _sampling(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Unexpected(value, "a table such as { temperature = 0.7, max_tokens = 256 }")
    read: dict[str, Any] = {}
    for key, one in value.items():
        if key not in _SAMPLING:
            raise _Unexpected(key, f"one of {', '.join(_SAMPLING)}", (key,))
        read[key] = _sampled(key, one)
    return read


def _sampled(key: str, value: Any) -> Any:
    if key == "stop":
        try:
            return _texts(value)
        except _Unexpected as error:
            raise _Unexpected(value, error.expected, (key,)) from None
    least = 1 if key == "max_tokens" else 0
    if _SAMPLING[key] is int:
        if not _is_whole(value, least):
            raise _Unexpected(value, f"a whole number from {least}", (key,))
        return value
    most = 1.0 if key == "top_p" else 1e6
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0.0 <= value <= most or (key == "top_p" and value == 0):
        raise _Unexpected(value, "a number above 0 up to 1" if key == "top_p" else "a number from 0", (key,))
    return float(value)


def _options(value: Any) -> str:
    if not isinstance(value, dict) or not all(isinstance(one, bool | int | float | str) for one in value.values()):
        raise _Unexpected(value, "a table of numbers, texts, true and false, such as { digits = 3 }")
    return "&".join(f"{key}={_written(one)}" for key, one in value.items())


def _written(value: bool | float | str) -> str:
    # Plus signs and the like stand in specs as they are; what would end a value does not.
    return str(value).lower() if isinstance(value, bool) else quote(str(value), safe="/:+*,. ()<>=-_~@")


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "tasks": _tasks,
    "attempts": _count,
    "split": _split,
    "seeds": _seeds,
    "sampling": _sampling,
}


def _lines(text: str) -> dict[Place, int]:
    """Return on which line each key stands that stands at the beginning of one."""
    places: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    here: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            here = _entered(header[2].split("."), counts, several=header[1] == "[[")
            places.setdefault(here, number)
            places.setdefault(here[:1], number)
        elif key := _KEY.match(line):
            places.setdefault((*here, key[1]), number)
    return places


def _entered(keys: Iterable[str], counts: dict[Place, int], *, several: bool) -> Place:
    """Return the place of a header's table; each `[[name]]` begins the next of its list."""
    path = tuple(keys)
    place: Place = ()
    for depth, key in enumerate(path):
        place = (*place, key)
        if several and depth == len(path) - 1:
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place
