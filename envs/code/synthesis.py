"""Find a function from three examples: small enough for a nursery policy, judged by running what it wrote."""

from collections.abc import Sequence

import numpy as np
from palaestra.envs.code.environment import CodeQuestions, code_judge, first_tests
from palaestra.envs.code.functions import SHOWN, synthesis_tasks
from palaestra.envs.code.program import program_of
from palaestra.envs.sandbox import CallJob, Limits, Outcome, Returned
from palaestra.envs.sandbox.job import Value
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Verdict
from palaestra.envs.writing.functions import HOW_TO_WRITE, read_function, write_function

__all__ = ["Synthesis", "whole_program"]

# Functions this small take microseconds; one that does not end shall not hold up a batch.
_LIMITS = Limits(cpu_seconds=1.0, wall_seconds=4.0)
# From where arguments for comparing programs are drawn.
_DRAWN = (-20, 100)
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
        self.level = level
        tasks = tasks if tasks is not None else synthesis_tasks(level, size=size, seed=seed)
        super().__init__(tasks, code_judge(credit, _LIMITS), tries=tries, render_mode=render_mode)

    def judgement(self, task: Task, reply: str) -> Verdict:
        """Make a program of the reply and run it."""
        return super().judgement(task, whole_program(task, reply))

    def inputs(self, generator: np.random.Generator, count: int) -> list[tuple[Value, ...]]:
        """Draw arguments that programs can be called with; what they should give is nobody's to know."""
        return [(int(n),) for n in generator.integers(*_DRAWN, size=count)]

    def returned(
        self, task: Task, replies: Sequence[str], inputs: Sequence[tuple[Value, ...]]
    ) -> list[tuple[str | None, ...]]:
        """Run each reply on each input; see `RunsPrograms`."""
        jobs = [CallJob(whole_program(task, reply), "f", inputs, _LIMITS) for reply in replies]
        begun = [self.judge.sandbox.submit(job) for job in jobs]
        return [_texts(future.result(), len(inputs)) for future in begun]

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

    @property
    def how_to_write(self) -> str:
        """What somebody is told who shall write a task."""
        return HOW_TO_WRITE

    def write_task(self, task: Task) -> str:
        """Return the function and the inputs that are shown."""
        return write_function(task)

    def read_task(self, text: str) -> Task:
        """Run a function twice and make a task of it; see `TaskLanguage`."""
        return read_function(text, self.level, _LIMITS)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw one operation with a digit."""
        return f"x{'+-*'[generator.integers(3)]}{generator.integers(1, 10)}"


def _texts(outcome: Outcome, count: int) -> tuple[str | None, ...]:
    """Return what calls gave, as text; None where one gave nothing."""
    texts = [repr(result.value) if isinstance(result, Returned) else None for result in outcome.results]
    return (*texts, *(None,) * (count - len(texts)))


def whole_program(task: Task, reply: str) -> str:
    """Return a reply of one line as a program that defines `f`, and any other reply as it is.

    The line may be an expression in `x`, a lambda expression, or Python that defines `f`. Which one it is turns out in
    the sandbox: nothing of a reply is parsed here.
    """
    line = (program_of(task, reply) if "```" in reply else reply).strip()
    return _ONE_LINE.format(line=line) if line and "\n" not in line else reply
