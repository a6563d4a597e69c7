"""Questions of a world, with a right answer and a wrong one that could be somebody's."""

import copy
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from palaestra.envs.catalogue import make
from palaestra.envs.errors import InfrastructureError, UnknownNameError, UsageError
from palaestra.envs.question import QuestionEnv
from palaestra.envs.task import HELD_OUT_SHARE, Task, TaskSet
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Question", "Questions"]

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_EXPRESSION: Final = re.compile(r"[0-9(][-+*/() 0-9]{2,200}", re.ASCII)
# Tasks drawn until one has two answers to it.
_PATIENCE: Final = 50
# Solutions of other tasks tried as wrong answers.
_OTHERS: Final = 8


class Question(NamedTuple):
    """One question with two answers.

    Attributes:
        task: The question.
        right: An answer that its judge calls correct.
        wrong: One that it calls wrong, of somebody who made a mistake.
    """

    task: Task
    right: str
    wrong: str


class Questions:
    """Draws questions from a world of ours.

    Args:
        world: Spec of a world that asks a question and judges one reply, such as `"arithmetic?digits=2"`.
        split: `"train"`, `"test"` (the held-out tasks) or `"all"`.

    Raises:
        UsageError: If the world asks no questions, or has none in this split.
    """

    def __init__(self, world: str, split: str = "train") -> None:
        made = make(world)
        if not isinstance(made, QuestionEnv):
            raise UsageError(f"{world!r} asks no questions: expected a world such as 'arithmetic', 'math' or 'code'.")
        splits = {"all": made.tasks, **made.tasks.split(HELD_OUT_SHARE)._asdict()}
        if split not in splits:
            raise UnknownNameError("split", split, splits)
        if not splits[split]:
            raise UsageError(f"{world!r} has no task in its split {split!r}; take another, or more tasks (size=...).")
        self.world = made
        self.tasks: TaskSet = splits[split]

    @property
    def instant(self) -> bool:
        """Whether judging never waits."""
        return bool(self.world.metadata.get("instant"))

    @property
    def longest(self) -> int:
        """Most characters of a question."""
        return max(len(task.prompt) for task in self.tasks)

    def clone(self) -> "Questions":
        """Return the same questions with a world of their own."""
        twin = copy.copy(self)
        made = self.world.clone()
        assert isinstance(made, QuestionEnv)
        twin.world = made
        return twin

    def any(self, generator: np.random.Generator) -> Task:
        """Draw a question."""
        return self.tasks[int(generator.integers(len(self.tasks)))]

    def judged(self, task: Task, reply: str) -> Verdict:
        """Return the world's verdict on an answer.

        Raises:
            InfrastructureError: If there is none; an answer never makes that so.
        """
        verdict = self.world.judgement(task, reply)
        if not verdict.valid:
            raise InfrastructureError(f"Task {task.id!r} could not be judged ({verdict.status}): {verdict.detail}")
        return verdict

    def draw(self, generator: np.random.Generator) -> Question:
        """Draw a question with a right and a wrong answer.

        Raises:
            UsageError: If none of many has both.
        """
        for _ in range(_PATIENCE):
            task = self.any(generator)
            right = self._solution(task)
            if right is None or self.judged(task, right).status is not Status.CORRECT:
                continue
            for wrong in self._mistakes(task, right, generator):
                # A mistake may be right by chance: a sum without carries often is.
                if wrong != right and self.judged(task, wrong).status in (Status.WRONG, Status.PARTIAL):
                    return Question(task, right, wrong)
        raise UsageError(
            f"Of {_PATIENCE} tasks of {self.tasks.name} none had a known solution and a wrong answer beside it: take a "
            "world that knows its solutions."
        )

    def _solution(self, task: Task) -> str | None:
        actions = self.world.solution(task)
        return actions[0] if actions is not None and len(actions) == 1 else None

    def _mistakes(self, task: Task, right: str, generator: np.random.Generator) -> Iterator[str]:
        """Yield wrong answers, the likely ones first, in an order that does not tell which kind is wrong."""
        near = _near(right)
        slip = self.world.slip(task)
        if slip is not None and len(slip) == 1:
            near.append(slip[0])
        for index in generator.permutation(len(near)):
            yield near[int(index)]
        for _ in range(_OTHERS):
            other = self._solution(self.any(generator))
            if other is not None:
                yield other


def _near(right: str) -> list[str]:
    """Return what is nearly right: whole numbers beside a number, an expression with another sign."""
    if _EXPRESSION.fullmatch(right):
        places = [place for place, character in enumerate(right) if character in "+-*"]
        return [right[:place] + sign + right[place + 1 :] for place in places for sign in "+-*" if sign != right[place]]
    if not _NUMBER.fullmatch(right):
        return []
    number = int(right)
    near = [number + step for step in (1, -1, 10, -10)]
    if number >= 10 and right[-1] not in (right[-2], "0"):
        near.append(int(right[:-2] + right[-1] + right[-2]))
    return [str(other) for other in near if number < 0 or other >= 0]
