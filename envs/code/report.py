"""From what the sandbox observed to what a program is worth; decisions only, no process is touched here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from palaestra.envs.code.plan import CallPlan, Plan, RunPlan, ScriptPlan, Test
from palaestra.envs.sandbox.inside.values import shown
from palaestra.envs.sandbox.job import Check, Ended, Outcome, Raised, Returned, Value
from palaestra.envs.verdict import Status, Verdict

__all__ = [
    "Credit",
    "Failure",
    "Graded",
    "Mark",
    "Report",
    "concluded",
    "graded_calls",
    "graded_runs",
    "graded_script",
    "planned",
    "said",
]

Credit: TypeAlias = Literal["share", "all"]

_LINE = 400
_NUMBERED = re.compile(r"\(line (\d{1,9})\)$")
_ERROR = re.compile(r"\w*(?:Error|Exception|Exit|Interrupt|Iteration|Warning)(?::| \(line|$)")


@dataclass(frozen=True, slots=True)
class Failure:
    """The first test that a program failed, shortened.

    Attributes:
        test: Its number, from 0.
        input: The call, such as `"add(1, 2)"`, the `repr` of the standard input, or the assertion.
        expected: What should have come, in words or as `repr`; empty where that is not known.
        actual: What came: a `repr`, the error that was raised, or why nothing came.
    """

    test: int
    input: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Report:
    """A judgement of a program, in detail.

    Attributes:
        verdict: The verdict.
        passed: How many tests passed.
        total: How many there are; of tests in loops that were cut short, how many there are at least.
        failure: The first test that failed or was not reached; None where no program ran, or where all passed.
        seconds: Processor time of the program.
        memory_mb: Its largest resident memory, in MiB.
    """

    verdict: Verdict
    passed: int = 0
    total: int = 0
    failure: Failure | None = None
    seconds: float = 0.0
    memory_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of one test that was reached.

    Attributes:
        score: 0 to 1; 1 is a pass.
        input: See `Failure`.
        expected: See `Failure`.
        actual: See `Failure`.
        raised: Whether `actual` is an error.
        value: What is left for a checker to judge.
    """

    score: float
    input: str = ""
    expected: str = ""
    actual: str = ""
    raised: bool = False
    value: Value = None


_PASSED = Mark(1.0)


@dataclass(frozen=True, slots=True)
class Graded:
    """All tests of a program.

    Attributes:
        marks: Of the tests that were reached, in order.
        total: How many tests there are.
        stop: TIMEOUT or CRASHED where the program did not come to its end, BROKEN_TASK where the tests did not.
        why: What stopped it, for a person.
        missing: The first test without a mark, where it is known.
        counted: Whether `total` is known for certain.
        seconds: Processor time.
        memory_mb: Largest resident memory, in MiB.
        loaded: Whether the program got as far as a test.
    """

    marks: tuple[Mark, ...]
    total: int
    stop: Status | None = None
    why: str = ""
    missing: Failure | None = None
    counted: bool = True
    seconds: float = 0.0
    memory_mb: float = 0.0
    loaded: bool = True


def graded_calls(plan: CallPlan, outcome: Outcome, before: int = 0) -> Graded:
    """Compare what the calls returned; `before` is the number of lines before the reply's own."""
    keep = bool(plan.checker)
    marks = tuple(
        _called(test, result, before, keep) for test, result in zip(plan.tests, outcome.results, strict=False)
    )
    total = len(plan.tests)
    # With every call answered, how the process went on to end says nothing about the program.
    stop, why = _stop(outcome, before) if len(marks) < total else (None, "")
    missing = None
    if len(marks) < total:
        test = plan.tests[len(marks)]
        missing = Failure(len(marks), test.input, test.expected, why)
    elif all(mark.raised for mark in marks):
        stop, why = Status.CRASHED, marks[0].actual
    loaded = outcome.ended is not Ended.RAISED
    return Graded(marks, total, stop, why, missing, True, outcome.cpu_seconds, outcome.memory_mb, loaded)


def _called(test: Test, result: Returned | Raised, before: int, keep: bool) -> Mark:
    if isinstance(result, Raised):
        return Mark(0.0, test.input, test.expected, _own_line(result.error, before), raised=True)
    held = _held(test, result.value)
    if held and not keep:
        return _PASSED  # of these there are the most, and nobody asks more about them
    score = float(held)
    actual = said(result.value) if score < 1 else ""
    return Mark(score, test.input, test.expected, actual, value=result.value)


