"""Plain data as JSON text, for values that cross from a program nobody trusts.

Encoding runs beside the program and proves nothing; decoding runs on our side, and whatever the text is, it yields
plain data of exact built-in types, or raises `ValueError`. So a value that is compared after decoding has no
`__eq__` of its own, and no pickle is ever loaded.
"""

import importlib
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Foreign", "Produced", "dumps", "loads", "pack", "shown", "unpack"]

# JSON numbers of more digits are slow to read, and refused by Python beyond 4,300.
_SMALL = 2**63
# Deeper values are not data anyone compares; the bound keeps recursion harmless on both sides.
_DEPTH = 200
# A generator's values are listed up to here: one that never ends is no list.
_PRODUCED = 10_000
_FEW = 1_000
# Fractions are reduced and decimals scaled when they are compared: longer ones would take the comparer's time.
_DIGITS = 5_000


class Foreign:
    """A value that is no plain data: it equals nothing, itself included.

    Attributes:
        kind: Name of its type.
        handle: Number by which its own process knows it, -1 for none.
    """

    __slots__ = ("handle", "kind")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, kind: str, handle: int = -1) -> None:
        self.kind = kind
        self.handle = handle

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    def __bool__(self) -> bool:
        raise TypeError(f"a {self.kind} is no truth value")

    def __repr__(self) -> str:
        return f"<{self.kind}>"


class Produced(Foreign):
    """What an iterator gave, in order; like the iterator itself it equals nothing, but it can be iterated."""

    __slots__ = ("items",)

    def __init__(self, kind: str, items: list[Any]) -> None:
        super().__init__(kind)
        self.items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __next__(self) -> Any:
        if not self.items:
            raise StopIteration
        return self.items.pop(0)


