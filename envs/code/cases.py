"""From a task's tests to what the sandbox is asked, once for each task.

Most tests say `assert f(<literals>) == <literal>`. Such a test needs no process of its own: the program is called
with the arguments, and the assertion is evaluated here, on decoded plain data. All other tests run as a script beside
the program. Both ways give the same verdicts.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from palaestra.envs.code.compare import same_json, same_output
from palaestra.envs.code.formats import Calls, Format, HumanEval, Mbpp, Stdio, format_of, remembered
from palaestra.envs.code.literal import call_text, check_of, literal_plan
from palaestra.envs.code.plan import CallPlan, Plan, RunPlan, ScriptPlan, Test
from palaestra.envs.code.program import entry_name, head_of
from palaestra.envs.errors import UsageError
from palaestra.envs.sandbox.inside.script import parse
from palaestra.envs.sandbox.inside.values import shown
from palaestra.envs.sandbox.job import PackedCalls, Value
from palaestra.envs.task import Task

__all__ = ["plan_of", "script_of"]

# Some tests use these without an import, because the solutions import them. They are the test's own all the same: a
# program could give them another meaning.
_ASSUMED = ("cmath", "collections", "copy", "datetime", "itertools", "math", "re")


@remembered
def plan_of(task: Task) -> Plan:
    """Return how a task's programs are tested.

    Raises:
        UsageError: If its reference is broken or its tests are no Python.
    """
    known = format_of(task)
    if isinstance(known, Stdio):
        tests = (
            Test(shown(c.input), shown(c.output), _Output(c.output), given=(c.input, c.output)) for c in known.cases
        )
        return RunPlan(tuple(c.input for c in known.cases), tuple(tests), known.checker)
    if isinstance(known, Calls):
        return _json_plan(known)
    return literal_plan(known) or script_of(task)


@dataclass(frozen=True, slots=True)
class _Output:
    expected: str

    def __call__(self, printed: Value) -> bool:
        return same_output(printed, self.expected)


@dataclass(frozen=True, slots=True)
class _Json:
    expected: Value

    def __call__(self, value: Value) -> bool:
        return same_json(value, self.expected)


def _json_plan(known: Calls) -> CallPlan:
    calls = PackedCalls(case.arguments for case in known.cases)
    tests = tuple(
        Test(
            call_text(known.entry_point, case.arguments),
            shown(case.expected),
            _Json(case.expected),
            (list(case.arguments), case.expected),
        )
        for case in known.cases
    )
    return CallPlan(known.entry_point, calls, tests, known.checker)


@remembered
def script_of(task: Task) -> ScriptPlan:
    """Return the tests of a HumanEval or MBPP task as a script.

    Names that a HumanEval prompt defines before the function asked for are the test's own: a reply may define them
    again, and then tests its function against itself.

    Raises:
        UsageError: If the tests are no Python, or hold no assertion.
    """
    known = format_of(task)
    if isinstance(known, HumanEval):
        tree = _parsed(known.test, "field 'test'")
        check = check_of(tree)
        if check is None:
            raise UsageError("field 'test' of the reference must define a function check(candidate).")
        script = _own_head(head_of(task.prompt, known.entry_point), tree) + _assumed(tree) + known.test
        return ScriptPlan(script, known.entry_point, _checks(tree.body, check.body), _stub(known), known.entry_point)
    if not isinstance(known, Mbpp):
        raise UsageError("Only tests of the formats 'humaneval' and 'mbpp' are scripts.")
    setup = _parsed(known.setup, "field 'setup'")
    tree = _parsed("\n".join(known.asserts), "field 'asserts'")
    script = "\n".join([_own_setup(setup, known.setup), _assumed(tree), *known.asserts])
    return ScriptPlan(script + "\n", "", _checks(tree.body), _stub(known), entry_name(known))


def _stub(known: Format) -> str:
    name = entry_name(known)
    return f"def {name}(*arguments, **named):\n    pass\n" if name else ""


def _parsed(source: str, where: str) -> ast.Module:
    try:
        return parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{where} of the reference is no Python: {type(error).__name__}: {error}.") from None


def _read(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _defined(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def _own_head(head: str, test: ast.Module) -> str:
    """Return the head of a prompt for the test to keep, where the test reads a name from it."""
    try:
        tree = parse(head)
    except (SyntaxError, ValueError):
        return ""  # then no program that begins with it can be loaded either
    needed = (_read(test) - _defined(test)) & _defined(tree)
    return head.rstrip("\n") + "\n\n\n" if needed else ""


def _own_setup(tree: ast.Module, source: str) -> str:
    """Return what of the setup the test keeps for itself.

    Objects of a class that only the test knows cannot be given to the program: a setup with classes is the program's,
    and the test keeps its imports alone.
    """
    if any(isinstance(node, ast.ClassDef) for node in ast.walk(tree)):
        return "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    return source


def _assumed(tree: ast.Module) -> str:
    owners = {
        node.value.id for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return "".join(f"import {name}\n" for name in _ASSUMED if name in owners - _defined(tree))


def _checks(*bodies: Iterable[ast.stmt]) -> int | None:
    """Count the checks of a test; None where an assertion stands in a loop, a branch or a function."""
    count = 0
    for statement in chain(*bodies):
        if isinstance(statement, ast.Assert):
            count += not (isinstance(statement.test, ast.Constant) and statement.test.value)
        elif isinstance(statement, ast.FunctionDef) and statement.name == "check":
            continue
        elif any(isinstance(node, ast.Assert) for node in ast.walk(statement)):
            return None
    if count == 0:
        raise UsageError("The tests of the reference hold no assertion that could fail.")
    return count
