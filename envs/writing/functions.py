"""Functions of one number, written as an expression with the inputs that are shown: `x*2+1 | 0 3 5`."""

import re
from typing import Final

from palaestra.envs.code.functions import INPUTS, SHOWN, SHOWN_INPUTS, Function, function_task, functions_of
from palaestra.envs.errors import UsageError
from palaestra.envs.math.answers import shown
from palaestra.envs.sandbox import CallJob, Ended, Limits, Outcome, Returned, shared_sandbox
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status
from palaestra.envs.writing.language import BadTaskError

__all__ = ["HOW_TO_WRITE", "read_function", "write_function"]

HOW_TO_WRITE: Final = (
    "A task is a Python expression in x with whole numbers as values, a bar, and three of the inputs 0 to 9, rising, "
    "such as: x*2+1 | 0 3 5. Others will see the three values and look for the function. Your last line is the task."
)
_FORM: Final = re.compile(r"([^|\n]{1,80})\|((?: *[0-9]){3}) *", re.ASCII)
_EXAMPLE: Final = re.compile(r"f\((-?\d+)\)=")
_LARGEST: Final = 10**6


def write_function(task: Task) -> str:
    """Return a task as it is written.

    Raises:
        UsageError: If the function is not known.
    """
    solution = task.metadata.get("solution")
    if not isinstance(solution, str):
        raise UsageError(f"Task {task.id!r} cannot be written down: its function is not known.")
    return f"{solution} | {' '.join(_EXAMPLE.findall(task.prompt)[:SHOWN])}"


def read_function(text: str, level: int, limits: Limits) -> Task:
    """Run an expression in the sandbox, on every input twice, and make a task of its values.

    Args:
        text: What was written; its last line counts.
        level: No function of this level that does something else may fit what is shown.
        limits: What the expression may use.

    Raises:
        BadTaskError: If it is no task.
    """
    line = next((line.strip(" \t`") for line in reversed(text.splitlines()) if line.strip(" \t`")), "")
    match = _FORM.fullmatch(line)
    if match is None:
        raise BadTaskError(Status.UNPARSED, f"{shown(line)} is no expression, bar and three inputs")
    expression, inputs = match[1].strip(), [int(digit) for digit in match[2].split()]
    if len(inputs) != SHOWN or sorted(set(inputs)) != inputs:
        raise BadTaskError(Status.ILLEGAL, f"the inputs are {match[2].strip()}, expected three that rise")
    function = Function(-1, expression, _values(expression, limits))
    told = {x: y for x, y in zip(INPUTS, function.values, strict=True) if x in inputs}
    for other in functions_of(level):
        values = dict(zip(INPUTS, other.values, strict=True))
        if other.values != function.values and all(values[x] == y for x, y in told.items()):
            raise BadTaskError(Status.ILLEGAL, f"{other.text} fits what is shown, too")
    return function_task(function, [SHOWN_INPUTS.index(x) for x in inputs])


def _values(expression: str, limits: Limits) -> tuple[int, ...]:
    program = f"def f(x):\n    return eval({expression!r}, {{'x': x}})"
    calls = [(x,) for x in INPUTS]
    orders = (calls, calls[::-1])  # in two processes: what remembers or draws is found out
    runs = [shared_sandbox().submit(CallJob(program, "f", order, limits)) for order in orders]
    first, second = (_returned(run.result(), expression) for run in runs)
    if first != second[::-1]:
        raise BadTaskError(Status.ILLEGAL, f"{shown(expression)} does not return the same every time")
    return tuple(first)


def _returned(outcome: Outcome, expression: str) -> list[int]:
    values = [result.value for result in outcome.results if isinstance(result, Returned)]
    if outcome.ended is not Ended.FINISHED or len(values) != len(INPUTS):
        raise BadTaskError(Status.CRASHED, f"{shown(expression)} fails: {shown(outcome.error, 100)}")
    numbers = [value for value in values if type(value) is int and abs(value) <= _LARGEST]
    if len(numbers) != len(values):
        raise BadTaskError(Status.ILLEGAL, f"{shown(expression)} is not always a whole number up to {_LARGEST:,}")
    return numbers
