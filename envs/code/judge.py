"""Judge programs by running them against a task's tests, many at a time, each in a sandbox.

What a program returns or prints is compared here, outside of its process; it never sees what is expected.
"""

import asyncio
import itertools
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from functools import partial
from typing import ParamSpec, get_args

from palaestra.envs.code.cases import plan_of
from palaestra.envs.code.checker import BrokenCheckerError, Given, checking, control, scores
from palaestra.envs.code.plan import CallPlan, Plan, RunPlan, ScriptPlan
from palaestra.envs.code.program import Program, source_of
from palaestra.envs.code.recording import Recordings, recording
from palaestra.envs.code.report import (
    Credit,
    Failure,
    Graded,
    Mark,
    Report,
    concluded,
    graded_calls,
    graded_runs,
    graded_script,
    planned,
    said,
)
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.sandbox import CallJob, Ended, Job, Limits, Outcome, RunJob, Sandbox, ScriptJob, shared_sandbox
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict

__all__ = ["CodeJudge", "Failure", "Report"]

# Replies handed over and not yet judged, for each worker: enough that none ever waits for work.
_AHEAD = 16
_P = ParamSpec("_P")


class CodeJudge:
    """`judge(task, reply) -> Verdict` for tasks whose replies are programs; see `palaestra.envs.code.formats`.

    A reply is never an error: what it does to its own process is its verdict. A task whose tests cannot judge
    anything is BROKEN_TASK, a failure of our own machinery INFRASTRUCTURE. `palaestra.envs.code.report.concluded` says
    how passed tests become a status and a reward. Thread-safe.

    Args:
        sandbox: Where programs run; by default the process's own.
        limits: What one program may use. Of standard-input tests, each run may use it anew.
        credit: `"share"` pays the share of tests passed, `"all"` only for all.

    Raises:
        UnknownNameError: If the credit is another.
    """

    def __init__(
        self, sandbox: Sandbox | None = None, *, limits: Limits | None = None, credit: Credit = "share"
    ) -> None:
        if credit not in get_args(Credit):
            raise UnknownNameError("credit", str(credit), get_args(Credit))
        self.limits = limits or Limits()
        self.credit: Credit = credit
        self._sandbox = sandbox
        self._recordings = Recordings()

    @property
    def sandbox(self) -> Sandbox:
        """Where programs run."""
        return self._sandbox or shared_sandbox()

    def __call__(self, task: Task, reply: str) -> Verdict:
        """Judge one reply."""
        return self.examine(task, reply).verdict

    def examine(self, task: Task, reply: str) -> Report:
        """Judge one reply, and say which test failed and what was used."""
        return self._begin(task, reply).result()

    def examine_many(
        self, pairs: Sequence[tuple[Task, str]], progress: Callable[[int], None] | None = None
    ) -> list[Report]:
        """Judge replies, all workers busy.

        Args:
            pairs: Tasks with a reply each.
            progress: Told how many are judged, when that has grown.

        Returns:
            A report for each pair, in order.
        """
        tally, begun, told = _Tally(), list[Future[Report]](), 0

        def wait(count: int) -> None:
            nonlocal told
            while told < count:
                told = tally.wait(told + 1 if progress else count)
                if progress:
                    progress(told)

        for task, reply in pairs:
            if len(begun) - tally.done >= self._window:
                # With nobody to tell, one wake for many replies: each would take a worker's thread the interpreter.
                wait(len(begun) - self._window // 2)
            begun.append(self._begin(task, reply))
            begun[-1].add_done_callback(tally.count)
        wait(len(begun))
        return [future.result() for future in begun]

    def judge_many(
        self, pairs: Sequence[tuple[Task, str]], progress: Callable[[int], None] | None = None
    ) -> list[Verdict]:
        """Judge replies, all workers busy; see `examine_many`."""
        return [report.verdict for report in self.examine_many(pairs, progress)]

    async def judge_many_async(self, pairs: Sequence[tuple[Task, str]]) -> list[Verdict]:
        """Judge replies, all workers busy, while other coroutines go on."""
        room = asyncio.Semaphore(self._window)

        async def judged(task: Task, reply: str) -> Verdict:
            async with room:
                return (await asyncio.wrap_future(self._begin(task, reply))).verdict

        return list(await asyncio.gather(*(judged(task, reply) for task, reply in pairs)))

    @property
    def _window(self) -> int:
        return _AHEAD * self.sandbox.workers

    def _begin(self, task: Task, reply: str) -> Future[Report]:
        """Hand a reply over; the future never raises."""
        report: Future[Report] = Future()
        report.set_running_or_notify_cancel()  # from here on nobody who waits for it can call it off
        try:
            plan = plan_of(task)
            program = source_of(task, reply)
        except UsageError as error:
            report.set_result(Report(Verdict(0.0, Status.BROKEN_TASK, str(error))))
            return report
        except Exception as error:
            report.set_result(_failed(error))
            return report
        if not program.source:
            verdict = Verdict(0.0, Status.UNPARSED, "no program was found in the reply")
            report.set_result(Report(verdict, total=planned(plan)))
            return report
        examination = _Examination(plan, program, self.limits, self.credit, self.sandbox, self._recordings, report)
        examination.guarded(examination.start)()
        return report


class _Tally:
    """Counts what is done, and wakes whoever waits for a number of it."""

    def __init__(self) -> None:
        self.done = 0
        self._awaited = math.inf
        self._lock = threading.Lock()
        self._reached = threading.Semaphore(0)

    def count(self, _: object) -> None:
        with self._lock:
            self.done += 1
            if self.done >= self._awaited:
                self._awaited = math.inf
                self._reached.release()

    def wait(self, number: int) -> int:
        """Return how many are done, once it is that many."""
        with self._lock:
            if self.done >= number:
                return self.done
            self._awaited = number
        self._reached.acquire()
        return self.done


def _failed(error: BaseException) -> Report:
    return Report(Verdict(0.0, Status.INFRASTRUCTURE, f"{type(error).__name__}: {str(error)[:300]}"))


@dataclass(frozen=True, slots=True)
class _Examination:
    """One reply on its way: each step starts when the jobs of the one before are done, and no thread waits."""

    plan: Plan
    program: Program
    limits: Limits
    credit: Credit
    sandbox: Sandbox
    recordings: Recordings
    report: Future[Report]

    def start(self) -> None:
        plan = self.plan
        if isinstance(plan, ScriptPlan) and plan.tested:
            known = self.recordings.get(plan)
            if known is None:
                self.run([recording(plan)], partial(self.go_on_recorded, plan))
                return
            plan = known
        self.ask(plan)

    def go_on_recorded(self, plan: ScriptPlan, outcomes: list[Outcome | None]) -> None:
        self.ask(self.recordings.keep(plan, _only(outcomes)))

    def ask(self, plan: Plan) -> None:
        source = self.program.source
        jobs: list[Job]
        if isinstance(plan, CallPlan):
            jobs = [CallJob(source, plan.entry_point, plan.calls, self.limits)]
        elif isinstance(plan, RunPlan):
            jobs = [RunJob(source, stdin, self.limits) for stdin in plan.inputs]
        else:
            jobs = [ScriptJob(source, plan.script, plan.entry_point, self.limits)]
        self.run(jobs, partial(self.grade, plan))

    def grade(self, plan: Plan, outcomes: list[Outcome | None]) -> None:
        before = self.program.before
        if isinstance(plan, ScriptPlan):
            self.grade_script(plan, _only(outcomes))
            return
        if isinstance(plan, RunPlan):
            graded = graded_runs(plan, outcomes, before)
        else:
            graded = graded_calls(plan, _only(outcomes), before)
        asked = [number for number, mark in enumerate(graded.marks) if not mark.raised]
        if not plan.checker or not asked:
            self.conclude(graded)
            return
        given: list[Given] = [
            (plan.tests[number].given[0], graded.marks[number].value, plan.tests[number].given[1]) for number in asked
        ]
        job = checking(plan.checker, given, self.limits)
        self.run([job], partial(self.check, graded, plan.checker, asked, given))

    def grade_script(self, plan: ScriptPlan, outcome: Outcome) -> None:
        unchecked = outcome.ended is Ended.FINISHED and not outcome.error and not outcome.checks
        if outcome.fault or unchecked:
            control_job = ScriptJob(plan.stub, plan.script, plan.entry_point, self.limits)
            self.run([control_job], partial(self.blame_script, plan, outcome))
        else:
            self.conclude(graded_script(plan, outcome, self.program.before))

    def blame_script(self, plan: ScriptPlan, outcome: Outcome, outcomes: list[Outcome | None]) -> None:
        """Tell whose fault it is that a script fails or checks nothing: its own, if it does so without the program too.

        A name that nobody defines is one that the program should have defined.
        """
        without = _only(outcomes)
        alike = (without.fault, without.error, bool(without.checks)) == (
            outcome.fault,
            outcome.error,
            bool(outcome.checks),
        )
        broken = alike and not outcome.fault.startswith("NameError")
        self.conclude(graded_script(plan, outcome, self.program.before, broken=broken))

    def check(
        self,
        graded: Graded,
        checker: str,
        asked: list[int],
        given: list[Given],
        outcomes: list[Outcome | None],
    ) -> None:
        found = scores(_only(outcomes), len(given))
        marks = list(graded.marks)
        for number, score, (_, actual, _) in zip(asked, found, given, strict=True):
            note = f" ({score})" if isinstance(score, str) else ""
            marks[number] = Mark(
                0.0 if isinstance(score, str) else score,
                marks[number].input,
                "an answer that the checker accepts",
                said(actual) + note,
            )
        checked = replace(graded, marks=tuple(marks))
        asked_again = control(found, given)
        if not asked_again:
            self.conclude(checked)
            return
        job = checking(checker, asked_again, self.limits)
        self.run([job], partial(self.blame, checked, len(asked_again)))

    def blame(self, checked: Graded, count: int, outcomes: list[Outcome | None]) -> None:
        for score in scores(_only(outcomes), count):
            if isinstance(score, str):
                raise BrokenCheckerError(f"{score}, on the expected answer too")
        self.conclude(checked)

    def conclude(self, graded: Graded) -> None:
        self.report.set_result(concluded(graded, self.credit))

    def run(self, jobs: list[Job], then: Callable[[list[Outcome | None]], None]) -> None:
        """Submit jobs, and go on when all are done; one that takes too long calls off those that have not begun."""
        futures = [self.sandbox.submit(job) for job in jobs]
        count = itertools.count(1)

        def ended(future: Future[Outcome]) -> None:
            if not future.cancelled() and future.exception() is None and future.result().ended.timeout:
                for other in futures:
                    other.cancel()
            if next(count) == len(futures):
                then([None if done.cancelled() else done.result() for done in futures])

        for future in futures:
            future.add_done_callback(self.guarded(ended))

    def guarded(self, step: Callable[_P, None]) -> Callable[_P, None]:
        """Make what a step raises the verdict: nobody else is there to see it."""

        def safe(*arguments: _P.args, **named: _P.kwargs) -> None:
            try:
                step(*arguments, **named)
            except BrokenCheckerError as error:
                self.report.set_result(Report(Verdict(0.0, Status.BROKEN_TASK, str(error))))
            except Exception as error:
                self.report.set_result(_failed(error))

        return safe


def _only(outcomes: list[Outcome | None]) -> Outcome:
    (outcome,) = outcomes
    if outcome is None:
        raise CancelledError
    return outcome
