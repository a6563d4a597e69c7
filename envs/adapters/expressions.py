"""Which texts are safe to hand to a parser that evaluates what it reads."""

import ast
import re
from typing import Final

__all__ = ["unsafe"]

_LONGEST: Final = 500
_LARGEST: Final = 1e20
# The exponents of a power in a power multiply; more digits than these make are not needed by any answer.
_HIGHEST_POWER: Final = 100
_NAME: Final = re.compile(
    r"[A-Za-z]|pi|a?(?:sin|cos|tan)h?|sec|csc|cot|exp|log|ln|sqrt|Abs|abs|theta|alpha|beta|gamma", re.ASCII
)
# Letters where they stand alone; called, some are functions whose values have millions of digits.
_NOT_CALLED: Final = ("pi", "theta", "alpha", "beta", "gamma")
_OPERATORS: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UAdd, ast.USub, ast.BitXor)


def unsafe(text: str) -> str:
    """Return what speaks against evaluating a text as an expression, an empty text where nothing does.

    Numbers, letters, elementary functions and the four operations may stand in it, and powers up to 100.
    """
    if len(text) > _LONGEST:
        return f"it has {len(text)} characters, more than {_LONGEST}"
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "it is no expression"
    return _found(tree, 1)


def _found(node: ast.AST, power: int) -> str:
    """Return the first thing that is not allowed in a part, which is raised to `power` in all."""
    match node:
        case ast.Constant(value=bool()) | ast.Constant(value=complex()):
            return "it holds what is no number"
        case ast.Constant(value=int() | float() as value):
            return "a number is too long" if not abs(value) < _LARGEST else ""
        case ast.Name(id=name):
            return "" if _NAME.fullmatch(name) else f"it names {name[:20]!r}"
        case ast.UnaryOp(op=op, operand=operand) if isinstance(op, _OPERATORS):
            return _found(operand, power)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            height = _height(right)
            if height * power > _HIGHEST_POWER:
                return f"it raises to more than the power {_HIGHEST_POWER}"
            return _found(left, height * power) or _found(right, power)
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _OPERATORS):
            return _found(left, power) or _found(right, power)
        case ast.Call(func=ast.Name(id=name)) if name in _NOT_CALLED:
            return f"it calls {name}"
        case ast.Call(func=ast.Name() as function, args=[argument], keywords=[]):
            return _found(function, 1) or _found(argument, power)
        case _:
            return f"it holds a {type(node).__name__}"


def _height(exponent: ast.AST) -> int:
    """Return how high an exponent may be: a number's own size, 1 for what is no plain number."""
    match exponent:
        case ast.Constant(value=int() | float() as value):
            return max(1, int(min(abs(value), 10**9)))
        case ast.UnaryOp(operand=operand):
            return _height(operand)
        case ast.BinOp(left=left, right=right):
            # Sums, products and towers alike: no less than what any of them can reach.
            return min(10**9, max(2, _height(left)) * max(2, _height(right)) ** 2)
        case _:
            return 1
