"""Files that are whole or absent, whenever the process or the machine stops."""

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

from palaestra.envs.errors import RunError
from palaestra.envs.task import Json

__all__ = ["Row", "RowLog", "discard", "dump_json", "read_json", "replacing", "sweep", "sync", "write_json"]

Row: TypeAlias = dict[str, Any]
"""A JSON object as read back."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what is made there, a file or a directory, takes its place whole.

    A file replaces the one before it; a directory needs a free place. When the block ends, content and name have
    reached the disk. Killed before, `path` is as it was, and a hidden `.*.tmp` remains that `sweep` removes.
    """
    temporary = _temporary(path)
    _remove(temporary)
    try:
        yield temporary
        for folder, _, files in os.walk(temporary):
            for name in files:
                sync(Path(folder, name))
            sync(Path(folder))
        if temporary.is_file():
            sync(temporary)
        temporary.replace(path)
    except BaseException:
        _remove(temporary)
        raise
    sync(path.parent)


def discard(path: Path) -> None:
    """Remove a directory such that no half of it is ever seen under its name."""
    temporary = _temporary(path)
    _remove(temporary)
    path.rename(temporary)
    _remove(temporary)


def sweep(directory: Path) -> None:
    """Remove what kills left half-made; only for the one process that writes in `directory`."""
    for temporary in directory.glob(".*.tmp"):
        _remove(temporary)


def sync(path: Path) -> None:
    """Wait until a file, or the list of names of a directory, has reached the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open a directory.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    return path.parent / f".{path.name}.tmp"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def dump_json(value: Json, indent: int | None = None) -> str:
    """Write standard JSON; non-finite floats, which JSON cannot say, become null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(inner) for inner in value]
    return value


def write_json(path: Path, value: Json) -> None:
    """Write a JSON file whole."""
    text = dump_json(value, indent=2) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Row:
    """Read a JSON object.

    Raises:
        RunError: If the file holds something else.
    """
    row = _row(path.read_bytes())
    if row is None:
        raise RunError(
            f"{path} is damaged: it holds no JSON object. It is only ever written whole, so something else changed it; "
            "restore it from a copy."
        )
    return row


def _row(text: bytes) -> Row | None:
    try:
        row = json.loads(text)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


class RowLog:
    """A JSONL file that only grows, except that a replay cuts it back to a length it once had.

    A row outlives the process once `append` returned, and the machine once `sync` did. A kill can tear the last row:
    readers skip it, the next `append` cuts it off.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    @property
    def length(self) -> int:
        """Length in bytes, without a torn row at the end."""
        if not self.path.exists():
            return 0
        if self._file is not None:
            return self.path.stat().st_size
        return self.path.read_bytes().rfind(b"\n") + 1

    def append(self, row: Mapping[str, Json]) -> None:
        """Add one row."""
        if self._file is None:
            self.cut(self.length)
            self._file = self.path.open("ab", buffering=0)
        self._file.write(dump_json(row).encode() + b"\n")

    def cut(self, length: int) -> None:
        """Drop what lies beyond the first `length` bytes and what a kill has torn."""
        self.close()
        if self.path.exists():
            os.truncate(self.path, min(length, self.length))

    def rows(self) -> list[Row]:
        """Return all whole rows.

        Raises:
            RunError: If a row is no JSON object.
        """
        return [row for _, row in self.stream()]

    def stream(self, offset: int = 0) -> Iterator[tuple[int, Row]]:
        """Yield all whole rows from a place in the file on, each with the place where it begins; one is in memory.

        Raises:
            RunError: If a row is no JSON object.
        """
        if not self.path.exists():
            return
        begin = offset
        with self.path.open("rb") as file:
            file.seek(begin)
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                row = _row(line)
                if row is None:
                    where = f"line {number}" if begin == 0 else f"byte {offset}"
                    raise RunError(
                        f"{self.path}, {where} is damaged: expected a JSON object, got {line[:60]!r}. Resume the "
                        "run, which writes the rows since its last checkpoint again, or delete the line."
                    )
                yield offset, row
                offset += len(line)

    def sync(self) -> None:
        """Wait until all rows have reached the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; the next `append` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