def pack(value: Any, foreign: Callable[[Any], Any] | None = None, depth: int = 0) -> Any:
    """Turn a value into what JSON can say: scalars and lists as they are, all else as a one-entry object.

    Args:
        value: Any object. Subclasses of plain types are taken for the plain type.
        foreign: Packs what is no plain data; by default iterators are listed and other objects named.
        depth: How deep the value lies.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if -_SMALL < value < _SMALL else {"i": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"n": repr(value)}
    if depth > _DEPTH:
        return {"x": ["value nested too deeply", -1]}
    below = depth + 1
    if kind is list:
        return [pack(item, foreign, below) for item in value]
    if kind is tuple:
        return {"t": [pack(item, foreign, below) for item in value]}
    if kind is dict:
        return {"d": [[pack(k, foreign, below), pack(v, foreign, below)] for k, v in value.items()]}
    if kind is set:
        return {"s": [pack(item, foreign, below) for item in value]}
    return _pack_rare(value, foreign, depth)


def _pack_rare(value: Any, foreign: Callable[[Any], Any] | None, depth: int) -> Any:
    below = depth + 1
    if isinstance(value, frozenset):
        return {"f": [pack(item, foreign, below) for item in value]}
    if isinstance(value, complex):
        return {"c": [repr(value.real), repr(value.imag)]}
    if isinstance(value, bytes | bytearray):
        return {"b" if isinstance(value, bytes) else "a": value.hex()}
    if isinstance(value, range):
        return {"r": [pack(value.start), pack(value.stop), pack(value.step)]}
    if type(value).__module__ in _LIBRARIES and type(value).__name__ in _WRITERS:
        return {type(value).__name__: _WRITERS[type(value).__name__](value)}
    for plain in (int, float, str, list, tuple, dict, set):  # a subclass is compared as what it derives from
        if isinstance(value, plain):
            return pack(_plain(plain, value), foreign, depth)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return pack(value.tolist(), foreign, depth)
    return foreign(value) if foreign is not None else _pack_foreign(value, below)


# Types of the standard library that are data too, by name: a worker that has not loaded them forks sooner.
_LIBRARIES = ("decimal", "fractions", "datetime")
_WRITERS: dict[str, Callable[[Any], Any]] = {
    "Decimal": str,
    "Fraction": lambda value: [hex(value.numerator), hex(value.denominator)],
    "datetime": lambda value: value.isoformat(),
    "date": lambda value: value.isoformat(),
    "time": lambda value: value.isoformat(),
    "timedelta": lambda value: [value.days, value.seconds, value.microseconds],
}


def _plain(kind: type, value: Any) -> Any:
    if kind in (int, float, str):
        return {int: int.__int__, float: float.__float__, str: str.__str__}[kind](value)
    return kind(value)


def _pack_foreign(value: Any, depth: int) -> Any:
    name = type(value).__name__[:100]
    if hasattr(type(value), "__next__"):
        items = []
        for item in value:
            items.append(pack(item, None, depth))
            if len(items) > _PRODUCED:
                return {"x": [f"{name} of more than {_PRODUCED} values", -1]}
        return {"g": [name, items]}
    return {"x": [name, -1]}


def dumps(value: Any, foreign: Callable[[Any], Any] | None = None) -> str:
    """Write a value as one line of ASCII."""
    return json.dumps(pack(value, foreign), separators=(",", ":"))


def unpack(packed: Any, foreign: Callable[[str, int], Any] = Foreign) -> Any:
    """Turn what JSON said back into a value.

    Args:
        packed: What `json.loads` returned.
        foreign: Makes what stands for an object that is no plain data.

    Raises:
        ValueError: If no value packs to this.
    """
    try:
        return _unpack(packed, foreign)
    except RecursionError:
        raise ValueError("a value is nested too deeply") from None
    except (TypeError, KeyError, IndexError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"no value is written like this ({type(error).__name__})") from None


def _unpack(packed: Any, foreign: Callable[[str, int], Any]) -> Any:
    if packed is None or isinstance(packed, bool | int | float | str):
        return packed
    if isinstance(packed, list):
        return [_unpack(item, foreign) for item in packed]
    ((tag, content),) = packed.items()
    if tag == "t":
        return tuple(_unpack(item, foreign) for item in content)
    if tag == "d":
        keys = _spread([_unpack(k, foreign) for k, _ in content])
        return dict(zip(keys, [_unpack(v, foreign) for _, v in content], strict=True))
    if tag in ("s", "f"):
        return (set if tag == "s" else frozenset)(_spread([_unpack(item, foreign) for item in content]))
    if tag == "x":
        return foreign(str(content[0])[:100], int(content[1]))
    if tag == "g":
        return Produced(str(content[0])[:100], [_unpack(item, foreign) for item in content[1]])
    return _READERS[tag](content)


def _short(text: str) -> str:
    if len(text) > _DIGITS:
        raise ValueError("a number has too many digits")
    return text


def _library(name: str) -> Any:
    return importlib.import_module(name)


def _decimal(text: str) -> Any:
    value = _library("decimal").Decimal(_short(text))
    if value.is_finite() and abs(value.adjusted()) > _DIGITS:
        raise ValueError("a number has too many digits")
    return value


def _spread(keys: list[Any]) -> list[Any]:
    """Refuse keys chosen so that their hashes collide, which would make a set of them take quadratic time."""
    if len(keys) > _FEW and len({hash(key) for key in keys}) < len(keys) // 2:
        raise ValueError("a set or mapping has too many keys of equal hash")
    return keys


_READERS: dict[str, Callable[[Any], Any]] = {
    "i": lambda content: int(content, 16),
    "n": lambda content: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content],
    "c": lambda content: complex(float(content[0]), float(content[1])),
    "b": bytes.fromhex,
    "a": bytearray.fromhex,
    "r": lambda content: range(*(_unpack(item, Foreign) for item in content)),
    "Decimal": lambda content: _decimal(content),
    "Fraction": lambda content: _library("fractions").Fraction(*(int(_short(part), 16) for part in content)),
    "datetime": lambda content: _library("datetime").datetime.fromisoformat(content),
    "date": lambda content: _library("datetime").date.fromisoformat(content),
    "time": lambda content: _library("datetime").time.fromisoformat(content),
    "timedelta": lambda content: _library("datetime").timedelta(*content),
}


def loads(text: str | bytes, foreign: Callable[[str, int], Any] = Foreign) -> Any:
    """Read a value from a line of text.

    Raises:
        ValueError: If the text is none that `dumps` writes.
    """
    try:
        return unpack(json.loads(text), foreign)
    except RecursionError:
        raise ValueError("a value is nested too deeply") from None


def shown(value: Any, width: int = 200) -> str:
    """Return the `repr` of plain data, shortened in the middle, at a cost bounded by `width` and not by the value."""
    text = _Shortened(width).text(value)
    return text if len(text) <= width else f"{text[: width * 2 // 3]}…{text[-width // 4 :]}"


class _Shortened:
    """Writes a value until its room is used up; unlike `reprlib` it never builds the whole text of a part first."""

    def __init__(self, room: int) -> None:
        self._room = room

    def text(self, value: Any, depth: int = 0) -> str:
        if self._room <= 0 or depth > 20:
            return "…"
        if isinstance(value, list | tuple | set | frozenset | dict):
            return self._nested(value, depth)
        if isinstance(value, int) and not isinstance(value, bool) and not -(_SMALL**8) < value < _SMALL**8:
            said = f"{'-' if value < 0 else ''}{hex(abs(value))[:20]}… ({value.bit_length()} bits)"
        elif isinstance(value, str | bytes | bytearray) and len(value) > self._room * 4:
            said = f"{value[: self._room * 2]!r}…"
        else:
            try:
                said = repr(value)
            except ValueError:  # of numbers with too many digits
                said = f"<{type(value).__name__}>"
        self._room -= len(said)
        return said

    def _nested(self, value: Any, depth: int) -> str:
        parts: list[str] = []
        for item in value.items() if isinstance(value, dict) else value:
            if self._room <= 0:
                parts.append("…")
                break
            if isinstance(value, dict):
                parts.append(f"{self.text(item[0], depth + 1)}: {self.text(item[1], depth + 1)}")
            else:
                parts.append(self.text(item, depth + 1))
            self._room -= 2
        inside = ", ".join(parts)
        if isinstance(value, tuple):
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        if isinstance(value, list):
            return f"[{inside}]"
        if isinstance(value, frozenset):
            return f"frozenset({{{inside}}})" if inside else "frozenset()"
        return f"{{{inside}}}" if inside or isinstance(value, dict) else "set()"
