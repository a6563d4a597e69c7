"""Assertions on literals, evaluated in this process on decoded plain data.

Recognised are `f(...) == literal` and its mirror, `f(...)` and `not f(...)`, `f(...) is None` (True, False),
`abs(f(...) - number) < number`, `math.isclose(f(...), number, ...)`, and `set`, `frozenset`, `sorted`, `tuple` and
`list` around the call of an equality; all arguments are literals too. What is evaluated is the assertion's own
expression with the call replaced by its value, so that Python's rules hold exactly: `1 == True`, `[1] != (1,)`.
"""

import ast
import builtins
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, MappingProxyType
from typing import Any

from palaestra.envs.code.formats import Format, HumanEval, Mbpp
from palaestra.envs.code.plan import CallPlan, Test
from palaestra.envs.sandbox.inside.script import parse
from palaestra.envs.sandbox.inside.values import shown
from palaestra.envs.sandbox.job import PackedCalls, Value

__all__ = ["call_text", "check_of", "literal_plan"]

_VALUE = "__value__"
_SHOWN = 200
# Longer values stand in no test; the bounds keep a hostile one from taking this process's time and memory.
_LONGEST = 1_000_000
_FEW = 50
_DEEPEST = 50
_LARGEST_POWER = 1_000


def call_text(name: str, arguments: Sequence[Value]) -> str:
    """Return a call for people, shortened."""
    return f"{name}({', '.join(shown(argument, _SHOWN // max(1, len(arguments))) for argument in arguments)})"


def check_of(tree: ast.Module) -> ast.FunctionDef | None:
    """Return the function `check` of a HumanEval test."""
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    return found[-1] if found else None


def _bounded(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Build a container from a decoded value, if that is not a way to take this process's time or memory."""

    def made(value: Any = ()) -> Any:
        if isinstance(value, range) and len(value) > _LONGEST:
            raise ValueError("the value is too long")
        return make(_distinct(value) if make in (set, frozenset) else value)

    return made


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Leave out repeated values; items chosen so that their hashes collide would make a set take quadratic time."""
    buckets: dict[int, list[Any]] = {}
    for value in values:
        bucket = buckets.setdefault(hash(value), [])
        if value not in bucket:
            bucket.append(value)
            if len(bucket) > _FEW:
                raise ValueError("the value has too many items of equal hash")
    return [value for bucket in buckets.values() for value in bucket]


_WRAPPERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {make.__name__: _bounded(make) for make in (set, frozenset, sorted, tuple, list)}
)
_NAMES: Mapping[str, Any] = MappingProxyType({"__builtins__": {}, "abs": abs, "math": math, **_WRAPPERS})


@dataclass(frozen=True, slots=True)
class _Holds:
    """An assertion's own expression, with the call in it replaced by a name."""

    code: CodeType

    def __call__(self, value: Value) -> bool:
        return bool(eval(self.code, {**_NAMES, _VALUE: value}))


def literal_plan(known: Format) -> CallPlan | None:
    """Return the plan of tests that are all literal, or None."""
    try:
        return _planned(known)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # the script says what is wrong


def _planned(known: Format) -> CallPlan | None:
    found = _asserted(known)
    if found is None:
        return None
    callee, asserts = found
    entry_point = known.entry_point if isinstance(known, HumanEval) else callee
    calls, tests = [], []
    for node in asserts:
        read = _Assertion(callee)
        expected = read.expected(node.test)
        if expected is None:
            return None
        calls.append(read.arguments)
        code = compile(ast.fix_missing_locations(ast.Expression(read.replaced(node.test))), "<assert>", "eval")
        tests.append(Test(call_text(entry_point, read.arguments), expected, _Holds(code)))
    return CallPlan(entry_point, PackedCalls(calls), tuple(tests)) if tests else None


def _asserted(known: Format) -> tuple[str, list[ast.Assert]] | None:
    """Return the name of the function that is called, and the assertions that check something."""
    if isinstance(known, HumanEval):
        tree = parse(known.test)
        check = check_of(tree)
        if check is None or check.decorator_list or len(tree.body) != len(list(filter(_inert, tree.body))) + 1:
            return None
        parameters = check.args
        if len(parameters.args) != 1 or ast.unparse(parameters) != parameters.args[0].arg:
            return None
        callee, body = parameters.args[0].arg, check.body
    elif isinstance(known, Mbpp):
        body = parse("\n".join(known.asserts)).body
        callee = _callee(body)
        if not all(map(_inert, parse(known.setup).body)):
            return None
    else:
        return None
    asserts = [node for node in body if isinstance(node, ast.Assert)]
    if not callee or callee in _NAMES or not all(_inert(n) for n in body if n not in asserts):
        return None
    return callee, [node for node in asserts if not (isinstance(node.test, ast.Constant) and node.test.value)]


def _inert(node: ast.stmt) -> bool:
    """Whether a statement changes nothing for assertions on literals."""
    if isinstance(node, ast.Import):
        return all(alias.name in sys.stdlib_module_names and not alias.asname for alias in node.names)
    if isinstance(node, ast.Assign):
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        return names == ["METADATA"] and len(node.targets) == 1 and _is_literal(node.value)
    if isinstance(node, ast.Expr):
        value = node.value
        return isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and hasattr(builtins, value.id))
    return isinstance(node, ast.Pass)


def _callee(body: Sequence[ast.stmt]) -> str:
    """Return the one name that MBPP's assertions call besides the known ones; empty where there are several."""
    called = {
        node.func.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    } - set(_NAMES)
    return called.pop() if len(called) == 1 else ""


