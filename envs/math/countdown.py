"""Reach a target with given numbers: many right answers, so a checker that computes."""

import ast
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from palaestra.envs.errors import UsageError
from palaestra.envs.math.answers import shown
from palaestra.envs.question import QuestionEnv
from palaestra.envs.task import Json, Task, TaskSet
from palaestra.envs.verdict import Status, Verdict
from palaestra.envs.writing.language import BadTaskError

__all__ = ["Countdown", "CountdownJudge", "countdown_tasks", "find_expression"]

# Everything a player may write with ten numbers of six digits fits; longer text is never parsed.
_EXPRESSION_CHARS = 400
_READ_CHARS = 20_000

_SPELLINGS = str.maketrans({"×": "*", "·": "*", "⋅": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")"})
_TEX = ((r"\times", "*"), (r"\cdot", "*"), (r"\div", "/"), (r"\left", ""), (r"\right", ""))
_RUN = re.compile(r"[0-9(+\-*/][0-9+\-*/(). \t]*")
_COMPUTES = re.compile(r"[0-9)][ \t]*[+\-*/]+[ \t]*[0-9(]")
_WRITTEN = re.compile(r"([0-9]{1,3}(?:, ?[0-9]{1,3})*): ?(.+)", re.ASCII)
_ANSWER_TAG = re.compile(r"<answer>([^<]*)(?:</answer>|$)")


