"""Find a function from three examples: small enough for a nursery policy, judged by running what it wrote."""

import numpy as np
from palaestra.envs.code.environment import CodeQuestions, code_judge, first_tests
from palaestra.envs.code.functions import SHOWN, synthesis_tasks
from palaestra.envs.code.program import program_of
from palaestra.envs.sandbox import Limits
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Verdict

__all__ = ["Synthesis", "whole_program"]

# Functions this small take microseconds; one that does not end shall not hold up a batch.
_LIMITS = Limits(cpu_seconds=1.0, wall_seconds=4.0)
_ONE_LINE = """\
line = {line!r}
try:
    code = compile(line, "reply", "eval")
except SyntaxError:
    exec(line)
else:
    def f(x):
        value = eval(code, {{"x": x}})
        return value(x) if callable(value) else value
"""


class Synthesis(CodeQuestions):
    """Continue `f(0)=1 f(3)=7 f(5)=11 f(x)=`.

    The reply is a Python expression in `x`, such as `x*2+1`, or a whole program that defines `f`. Any program will do
    that is right on the examples and on the hidden inputs, so that repeating the examples is not enough; no other
    function of the level fits all that is shown. Reward 1 where every test passes, else 0 (`credit="all"`), or the
    share of tests passed (`credit="share"`).

    Args:
        level: A step of `palaestra.envs.code.functions.LEVELS`, 1 (one operation) to 4 (two, and conditions). A
            nursery policy can be born to level 1.
        size: How many tasks.
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
        level: int = 1,
        size: int = 4_000,
        seed: int = 0,
        tries: int = 1,
        credit: str = "all",
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        tasks = tasks if tasks is not None else synthesis_tasks(level, size=size, seed=seed)
        super().__init__(tasks, code_judge(credit, _LIMITS), tries=tries, render_mode=render_mode)

    def judgement(self, task: Task, reply: str) -> Verdict:
        """Make a program of the reply and run it."""
        return super().judgement(task, whole_program(task, reply))

    def shown(self, task: Task) -> Task | None:
        """Return the task with its examples alone."""
        return first_tests(task, SHOWN)

    def slip(self, task: Task) -> tuple[str, ...] | None:
        """Return the answer of someone who looks at the first example alone, and sees a sum."""
        reference = task.reference
        cases = reference.get("cases") if isinstance(reference, dict) else None
        if not cases:
            return None
        difference = cases[0]["expected"] - cases[0]["arguments"][0]
        return (f"x{difference:+d}" if difference else "x",)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw one operation with a digit."""
        return f"x{'+-*'[generator.integers(3)]}{generator.integers(1, 10)}"


def whole_program(task: Task, reply: str) -> str:
    """Return a reply of one line as a program that defines `f`, and any other reply as it is.

    The line may be an expression in `x`, a lambda expression, or Python that defines `f`. Which one it is turns out in
    the sandbox: nothing of a reply is parsed here.
    """
    line = (program_of(task, reply) if "```" in reply else reply).strip()
    return _ONE_LINE.format(line=line) if line and "\n" not in line else reply
