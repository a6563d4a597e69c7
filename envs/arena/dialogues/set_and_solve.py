"""Sums to set and sums to solve: what a small policy must know to sit on both sides of the proposer–solver arena."""

from collections.abc import Iterator

import numpy as np
from palaestra.envs.arena.dialogues.proposals import BadTaskError
from palaestra.envs.arena.dialogues.sums import Sums
from palaestra.envs.errors import UsageError
from palaestra.envs.math.answers import NumberJudge
from palaestra.envs.math.arithmetic import Arithmetic, Difficulty, arithmetic_tasks
from palaestra.envs.question import QuestionEnv
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Status, Verdict

__all__ = ["SetAndSolve"]

ASKED = "Set a task."
"""What a proposer is asked in the arena, where nothing is explained."""


class SetAndSolve(QuestionEnv):
    """Answer `37 + 48 = ?`, or set such a sum when asked to `Set a task.`.

    The questions are those that the two sides of `proposer_solver?kind=arithmetic&operations=%2B&explain=false` hear.
    Reward 1 for the right number, and for any sum that is in the form asked for. Which sum is set is left to who sets
    it; the demonstrations set easy ones, of numbers of one digit, more often than they come by chance.

    Args:
        digits: Most digits of a number, 1 to 15.
        asked: How many tasks of setting a sum come with each sum to solve, 0 to 1.
        easy: Share of the demonstrated sums that are easy.
        size: Most sums to solve.
        seed: Seed of the tasks.
        tasks: Takes the place of generated sums.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        digits: int = 2,
        asked: float = 0.25,
        easy: float = 0.5,
        size: int = 10_000,
        seed: int = 0,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if not 0.0 <= asked <= 1.0 or not 0.0 <= easy <= 1.0:
            raise UsageError(f"asked and easy are shares, 0 to 1; got {asked} and {easy}.")
        self._kind = Sums(digits, 2, "+")
        if tasks is None:
            sums = arithmetic_tasks(Difficulty(digits, 2, "+"), size=size, seed=seed)
            self._sums = Arithmetic(tasks=sums)
            name = f"set-and-solve({sums.name})"
            mixed = _mixed(sums, digits, asked, easy, derive_generator(seed, "tasks", name))
            tasks = TaskSet(mixed, name, endless=sums.endless)
        else:
            self._sums = Arithmetic(tasks=tasks)
        super().__init__(tasks, self.judge_reply, render_mode=render_mode)

    def judge_reply(self, task: Task, reply: str) -> Verdict:
        """Judge a number, or whether a sum can be set."""
        if task.prompt != ASKED:
            return NumberJudge()(task, reply)
        try:
            return Verdict(1.0, Status.CORRECT, f"{self._kind.read(reply).key} can be set")
        except BadTaskError as error:
            return Verdict(0.0, error.status, str(error))

    def solution(self, task: Task) -> tuple[str]:
        """Return the number, or a sum."""
        return (str(task.reference["sum"] if isinstance(task.reference, dict) else task.reference),)

    def slip(self, task: Task) -> tuple[str] | None:
        """Return the number of someone who forgets to carry; nobody slips in setting a sum."""
        return None if task.prompt == ASKED else self._sums.slip(task)

    def hinted(self, task: Task) -> Task | None:
        """Return a sum with its answer; what is set has none."""
        return None if task.prompt == ASKED else super().hinted(task)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw a sum or a number."""
        if self.task is not None and self.task.prompt == ASKED:
            return self._kind.sample_proposal(generator)
        return self._kind.sample_answer(generator)


def _mixed(sums: TaskSet, digits: int, asked: float, easy: float, generator: np.random.Generator) -> Iterator[Task]:
    for number, task in enumerate(sums):
        yield task
        if generator.random() < asked:
            top = 10 ** (1 if generator.random() < easy else digits)
            one, other = (int(n) for n in generator.integers(top, size=2))
            # All ask the same; what is demonstrated, and how often, is what there is to learn.
            yield Task(f"set/{number}", ASKED, {"sum": f"{one}+{other}", "demonstration": number})
