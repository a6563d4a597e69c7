"""The folder of a result: whole or absent, and never changed.

result.json         what was asked, who played where, figures, comparisons, costs, commit, machine, versions
tasks.jsonl         the tasks as they were asked, by environment
episodes/*.parquet  every episode, one shard a cell, as an `ExperienceStore`
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from palaestra.agents.episode import Episode
from palaestra.envs.errors import RunError
from palaestra.envs.task import Task
from palaestra.evolution.durable import dump_json, read_json
from palaestra.evolution.experience import ExperienceStore

__all__ = ["FORMAT", "ResultFolder", "has_figures", "write_tasks"]

FORMAT: Final = 1
_RESULT: Final = "result.json"
_TASKS: Final = "tasks.jsonl"
_NEEDED: Final = ("suite", "policies", "environments", "cells", "comparisons")


def has_figures(cell: Mapping[str, Any]) -> bool:
    """Whether a cell was measured: neither refused nor marked, and some task has an attempt that counts."""
    return not cell.get("refused") and not cell.get("marked") and bool(cell.get("outcomes"))


@dataclass(frozen=True)
class ResultFolder:
    """A result that was read.

    Attributes:
        directory: Where it lies.
        about: What `result.json` says.
    """

    directory: Path
    about: dict[str, Any]

    @classmethod
    def open(cls, directory: Path) -> "ResultFolder":
        """Read a result; its folder or its `result.json` may be named.

        Raises:
            RunError: If there is none, it is damaged, or a newer version made it.
        """
        if directory.name == _RESULT:
            directory = directory.parent
        path = directory / _RESULT
        if not path.is_file():
            raise RunError(
                f"{directory} is no result: it has no {_RESULT}. Name a folder that `palaestra bench` wrote."
            )
        about = read_json(path)
        made_by = about.get("format")
        if not isinstance(made_by, int) or any(key not in about for key in _NEEDED):
            raise RunError(f"{path} is no result of `palaestra bench`: it lacks its format, or one of {_NEEDED}.")
        if made_by > FORMAT:
            raise RunError(
                f"{directory} has result format {made_by}, newer than the {FORMAT} this version of Palaestra reads. "
                "Upgrade Palaestra."
            )
        return cls(directory, about)

    @property
    def store(self) -> ExperienceStore:
        """Its episodes."""
        return ExperienceStore(self.directory / "episodes")

    @property
    def name(self) -> str:
        """What people call it: its folder."""
        return self.directory.resolve().name

    def cells(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the cells with figures, by policy and environment."""
        return {(cell["policy"], cell["env"]): cell for cell in self.about["cells"] if has_figures(cell)}

    def episodes(self, cell: Mapping[str, Any]) -> list[Episode]:
        """Return the episodes of a cell; none of one that was refused."""
        return self.store.read(cell["shard"]) if cell.get("shard") else []

    def tasks(self, env: str) -> dict[str, Task]:
        """Return the tasks of an environment, by their ids, as they were asked."""
        return {task.id: task for name, task in _read_tasks(self.directory / _TASKS) if name == env}


def write_tasks(folder: Path, tasks: Mapping[str, tuple[Task, ...]]) -> None:
    """Write the tasks of each environment, by its name."""
    with (folder / _TASKS).open("w", encoding="utf-8") as file:
        for env, of_env in tasks.items():
            for task in of_env:
                row = {"env": env, "id": task.id, "prompt": task.prompt, "reference": task.reference}
                file.write(dump_json(row | {"metadata": dict(task.metadata)}) + "\n")


def _read_tasks(path: Path) -> Iterator[tuple[str, Task]]:
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                yield row["env"], Task(row["id"], row["prompt"], row["reference"], row["metadata"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error!r}). Restore it from a copy.") from error
