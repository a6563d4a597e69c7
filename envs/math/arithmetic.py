"""Sums, differences, products and exact quotients of seeded numbers."""

import re
from collections.abc import Mapping
from math import gcd, isqrt
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from palaestra.envs.arena.dialogues.sums import Sums
from palaestra.envs.errors import UsageError
from palaestra.envs.math.answers import NumberJudge
from palaestra.envs.question import QuestionEnv
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.writing.sums import evolved_sum

__all__ = ["LEVELS", "Arithmetic", "Difficulty", "arithmetic_tasks"]


class Difficulty(NamedTuple):
    """How hard the problems are.

    Attributes:
        digits: Most digits of an operand, 1 to 15; each operand is uniform from 0 to 10**digits - 1.
        operands: How many numbers, 2 to 10.
        operations: The signs that may stand between them, of `+-*/`.
    """

    digits: int
    operands: int
    operations: str


LEVELS: Mapping[int, Difficulty] = MappingProxyType(
    {
        1: Difficulty(1, 2, "+"),
        2: Difficulty(2, 2, "+"),
        3: Difficulty(2, 2, "+-"),
        4: Difficulty(3, 3, "+-"),
        5: Difficulty(2, 2, "+-*/"),
        6: Difficulty(2, 3, "+-*/"),
        7: Difficulty(3, 4, "+-*/"),
        8: Difficulty(4, 5, "+-*/"),
    }
)
# Up to so many problems are listed and shuffled; of more, problems are drawn until enough differ.
_LISTED = 100_000
_PATIENCE = 2_000
_SUM = re.compile(r"\d+(?: [+-] \d+)*")
_PLAIN_SUM = re.compile(r"\d+(?: \+ \d+)+")
_TERM = re.compile(r"([+-]?) ?(\d+)")


class Arithmetic(QuestionEnv):
    """Compute `37 + 48 = ?`.

    Usual precedence; every quotient is exact, so every answer is a whole number. The reply's final number counts.
    Reward 1 for the right number, else 0. Tasks are named by their problem (`37+48`).

    Args:
        digits: Most digits of an operand; overrides the level's.
        operands: How many numbers; overrides the level's.
        fewest: Fewest numbers; problems have any count from this one up. Without it all have as many as there may be.
        operations: Signs to draw from, of `+-*/`; overrides the level's.
        level: A step of `LEVELS`, 1 (one-digit sums) to 8; 2, the default, is the sum of two numbers up to 99.
        worked: Solutions of sums say how they are reached, digit by digit from the right with what is carried:
            `7+8=15 3+4+1=8 85`. A nursery policy is shown them where the answer is told (`37 + 48 = ? (Answer: 85)`),
            and elsewhere sums that forget to carry.
        size: Most tasks; fewer come where fewer problems exist.
        seed: Seed of the tasks.
        tries: How many replies an episode allows.
        tasks: Takes the place of generated tasks.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        digits: int | None = None,
        operands: int | None = None,
        fewest: int | None = None,
        operations: str | None = None,
        level: int = 2,
        worked: bool = False,
        size: int = 10_000,
        seed: int = 0,
        tries: int = 1,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if level not in LEVELS:
            raise UsageError(f"level must be from {min(LEVELS)} to {max(LEVELS)}, got {level}.")
        base = LEVELS[level]
        difficulty = Difficulty(
            base.digits if digits is None else digits,
            base.operands if operands is None else operands,
            base.operations if operations is None else operations,
        )
        if worked and tasks is None and set(difficulty.operations) != {"+"}:
            raise UsageError(f"Only sums can be worked; operations must be '+', got {difficulty.operations!r}.")
        self.worked = worked
        self._highest = 10**difficulty.digits if tasks is None else 100
        self._sums = Sums(*difficulty)
        if tasks is None:
            tasks = arithmetic_tasks(difficulty, size=size, seed=seed, fewest=fewest)
        super().__init__(tasks, NumberJudge(), tries=tries, render_mode=render_mode)

    @property
    def explained(self) -> bool:
        """Whether solutions are worked."""
        return self.worked

    def solution(self, task: Task) -> tuple[str]:
        """Return the answer, and before it how it is reached, if that is wanted."""
        problem = task.prompt.partition(" = ?")[0]
        if self.worked and _PLAIN_SUM.fullmatch(problem):
            return (_worked(problem.split(" + "), carries=True),)
        return (str(task.reference),)

    def slip(self, task: Task) -> tuple[str] | None:
        """Return the answer of someone who forgets every carry; None where a product or quotient is asked for."""
        problem = task.prompt.removesuffix(" = ?")
        if self.worked and _PLAIN_SUM.fullmatch(problem):
            return (_worked(problem.split(" + "), carries=False),)
        if not _SUM.fullmatch(problem):
            return None
        terms = [(-1 if sign == "-" else 1, number[::-1]) for sign, number in _TERM.findall(problem)]
        places = range(max(len(number) for _, number in terms))
        columns = [sum(sign * int(number[place : place + 1] or "0") for sign, number in terms) % 10 for place in places]
        return (str(sum(digit * 10**place for place, digit in enumerate(columns))),)

    @property
    def how_to_write(self) -> str:
        """What somebody is told who shall write a problem."""
        return self._sums.how_to_propose

    def write_task(self, task: Task) -> str:
        """Return the problem without spaces."""
        return task.prompt.removesuffix(" = ?").replace(" ", "")

    def read_task(self, text: str) -> Task:
        """Read a problem within the bounds of this world and work it out; see `TaskLanguage`."""
        found = self._sums.read(text)
        return Task(found.key, found.prompt, found.reference)

    def evolved_text(self, text: str, operation: str, generator: np.random.Generator) -> str | None:
        """Return a sum made harder, or another; see `KnowsEvolution`."""
        return evolved_sum(text, operation, generator, digits=self._sums.digits, operands=self._sums.operands)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw a number of about the right size."""
        return str(generator.integers(2 * self._highest))