class _Assertion:
    """Reads an assertion on one call.

    Attributes:
        arguments: Those of the call, once it is found.
    """

    def __init__(self, callee: str) -> None:
        self._callee = callee
        self._call: ast.Call | None = None
        self.arguments: tuple[Value, ...] = ()

    def expected(self, test: ast.expr) -> str | None:
        """Return in words what an assertion expects of its call, or None where it is not literal."""
        if self._is_call(test):
            return "true"
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and self._is_call(test.operand):
            return "false"
        if isinstance(test, ast.Call):
            return self._is_close(test)
        if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
            return None
        left, operation, right = test.left, test.ops[0], test.comparators[0]
        if isinstance(operation, ast.Eq):
            if self._is_side(left) and _is_literal(right):
                return _words(right)
            return _words(left) if _is_literal(left) and self._is_side(right) else None
        if isinstance(operation, ast.Is):
            constant = isinstance(right, ast.Constant) and (right.value is None or isinstance(right.value, bool))
            return _words(right) if constant and self._is_call(left) else None
        if isinstance(operation, ast.Lt | ast.LtE) and _is_number(right):
            return self._is_near(left, right)
        return None

    def _is_side(self, node: ast.expr) -> bool:
        """Recognise the call, bare or in a container's constructor."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _WRAPPERS:
            return len(node.args) == 1 and not node.keywords and self._is_call(node.args[0])
        return self._is_call(node)

    def _is_near(self, left: ast.expr, tolerance: ast.expr) -> str | None:
        """Recognise `abs(call - number)` and `abs(number - call)`."""
        if not (isinstance(left, ast.Call) and isinstance(left.func, ast.Name) and left.func.id == "abs"):
            return None
        if len(left.args) != 1 or left.keywords or not isinstance(left.args[0], ast.BinOp):
            return None
        difference = left.args[0]
        sides = difference.left, difference.right
        if isinstance(difference.op, ast.Sub):
            for call, number in (sides, sides[::-1]):
                if _is_number(number) and self._is_call(call):
                    return f"within {_words(tolerance)} of {_words(number)}"
        return None

    def _is_close(self, node: ast.Call) -> str | None:
        """Recognise `math.isclose(call, number, ...)`."""
        if ast.unparse(node.func) != "math.isclose" or len(node.args) != 2:
            return None
        if not all(keyword.arg in ("rel_tol", "abs_tol") and _is_number(keyword.value) for keyword in node.keywords):
            return None
        for call, number in (node.args, node.args[::-1]):
            if _is_number(number) and self._is_call(call):
                return f"close to {_words(number)}"
        return None

    def _is_call(self, node: ast.expr) -> bool:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == self._callee):
            return False
        # A set is given in an order that depends on how it was made: the test's own process makes it, not this one.
        literal = all(_is_literal(argument) and not _has_set(argument) for argument in node.args)
        if node.keywords or not literal:
            return False
        self._call = node
        self.arguments = tuple(_evaluated(argument) for argument in node.args)
        return True

    def replaced(self, test: ast.expr) -> ast.expr:
        """Return the assertion's expression with the call replaced by the name of its value."""
        call = self._call

        class Replace(ast.NodeTransformer):
            def visit_Call(self, node: ast.Call) -> ast.AST:
                return ast.Name(_VALUE, ast.Load()) if node is call else self.generic_visit(node)

        replaced: ast.expr = Replace().visit(test)
        return replaced


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool | int | float | complex)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub | ast.UAdd) and _is_number(node.operand)
    if not isinstance(node, ast.BinOp):
        return False
    if isinstance(node.op, ast.Pow):
        power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        sides = [side.value for side in (node.left, power) if isinstance(side, ast.Constant) and _is_number(node.right)]
        return len(sides) == 2 and all(type(side) is int and side <= _LARGEST_POWER for side in sides)
    known = isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div)
    return known and _is_number(node.left) and _is_number(node.right)


def _is_literal(node: ast.expr, depth: int = 0) -> bool:
    """Whether an expression is plain data written down, also with `set([...])` and the like."""
    if depth > _DEEPEST:
        return False
    if isinstance(node, ast.Constant):
        return node.value is not Ellipsis
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return all(_is_literal(item, depth + 1) for item in node.elts)
    if isinstance(node, ast.Dict):
        return all(key is not None and _is_literal(key, depth + 1) for key in node.keys) and all(
            _is_literal(value, depth + 1) for value in node.values
        )
    if isinstance(node, ast.Call):
        known = isinstance(node.func, ast.Name) and node.func.id in _WRAPPERS
        return known and len(node.args) <= 1 and not node.keywords and all(_is_literal(a, depth + 1) for a in node.args)
    return _is_number(node) or _is_text(node)


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and _is_text(node.left) and _is_text(node.right)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _has_set(node: ast.expr) -> bool:
    return any(
        isinstance(inner, ast.Set)
        or (isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and "set" in inner.func.id)
        for inner in ast.walk(node)
    )


def _evaluated(node: ast.expr) -> Value:
    """Evaluate a literal; raises ValueError for one that cannot be, such as `1 / 0`."""
    try:
        return eval(compile(ast.Expression(node), "<literal>", "eval"), dict(_NAMES))
    except (TypeError, ArithmeticError) as error:
        raise ValueError(str(error)) from None


def _words(node: ast.expr) -> str:
    return shown(_evaluated(node), _SHOWN)
