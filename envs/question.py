"""One task, one or several tries with feedback, and a judge, as a `gymnasium.Env`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from palaestra.envs.errors import BadRowError, UnknownNameError, UsageError
from palaestra.envs.math.answers import ExactJudge, NumberJudge
from palaestra.envs.sources import load_tasks
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import TOLD, Info, TextEnv
from palaestra.envs.verdict import Judge, ReadsAnswers, Status, Verdict

__all__ = ["FileQuestions", "QuestionEnv", "judged"]

_FEEDBACK: Mapping[Status, str] = MappingProxyType(
    {
        Status.CORRECT: "Correct.",
        Status.WRONG: "That is not correct.",
        Status.PARTIAL: "That is only partly correct.",
        Status.UNPARSED: "No answer could be found in that reply.",
        Status.ILLEGAL: "That is against the rules.",
        Status.TIMEOUT: "That took too long.",
        Status.CRASHED: "That failed when it ran.",
        Status.BROKEN_TASK: "This task cannot be judged.",
        Status.INFRASTRUCTURE: "The judge failed.",
    }
)


def judged(judge: Judge, task: Task, reply: str) -> Verdict:
    """Ask a judge; a judge that fails is our failure, so it becomes an INFRASTRUCTURE verdict and never a reward."""
    try:
        verdict: object = judge(task, reply)
    except Exception as error:
        detail = f"the judge raised {type(error).__name__}: {str(error)[:200]}"
        return Verdict(0.0, Status.INFRASTRUCTURE, detail)
    if not isinstance(verdict, Verdict):
        return Verdict(0.0, Status.INFRASTRUCTURE, f"the judge returned a {type(verdict).__name__}, not a Verdict")
    return verdict


class QuestionEnv(TextEnv):
    """Ask a task's prompt and judge the reply.

    The observation is the prompt, then feedback that does not give the answer away. The episode ends with a correct
    reply, with a verdict that is no reward (the world itself failed), or with the last try. Only the step that ends
    it pays: the reward of its verdict, so that partial rewards of earlier tries never add up.

    Args:
        tasks: The questions.
        judge: Says what a reply is worth.
        tries: How many replies an episode allows, at least 1.
        render_mode: None or `"ansi"`.
    """

    def __init__(self, tasks: TaskSet, judge: Judge, *, tries: int = 1, render_mode: str | None = None) -> None:
        longest = max((len(task.prompt) for task in tasks), default=0)
        super().__init__(tasks, max_chars=max(100_000, longest), render_mode=render_mode)
        if tries < 1:
            raise UsageError(f"tries must be at least 1, got {tries}.")
        self.judge = judge
        self.tries = tries
        self._left = 0

    def begin(self, task: Task) -> str:
        """Ask the question."""
        self._left = self.tries
        return task.prompt

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        """Judge a reply."""
        task = self.task
        if task is None or self._left <= 0:
            raise UsageError("There is no open question: call reset() before step().")
        verdict = self.judgement(task, action)
        self._left -= 1
        if verdict.status is Status.CORRECT or not verdict.valid:
            self._left = 0
        over = self._left == 0
        self.observation = self.feedback(verdict)
        if not over:
            between = "" if self.observation.endswith("\n") else " "
            self.observation += f"{between}Tries left: {self._left}."
        return self.observation, verdict.reward if over else 0.0, over, False, {"task": task.id, "verdict": verdict}

    def judgement(self, task: Task, reply: str) -> Verdict:
        """Return the judge's verdict; never raises."""
        return judged(self.judge, task, reply)

    def answer(self, action: str) -> str | None:
        """Return the answer that the judge would read, where it says (`answer_of`), else the whole reply."""
        return self.judge.answer_of(action) if isinstance(self.judge, ReadsAnswers) else super().answer(action)

    def hinted(self, task: Task) -> Task | None:
        """Return the question with its answer, where that is a number or a text."""
        if isinstance(task.reference, bool) or not isinstance(task.reference, int | float | str):
            return None
        return replace(task, id=f"{task.id}{TOLD}", prompt=f"{task.prompt} (Answer: {task.reference})")

    def feedback(self, verdict: Verdict) -> str:
        """Return what the agent is told of a reply; the verdict's detail may name the answer, so it is left out."""
        return _FEEDBACK[verdict.status]


_JUDGES: Mapping[str, Judge] = MappingProxyType({"number": NumberJudge(), "exact": ExactJudge()})


class FileQuestions(QuestionEnv):
    """Questions from a file or data set, see `palaestra.envs.sources.load_tasks`.

    Every answer of the file must itself be judged correct, so that no task is lost to a judge that cannot read it.

    Args:
        path: JSONL or Parquet file, folder of a saved data set, or `datasets:ID#split`.
        judge: `"number"` compares the reply's final number, `"exact"` its whole text.
        tries: How many replies an episode allows.
        skip_bad_rows: Leave out rows that are no task instead of refusing the file; `skipped` keeps them.
        tasks: Takes the place of `path`.
        render_mode: None or `"ansi"`.

    Attributes:
        skipped: The rows that were left out.

    Raises:
        BadRowError: If a row is no task, or its answer is none that the judge can read.
        UsageError: If neither path nor tasks are given, or nothing is left to ask.
    """

    def __init__(
        self,
        path: str | Path = "",
        *,
        judge: str = "number",
        tries: int = 1,
        skip_bad_rows: bool = False,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if judge not in _JUDGES:
            raise UnknownNameError("judge", judge, _JUDGES)
        self.skipped: tuple[BadRowError, ...] = ()
        if tasks is None:
            if not path:
                raise UsageError(
                    "palaestra/Question-v0 needs a file of tasks: palaestra/Question-v0?path=FILE (JSONL or Parquet)."
                )
            tasks, self.skipped = load_tasks(path, skip_bad_rows=skip_bad_rows)
            unread = [error for task in tasks if (error := _unreadable(task, judge)) is not None]
            if unread:
                if not skip_bad_rows:
                    raise unread[0]
                self.skipped += tuple(unread)
                tasks = TaskSet((task for task in tasks if _unreadable(task, judge) is None), tasks.name)
        super().__init__(tasks, _JUDGES[judge], tries=tries, render_mode=render_mode)

    def solution(self, task: Task) -> tuple[str]:
        """Return the reference as text."""
        return (str(task.reference),)


def _unreadable(task: Task, judge: str) -> BadRowError | None:
    verdict = judged(_JUDGES[judge], task, str(task.reference))
    if verdict.status is Status.CORRECT:
        return None
    line = task.metadata.get("line")
    other = "exact" if judge == "number" else "number"
    problem = f"judge={judge} cannot use this answer ({verdict.detail}). Correct the row, or try judge={other}."
    return BadRowError(str(task.metadata.get("source", "")), line if isinstance(line, int) else 0, "answer", problem)