class _RefusedError(Exception):
    """Why an expression is not judged by its value."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.verdict = Verdict(0.0, status, detail)


class Countdown(QuestionEnv):
    """Reach a target with the given numbers, each used at most once, by `+ - * /`.

    The reply's last expression counts (`find_expression`). Reward 1 for a legal expression whose exact value is the
    target, else 0. Status WRONG: legal, another value. ILLEGAL: other numbers, other operations, a division by zero.
    UNPARSED: no expression.

    Args:
        numbers: How many numbers are given, 2 to 6.
        highest: Largest given number; the target is at most ten times as large.
        size: Most tasks; fewer come where fewer exist.
        seed: Seed of the tasks.
        tries: How many replies an episode allows; after a wrong one the feedback names its value.
        tasks: Takes the place of generated tasks; a reference is `{"numbers": [...], "target": n}`.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        numbers: int = 4,
        highest: int = 25,
        size: int = 1_000,
        seed: int = 0,
        tries: int = 1,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        self._numbers, self._highest = numbers, highest
        tasks = tasks if tasks is not None else countdown_tasks(numbers=numbers, highest=highest, size=size, seed=seed)
        super().__init__(tasks, CountdownJudge(), tries=tries, render_mode=render_mode)

    def feedback(self, verdict: Verdict) -> str:
        """Return the judge's words, which speak of the reply alone."""
        return verdict.detail if verdict.valid else super().feedback(verdict)

    def solution(self, task: Task) -> tuple[str] | None:
        """Return the expression the task was made from."""
        known = task.metadata.get("solution")
        return (known,) if isinstance(known, str) else None

    @property
    def how_to_write(self) -> str:
        """What somebody is told who shall write a task."""
        return (
            f"A task is {self._numbers} whole numbers from 1 to {self._highest}, a colon, and an expression of some of "
            "them, each used at most once, with + - * / and parentheses, whose value is to be reached and is none of "
            "them, such as: 3, 5, 2, 7: (3 + 5) * 2. Your last line is the task."
        )

    def write_task(self, task: Task) -> str:
        """Return the numbers and the expression that the task was made from."""
        reference, solution = task.reference, self.solution(task)
        if not isinstance(reference, dict) or solution is None:
            raise UsageError(f"Task {task.id!r} cannot be written down: no solution of it is known.")
        return f"{', '.join(map(str, reference['numbers']))}: {solution[0]}"

    def read_task(self, text: str) -> Task:
        """Compute the expression, which shows that the task can be solved; see `TaskLanguage`."""
        line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
        match = _WRITTEN.fullmatch(line[:_EXPRESSION_CHARS])
        if match is None:
            raise BadTaskError(Status.UNPARSED, f"{shown(line)} is no list of numbers, colon and expression")
        given = [int(number) for number in match[1].split(",")]
        if len(given) != self._numbers or not all(1 <= number <= self._highest for number in given):
            raise BadTaskError(Status.ILLEGAL, f"expected {self._numbers} numbers from 1 to {self._highest}")
        expression = match[2].strip()
        try:
            value = _evaluated(expression, Counter(given))
        except _RefusedError as refused:
            raise BadTaskError(refused.verdict.status, refused.verdict.detail) from None
        if value.denominator != 1 or not 1 < value <= 10 * self._highest or value in given:
            raise BadTaskError(Status.ILLEGAL, f"{value} is no target from 2 to {10 * self._highest} that is not given")
        target, used = int(value), len(re.findall("[0-9]+", expression))
        metadata: dict[str, Json] = {"solution": expression, "difficulty": used}
        return Task("", _prompt(given, target), {"numbers": given, "target": target}, metadata)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw signs between the given numbers."""
        reference = self.task.reference if self.task else None
        given = reference.get("numbers") if isinstance(reference, dict) else None
        words = [str(n) for n in given] if isinstance(given, list) else ["1"]
        order = generator.permutation(len(words))
        return "".join(words[i] + " " + "+-*/"[generator.integers(4)] + " " for i in order)[:-3]


@dataclass(frozen=True)
class CountdownJudge:
    """Evaluate the reply's expression with exact fractions; nothing is executed."""

    def __call__(self, task: Task, reply: str) -> Verdict:
        """Judge a reply against a reference `{"numbers": [...], "target": n}`."""
        reference = task.reference
        given = reference.get("numbers") if isinstance(reference, dict) else None
        target = reference.get("target") if isinstance(reference, dict) else None
        if not isinstance(given, list | tuple) or not isinstance(target, int):
            return Verdict(0.0, Status.BROKEN_TASK, 'expected a reference {"numbers": [...], "target": n}')
        expression = find_expression(reply)
        if expression is None:
            return Verdict(0.0, Status.UNPARSED, f"There is no expression at the end of {shown(reply[-60:])}.")
        try:
            value = _evaluated(expression, Counter(n for n in given if isinstance(n, int)))
        except _RefusedError as refused:
            return refused.verdict
        if value == target:
            return Verdict(1.0, Status.CORRECT, f"{expression} = {target}.")
        return Verdict(0.0, Status.WRONG, f"{expression} is {value}, not {target}.")


def find_expression(reply: str) -> str | None:
    r"""Find the last expression of a reply.

    It is looked for in the last `<answer>` tag or `\boxed{}`, or behind the last `####`, or else anywhere. A number
    alone counts only where nothing computes. An equation's expression is the side that computes (`6 * 4 = 24` and
    `24 = 6 * 4` both mean `6 * 4`).

    Args:
        reply: Any text; only its last 20,000 characters are read.

    Returns:
        An expression of digits, signs and parentheses, not yet parsed; None where there is none.
    """
    text = reply[-_READ_CHARS:].translate(_SPELLINGS)
    for spelling, sign in _TEX if "\\" in text else ():
        text = text.replace(spelling, sign)
    if tags := _ANSWER_TAG.findall(text):
        text = tags[-1]
    elif r"\boxed{" in text:
        text = text.rpartition(r"\boxed{")[2].partition("}")[0]
    elif "####" in text:
        text = text.rpartition("####")[2]
    runs: list[str] = [run.strip(" \t.") for line in text.splitlines() for run in _RUN.findall(_bare(line))]
    computing = [run for run in runs if _COMPUTES.search(run)]
    numerals = [run for run in runs if re.search("[0-9]", run)]
    return next(reversed(computing or numerals), None)


