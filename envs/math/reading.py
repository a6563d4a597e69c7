"""Read the answers that need no algebra: numbers, lists, tuples, sets, intervals and words, all of them exactly."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from palaestra.envs.math.typography import SET_CLOSE, SET_OPEN, tidy
from palaestra.envs.math.units import read_mark

__all__ = ["READ_CHARS", "Many", "Number", "Reading", "Words", "read"]

READ_CHARS = 400
"""Longer answers are not read here; this also bounds the digits of a numeral."""

_N = r"(?:(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
_POWER = r"10\s?(?:\^|\*\*)\s?(?:\{\s?(?P<_a>[+-]?[0-9]{1,3})\s?\}|(?P<_b>-?[0-9]{1,3}))"
_NUMBER = re.compile(
    r"(?P<sign>[-+]?)\s?(?P<currency>[$€£¥₹]?)\s?(?P<inner_sign>[-+]?)\s?(?:"
    rf"(?P<whole>[0-9]+)?\s?\\frac\s?(?:\{{\s?(?P<top>[-+]?{_N})\s?\}}|(?P<top_digit>[0-9]))\s?"
    rf"(?:\{{\s?(?P<bottom>[-+]?{_N})\s?\}}|(?P<bottom_digit>[0-9]))"
    r"|(?P<mixed>[0-9]+)\s+(?P<mixed_top>[0-9]+)/(?P<mixed_bottom>[0-9]+)"
    r"|(?P<lead>[0-9]*)\.(?P<fixed>[0-9]*)\\(?:overline|bar)\s?\{(?P<repeating>[0-9]{1,9})\}"
    rf"|{_POWER.replace('<', '<ten')}"
    rf"|(?P<plain>{_N})(?:[eE](?P<exponent>[+-]?[0-9]{{1,3}})|\s?[×*]\s?{_POWER.replace('<', '<times')}"
    rf"|\s?/\s?(?P<under>{_N}))?"
    r")"
)
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_INFINITE = re.compile(r"([-+]?)\s?(?:∞|inf|infinity)")
_NAMED = re.compile(
    r"(?P<name>(?:[A-Za-z]|\\[a-z]{2,8})(?:_(?:[A-Za-z0-9]|\{[A-Za-z0-9]{1,8}\}))?'?)\s?[=∈]\s?(?P<rest>[^=∈]+)"
)
_SEPARATOR = re.compile(r"\s*[,;]\s*(?:(?:and|or)\s)?\s*|\s+(?:and|or)\s+")
# `1,234` inside a list is two numbers to some and one to others; `0,5` is a decimal in some countries.
_AMBIGUOUS = re.compile(r"[0-9],[0-9]{3}(?![0-9])|(?<![0-9.])0,[0-9]")
_WORDS = re.compile(r'"?\(?(?P<words>[A-Za-z][A-Za-z \'-]*)\)?"?')
_CLOSERS = {"(": ")]", "[": ")]", SET_OPEN: SET_CLOSE, "{": "}"}


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number.

    Attributes:
        value: Whole, rational, or plus or minus infinity.
        decimal: Whether it was written with decimals, and so may be rounded.
        mark: What follows it: empty, `"%"`, a base as `"_2"`, a unit or a label (see `units`).
    """

    value: Fraction | int | float
    decimal: bool = False
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Many:
    """Several numbers, or intervals joined by `∪`.

    Attributes:
        kind: `","` for a bare list, `"{}"`, `"()"`, `"[]"`, `"(]"`, `"[)"`, or `"∪"`.
        items: In the order written.
    """

    kind: str
    items: tuple["Number | Many", ...]

    @property
    def interval(self) -> bool:
        """Whether it can only be an interval."""
        return self.kind in ("(]", "[)") or (self.kind == "[]" and len(self.items) == 2 and self.rising)

    @property
    def rising(self) -> bool:
        """Whether every number is larger than the one before."""
        values = [item.value for item in self.items if isinstance(item, Number)]
        return all(a < b for a, b in pairwise(values))


@dataclass(frozen=True, slots=True)
class Words:
    """A word or a few: a choice, a name, a month.

    Attributes:
        text: In lower case.
    """

    text: str


Value: TypeAlias = Number | Many | Words


@dataclass(frozen=True, slots=True)
class Reading:
    r"""What an answer says.

    Attributes:
        value: The value.
        name: What it is said of: `x` in `x = 5` or `x \in [1, 2]`; empty where nothing is named.
    """

    value: Value
    name: str = ""


@lru_cache(maxsize=8_192)
def read(text: str) -> Reading | None:
    r"""Read an answer.

    Args:
        text: Such as `42`, `\frac{3}{4}`, `1{,}234`, `x = 5\text{ cm}`, `(1, 2]`, `\{1, 2\}` or `\text{June}`.

    Returns:
        What it says, or None where that is not certain or needs algebra.
    """
    if _INTEGER.fullmatch(text):
        return Reading(Number(int(text)))
    if len(text) > READ_CHARS:
        return None
    tidied = tidy(text)
    if (number := _number(tidied)) is not None:
        return Reading(number)
    named = _NAMED.fullmatch(tidied)
    if named and not _SEPARATOR.search(_outside_groups(named["rest"])):
        value = _value(named["rest"])
        return None if value is None or isinstance(value, Words) else Reading(value, _name(named["name"]))
    if value := _value(tidied):
        return Reading(value)
    return _bare_list(tidied)


