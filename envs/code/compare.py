"""Whether what a program printed or returned is what was expected. Total: no value makes it raise or take long."""

import math
import re
from decimal import Context, Decimal
from typing import Any

from palaestra.envs.sandbox.job import Value
from palaestra.envs.task import Json

__all__ = ["TOLERANCE", "same_json", "same_output"]

TOLERANCE = 1e-6
"""Relative or absolute difference of two numbers that count as equal, where the expected one is no whole number."""

# Numerals with a larger exponent are compared as text: not every one of those has a value.
_NUMERAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
# Longer numerals are compared as text.
_LONGEST_NUMERAL = 400
_EXACT = Context(prec=50, traps=[])


def same_output(actual: str, expected: str) -> bool:
    """Compare standard output line by line and word by word.

    The amount of white space between words, at the ends of lines and after the last line does not matter; the lines
    themselves do. Two words are equal when their characters are, or when both are decimal numerals of which at least
    one has a point or an exponent, and they differ by no more than `TOLERANCE`: absolutely, or, where the expected
    one has a point or an exponent, relatively. Whole numbers are compared digit by digit.
    """
    if actual == expected:
        return True
    left, right = (text.rstrip().split("\n") for text in (actual, expected))
    return len(left) == len(right) and all(map(_same_line, left, right))


def _same_line(actual: str, expected: str) -> bool:
    if actual == expected:
        return True
    left, right = actual.split(), expected.split()
    return len(left) == len(right) and all(map(_same_word, left, right))


def _same_word(actual: str, expected: str) -> bool:
    if actual == expected:
        return True
    if max(len(actual), len(expected)) > _LONGEST_NUMERAL:
        return False
    if not (_NUMERAL.fullmatch(actual) and _NUMERAL.fullmatch(expected)):
        return False
    whole = _WHOLE.fullmatch(expected) is not None
    if whole and _WHOLE.fullmatch(actual):
        return False
    return _near(Decimal(actual), Decimal(expected), whole)


def _near(actual: Decimal, expected: Decimal, whole: bool) -> bool:
    tolerance = Decimal(TOLERANCE)
    if not whole:
        tolerance = _EXACT.multiply(tolerance, max(Decimal(1), expected.copy_abs()))
    difference = _EXACT.abs(_EXACT.subtract(actual, expected))
    return difference.is_finite() and difference <= tolerance


def same_json(actual: Value, expected: Json) -> bool:
    """Compare a decoded value with the one expected, as JSON.

    Tuples are lists, and keys of mappings are text (`{1: 2}` is `{"1": 2}`), as JSON writes them. Floats follow the
    rule of `same_output`: an expected whole number allows an absolute `TOLERANCE`, any other a relative or absolute
    one, and two integers must be equal. True is not 1. What JSON cannot say, such as a set, equals nothing. An
    expected list of one item stands for itself, never for its item.
    """
    pending: list[tuple[Any, Any]] = [(actual, expected)]
    while pending:
        left, right = pending.pop()
        if isinstance(right, list | tuple):
            if not isinstance(left, list | tuple) or len(left) != len(right):
                return False
            pending.extend(zip(left, right, strict=True))
        elif isinstance(right, dict):
            table = _texted(left) if isinstance(left, dict) and len(left) == len(right) else None
            if table is None or table.keys() != right.keys():
                return False
            pending.extend((table[key], value) for key, value in right.items())
        elif not _same_scalar(left, right):
            return False
    return True


def _texted(table: dict[Any, Any]) -> dict[str, Any] | None:
    """Write keys as JSON does; None where it could not, or where two become the same."""
    texted: dict[str, Any] = {}
    for key, value in table.items():
        if key is None or isinstance(key, bool):
            key = {None: "null", True: "true", False: "false"}[key]
        elif isinstance(key, int):
            # The digits of a huge integer take long to write, and no expected key has as many.
            key = str(key) if key.bit_length() < 4 * _LONGEST_NUMERAL else ""
        elif isinstance(key, float):
            key = repr(key)
        if not isinstance(key, str) or key in texted:
            return None
        texted[key] = value
    return texted


def _same_scalar(actual: Any, expected: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool) or expected is None:
        return actual is expected
    if isinstance(expected, str):
        return isinstance(actual, str) and actual == expected
    if not isinstance(actual, int | float):
        return False
    if isinstance(actual, int) and isinstance(expected, int):
        return actual == expected
    try:
        left, right = float(actual), float(expected)
    except OverflowError:
        return False
    if not (math.isfinite(left) and math.isfinite(right)):
        return left == right or (math.isnan(left) and math.isnan(right))
    allowed = TOLERANCE if isinstance(expected, int) else TOLERANCE * max(1.0, abs(right))
    return abs(left - right) <= allowed