def arithmetic_tasks(difficulty: Difficulty, *, size: int, seed: int = 0, fewest: int | None = None) -> TaskSet:
    """Make up to `size` distinct problems.

    Args:
        difficulty: How hard they are.
        size: How many are wanted.
        seed: Seed of the draw.
        fewest: Fewest numbers of a problem; None has all of them as many as the difficulty says.

    Raises:
        UsageError: If the difficulty or size is outside its range.
    """
    digits, operands, operations = difficulty
    if not 1 <= digits <= 15 or not 2 <= operands <= 10:
        raise UsageError(f"digits must be 1 to 15 and operands 2 to 10, got {digits} and {operands}.")
    if not operations or set(operations) - set("+-*/"):
        raise UsageError(f"operations must be some of '+-*/', got {operations!r}.")
    if size < 1:
        raise UsageError(f"size must be at least 1, got {size}.")
    fewest = operands if fewest is None else fewest
    if not 2 <= fewest <= operands:
        raise UsageError(f"fewest must be from 2 to operands ({operands}), got {fewest}.")
    signs = "".join(sign for sign in "+-*/" if sign in operations)
    counts = f"{operands}" if fewest == operands else f"{fewest} to {operands}"
    name = f"arithmetic({digits} digits, {counts} operands, {signs})"
    generator = derive_generator(seed, "tasks", name)
    count = (10**digits) ** operands * len(signs) ** (operands - 1)
    tasks: dict[str, Task] = {}
    if fewest == operands and count <= _LISTED and "/" not in signs:
        for index in generator.permutation(count)[:size]:
            task = _task(*_unranked(int(index), Difficulty(digits, operands, signs)))
            tasks[task.id] = task
        return TaskSet(tasks.values(), name, endless=size < count)
    misses = 0
    while len(tasks) < size and misses < _PATIENCE:
        many = operands if fewest == operands else int(generator.integers(fewest, operands + 1))
        task = _task(*_drawn(generator, Difficulty(digits, many, signs)))
        misses = misses + 1 if task.id in tasks else 0
        tasks[task.id] = task
    return TaskSet(tasks.values(), name, endless=len(tasks) >= size)


def _task(numbers: list[int], signs: list[str]) -> Task:
    problem = str(numbers[0])
    for sign, number in zip(signs, numbers[1:], strict=True):
        problem += f" {sign} {number}"
    written = sum(len(str(number)) for number in numbers)
    products = sum(sign in "*/" for sign in signs)
    return Task(
        problem.replace(" ", ""),
        f"{problem} = ?",
        _evaluated(numbers, signs),
        # Digits to look at: once each, and once more for every product or quotient.
        {"difficulty": written * (1 + products)},
    )


def _worked(terms: list[str], *, carries: bool) -> str:
    """Return a sum worked out digit by digit from the right; without carries each digit's sum stands for itself."""
    lines, answer, carry = [], "", 0
    places = max(map(len, terms))
    for place in range(places):
        digits = [term[-1 - place] for term in terms if len(term) > place]
        column = sum(map(int, digits)) + carry
        lines.append("+".join([*digits, *([str(carry)] if carry else [])]) + f"={column}")
        last = place == places - 1
        answer = (str(column) if carries and last else str(column % 10)) + answer
        carry = column // 10 if carries else 0
    return " ".join([*lines, str(int(answer))])


def _evaluated(numbers: list[int], signs: list[str]) -> int:
    total, term = 0, numbers[0]
    for sign, number in zip(signs, numbers[1:], strict=True):
        if sign == "*":
            term *= number
        elif sign == "/":
            term //= number
        else:
            total += term
            term = number if sign == "+" else -number
    return total + term


def _unranked(index: int, difficulty: Difficulty) -> tuple[list[int], list[str]]:
    """Return the problem of that number in the list of all problems."""
    numbers, signs = [], []
    for _ in range(difficulty.operands):
        index, number = divmod(index, 10**difficulty.digits)
        numbers.append(number)
    for _ in range(difficulty.operands - 1):
        index, sign = divmod(index, len(difficulty.operations))
        signs.append(difficulty.operations[sign])
    return numbers, signs


def _drawn(generator: np.random.Generator, difficulty: Difficulty) -> tuple[list[int], list[str]]:
    """Draw a problem whose quotients are all exact."""
    top = 10**difficulty.digits - 1
    numbers = [int(n) for n in generator.integers(top + 1, size=difficulty.operands)]
    signs = [difficulty.operations[i] for i in generator.integers(len(difficulty.operations), size=len(numbers) - 1)]
    start, term = 0, numbers[0]
    for position, sign in enumerate(signs, start=1):
        if sign == "/":
            if start == position - 1:  # a lone dividend: choose it as divisor times quotient, so that few divide by 1
                divisor = int(generator.integers(2, max(9, isqrt(top)) + 1))
                numbers[start] = term = divisor * int(generator.integers(top // divisor + 1))
            else:
                divisor = gcd(term, numbers[position]) or 1
            numbers[position] = divisor
            term //= divisor
        elif sign == "*":
            term *= numbers[position]
        else:
            start, term = position, numbers[position]
    return numbers, signs
