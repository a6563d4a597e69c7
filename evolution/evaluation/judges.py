"""The judges of programs, of answers in mathematics, and of what names its own judge, opened with their processes."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from threading import BoundedSemaphore
from types import MappingProxyType

from palaestra.envs.settings import loaded
from palaestra.envs.task import Json, Task
from palaestra.envs.verdict import Judge
from palaestra.evolution.evaluation.judging import Judgement

__all__ = ["Judges", "Needs", "has_own_judge", "is_code", "open_judges"]

# Formats of references that are neither programs nor answers in mathematics.
_OWN: Mapping[str, str] = MappingProxyType(
    {
        "graph": "palaestra.envs.graphs.judge:GraphJudge",
        "crawl": "palaestra.envs.reading.crawl.judge:CrawlJudge",
    }
)

# One program runs and the next is at hand; an interruption waits for no more than these.
_THREADS_PER_WORKER = 2


def has_own_judge(reference: Json) -> bool:
    """Whether a reference names a judge of its own by its format: graphs, and sites to crawl."""
    return isinstance(reference, Mapping) and reference.get("format") in _OWN


def is_code(task: Task) -> bool:
    """Whether a program in Python is asked for, rather than an answer."""
    return isinstance(task.reference, Mapping) and not has_own_judge(task.reference)


@dataclass(frozen=True)
class Needs:
    """What judges are asked for.

    Attributes:
        workers: Programs judged at the same time; None for one a core.
        timeout: Processor seconds of one program, and seconds of one comparison; None for the usual ones.
        packages: What programs may import.
        require_isolation: Whether to refuse to run programs when a layer of isolation is missing.
        mathematics: Whether there are answers to judge, not only programs.
    """

    workers: int | None = None
    timeout: float | None = None
    packages: tuple[str, ...] = ()
    require_isolation: bool = False
    mathematics: bool = True


@dataclass(frozen=True)
class Judges:
    """Calls the judge of a task's shape.

    Attributes:
        judge: Judges one reply.
        threads: How many may call it at once.
    """

    judge: Callable[[Task, str], Judgement]
    threads: int


@contextmanager
def open_judges(needs: Needs) -> Iterator[Judges]:
    """Open judges; they and their processes end with the context."""
    # Imported late: asking for help should not pay for judges.
    from palaestra.envs.code.judge import CodeJudge
    from palaestra.envs.math.judge import MathJudge
    from palaestra.envs.math.library import Library
    from palaestra.envs.sandbox import Limits, Sandbox

    timeout, isolated = needs.timeout, needs.require_isolation
    limits = None if timeout is None else Limits(cpu_seconds=timeout, wall_seconds=2 * timeout)
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(needs.workers, packages=needs.packages, require_isolation=isolated))
        if isolated:
            _ = sandbox.layers  # starts a worker, which raises when a layer is missing: before the first verdict
        code = CodeJudge(sandbox, limits=limits)
        math = MathJudge(timeout or MathJudge.seconds)
        if needs.mathematics:
            math = replace(math, library=stack.enter_context(Library(needs.workers)))
        # The clock of a comparison starts when its turn has come.
        places = BoundedSemaphore(sandbox.workers)
        own: dict[str, Judge] = {name: loaded(entry_point)() for name, entry_point in _OWN.items()}

        def judged(task: Task, reply: str) -> Judgement:
            if is_code(task):
                report = code.examine(task, reply)
                return Judgement(report.verdict, report.seconds)
            reference = task.reference
            judge = own.get(str(reference.get("format"))) if isinstance(reference, Mapping) else None
            with places:
                began = time.perf_counter()
                verdict = (judge or math)(task, reply)
                return Judgement(verdict, time.perf_counter() - began)

        yield Judges(judged, _THREADS_PER_WORKER * sandbox.workers)
