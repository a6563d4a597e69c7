"""A run: the directory that holds everything needed to resume, audit and report.

    run.json            what was asked of which versions on which machine
    experience/         one shard a step, committed before it is learned from
    evaluations/        one shard an evaluation
    checkpoints/        step-000012/: weights, optimiser, the loop's state
    metrics.jsonl       figures by step; tensorboard/ the same as events
    lineage.jsonl       what each update was made of
    contexts/           where an agent learns in context: every version of what it is told, by its digest
    studies/            what was played and asked to propose and validate them
    result.json         once finished

Shards and checkpoints are facts: once committed they are whole, on the disk and never change. Figures and lineage are
consequences: resuming cuts them back to where they stood at the checkpoint, and the replay writes them again.
"""

import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from palaestra.envs.errors import RunError
from palaestra.evolution.durable import Row, RowLog, discard, dump_json, read_json, replacing, sweep, write_json
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.lock import Lock, holder
from palaestra.evolution.metrics import Metrics
from palaestra.evolution.provenance import commit

__all__ = ["FORMAT", "Run"]

FORMAT = 1
KEPT_CHECKPOINTS = 2
_PACKAGES = ("palaestra", "torch", "transformers", "trl", "numpy", "gymnasium", "pettingzoo")
_CHECKPOINT = re.compile(r"step-(\d+)")
_COMMIT = "commit.json"