def said(value: Value) -> str:
    """Return a value's `repr`, shortened; some values of plain types have none, such as a fraction of huge numbers."""
    try:
        return shown(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _held(test: Test, value: Value) -> bool:
    try:
        return test.holds(value)
    except Exception:  # an assertion that raises, such as abs(None - 1.0) < 0.1, does not hold
        return False


def graded_runs(plan: RunPlan, outcomes: Sequence[Outcome | None], before: int = 0) -> Graded:
    """Compare what the runs printed; None is a run that was called off because another took too long."""
    marks: list[Mark] = []
    stop, why, missing = None, "", None
    for number, (test, outcome) in enumerate(zip(plan.tests, outcomes, strict=True)):
        if outcome is None or outcome.ended.timeout:
            stop = Status.TIMEOUT
            why = outcome.error if outcome else "a run took too long"
            missing = Failure(number, test.input, test.expected, why)
            break
        if outcome.ended is not Ended.FINISHED:
            marks.append(Mark(0.0, test.input, test.expected, _own_line(outcome.error, before), raised=True))
            continue
        score = float(_held(test, outcome.stdout))
        actual = said(outcome.stdout) if score < 1 else ""
        marks.append(Mark(score, test.input, test.expected, actual, value=outcome.stdout))
    if stop is None and all(mark.raised for mark in marks):
        stop, why = Status.CRASHED, marks[0].actual
    ran = [outcome for outcome in outcomes if outcome is not None]
    seconds, memory = sum(o.cpu_seconds for o in ran), max((o.memory_mb for o in ran), default=0.0)
    return Graded(tuple(marks), len(plan.tests), stop, why, missing, True, seconds, memory)


def graded_script(plan: ScriptPlan, outcome: Outcome, before: int = 0, *, broken: bool = False) -> Graded:
    """Count the checks of a test script; `broken` says that its fault is its own and not the program's.

    A program that ends a script in a loop hides how many checks there would have been: then no share is known.
    """
    marks = tuple(map(_checked, outcome.checks))
    total = max(outcome.planned, len(marks), plan.checks or 0)
    used = outcome.cpu_seconds, outcome.memory_mb
    if broken:
        return Graded(
            marks, total, Status.BROKEN_TASK, f"the test itself fails: {outcome.fault or 'it checks nothing'}"
        )
    error = outcome.fault or outcome.error
    if outcome.ended is Ended.FINISHED and not error:
        if not marks:
            return Graded((), max(total, 1), None, "", Failure(0, "", "", "no check was reached"), True, *used)
        if all(mark.raised for mark in marks):
            return Graded(marks, total, Status.CRASHED, marks[0].actual, None, True, *used)
        return Graded(marks, total, None, "", None, True, *used)
    stop, why = _stop(outcome, before)
    missing = Failure(len(marks), outcome.called, "", why)
    loaded = outcome.ended is not Ended.RAISED or bool(marks)
    return Graded(marks, max(total, len(marks) + 1), stop, why, missing, plan.checks is not None, *used, loaded)


def _checked(check: Check) -> Mark:
    if check.passed:
        return _PASSED
    raised = not check.expected and _ERROR.match(check.actual) is not None
    # The line is the script's, which nobody sees.
    actual = _NUMBERED.sub("", check.actual).rstrip() if raised else check.actual
    asked = check.called if check.called and check.expected else check.source or check.called
    return Mark(0.0, asked, check.expected, actual, raised)


def _stop(outcome: Outcome, before: int) -> tuple[Status, str]:
    status = Status.TIMEOUT if outcome.ended.timeout else Status.CRASHED
    return status, _own_line(outcome.fault or outcome.error or f"it {outcome.ended}", before)


def _own_line(error: str, before: int) -> str:
    """Count lines from the beginning of the reply."""

    def own(found: re.Match[str]) -> str:
        line = int(found[1])
        return f"(line {line - before})" if line > before else found[0]

    return _NUMBERED.sub(own, error)


def concluded(graded: Graded, credit: Credit) -> Report:
    """Turn marks into a verdict.

    CORRECT: every test passed. Otherwise TIMEOUT or CRASHED where the program did not come to its end, whatever
    passed before (the status tells why tests are missing, the reward what was done), else PARTIAL where something
    passed, else WRONG. The reward is the mean score over all tests, those not reached counted as failed; 0 where it
    is not known how many those are, and with credit `"all"` unless every test passed.
    """
    passed = sum(mark.score == 1 for mark in graded.marks)
    total = graded.total
    used = graded.seconds, graded.memory_mb
    if graded.stop is Status.BROKEN_TASK:
        return Report(Verdict(0.0, Status.BROKEN_TASK, _one_line(graded.why)), passed, total, None, *used)
    if graded.stop is None and passed == total > 0:
        return Report(Verdict(1.0, Status.CORRECT, ""), passed, total, None, *used)
    failed = next((number for number, mark in enumerate(graded.marks) if mark.score < 1), None)
    failure, detail = _failure(graded, failed)
    share = sum(mark.score for mark in graded.marks) / total if total else 0.0
    reward = share if credit == "share" and graded.counted else 0.0
    status = graded.stop or (Status.PARTIAL if share > 0 else Status.WRONG)
    return Report(Verdict(reward, status, _one_line(detail)), passed, total, failure, *used)


def _failure(graded: Graded, failed: int | None) -> tuple[Failure | None, str]:
    """Return the first failure, and a line that tells it, or that tells what stopped the program."""
    missing = graded.missing
    first = None if missing is None else replace(missing, actual=_one_line(missing.actual))
    if failed is not None:
        mark = graded.marks[failed]
        first = Failure(failed, _one_line(mark.input), _one_line(mark.expected), _one_line(mark.actual))
        if missing is None:
            # An assertion says itself what should be.
            should = f" should be {mark.expected}," if mark.expected and not mark.input.startswith("assert") else ":"
            came = f"{'raised' if mark.raised else 'got'} {mark.actual}" if mark.actual else "failed"
            return first, f"test {failed + 1} of {graded.total}: {mark.input}{should} {came}"
    if missing is None or not graded.loaded:
        return first, graded.why
    asked = f"{missing.input}: " if missing.input else ""
    return first, f"test {missing.test + 1} of {graded.total}: {asked}{missing.actual}"


def _one_line(text: str) -> str:
    """Return text that any file can store, on one line."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


def planned(plan: Plan) -> int:
    """Return how many tests a plan has, where that is known before it is carried out."""
    return (plan.checks or 0) if isinstance(plan, ScriptPlan) else len(plan.tests)
