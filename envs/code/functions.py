"""Small functions of one number, given by examples that no other function of their level fits."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Json, Task, TaskSet

__all__ = ["INPUTS", "LEVELS", "SHOWN", "SHOWN_INPUTS", "Function", "function_task", "functions_of", "synthesis_tasks"]

SHOWN = 3
"""How many examples are shown."""

# Examples are drawn from the first; a program is tried on all of the second, the examples among them.
SHOWN_INPUTS = tuple(range(10))
INPUTS = (*SHOWN_INPUTS, -1, -4, -17, 12, 23, 40, 99)
# Most functions have triples of examples that tell them from all others; those few that have none are drawn anew.
_PATIENCE = 50


class _Kind(NamedTuple):
    """Functions that differ in their constants alone.

    Attributes:
        text: Python, with the constants `a` and `b` in braces.
        a: Values of the one constant; (0,) where there is none.
        b: Values of the other.
    """

    text: str
    a: range | tuple[int] = (0,)
    b: range | tuple[int] = (0,)


_DIGIT, _FACTOR = range(1, 10), range(2, 10)
_SHIFTS = (_Kind("x+{b}", b=_DIGIT), _Kind("x-{b}", b=_DIGIT))
_MULTIPLES = (_Kind("x*{a}", _FACTOR),)
_TURNED = (_Kind("{b}-x", b=_DIGIT), _Kind("x//{a}", range(2, 5)))
_LINEAR = (_Kind("x*{a}+{b}", _FACTOR, _DIGIT), _Kind("x*{a}-{b}", _FACTOR, _DIGIT))
_CURVED = (
    _Kind("x*x+{b}", b=_DIGIT),
    _Kind("x*x-{b}", b=_DIGIT),
    _Kind("x%{a}", range(2, 8)),
    _Kind("max(x,{b})", b=range(2, 9)),
    _Kind("min(x,{b})", b=range(2, 9)),
    _Kind("abs(x-{b})", b=_DIGIT),
)
_MIXED = (
    _Kind("x//{a}+{b}", range(2, 5), _DIGIT),
    _Kind("x%{a}*{b}", range(3, 7), range(2, 6)),
    _Kind("max(x*{a},{b})", range(2, 5), range(5, 20)),
    _Kind("abs(x*{a}-{b})", range(2, 5), range(3, 20)),
    _Kind("x*x+x*{a}-{b}", _FACTOR, _DIGIT),
    _Kind("x if x<{b} else x*{a}", range(2, 6), range(3, 8)),
)

LEVELS: Mapping[int, tuple[_Kind, ...]] = MappingProxyType(
    {
        1: _SHIFTS + _MULTIPLES + _TURNED,
        2: _SHIFTS + _MULTIPLES + _TURNED + _LINEAR,
        3: _MULTIPLES + _TURNED + _LINEAR + _CURVED,
        4: _LINEAR + _CURVED + _MIXED,
    }
)
"""1: one operation; 2: also `x*a+b`; 3: also squares, remainders, `max`, `min`, `abs`; 4: two of these, conditions."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    Attributes:
        kind: Index of its kind in its level.
        text: A Python expression in `x`.
        values: Its values on all inputs that programs are tried on.
    """

    kind: int
    text: str
    values: tuple[int, ...]


@cache
def functions_of(level: int) -> tuple[Function, ...]:
    """Return all functions of a level, no two of them alike on all inputs.

    Raises:
        UsageError: If there is no such level.
    """
    if level not in LEVELS:
        raise UsageError(f"level must be from {min(LEVELS)} to {max(LEVELS)}, got {level}.")
    found: dict[tuple[int, ...], Function] = {}
    for index, kind in enumerate(LEVELS[level]):
        for a in kind.a:
            for b in kind.b:
                text = kind.text.format(a=a, b=b)
                code = compile(text, text, "eval")
                values = tuple(eval(code, {"x": x}) for x in INPUTS)
                found.setdefault(values, Function(index, text, values))
    return tuple(found.values())


def synthesis_tasks(level: int, *, size: int, seed: int = 0) -> TaskSet:
    """Make up to `size` tasks such as `f(0)=1 f(3)=7 f(5)=11 f(x)=`, all kinds of function equally often.

    No other function of the level fits the examples shown. The reference holds them and further cases.

    Raises:
        UsageError: If there is no such level, or the size is none.
    """
    functions = functions_of(level)
    if size < 1:
        raise UsageError(f"size must be at least 1, got {size}.")
    table = np.array([function.values for function in functions])
    kinds = [[i for i, f in enumerate(functions) if f.kind == kind] for kind in range(len(LEVELS[level]))]

    def make(generator: np.random.Generator) -> Task:
        for _ in range(_PATIENCE):
            kind = kinds[generator.integers(len(kinds))]
            chosen = int(kind[generator.integers(len(kind))])
            shown = np.sort(generator.permutation(len(SHOWN_INPUTS))[:SHOWN])
            if _alone(table, chosen, shown):
                return function_task(functions[chosen], [int(i) for i in shown])
        raise AssertionError("the functions of a level can be told apart")

    return TaskSet.generated(make, size=size, seed=seed, name=f"synthesis-{level}")


def _alone(table: NDArray[np.int64], chosen: int, shown: NDArray[np.int64]) -> bool:
    """Return whether one row of the table is like no other in the columns shown."""
    return int((table[:, shown] == table[chosen, shown]).all(axis=1).sum()) == 1


def function_task(function: Function, shown: list[int]) -> Task:
    """Return the task of finding a function.

    Args:
        function: It, with its values on all of `INPUTS`.
        shown: `SHOWN` of `SHOWN_INPUTS`, by their index, of which the values are told.
    """
    value = dict(zip(INPUTS, function.values, strict=True))
    order = [*(SHOWN_INPUTS[i] for i in shown)]
    order += [x for x in INPUTS if x not in order]
    examples = " ".join(f"f({x})={value[x]}" for x in order[:SHOWN])
    reference: dict[str, Json] = {
        "format": "calls",
        "entry_point": "f",
        "cases": [{"arguments": [x], "expected": value[x]} for x in order],
    }
    return Task("", f"{examples} f(x)=", reference, {"solution": function.text})
