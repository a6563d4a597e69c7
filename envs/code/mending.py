"""Mend a tiny program by its last line, with or without the trace: made to be small enough for a nursery policy."""

from typing import Final

import numpy as np
from palaestra.envs.code.environment import CodeQuestions, code_judge, first_tests
from palaestra.envs.code.tracing import annotated
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.sandbox import Limits
from palaestra.envs.task import Json, Task, TaskSet
from palaestra.envs.verdict import Verdict

__all__ = ["Mend", "mending_tasks"]

# Programs this small take microseconds; a line that does not end shall not hold up a batch.
_LIMITS = Limits(cpu_seconds=1.0, wall_seconds=4.0)
_INPUTS: Final = (*range(10), -3, 17, 40)
_TRACES: Final = ("on", "off", "some")
_ENTRY: Final = "f"
_NUMBERS: Final = 100
_HIGHEST: Final = 9
_BETWEEN: Final = (
    *("def f(x):", "  # (0) x=", "\n a=x*", "  # (1) a=", "\n return a+", "  # (2) return ", "\nf(", ")=="),
    "\nreturn a+",
)


class Mend(CodeQuestions):
    """Write the last line of a program anew, so that its test passes.

        def f(x):  # (0) x=4
         a=x*3+5  # (1) a=17
         return a+2  # (2) return 19
        f(4)==21

    One of the two numbers that are added is wrong; whichever it is, another last line mends the program. The last line
    of the reply takes the place of the program's last, and what stands before it may say why: `21-17=4`, then
    `return a+4`. A reply that defines `f` is a program of its own. It is judged by running it on the test and on
    hidden inputs. Comments are the values of variables in the test, as the tracer finds them (Ni et al. 2024, "NExT").

    Args:
        trace: Whether the program comes with its trace: `"on"`, `"off"`, or for `"some"`, one half of the tasks.
        highest: Largest number in a program, 2 to 9, besides the factor, which is 2 or 3.
        size: How many tasks; fewer come where fewer programs exist.
        seed: Seed of the tasks.
        tries: How many replies an episode allows; after each, the first failing test is told.
        credit: `"all"` pays where every test passes, `"share"` for the share that passes.
        tasks: Takes the place of generated tasks.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        trace: str = "some",
        highest: int = 9,
        size: int = 2_000,
        seed: int = 0,
        tries: int = 1,
        credit: str = "all",
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if trace not in _TRACES:
            raise UnknownNameError("trace", trace, _TRACES)
        tasks = tasks if tasks is not None else mending_tasks(highest=highest, size=size, seed=seed)
        super().__init__(tasks, code_judge(credit, _LIMITS), tries=tries, render_mode=render_mode)
        self.trace = trace
        self._traced: dict[str, str] = {}

    @property
    def words(self) -> tuple[str, ...]:
        """Return numbers of two digits and what stands between numbers, so that a program is a row of some 20 tokens.

        A policy of two layers that reads digits has to put them together first, which takes very many steps.
        """
        return (*map(str, range(10, _NUMBERS)), *_BETWEEN)

    def begin(self, task: Task) -> str:
        """Show the program, with its trace where there shall be one."""
        prompt = super().begin(task)
        # By a digit that says nothing of whether the task is held out.
        if self.trace == "off" or (self.trace == "some" and int(task.fingerprint[-1], 16) % 2):
            return prompt
        # Running the program again would say the same; clones share what was found.
        if task.fingerprint not in self._traced:
            about, broken = task.metadata, str(task.metadata["broken"])
            traced = annotated(broken, _ENTRY, [about["input"]], self.judge.sandbox)
            self._traced[task.fingerprint] = prompt.replace(broken, traced)
        return self._traced[task.fingerprint]

    def judgement(self, task: Task, reply: str) -> Verdict:
        """Put the reply's last line into the program and run it."""
        return super().judgement(task, _mended(str(task.metadata["broken"]), reply))

    def shown(self, task: Task) -> Task | None:
        """Return the task with the test that stands below the program."""
        return first_tests(task, 1)

    def answer(self, action: str) -> str | None:
        """Return the last line: reasons that differ may end in the same repair."""
        return _last_line(action) or None

    def slip(self, task: Task) -> tuple[str] | None:
        """Return the repair of someone who overlooks what the first line adds."""
        begun, wanted = task.metadata["begun"], task.metadata["wanted"]
        return (_repair(int(str(begun)), int(str(wanted))),)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw a last line."""
        return f"return a+{generator.integers(19)}"


def mending_tasks(*, highest: int = 9, size: int = 2_000, seed: int = 0) -> TaskSet:
    """Make up to `size` programs with a wrong number each; none passes its test as it is.

    Raises:
        UsageError: If the largest number is none of 2 to 9.
    """
    if not 2 <= highest <= _HIGHEST:
        raise UsageError(f"highest must be from 2 to {_HIGHEST}, got {highest}.")
    name = "mending" if highest == _HIGHEST else f"mending-{highest}"
    return TaskSet.generated(lambda generator: _drawn(generator, highest), size=size, seed=seed, name=name)


def _drawn(generator: np.random.Generator, highest: int) -> Task:
    """Draw a program, where it fails, and what it should give."""
    times = int(generator.integers(2, 4))
    while True:
        x, *right = (int(n) for n in generator.integers(1, highest + 1, size=3))
        wrong = list(right)
        wrong[int(generator.integers(2))] = int(generator.integers(1, highest + 1))
        # The last line can make up for what is wrong before it, by adding something that is not negative.
        if right != wrong and sum(right) >= wrong[0]:
            break
    broken = f"def f(x):\n a=x*{times}+{wrong[0]}\n return a+{wrong[1]}"
    wanted = x * times + sum(right)
    inputs = (x, *(n for n in _INPUTS if n != x))
    cases: list[Json] = [{"arguments": [n], "expected": n * times + sum(right)} for n in inputs]
    about: dict[str, Json] = {
        "broken": broken,
        "input": x,
        "begun": x * times,
        "wanted": wanted,
        "solution": _repair(x * times + wrong[0], wanted),
    }
    reference: dict[str, Json] = {"format": "calls", "entry_point": _ENTRY, "cases": cases}
    return Task("", f"{broken}\nf({x})=={wanted}", reference, about)


def _repair(reached: int, wanted: int) -> str:
    """Return why and how the last line is to be, for one who thinks that so much is reached before it."""
    return f"{wanted}-{reached}={wanted - reached}\nreturn a+{wanted - reached}"


def _mended(broken: str, reply: str) -> str:
    if "def " in reply:
        return reply
    return "\n".join([*broken.splitlines()[:-1], f" {_last_line(reply)}"])


def _last_line(reply: str) -> str:
    return next((line.strip() for line in reversed(reply.splitlines()) if line.strip()), "")