class Run:
    """A run directory; a context manager that gives it back.

    Made by `create` and `open`. One process at a time may work in it, any number may read.

    Attributes:
        directory: Where it lies.
        about: What `run.json` says.
        experience: Shards of acquired episodes; no episode is in two.
        evaluations: Shards of evaluation episodes; the same held-out task is played again each time.
        studies: Shards of what an update in context has tried out.
        contexts: Where versions of what an agent is told lie.
        metrics: The figures.
    """

    def __init__(self, directory: Path, lock: Lock | None) -> None:
        self.directory = directory
        self.about = _read_about(directory)
        self.experience = ExperienceStore(directory / "experience")
        self.evaluations = ExperienceStore(directory / "evaluations", distinct=False)
        self.studies = ExperienceStore(directory / "studies")
        self.contexts = directory / "contexts"
        self.metrics = Metrics(directory)
        self._checkpoints = directory / "checkpoints"
        self._lineage = RowLog(directory / "lineage.jsonl")
        self._lock = lock
        if lock is not None:
            stores = (self.experience, self.evaluations, self.studies)
            for place in (directory, self._checkpoints, self.contexts, *(store.directory for store in stores)):
                sweep(place)
            if self.latest_checkpoint() is None:
                self._cut(0, 0)  # Killed before its first checkpoint, it begins anew, on the shards it has.

    @staticmethod
    def default_directory(recipe: str, seed: int, root: Path = Path("runs")) -> Path:
        """Return a free place such as `runs/grpo-20260131-093000-s0`."""
        name = f"{recipe}-{datetime.now():%Y%m%d-%H%M%S}-s{seed}"
        path, number = root / name, 1
        while path.exists():
            number += 1
            path = root / f"{name}-{number}"
        return path

    @classmethod
    def create(cls, directory: Path, config: Mapping[str, Any]) -> "Run":
        """Begin a run and lock it.

        Args:
            directory: A place that is free or an empty directory.
            config: Plain JSON values that say what to do: recipe and settings, policy, environments with the digests
                of their task sets, seed.

        Raises:
            RunError: If the directory holds something.
        """
        about: Row = {
            "format": FORMAT,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": sys.argv,
            "commit": commit(),
            "packages": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
            "machine": {"platform": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
            "config": config,
        }
        dump_json(about)  # What cannot be written should fail before anything is made.
        try:
            directory.mkdir(parents=True, exist_ok=True)
            present = next(directory.iterdir(), None)
        except OSError as error:
            raise RunError(f"No run can be made at {directory}: {error}. Choose another place.") from error
        if present is not None:
            raise RunError(
                f"{directory} is not empty (it holds {present.name}); a run begins in a place of its own. Choose "
                "another place, or resume the run that is there."
            )
        lock = Lock(directory / "lock")
        write_json(directory / "run.json", about)
        return cls(directory, lock)

    @classmethod
    def open(cls, directory: Path, *, read_only: bool = False) -> "Run":
        """Open a run, to work in it unless `read_only`.

        Raises:
            RunError: If there is no run, it is damaged, a newer version made it, or another process works in it.
        """
        if not directory.is_dir():
            raise RunError(f"There is no directory {directory}. See the path that the run was begun with.")
        _read_about(directory)
        return cls(directory, None if read_only else Lock(directory / "lock"))

    @property
    def config(self) -> Row:
        """What `create` was given."""
        config: Row = self.about["config"]
        return config

    def log(self, step: int, phase: str, values: Mapping[str, float]) -> None:
        """Log figures; see `Metrics.log`."""
        self._refuse_read_only()
        self.metrics.log(step, phase, values)

    def record_lineage(self, step: int, facts: Mapping[str, Any]) -> None:
        """Write what an update was made of.

        Args:
            step: The step of the update.
            facts: Plain JSON values: the shard, the episodes learned from, how many each filter left, the evaluation
                that stood behind it, the policy's version before and after.
        """
        self._refuse_read_only()
        self._lineage.append({"step": step, **facts})

    def lineage(self) -> list[Row]:
        """Return the rows of `record_lineage`, oldest first."""
        return self._lineage.rows()

    def stream_lineage(self, offset: int = 0) -> Iterator[tuple[int, Row]]:
        """Yield the rows of `record_lineage` from a place in the file on, each with its place; one is in memory."""
        return self._lineage.stream(offset)

    def commit_checkpoint(self, step: int, write: Callable[[Path], None], *, pinned: bool = False) -> Path:
        """Commit what the rest of the run depends on, and remove checkpoints that are no longer needed.

        The last two stay, and all pinned ones. With a checkpoint, the figures and the lineage so far are on the disk.

        Args:
            step: The step after which this is the state.
            write: Writes the state into the empty directory it is given.
            pinned: Keep this one for good.

        Raises:
            RunError: If that step or a later one has a checkpoint already.
        """
        self._refuse_read_only()
        steps = self._steps()
        if steps and steps[-1] >= step:
            raise RunError(
                f"{self.directory} has a checkpoint of step {steps[-1]}; another of step {step} cannot follow it. "
                f"To go back, call begin_from with an earlier step first."
            )
        self._checkpoints.mkdir(exist_ok=True)
        self.metrics.sync()
        self._lineage.sync()
        commit = {"step": step, "pinned": pinned, "metrics": self.metrics.length, "lineage": self._lineage.length}
        path = self._path(step)
        with replacing(path) as temporary:
            temporary.mkdir()
            write(temporary)
            (temporary / _COMMIT).write_text(json.dumps(commit) + "\n")
        for old in self._steps()[:-KEPT_CHECKPOINTS]:
            if not read_json(self._path(old) / _COMMIT)["pinned"]:
                discard(self._path(old))
        return path

    def checkpoints(self) -> list[int]:
        """Return the steps that have a checkpoint, in order."""
        return self._steps()

    def checkpoint(self, step: int) -> Path:
        """Return the checkpoint of a step, or raise `RunError`."""
        if step not in self._steps():
            raise RunError(f"{self.directory} has no checkpoint of step {step}; it has those of {self._steps()}.")
        return self._path(step)

    def latest_checkpoint(self) -> tuple[int, Path] | None:
        """Return the last step that has a checkpoint, and the checkpoint; None before the first."""
        steps = self._steps()
        return (steps[-1], self._path(steps[-1])) if steps else None

    def begin_from(self, step: int) -> None:
        """Take figures, lineage and checkpoints back to where they stood at the checkpoint of `step`.

        Shards stay: the steps to come find their episodes there. A run without a checkpoint is taken back to its
        beginning when it is opened.
        """
        self._refuse_read_only()
        commit = read_json(self.checkpoint(step) / _COMMIT)
        for later in self._steps():
            if later > step:
                discard(self._path(later))
        self._cut(commit["metrics"], commit["lineage"])

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result, plain JSON values; the run is then finished."""
        self._refuse_read_only()
        self.metrics.sync()
        self._lineage.sync()
        write_json(self.directory / "result.json", result)

    @property
    def worker(self) -> int | None:
        """The process that works on the run; None where none does.

        Told by the process that last held the run's lock being alive on this machine, which another of the same number
        could be mistaken for.
        """
        return holder(self.directory / "lock")

    @property
    def finished(self) -> bool:
        """Whether the run has a result."""
        return (self.directory / "result.json").exists()

    @property
    def result(self) -> Row | None:
        """What `finish` was given; None before."""
        return read_json(self.directory / "result.json") if self.finished else None

    def close(self) -> None:
        """Close the files and give the directory back."""
        self.metrics.close()
        self._lineage.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _steps(self) -> list[int]:
        names = (path.name for path in self._checkpoints.iterdir()) if self._checkpoints.exists() else iter(())
        return sorted(int(match[1]) for match in map(_CHECKPOINT.fullmatch, names) if match)

    def _path(self, step: int) -> Path:
        return self._checkpoints / f"step-{step:06d}"

    def _cut(self, metrics: int, lineage: int) -> None:
        self.metrics.cut(metrics)
        self._lineage.cut(lineage)

    def _refuse_read_only(self) -> None:
        if self._lock is None:
            raise RunError(f"{self.directory} was opened to read. Open it without read_only to work in it.")


def _read_about(directory: Path) -> Row:
    path = directory / "run.json"
    if not path.exists():
        raise RunError(
            f"{directory} is not a run: it has no run.json. Name the directory of a run (under runs/ unless you chose "
            "another place); if a run was killed while it was made, nothing was lost: delete it and begin again."
        )
    about = read_json(path)
    made_by = about.get("format")
    if not isinstance(made_by, int) or not isinstance(about.get("config"), dict):
        raise RunError(f"{path} is damaged: it lacks a format number or a config. Restore it from a copy.")
    if made_by > FORMAT:
        raise RunError(
            f"{directory} has run format {made_by}, newer than the {FORMAT} this version of Palaestra reads. "
            "Upgrade Palaestra."
        )
    return about


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
