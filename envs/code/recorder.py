"""Record what a test script asks. This file is itself run inside the sandbox: nothing but the standard library.

Many scripts compute their questions and answers in loops and then compare `candidate(question) == answer`, nothing
more. `record` runs a script with a candidate that only notes what it was asked, and returns the questions with the
answers; if the script does anything else with what the candidate gives it, nothing is returned.
"""

import ast
import random
from collections.abc import Callable
from typing import Any

__all__ = ["record"]

_CHECK = "__palaestra_check__"
# Of more, the script itself is the better form.
_MOST_CALLS, _MOST_ITEMS = 2_000, 100_000
_QUESTIONS = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict)
# A set among the questions would be given in an order that depends on where it was made.
_ANSWERS = (*_QUESTIONS, set, frozenset)
# By these a script could treat a noted answer otherwise than a real one, and nobody would see it.
_LOOKING = {"callable", "id", "type", "vars"}


class Unrecorded(BaseException):
    """The script is not of the kind that can be recorded. Not an `Exception`: a script that catches those goes on."""


class Answer:
    """What the candidate gives: nothing can be done with it but compare it, by an assertion."""

    __slots__ = ()


_refused: list[str] = []


def _refusal(operation: str) -> Callable[..., Any]:
    def refuse(*_arguments: Any, **_named: Any) -> Any:
        _refused.append(operation)
        raise Unrecorded

    return refuse


_KEPT = {"__class__", "__del__", "__dict__", "__doc__", "__init__", "__init_subclass__", "__module__", "__new__"}
_KEPT |= {"__name__", "__qualname__", "__slots__", "__subclasshook__", "__weakref__", "__class_getitem__"}
_OPERATIONS = {name for kind in (*_ANSWERS, type(i for i in "")) for name in dir(kind) if name.startswith("__")}
_RARE = [
    "aiter",
    "anext",
    "await",
    "call",
    "complex",
    "enter",
    "exit",
    "fspath",
    "get",
    "length_hint",
    "matmul",
    "rmatmul",
]
for _name in (_OPERATIONS | {f"__{name}__" for name in _RARE}) - _KEPT:
    setattr(Answer, _name, _refusal(_name))


class _Recording:
    def __init__(self) -> None:
        self.questions: list[list[Any]] = []
        self.answers: list[Any] = []
        # Kept, so that no other object can have the number of one of them.
        self.given: list[Answer] = []
        self.spoilt = False
        self.items = 0

    def candidate(self, *arguments: Any, **named: Any) -> Answer:
        self.require(not named and len(self.given) < _MOST_CALLS)
        self.questions.append([self.copied(value, _QUESTIONS) for value in arguments])
        self.given.append(Answer())
        return self.given[-1]

    def equal(self, left: Any, right: Any) -> None:
        """Note one assertion; they must ask for the answers in the order in which the calls were made."""
        number = len(self.answers)
        self.require(number < len(self.given))
        expected = self.given[number]
        self.require((left is expected) != (right is expected))
        self.answers.append(self.copied(right if left is expected else left, _ANSWERS))

    def require(self, condition: bool) -> None:
        if not condition:
            self.spoilt = True
            raise Unrecorded

    def copied(self, value: Any, kinds: tuple[type, ...]) -> Any:
        """Copy plain data of exact types: a script may change its own later."""
        self.items += 1
        self.require(type(value) in kinds and self.items < _MOST_ITEMS)
        if type(value) is dict:
            return {self.copied(key, kinds): self.copied(item, kinds) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return type(value)(self.copied(item, kinds) for item in value)
        return value


class _Rewritten(ast.NodeTransformer):
    """Turns `assert a == b` into a note; any other assertion but `assert True` cannot be recorded."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        test = node.test
        if isinstance(test, ast.Constant) and test.value:
            return ast.copy_location(ast.Pass(), node)
        if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)):
            raise Unrecorded
        call = ast.Call(ast.Name(_CHECK, ast.Load()), [test.left, test.comparators[0]], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))


def _looks(tree: ast.Module) -> bool:
    """Whether a script asks what or which an object is, in a way that no object can notice."""
    return any(
        (isinstance(node, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops))
        or (isinstance(node, ast.Name) and node.id in _LOOKING)
        or isinstance(node, ast.Match)
        for node in ast.walk(tree)
    )


def record(script: str, entry_point: str, tested: str) -> list[list[Any]] | None:
    """Run a script and return what it asks.

    Args:
        script: Python source.
        entry_point: The name that a HumanEval test's `check` is called with; empty where the script calls by itself.
        tested: The name of the function that is tested.

    Returns:
        The arguments of every call, and what each must give; None if the script does more than compare.
    """
    recording = _Recording()
    try:
        tree = ast.parse(script)
        if _looks(tree):
            return None
        code = compile(_Rewritten().visit(tree), "<script>", "exec", dont_inherit=True)
        random.seed(0)  # a test that draws its questions shall ask every program the same
        names: dict[str, Any] = {"__name__": "script", _CHECK: recording.equal, tested: recording.candidate}
        exec(code, names)
        if entry_point:
            names["check"](recording.candidate)
    except BaseException:
        return None
    # What was called and not compared may still have mattered: by raising.
    whole = not recording.spoilt and not _refused and len(recording.questions) == len(recording.answers) > 0
    return [recording.questions, recording.answers] if whole else None