def _name(name: str) -> str:
    return name.replace("{", "").replace("}", "").lower()


def _outside_groups(text: str) -> str:
    """Return the text before its first bracket."""
    return re.split(rf"[(\[{SET_OPEN}]", text, maxsplit=1)[0]


def _value(text: str) -> Value | None:
    if "±" in text:
        return _plus_minus(text)
    if "∪" in text:
        parts = [_group(part.strip()) for part in text.split("∪")]
        return Many("∪", tuple(p for p in parts if p)) if all(isinstance(p, Many) for p in parts) else None
    if (number := _number(text)) is not None:
        return number
    if (group := _group(text)) is not None:
        return group
    words = _WORDS.fullmatch(text)
    # Bare letters may be a product of variables: only the same letters are the same answer.
    return Words(" ".join(words["words"].lower().split())) if words else None


def _number(text: str) -> Number | None:
    if infinite := _INFINITE.fullmatch(text):
        return Number(-math.inf if infinite[1] == "-" else math.inf)
    match = _NUMBER.match(text)
    if match is None:
        return None
    value = _magnitude(match)
    marked = read_mark(text[match.end() :])
    if value is None or marked is None or (match["sign"] and match["inner_sign"]):
        return None
    mark, scale = marked
    if currency := match["currency"]:
        if mark not in ("", "$"):
            return None
        mark = currency
    if "-" in (match["sign"], match["inner_sign"]):
        value = -value
    return Number(value * scale, "." in match[0] and not match["repeating"], mark)


def _magnitude(match: re.Match[str]) -> Fraction | int | None:
    if plain := match["plain"]:
        value = _numeral(plain)
        if under := match["under"]:
            bottom = _numeral(under)
            return Fraction(value) / bottom if bottom else None
        exponent = match["exponent"] or match["times_a"] or match["times_b"]
        return value * Fraction(10) ** int(exponent) if exponent else value
    if exponent := match["ten_a"] or match["ten_b"]:
        return Fraction(10) ** int(exponent)
    if repeating := match["repeating"]:
        fixed = match["fixed"]
        tail = Fraction(int(repeating), (10 ** len(repeating) - 1) * 10 ** len(fixed))
        return Fraction(f"{match['lead'] or 0}.{fixed or 0}") + tail
    whole = match["whole"] or match["mixed"]
    top = _numeral(match["top"] or match["top_digit"] or match["mixed_top"])
    bottom = _numeral(match["bottom"] or match["bottom_digit"] or match["mixed_bottom"])
    if not bottom or (whole and not 0 < top < bottom):
        return None
    return int(whole or 0) + Fraction(top) / bottom


def _numeral(digits: str) -> Fraction | int:
    whole, point, decimals = digits.replace(",", "").partition(".")
    return Fraction(int(whole + decimals), 10 ** len(decimals)) if point else int(whole)


def _plus_minus(text: str) -> Many | None:
    left, _, right = text.partition("±")
    centre = _number(left.strip()) if left.strip() else Number(0)
    reach = _number(right.strip())
    if centre is None or reach is None or centre.mark or reach.mark or math.inf in (abs(centre.value), reach.value):
        return None
    decimal = centre.decimal or reach.decimal
    return Many(",", (Number(centre.value + reach.value, decimal), Number(centre.value - reach.value, decimal)))


def _group(text: str) -> Number | Many | None:
    """Read what stands in one pair of brackets."""
    if len(text) < 2 or text[-1] not in _CLOSERS.get(text[0], ""):
        return None
    inner = text[1:-1].strip()
    kind = "{}" if text[0] in ("{", SET_OPEN) else text[0] + text[-1]
    if not inner:
        return Many("{}", ()) if kind == "{}" else None
    if _AMBIGUOUS.search(inner):
        return None
    items = [_number(item) for item in re.split(r"\s*[,;]\s*", inner)]
    numbers = tuple(item for item in items if item is not None)
    if len(numbers) < len(items) or (len(numbers) > 1 and any(item.mark for item in numbers)):
        return None
    if len(numbers) == 1:
        return numbers[0] if kind in ("()", "[]", "{}") else None
    return _bracketed(kind, numbers)


def _bracketed(kind: str, numbers: tuple[Number, ...]) -> Many | None:
    if kind != "{}" and len(numbers) == 2:
        low, high = (number.value for number in numbers)
        if low < high:
            # No interval holds its infinite end, however its bracket is written.
            kind = ("(" if low == -math.inf else kind[0]) + (")" if high == math.inf else kind[1])
        elif low == high or kind in ("(]", "[)"):
            return None
    return None if kind in ("(]", "[)") and len(numbers) > 2 else Many(kind, numbers)


def _bare_list(text: str) -> Reading | None:
    parts = _SEPARATOR.split(text)
    if len(parts) < 2 or _AMBIGUOUS.search(text):
        return None
    names, numbers = set(), []
    for part in parts:
        named = _NAMED.fullmatch(part)
        number = _number(named["rest"] if named else part)
        if number is None or number.mark:
            return None
        names.add(_name(named["name"]) if named else "")
        numbers.append(number)
    return Reading(Many(",", tuple(numbers)), names.pop()) if len(names) == 1 else None
