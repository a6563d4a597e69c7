"""Plain data as Python writes it, bounded: what tasks about programs show, and what their answers are."""

import math
import re
from typing import Final

from palaestra.envs.sandbox.job import Value

__all__ = ["LONGEST", "literal"]

LONGEST: Final = 1_000
"""Most characters of one value."""

_DEEPEST: Final = 20
_BITS: Final = 2_000
# The place of an object in memory is another in every run.
_PLACE: Final = re.compile(r"0x[0-9a-f]{6,}")


def literal(value: Value) -> str:
    """Write a value so that reading it gives the same value; sets are sorted, so that every process writes the same.

    Raises:
        ValueError: If it has no such form, such as an object or an infinite number, or is too long.
    """
    text = _Writer().text(value, 0)
    if len(text) > LONGEST:
        raise ValueError(f"a value is longer than {LONGEST} characters")
    return text


class _Writer:
    def __init__(self) -> None:
        self._room = LONGEST

    def text(self, value: Value, depth: int) -> str:
        self._room -= 1
        if depth > _DEEPEST or self._room < 0:
            raise ValueError(f"a value is longer than {LONGEST} characters or nested too deeply")
        kind = type(value)
        if kind in (list, tuple, set, dict):
            return self._nested(value, depth + 1)
        if value is None or kind is bool:
            return repr(value)
        if kind is int and value.bit_length() <= _BITS:
            return repr(value)
        if kind is float and math.isfinite(value):
            return repr(value)
        if kind in (str, bytes) and len(value) <= LONGEST:
            return self._quoted(value)
        raise ValueError(f"a {kind.__name__} like this cannot be written down")

    def _quoted(self, value: str | bytes) -> str:
        text = repr(value)
        self._room -= len(text)
        if isinstance(value, str) and _PLACE.search(value):
            raise ValueError("a value holds a place in memory")
        return text

    def _nested(self, value: Value, depth: int) -> str:
        if len(value) > LONGEST:
            raise ValueError(f"a value is longer than {LONGEST} characters")
        if isinstance(value, dict):
            items = [f"{self.text(key, depth)}: {self.text(held, depth)}" for key, held in value.items()]
            return f"{{{', '.join(items)}}}"
        items = [self.text(item, depth) for item in value]
        if isinstance(value, set):
            return f"{{{', '.join(sorted(items))}}}" if items else "set()"
        if isinstance(value, tuple):
            return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
        return f"[{', '.join(items)}]"
