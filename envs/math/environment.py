"""Mathematics in words: generated problems, or those of a file."""

from pathlib import Path

import numpy as np
from palaestra.envs.errors import BadRowError
from palaestra.envs.math.judge import MathJudge
from palaestra.envs.math.math_loading import math_tasks
from palaestra.envs.math.problems import problem_tasks
from palaestra.envs.question import QuestionEnv
from palaestra.envs.task import Task, TaskSet

__all__ = ["Math"]


class Math(QuestionEnv):
    r"""Solve a problem of algebra, number theory or everyday life; or those of a file.

    The reply's final answer counts (`palaestra.envs.math.extraction`): in `\boxed{}`, behind `####` or "the answer is",
    or the last formula or number. It must equal the known answer as mathematics; its form is free. Reward 1, else 0.

    Args:
        path: File or data set shaped like GSM8K or MATH, see `palaestra.envs.math.math_loading`. Without one, problems
            are generated.
        topics: Some of `algebra`, `number-theory`, `words`, with commas between; of a file, its rows' `type`, `subject`
            or `topic`. All when empty.
        level: 1 to 5; of a file, its rows' `level`. All when None.
        size: How many problems are generated.
        seed: Seed of the problems.
        tries: How many replies an episode allows.
        skip_bad_rows: Leave out rows that are no task instead of refusing the file; `skipped` keeps them.
        tasks: Takes the place of all these.
        render_mode: None or `"ansi"`.

    Attributes:
        skipped: The rows that were left out.

    Versions: v0.
    """

    # Answers that need algebra are compared in a process of their own, which may take seconds.
    metadata = {**QuestionEnv.metadata, "instant": False}  # noqa: RUF012 (Gymnasium declares it on the instance)

    def __init__(
        self,
        path: str | Path = "",
        *,
        topics: str = "",
        level: int | None = None,
        size: int = 2_000,
        seed: int = 0,
        tries: int = 1,
        skip_bad_rows: bool = False,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.skipped: tuple[BadRowError, ...] = ()
        chosen = [topic.strip() for topic in topics.split(",") if topic.strip()]
        judge = MathJudge()
        if tasks is None and path:
            tasks, self.skipped = math_tasks(path, topics=chosen, level=level, judge=judge, skip_bad_rows=skip_bad_rows)
        elif tasks is None:
            tasks = problem_tasks(chosen, level, size=size, seed=seed)
        super().__init__(tasks, judge, tries=tries, render_mode=render_mode)

    def solution(self, task: Task) -> tuple[str]:
        """Return the answer in a box."""
        return (rf"The answer is $\boxed{{{task.reference}}}$.",)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw a whole number."""
        return str(generator.integers(-20, 100))
