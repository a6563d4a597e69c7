"""Where figures go: JSONL always, TensorBoard beside it."""

from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from palaestra.envs.errors import UsageError
from palaestra.evolution.durable import RowLog

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["Metrics"]

_OWN = ("step", "phase", "time")


class Metrics:
    """The figures of a run: `metrics.jsonl`, and event files under `tensorboard/`.

    A row is `{"step": 3, "phase": "train", "time": Unix seconds, "loss": 0.1, ...}`; the TensorBoard tag of the same
    value is `train/loss`. Rows since the last `sync` may be lost with the machine, and TensorBoard's with the process:
    whoever resumes cuts back to what was synced and logs the rest again.

    Args:
        directory: Where both lie.
    """

    def __init__(self, directory: Path) -> None:
        self._log = RowLog(directory / "metrics.jsonl")
        self._events = directory / "tensorboard"
        self._writer: SummaryWriter | None = None

    def log(self, step: int, phase: str, values: Mapping[str, float]) -> None:
        """Write figures of one phase of one step; non-finite ones are null in the JSONL file.

        Raises:
            UsageError: If a figure is named like one of the row's own fields.
        """
        if taken := [name for name in _OWN if name in values]:
            raise UsageError(f"A figure must not be named {taken[0]!r}: each row has that field already. Rename it.")
        figures = {name: float(value) for name, value in values.items()}
        if self._writer is None:
            self._writer = self._new_writer()
        now = time()
        self._log.append({"step": step, "phase": phase, "time": round(now, 3), **figures})
        for name, figure in figures.items():
            self._writer.add_scalar(f"{phase}/{name}", figure, step, now)

    def _new_writer(self) -> "SummaryWriter":
        # Imported late: it takes a second, and whoever only reads a run needs none.
        from torch.utils.tensorboard import SummaryWriter

        # Readers of the events drop what an earlier process wrote of steps that are now written again.
        last = max((int(row["step"]) for row in self._log.rows()), default=-1)
        return SummaryWriter(str(self._events), purge_step=last + 1 if self._events.exists() else None)

    @property
    def length(self) -> int:
        """Length of the JSONL file in bytes, for `cut`."""
        return self._log.length

    def cut(self, length: int) -> None:
        """Drop the rows beyond a length the JSONL file once had; TensorBoard readers drop the same steps."""
        self.close()
        self._log.cut(length)

    def rows(self) -> list[dict[str, float | str | None]]:
        """Return all rows, oldest first."""
        return self._log.rows()

    def sync(self) -> None:
        """Wait until the rows have reached the disk, and hand the events to the system."""
        self._log.sync()
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Close the files; the next `log` opens them again."""
        self._log.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
