"""What a forked process does with a test script: every assertion is a check, and a failing one does not end it."""

import ast
import builtins
import marshal
from _thread import allocate_lock
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple

from .border import BorderClosed, CannotCross, Visitor
from .program import described, record
from .values import shown

__all__ = ["SCRIPT", "Prepared", "examine", "parse", "prepare"]

SCRIPT = "<script>"
_CHECK = "__palaestra_check__"
_LONGEST_SOURCE = 300
_PARSE_TRIES = 5


class _Checks:
    """Writes down what became of every assertion that was reached."""

    def __init__(self, visitor: Visitor, results: int, lines: list[str]) -> None:
        self.visitor = visitor
        self.lines = lines
        self.results = results
        self.reached = 0

    def __call__(self, line: int) -> "_Check":
        return _Check(self, line)


class _Check:
    """One assertion, as a context: `with check: check.holds(...)`."""

    def __init__(self, checks: _Checks, line: int) -> None:
        self._checks = checks
        self._line = line
        self._passed = False
        self._compared: tuple[Any, Any] | None = None

    def holds(self, value: Any) -> None:
        self._passed = bool(value)
        self._compared = (value,) * 2 if value is None or isinstance(value, bool) else None

    def equal(self, actual: Any, expected: Any) -> None:
        self._compared = (actual, expected)
        self._passed = bool(actual == expected)

    def __enter__(self) -> "_Check":
        self._checks.visitor.last = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None and not isinstance(error, Exception):
            return False
        self._checks.reached += 1
        entry: dict[str, Any] = {"ok": self._passed, "line": self._line}
        if not self._passed:
            last = self._checks.visitor.last
            source = self._checks.lines[self._line - 1].strip()[:_LONGEST_SOURCE]
            entry |= {"source": source, "called": last() if last else ""}
            if error is not None:
                entry["actual"] = described(error, SCRIPT)
            elif self._compared is not None and self._compared[0] is not self._compared[1]:
                entry |= {"actual": shown(self._compared[0]), "expected": shown(self._compared[1])}
            elif self._compared is not None:
                entry["actual"] = shown(self._compared[0])
        record(self._checks.results, entry)
        return True


class _Instrument(ast.NodeTransformer):
    """Replaces `assert test` by a check; `assert True` checks nothing and goes."""

    def __init__(self) -> None:
        self.planned = 0

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        test = node.test
        if isinstance(test, ast.Constant) and test.value:
            return ast.copy_location(ast.Pass(), node)
        if not isinstance(test, ast.Constant):
            self.planned += 1
        name = f"{_CHECK}{node.lineno}_{node.col_offset}"
        method, arguments = "holds", [test]
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            method, arguments = "equal", [test.left, test.comparators[0]]
        check = ast.Call(ast.Name(_CHECK, ast.Load()), [ast.Constant(node.lineno)], [])
        body = ast.Expr(ast.Call(ast.Attribute(ast.Name(name, ast.Load()), method, ast.Load()), arguments, []))
        item = ast.withitem(check, ast.Name(name, ast.Store()))
        return ast.fix_missing_locations(ast.copy_location(ast.With([item], [body]), node))


def _unbound(tree: ast.Module) -> list[str]:
    """Return the names that a script reads and nowhere defines."""
    defined: set[str] = set(dir(builtins)) | {_CHECK}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            defined.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, ast.alias):
            defined.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            defined.add(node.name)
    read = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    return [name for name in dict.fromkeys(read) if name not in defined and not name.startswith(_CHECK)]


class Prepared(NamedTuple):
    """A script, ready to be run as often as there are programs.

    Attributes:
        code: Byte code of the instrumented script, as `marshal` writes it for this interpreter.
        unbound: Names that it reads and nowhere defines.
        planned: Assertions in it.
    """

    code: bytes
    unbound: list[str]
    planned: int


_one_at_a_time = allocate_lock()


def parse(source: str, name: str = "<unknown>") -> ast.Module:
    """Parse Python, from any thread.

    Python 3.11 counts the depth of a tree in a place that all threads share, and raises `SystemError` when two parse
    at the same time; others than we may, so it is tried again.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: As `ast.parse` does.
    """
    for _ in range(_PARSE_TRIES - 1):
        with _one_at_a_time, suppress(SystemError):
            return ast.parse(source, name)
    with _one_at_a_time:
        return ast.parse(source, name)


def prepare(script: str) -> Prepared:
    """Instrument and compile a script.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: As `compile` does.
    """
    tree = parse(script, SCRIPT)
    unbound = _unbound(tree)
    instrument = _Instrument()
    code = compile(instrument.visit(tree), SCRIPT, "exec", dont_inherit=True)
    return Prepared(marshal.dumps(code), unbound, instrument.planned)


def examine(payload: dict[str, Any], results: int, visitor: Visitor) -> None:
    """Run a prepared script against the program behind the border.

    A fault is the script's own when it happened before anything came across the border, or when the script names
    what neither side defines; all later trouble may be the program's making and counts against it.
    """
    checks = _Checks(visitor, results, payload["script"].splitlines())
    end: dict[str, Any] = {"end": "finished"}
    try:
        names: dict[str, Any] = {"__name__": "script", _CHECK: checks}
        _bind(names, payload["unbound"], visitor.get)
        candidate = visitor.get(payload["entry_point"]) if payload["entry_point"] else None
        visitor.crossed = 0
        exec(marshal.loads(bytes.fromhex(payload["code"])), names)
        if payload["entry_point"]:
            names["check"](candidate)
    except BorderClosed:
        end = {"end": "lost", "called": visitor.last() if visitor.open and visitor.last else ""}
    except BaseException as error:
        own = visitor.crossed == 0 or isinstance(error, SyntaxError | CannotCross)
        last = visitor.last() if visitor.last else ""
        end = {"end": "fault" if own else "aborted", "error": described(error, SCRIPT), "called": last}
    record(results, {**end, "planned": payload["planned"], "reached": checks.reached})


def _bind(names: dict[str, Any], wanted: list[str], get: Callable[[str], Any]) -> None:
    """Bind what the program defines; what it does not stays unbound, and raises `NameError` where it is read."""
    for name in wanted:
        try:
            names[name] = get(name)
        except NameError:
            continue
