"""The pool of tasks that a run grows: each with who wrote it, of what, how, and how often it was solved.

It lies in the run's folder as `tasks/step-000003.jsonl`, one file a step, each whole: `palaestra.envs.sources` reads it
like any other file of tasks. A file is a function of the run's seed and its experience, and is written before the
experience that it tells of is committed; so a run that is resumed finds it, or writes it again.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from palaestra.envs.errors import RunError
from palaestra.envs.task import Task
from palaestra.evolution.durable import Row, dump_json, replacing

__all__ = ["Entry", "Measure", "measured", "pool_path", "read_pool", "write_pool"]


@dataclass(frozen=True, slots=True)
class Measure:
    """How hard a task was found.

    Attributes:
        solved: Share of the attempts that were right.
        attempts: How many there were.
        version: Of the policy that tried.
    """

    solved: float
    attempts: int
    version: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One task of the pool.

    Attributes:
        task: The task; its reference is worked out by the world, never by who wrote it.
        text: The task as it is written.
        step: In which step it came; 0 for seeds.
        operation: How it was made, see `palaestra.envs.writing.prompts`; nothing for seeds.
        parents: Ids of the tasks that it was made from.
        writer: Who wrote it, with the version of the weights.
        measure: How hard it was found last; None before it was tried.
    """

    task: Task
    text: str
    step: int = 0
    operation: str = ""
    parents: tuple[str, ...] = ()
    writer: str = ""
    measure: Measure | None = None

    @property
    def is_seed(self) -> bool:
        """Whether nobody in the run wrote it."""
        return not self.operation

    def as_row(self) -> Row:
        """Return plain JSON values: a task as files hold them, and its lineage."""
        row: Row = {"id": self.task.id, "prompt": self.task.prompt, "answer": self.task.reference, "text": self.text}
        row |= {"step": self.step, "operation": self.operation, "parents": list(self.parents), "writer": self.writer}
        if self.measure is not None:
            found = self.measure
            row |= {"solved": found.solved, "attempts": found.attempts, "solver_version": found.version}
        return row


def pool_path(run: Path, step: int) -> Path:
    """Return where the pool of a run lies as it was after a step."""
    return run / "tasks" / f"step-{step:06d}.jsonl"


def write_pool(run: Path, step: int, pool: Iterable[Entry]) -> None:
    """Write a pool whole; when this returns it outlives the process."""
    path = pool_path(run, step)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text("".join(dump_json(entry.as_row()) + "\n" for entry in pool), encoding="utf-8")


def read_pool(run: Path, step: int) -> list[Entry]:
    """Return the pool of a run as it was after a step.

    Raises:
        RunError: If it is not there, or is damaged.
    """
    path = pool_path(run, step)
    try:
        return [_entry(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}, the tasks that the run had after step {step}, cannot be read ({error}). It is only ever written "
            "whole; restore it from a copy, or begin a new run."
        ) from error


def _entry(row: Row) -> Entry:
    found = Measure(row["solved"], row["attempts"], row["solver_version"]) if "solved" in row else None
    task = Task(row["id"], row["prompt"], row["answer"])
    return Entry(task, row["text"], row["step"], row["operation"], tuple(row["parents"]), row["writer"], found)


def measured(pool: Sequence[Entry], found: dict[str, Measure]) -> list[Entry]:
    """Return a pool with what was found now, by the tasks' ids."""
    return [replace(entry, measure=found.get(entry.task.id, entry.measure)) for entry in pool]
