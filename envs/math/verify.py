"""Sums to work out, and sums with an answer to judge: one who judges his own answers needs both."""

from collections.abc import Iterator

import numpy as np
from palaestra.envs.errors import UsageError
from palaestra.envs.math.answers import ExactJudge, NumberJudge
from palaestra.envs.math.arithmetic import LEVELS, Arithmetic, arithmetic_tasks
from palaestra.envs.question import QuestionEnv
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import HELD_OUT_SHARE, Task, TaskSet
from palaestra.envs.verdict import Verdict

__all__ = ["JUDGING", "RIGHT", "WRONG", "Verify"]

JUDGING = "{prompt} {reply}. Right or wrong?"
"""How a reply to a task is asked about."""
RIGHT, WRONG = "right", "wrong"


class Verify(QuestionEnv):
    """Answer `15 + 55 = ?`, or judge `15 + 55 = ? 60. Right or wrong?` by saying `right` or `wrong`.

    Each sum is a task, and with some comes a task of judging an answer to it: the right one half of the time, else the
    one without carries or one that is off by 1 or 10. Reward 1 for the right number or word, else 0. A sum that is held
    out is judged in held-out tasks alone, so that no judgement gives its answer away; the rest is left out.

    Args:
        level: A step of `arithmetic`'s `LEVELS`; 2, the default, is the sum of two numbers up to 99.
        size: Most sums.
        judged: Share of the sums that come with an answer to judge.
        sums: Whether the sums themselves are asked; without them every task is answered by one of two words.
        careless: Whether a careless demonstrator judges as carelessly as he adds; otherwise he judges rightly.
        seed: Seed of the tasks.
        tasks: Takes the place of generated tasks.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        level: int = 2,
        size: int = 10_000,
        judged: float = 0.4,
        sums: bool = True,
        careless: bool = False,
        seed: int = 0,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if level not in LEVELS:
            raise UsageError(f"level must be from {min(LEVELS)} to {max(LEVELS)}, got {level}.")
        if not 0.0 <= judged <= 1.0:
            raise UsageError(f"judged is a share, 0 to 1; got {judged}.")
        asked = arithmetic_tasks(LEVELS[level], size=size, seed=seed) if tasks is None else tasks
        self._sums = Arithmetic(tasks=asked)
        self._careless, self._judged = careless, judged
        if tasks is None:
            name = f"verify({asked.name})"
            mixed = self._mixed(asked, derive_generator(seed, "tasks", name))
            asked = TaskSet((t for t in mixed if sums or _asks_to_judge(t)), name, endless=asked.endless)
        super().__init__(asked, self.judge_reply, render_mode=render_mode)

    def judge_reply(self, task: Task, reply: str) -> Verdict:
        """Judge a number or a word."""
        return (ExactJudge() if _asks_to_judge(task) else NumberJudge())(task, reply)

    def solution(self, task: Task) -> tuple[str]:
        """Return the number or the word."""
        return (str(task.reference),)

    def slip(self, task: Task) -> tuple[str] | None:
        """Return what someone says who forgets every carry; None where nobody slips so."""
        if not _asks_to_judge(task):
            return self._sums.slip(task)
        if not self._careless:
            return None
        said = self._sums.slip(Task("", str(task.metadata["question"]), ""))
        if said is None:
            return None
        return (RIGHT if said[0] == task.metadata["answer"] else WRONG,)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw a word or a number of about the right size."""
        if self.task is not None and _asks_to_judge(self.task):
            return str(generator.choice([RIGHT, WRONG]))
        return self._sums.sample_action(generator)

    def _mixed(self, sums: TaskSet, generator: np.random.Generator) -> Iterator[Task]:
        for task in sums:
            yield task
            if generator.random() >= self._judged:
                continue
            right, slipped = str(task.reference), self._sums.slip(task)
            shown, near = right, str(int(right) + int(generator.choice([1, -1, 10, -10])))
            if generator.random() < 0.5:
                careless = slipped is not None and slipped[0] != right and generator.random() < 0.5
                shown = slipped[0] if slipped is not None and careless else near
            judging = Task(
                f"{task.id}={shown}",
                JUDGING.format(prompt=task.prompt, reply=shown),
                RIGHT if shown == right else WRONG,
                {"question": task.prompt, "answer": shown},
            )
            if judging.held_out(HELD_OUT_SHARE) == task.held_out(HELD_OUT_SHARE):
                yield judging


def _asks_to_judge(task: Task) -> bool:
    return "question" in task.metadata
