"""Decide the equality of two answers exactly and at once, where that needs no algebra."""

from fractions import Fraction

from palaestra.envs.math.reading import READ_CHARS, Many, Number, Reading, Words, read
from palaestra.envs.math.typography import tidy, without_spaces
from palaestra.envs.math.units import PERCENT, is_label

__all__ = ["decide"]

# A rounded decimal stands for what it was rounded from when both agree to so many decimals and to this share.
_DECIMALS = 6
_SHARE = Fraction(1, 1000)


def decide(given: str, expected: str) -> bool | None:
    r"""Compare two answers by exact rational arithmetic; symmetric, pure and bounded.

    Args:
        given: An answer, such as `\frac{1}{2}`.
        expected: The known answer.

    Returns:
        Whether they are the same answer; None where that cannot be said for certain without algebra.
    """
    if given == expected and given.strip():
        return True
    a, b = read(given), read(expected)
    verdict = _same(a, b) if a and b else None
    if verdict is None and len(given) <= READ_CHARS and len(expected) <= READ_CHARS:
        written = without_spaces(tidy(given))
        if written and written == without_spaces(tidy(expected)):
            return True
    return verdict


def _same(a: Reading, b: Reading) -> bool | None:
    if a.name and b.name and a.name != b.name:
        return False
    match _single(a.value), _single(b.value):
        case Number() as x, Number() as y:
            return _same_number(x, y)
        case Words(text=x), Words(text=y):
            return True if x == y else (False if len(x) == len(y) == 1 else None)
        case (Number(), Many()) | (Many(), Number()):
            return False
        case Many() as x, Many() as y:
            return _same_many(x, y)
    return None


def _single(value: Number | Many | Words) -> Number | Many | Words:
    """Return the only element of a set or list that has one; every other value as it is."""
    if isinstance(value, Many) and value.kind in (",", "{}") and len({i.value for i in _numbers(value)}) == 1:
        return value.items[0]
    return value


def _numbers(many: Many) -> list[Number]:
    return [item for item in many.items if isinstance(item, Number)]


def _same_number(a: Number, b: Number) -> bool | None:
    if a.mark == b.mark:
        return _close(a, b)
    if a.mark and b.mark:
        # Three apples and three pieces of fruit may be the same; three metres and three feet are not.
        return None if is_label(a.mark) or is_label(b.mark) else False
    bare, marked = (b, a) if a.mark else (a, b)
    if marked.mark == PERCENT:
        share = Number(marked.value / Fraction(100), marked.decimal)
        return _close(bare, marked) or _close(bare, share)
    equal = _close(a, b)
    return None if is_label(marked.mark) and not equal else equal


def _close(a: Number, b: Number) -> bool:
    x, y = a.value, b.value
    if x == y:
        return True
    if not (a.decimal or b.decimal) or isinstance(x, int | float) or isinstance(y, int | float):
        return False
    # A whole number is only itself.
    if x.denominator == 1 or y.denominator == 1 or abs(x - y) > _SHARE * max(abs(x), abs(y)):
        return False
    return round(x, _DECIMALS) == round(y, _DECIMALS)


def _same_many(a: Many, b: Many) -> bool | None:
    kinds = {a.kind, b.kind}
    if "∪" in kinds:
        return True if kinds == {"∪"} and sorted(map(repr, a.items)) == sorted(map(repr, b.items)) else None
    if kinds <= {",", "{}"}:
        return _same_set(a, b)
    if a.kind == b.kind:
        return _same_sequence(a, b)
    if kinds == {",", "()"}:
        return _same_sequence(a, b) or (None if _same_set(a, b) else False)
    if a.interval or b.interval:
        return None if "," in kinds else False
    if kinds == {"()", "[]"}:
        return _same_sequence(a, b)
    return False if kinds == {"()", "{}"} else None


def _same_sequence(a: Many, b: Many) -> bool:
    x, y = _numbers(a), _numbers(b)
    return len(x) == len(y) and all(map(_close, x, y))


def _same_set(a: Many, b: Many) -> bool:
    x, y = ({number.value: number for number in _numbers(many)} for many in (a, b))
    return len(x) == len(y) and all(_close(x[i], y[j]) for i, j in zip(sorted(x), sorted(y), strict=True))
