"""Problems of mathematics from files shaped like GSM8K's or MATH's."""

import re
from collections.abc import Collection
from pathlib import Path

from palaestra.envs.errors import BadRowError, UsageError
from palaestra.envs.math.judge import MathJudge
from palaestra.envs.sources import Loaded, load_tasks
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Status

__all__ = ["math_tasks"]

_TOPIC_FIELDS = ("type", "subject", "topic")


def math_tasks(
    path: str | Path,
    *,
    topics: Collection[str] = (),
    level: int | None = None,
    judge: MathJudge | None = None,
    skip_bad_rows: bool = False,
) -> Loaded:
    """Read problems (`palaestra.envs.sources.load_tasks`) whose answers the math judge can read.

    Args:
        path: Rows with `question` and `answer` (`####` before the number), with `problem` and `solution` (the answer in
            a box), or with a prompt and an answer.
        topics: Keep rows whose `type`, `subject` or `topic` is one of these, whatever the case; all when empty.
        level: Keep rows of this `level`, written `3` or `Level 3`; all when None.
        judge: Judges every answer against itself.
        skip_bad_rows: Leave out rows that are no task or whose answer cannot be judged, and report them in `skipped`.

    Raises:
        BadRowError: At the first such row, unless they are skipped.
        InfrastructureError: If the judge itself failed.
        UsageError: If the source cannot be read, or no row is left.
    """
    tasks, skipped = load_tasks(path, skip_bad_rows=skip_bad_rows)
    kept = [task for task in tasks if _is_chosen(task, {topic.lower() for topic in topics}, level)]
    if not kept:
        asked = [f"topic {' or '.join(sorted(topics))}"] * bool(topics) + [f"level {level}"] * (level is not None)
        raise UsageError(f"{path}: none of the {len(tasks)} rows is of {' and '.join(asked)}.")
    good, unread = _judged(kept, judge or MathJudge())
    if unread and (not skip_bad_rows or not good):
        raise unread[0]
    return Loaded(TaskSet(good, tasks.name), (*skipped, *unread))


def _is_chosen(task: Task, topics: Collection[str], level: int | None) -> bool:
    if topics and not any(str(task.metadata.get(field, "")).lower() in topics for field in _TOPIC_FIELDS):
        return False
    found = re.fullmatch(r"(?:level\s*)?([0-9]+)", str(task.metadata.get("level", "")).strip(), re.IGNORECASE)
    return level is None or (found is not None and int(found[1]) == level)


def _judged(tasks: list[Task], judge: MathJudge) -> tuple[list[Task], list[BadRowError]]:
    good, bad = [], []
    verdicts = judge.judge_many([(task, rf"$\boxed{{{task.reference}}}$") for task in tasks])
    for task, verdict in zip(tasks, verdicts, strict=True):
        if verdict.status is Status.CORRECT:
            good.append(task)
            continue
        line = task.metadata.get("line")
        problem = f"the math judge cannot use this answer ({verdict.detail}). Correct the row."
        source = str(task.metadata.get("source", ""))
        bad.append(BadRowError(source, line if isinstance(line, int) else 0, "answer", problem))
    return good, bad
