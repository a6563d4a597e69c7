"""What a generated problem is, and how its numbers are drawn and written."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeVar

import numpy as np

__all__ = ["Kind", "Problem", "choose", "draw", "fraction", "pair", "polynomial", "solutions"]

T = TypeVar("T")


class Problem(NamedTuple):
    """One problem.

    Attributes:
        prompt: What is asked, in words and LaTeX.
        answer: Its exact answer in LaTeX, without dollar signs.
    """

    prompt: str
    answer: str


class Kind(NamedTuple):
    """Problems that differ in their numbers and words alone.

    Attributes:
        name: Such as `"gcd"`.
        levels: The levels at which it comes up, of 1 to 5.
        make: (generator, level) -> problem.
    """

    name: str
    levels: Sequence[int]
    make: Callable[[np.random.Generator, int], Problem]


def draw(generator: np.random.Generator, low: int, high: int, *, without: Iterable[int] = ()) -> int:
    """Draw a whole number from `low` to `high`, both included."""
    excluded = set(without)
    choices = [n for n in range(low, high + 1) if n not in excluded] if excluded else range(low, high + 1)
    return choices[int(generator.integers(len(choices)))]


def choose(generator: np.random.Generator, choices: Sequence[T]) -> T:
    """Draw one of several."""
    return choices[int(generator.integers(len(choices)))]


def fraction(value: Fraction | int) -> str:
    r"""Write a rational number: `-3`, `\frac{3}{4}`, `-\frac{3}{4}`."""
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    return rf"{'-' if value < 0 else ''}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def pair(*values: Fraction | int) -> str:
    """Write an ordered pair or triple."""
    return f"({', '.join(map(fraction, values))})"


def solutions(values: Iterable[Fraction | int]) -> str:
    """Write a set, in order of size."""
    return rf"\{{{', '.join(map(fraction, sorted(set(values))))}\}}"


def polynomial(coefficients: Sequence[int], name: str = "x") -> str:
    """Write a polynomial, highest power first: `[3, -1, 5]` is `3x^2 - x + 5`."""
    text = ""
    for power, factor in zip(range(len(coefficients) - 1, -1, -1), coefficients, strict=True):
        if not factor:
            continue
        sign = ("-" if factor < 0 else "") if not text else (" - " if factor < 0 else " + ")
        number = "" if abs(factor) == 1 and power else str(abs(factor))
        text += sign + number + ("" if power == 0 else name if power == 1 else f"{name}^{power}")
    return text or "0"