def _bare(line: str) -> str:
    """Take off what marks a line up: list dashes, bold stars, quotes."""
    return line.strip().removeprefix("- ").removeprefix("* ").replace("`", " ").replace("$", " ").strip("* ")


def _evaluated(expression: str, given: Counter[int]) -> Fraction:
    """Compute an expression that uses the given numbers; refuse every other."""
    if len(expression) > _EXPRESSION_CHARS:
        raise _RefusedError(Status.UNPARSED, f"The expression is longer than {_EXPRESSION_CHARS} characters.")
    try:
        used = Counter(int(numeral) for numeral in re.findall("[0-9]+", expression))
        if extra := used - given:
            raise _RefusedError(Status.ILLEGAL, f"{shown(str(min(extra)))} is not given so often.")
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _RefusedError(Status.UNPARSED, f"{shown(expression)} is not an expression.") from None
    return _value(tree)


def _value(node: ast.expr) -> Fraction:
    # The depth is bounded: every operation joins two of the few given numbers.
    match node:
        case ast.Constant(value=int(number)):
            return Fraction(number)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _value(left) + _value(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _value(left) - _value(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _value(left) * _value(right)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            divisor = _value(right)
            if divisor == 0:
                raise _RefusedError(Status.ILLEGAL, "Division by zero is not allowed.")
            return _value(left) / divisor
    raise _RefusedError(Status.ILLEGAL, "Only whole numbers and + - * / between two of them are allowed.")


def countdown_tasks(*, numbers: int = 4, highest: int = 25, size: int = 1_000, seed: int = 0) -> TaskSet:
    """Make up to `size` distinct tasks, every one with a known solution in its metadata.

    Raises:
        UsageError: If an argument is outside its range.
    """
    if not 2 <= numbers <= 6 or not 4 <= highest <= 999:
        raise UsageError(f"numbers must be 2 to 6 and highest 4 to 999, got {numbers} and {highest}.")
    if size < 1:
        raise UsageError(f"size must be at least 1, got {size}.")

    def make(generator: np.random.Generator) -> Task:
        while True:
            given = [int(n) for n in generator.integers(1, highest + 1, size=numbers)]
            used = int(generator.integers(2, numbers + 1))
            target, solution = _combined(generator, given[:used])
            if 1 < target <= 10 * highest and target not in given:
                shuffled = [given[i] for i in generator.permutation(numbers)]
                metadata: dict[str, Json] = {"solution": solution, "difficulty": used}
                return Task("", _prompt(shuffled, target), {"numbers": shuffled, "target": target}, metadata)

    return TaskSet.generated(make, size=size, seed=seed, name=f"countdown({numbers} numbers to {highest})")


def _combined(generator: np.random.Generator, given: Sequence[int]) -> tuple[int, str]:
    """Join numbers two by two at random, by operations that stay whole and positive, until one is left."""
    parts = [(number, str(number)) for number in given]
    while len(parts) > 1:
        first, second = (int(i) for i in generator.permutation(len(parts))[:2])
        (a, left), (b, right) = parts[first], parts[second]
        rest = [part for i, part in enumerate(parts) if i not in (first, second)]
        signs = ["+", "*"] + ["-"] * (a > b) + ["/"] * (b > 1 and a % b == 0)
        sign = signs[generator.integers(len(signs))]
        value = {"+": a + b, "*": a * b, "-": a - b, "/": a // max(b, 1)}[sign]
        parts = [*rest, (value, f"({left} {sign} {right})")]
    value, expression = parts[0]
    return value, expression[1:-1]


def _prompt(numbers: Sequence[int], target: int) -> str:
    listed = ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"
    return (
        f"Reach {target} with the numbers {listed}. Use each given number at most once, only + - * / and parentheses. "
        "End your reply with one line that holds the expression alone, such as: (1 + 2) * 3"
    )
