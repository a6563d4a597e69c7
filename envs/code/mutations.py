"""Small faults put into a right program, such as people make: one token changed, all else as it was."""

import ast
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from palaestra.envs.sandbox.inside.script import parse

__all__ = ["Mutant", "mutants"]

_COMPARISONS: Mapping[type[ast.cmpop], tuple[str, str]] = MappingProxyType(
    {
        ast.Lt: ("<", "<="),
        ast.LtE: ("<=", "<"),
        ast.Gt: (">", ">="),
        ast.GtE: (">=", ">"),
        ast.Eq: ("==", "!="),
        ast.NotEq: ("!=", "=="),
        ast.In: ("in", "not in"),
    }
)
_OPERATORS: Mapping[type[ast.operator], tuple[str, str]] = MappingProxyType(
    {
        ast.Add: ("+", "-"),
        ast.Sub: ("-", "+"),
        ast.Mult: ("*", "+"),
        ast.FloorDiv: ("//", "*"),
        ast.Div: ("/", "*"),
        ast.Mod: ("%", "//"),
    }
)
_JUNCTIONS: Mapping[type[ast.boolop], tuple[str, str]] = MappingProxyType(
    {ast.And: ("and", "or"), ast.Or: ("or", "and")}
)
_TWINS = MappingProxyType({"max": "min", "min": "max"})


class Mutant(NamedTuple):
    """A program with one fault.

    Attributes:
        program: Its source.
        line: The line of the fault, from 1.
        fault: Such as `"< became <="`.
    """

    program: str
    line: int
    fault: str


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def mutants(program: str) -> list[Mutant]:
    """Return every program that differs from a right one by one fault, in the order of the source.

    Comparisons and operators are swapped, whole numbers are one off, one variable stands for another, `and` for `or`,
    `min` for `max`, True for False. Some mutants do the same as the program, and some never end.

    Args:
        program: Valid Python, in ASCII so that columns are characters.
    """
    starts = [0]
    for line in program.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    tree = parse(program)
    edits = {edit for node in ast.walk(tree) for edit in _edits(node, program, starts, _variables(tree))}
    return [_mutant(program, edit) for edit in sorted(edits)]


def _mutant(program: str, edit: _Edit) -> Mutant:
    changed = program[: edit.start] + edit.text + program[edit.end :]
    old = program[edit.start : edit.end].strip()
    fault = f"{old} became {edit.text}" if edit.text else f"{old} was left out"
    return Mutant(changed, program.count("\n", 0, edit.start) + 1, fault)


def _variables(tree: ast.AST) -> list[str]:
    """Return the names that are parameters or assigned somewhere, in alphabetical order."""
    assigned = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return sorted(assigned | {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)})


def _edits(node: ast.AST, program: str, starts: list[int], variables: list[str]) -> Iterator[_Edit]:
    def span(of: ast.expr) -> tuple[int, int]:
        return starts[of.lineno - 1] + of.col_offset, starts[(of.end_lineno or 0) - 1] + (of.end_col_offset or 0)

    def between(left: ast.expr, right: ast.expr, swap: tuple[str, str] | None) -> Iterator[_Edit]:
        start, end = span(left)[1], span(right)[0]
        found = re.search(rf"(?<![\w]){re.escape(swap[0])}(?![\w=])", program[start:end]) if swap else None
        if swap and found:
            yield _Edit(start + found.start(), start + found.end(), swap[1])

    match node:
        case ast.Compare():
            operands = [node.left, *node.comparators]
            for operator, left, right in zip(node.ops, operands, node.comparators, strict=False):
                yield from between(left, right, _COMPARISONS.get(type(operator)))
        case ast.BinOp():
            yield from between(node.left, node.right, _OPERATORS.get(type(node.op)))
        case ast.AugAssign():
            sign, other = _OPERATORS.get(type(node.op), ("", ""))
            if sign:
                yield from between(node.target, node.value, (f"{sign}=", f"{other}="))
        case ast.BoolOp():
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield from between(left, right, _JUNCTIONS[type(node.op)])
        case ast.UnaryOp(op=ast.Not()):
            yield _Edit(span(node)[0], span(node.operand)[0], "")
        case ast.Constant(value=bool()):
            yield _Edit(*span(node), str(not node.value))
        case ast.Constant(value=int()):
            number = int(str(node.value))
            yield _Edit(*span(node), str(number + 1))
            if number > 0:
                yield _Edit(*span(node), str(number - 1))
        case ast.Name(ctx=ast.Load()):
            if node.id in _TWINS:
                yield _Edit(*span(node), _TWINS[node.id])
            elif node.id in variables and len(variables) > 1:
                yield _Edit(*span(node), variables[(variables.index(node.id) + 1) % len(variables)])
