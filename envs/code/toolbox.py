"""Programs with tools that nobody explained: what one does is found by trying, and known from programs that worked."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import islice, permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.code.environment import CodeQuestions, code_judge
from palaestra.envs.errors import UsageError
from palaestra.envs.sandbox import Limits
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Json, Task, TaskSet
from palaestra.envs.telling import SKILLS, told

__all__ = ["OPERATIONS", "TOOLS", "Toolbox", "toolbox"]

TOOLS = ("ba", "de", "fi", "go", "ku", "la", "me", "no", "pu", "ri", "so", "tu")
OPERATIONS = ("x+3", "x+8", "x-5", "x*2", "x*3", "x*4", "x*x", "x//2", "x//3", "x%5", "7-x", "abs(x)")
INPUTS = (-19, -8, -5, -2, -1, 0, 1, 2, 4, 7, 11, 18)
"""What programs are tried on."""

# Expressions of one, two and three tools. Numbers are left out, because words are what skills are found by.
_FORMS = (
    (
        *("{0}(x)", "-{0}(x)", "{0}(-x)", "{0}(x+x)", "{0}(x*x)", "{0}({0}(x))"),
        *("{0}(x)+x", "{0}(x)-x", "{0}(x)*x", "x-{0}(x)", "x*x-{0}(x)", "{0}(x)-x*x"),
    ),
    ("{0}({1}(x))", "{0}({1}(-x))", "{0}({1}(x))+x", "x-{0}({1}(x))", "{0}(x)*x+{1}(x)", "{0}(x)-x*{1}(x)"),
    ("{0}({1}({2}(x)))",),
)
_SHARES = (0.3, 0.4, 0.3)
_ASK = "Define in Python, with its tools: f(x) = "
_TOOL, _USE = "def {}(x): return {}\n", "def f(x): return "
_LIMITS = Limits(cpu_seconds=1.0, wall_seconds=4.0)
# Of the tasks that raise a newborn: shares in which nothing is told, and in which not every tool is.
_BARE, _UNTOLD = 0.2, 0.08
_MOST_PROGRAMS = 5

Book = Mapping[str, str]
"""What each tool does to `x`, as Python."""


class _Expression(NamedTuple):
    """What `f` is.

    Attributes:
        text: Python.
        tools: The tools in it, in their order.
    """

    text: str
    tools: tuple[str, ...]


class Toolbox(CodeQuestions):
    """Define `f(x) = ba(de(x))` in Python, with the tools `ba` and `de`.

    What the twelve tools do, nothing says: each does one of twelve small things to a number (`OPERATIONS`), another one
    in every box. A program is run on hidden inputs, and no other choice of operations is right on all of them. So a
    tool is found by trying, by one of twelve guesses; where a program has worked, others that need its tools are easy,
    and one that was never written can be put together from several.

    With `box=0` a newborn policy is raised: each task has a box of its own, which programs in its prompt tell, as an
    agent is told its library of skills (see `palaestra.envs.telling`). They need not all be of use. In a few tasks some
    tools are told by none, so that it learns to guess.

    Reward 1 where every test passes, else 0 (`credit="all"`), or the share of tests passed (`credit="share"`).

    Args:
        box: Which box of tools; 0 tells one with every task.
        size: Most tasks; a box has some 1,500.
        seed: Seed of the tasks.
        tries: How many replies an episode allows; after each, the first failing test is told.
        credit: `"all"` or `"share"`.
        tasks: Takes the place of generated tasks.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        box: int = 0,
        size: int = 8_000,
        seed: int = 0,
        tries: int = 1,
        credit: str = "all",
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if box < 0 or size < 1:
            raise UsageError(f"box is 0 or more and size at least 1, got {box} and {size}.")
        self._raising = box == 0
        tasks = tasks if tasks is not None else _tasks(box, size, seed)
        super().__init__(tasks, code_judge(credit, _LIMITS), tries=tries, render_mode=render_mode)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Guess what the tools do."""
        expression = _expression_of(self.task.prompt if self.task else _ASK)
        return _program(expression, {tool: OPERATIONS[generator.integers(len(OPERATIONS))] for tool in TOOLS})

    def follows(self, task: Task) -> bool:
        """Return whether every tool is told."""
        return task.metadata.get("told") is not False

    @property
    def words(self) -> tuple[str, ...]:
        """Return the tools, each with all that it may do too, and the pieces of what is told and asked."""
        definitions = (_TOOL.format(tool, what) for tool in TOOLS for what in OPERATIONS)
        calls = (f"{tool}(" for tool in TOOLS)
        between = {piece for forms in _FORMS for form in forms for piece in re.split(r"\{\d\}\(", form) if piece}
        return (*definitions, *calls, *sorted(between), _ASK, f"\n{_ASK}", f"\n\n{_ASK}", _USE, SKILLS)

    @property
    def slight(self) -> bool:
        """Whether a narrow policy will do: it will."""
        return True

    @property
    def mastered(self) -> bool:
        """Whether the tools are told: what is left to learn then is what the library should hold."""
        return self._raising


def toolbox(box: int) -> dict[str, str]:
    """Return what each tool does in a box, as Python with `x`."""
    return _filled(derive_generator(box, "toolbox"))


def _filled(generator: np.random.Generator) -> dict[str, str]:
    return {tool: OPERATIONS[i] for tool, i in zip(TOOLS, generator.permutation(len(OPERATIONS)), strict=True)}


@cache
def _tasks(box: int, size: int, seed: int) -> TaskSet:
    name = f"toolbox({box})"
    if box == 0:
        return TaskSet.generated(_raising, size=size, seed=seed, name=name)
    book = toolbox(box)
    expressions = [
        _Expression(form.format(*tools), tools)
        for count, forms in enumerate(_FORMS, 1)
        for form in forms
        for tools in permutations(TOOLS, count)
    ]
    order = derive_generator(seed, "tasks", name).permutation(len(expressions))
    # Of the others some other choice of operations is right, too.
    clear = (expressions[i] for i in order if _alone(expressions[i], tuple(book[t] for t in expressions[i].tools)))
    drawn = (_task(expression, book) for expression in islice(clear, size))
    return TaskSet((replace(task, id=f"{name}/{number}") for number, task in enumerate(drawn)), name)


def _raising(generator: np.random.Generator) -> Task:
    """Draw a task behind programs that tell its tools, with some that are of no use."""
    book, expression, kind = _filled(generator), _drawn(generator), generator.random()
    tools, most = list(expression.tools), 0 if kind < _BARE else _MOST_PROGRAMS
    if kind < _BARE + _UNTOLD:
        tools = tools[: int(generator.integers(len(tools)))] if most else []
    known = [tool for tool in TOOLS if tool in tools or tool not in expression.tools]
    shown: list[_Expression] = []
    for tool in tools:
        if not any(tool in other.tools for other in shown):
            shown.append(_drawn(generator, known, tool))
    # Which programs are near is a matter of words: those that are of no use often share one.
    while len(shown) < most and generator.random() < 0.8:
        shown.append(
            _drawn(generator, known, str(generator.choice(tools)) if tools and generator.random() < 0.7 else "")
        )
    order = generator.permutation(len(shown))
    skills = [f"{_ASK}{shown[i].text}\n{_program(shown[i], book)}" for i in order]
    prompt = told(_ASK + expression.text, skills=list(dict.fromkeys(skills)))
    # Drawn from the prompt, so that the same prompt never has two answers.
    untold = _filled(derive_generator(0, "toolbox", prompt))
    told_too = {tool for other in shown for tool in other.tools}
    task = _task(expression, {tool: (book if tool in told_too else untold)[tool] for tool in TOOLS}, prompt)
    return replace(task, metadata={**task.metadata, "told": told_too >= set(expression.tools)})


def _drawn(generator: np.random.Generator, among: Sequence[str] = TOOLS, needed: str = "") -> _Expression:
    """Draw an expression of some tools, one of them given."""
    count = int(generator.choice(len(_FORMS), p=_SHARES)) + 1
    others = [tool for tool in among if tool != needed]
    tools = [others[i] for i in generator.permutation(len(others))[:count]]
    if needed:
        tools[generator.integers(len(tools))] = needed
    forms = _FORMS[len(tools) - 1]
    return _Expression(forms[generator.integers(len(forms))].format(*tools), tuple(tools))


def _expression_of(prompt: str) -> _Expression:
    """Return the expression that a prompt ends with."""
    text = prompt.rpartition(_ASK)[2]
    return _Expression(text, tuple(dict.fromkeys(re.findall(r"([a-z]{2})\(", text))))


def _program(expression: _Expression, book: Book) -> str:
    """Return the program that defines the tools of an expression, and it."""
    tools = "".join(_TOOL.format(tool, book[tool]) for tool in expression.tools)
    return f"{tools}{_USE}{expression.text}"


def _task(expression: _Expression, book: Book, prompt: str = "") -> Task:
    does: dict[str, Callable[[int], int]] = {tool: _function(book[tool]) for tool in expression.tools}
    values = [eval(expression.text, {**does, "x": x}) for x in INPUTS]
    cases = [{"arguments": [x], "expected": value} for x, value in zip(INPUTS, values, strict=True)]
    reference: dict[str, Json] = {"format": "calls", "entry_point": "f", "cases": cases}
    metadata: dict[str, Json] = {"solution": _program(expression, book), "tools": len(expression.tools)}
    return Task("", prompt or _ASK + expression.text, reference, metadata)


@cache
def _function(operation: str) -> Callable[..., int]:
    function: Callable[..., int] = eval(f"lambda x: {operation}")
    return function


def _alone(expression: _Expression, operations: tuple[str, ...]) -> bool:
    """Return whether an expression has its values by no other operations, of all there are."""
    x = np.array(INPUTS).reshape(*(1 for _ in expression.tools), -1)
    does = {tool: partial(_all, place) for place, tool in enumerate(expression.tools)}
    values = eval(expression.text, {**does, "x": x})  # [12 for each tool, inputs]
    own = values[tuple(OPERATIONS.index(operation) for operation in operations)]
    return int((values == own).all(axis=-1).sum()) == 1


def _all(place: int, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Do to numbers all that a tool may do; what it does is told apart along an axis of its own."""
    once = x.shape[place] == 1
    parts = (_function(what)(x.take([0 if once else i], place)) for i, what in enumerate(OPERATIONS))
    return np.concatenate(list(parts), axis=place)
