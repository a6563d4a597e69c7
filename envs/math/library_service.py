"""What runs beside Math-Verify in a worker that can be killed: it imports nothing else of ours.

Math-Verify's own time-outs are signals, which fail outside a main thread and cannot interrupt every computation; they
are switched off here. Whoever asks ends the process when it takes too long.
"""

import cmath
import logging
import zlib
from functools import lru_cache
from typing import Any

from math_verify import parse, verify
from sympy import (
    Add,
    Expr,
    Float,
    I,
    Mul,
    Number,
    NumberSymbol,
    Pow,
    Symbol,
    cos,
    exp,
    log,
    nan,
    preorder_traversal,
    sin,
    tan,
    zoo,
)

# It warns about time-outs that are switched off.
logging.getLogger("math_verify").setLevel(logging.ERROR)

_KEPT = 1_024
_ELEMENTARY = (Add, Mul, Pow, Number, NumberSymbol, Symbol, sin, cos, tan, exp, log)
# Far beyond the rounding of either side.
_FAR = 1e-4


def answer(request: Any) -> Any:
    r"""Compare two answers as Math-Verify does.

    Args:
        request: `{"expected": text, "given": text}`, each without `\boxed{}`; without `given` nothing is compared.

    Returns:
        `{"known": bool, "equal": bool}`: whether `expected` could be read, and whether `given` is equal to it.
    """
    try:
        gold = _parsed(request["expected"])
        given = request.get("given")
        equal = given is not None and _equal(gold, _parsed(given))
    except RecursionError:
        return {"known": False, "equal": False}
    return {"known": any(not isinstance(value, str) and value not in (nan, zoo) for value in gold), "equal": equal}


def _equal(gold: list[Any], given: list[Any]) -> bool:
    return not _surely_different(gold[:1], given[:1]) and bool(verify(gold, given, timeout_seconds=None))


def _surely_different(gold: list[Any], given: list[Any]) -> bool:
    """Whether two elementary expressions have values far apart at one point; then no algebra can make them equal."""
    values = []
    for expression in (*gold, *given):
        if not isinstance(expression, Expr) or isinstance(expression, Symbol) or not _elementary(expression):
            return False
        # By name: the library may take one symbol to be real and the other not.
        point = {symbol: Float(_place(symbol.name)) for symbol in expression.free_symbols}
        try:
            values.append(complex(expression.evalf(subs=point)))
        except (TypeError, ValueError, ArithmeticError):
            return False
    if len(values) < 2 or not all(map(cmath.isfinite, values)):
        return False
    a, b = values
    return abs(a - b) > _FAR * max(1.0, abs(a), abs(b))


def _elementary(expression: Any) -> bool:
    return all(isinstance(node, _ELEMENTARY) or node is I for node in preorder_traversal(expression))


def _place(name: str) -> float:
    return 0.5 + zlib.crc32(name.encode("utf-8", "replace")) / 2**32


@lru_cache(maxsize=_KEPT)
def _parsed(text: str) -> list[Any]:
    # A box holds the whole text; in dollars, a part of a text that cannot be read would be taken for the answer.
    return list(parse(f"\\boxed{{{text}}}", parsing_timeout=None))


# Grammars are built and expressions compiled on first use: before the fork, so that no process pays for it again.
for _warm in (r"\frac{\sqrt{3}}{2}", r"\left(-\infty, 2\right] \cup \{3\}", "x = 5", r"\text{north}", "2x + 3 > 1"):
    answer({"expected": _warm, "given": "x^2 + 1"})
_parsed.cache_clear()
