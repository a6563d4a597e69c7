"""What a pool and its worker say to one another, over a connection that no program has.

Short and of fixed form, because a forking worker pays for every object it touches: the page must be copied.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["FILES", "REPORT_LENGTH", "STOP", "Report", "order", "ordered"]

FILES: Mapping[str, tuple[str, ...]] = {
    "call": ("program_in", "program_out"),
    "run": ("program_in", "program_out", "script_in", "printed"),
    "script": ("program_in", "program_out", "script_in", "script_out"),
    "session": ("wire",),
}
"""For each kind of job, the files that are handed over with the order, in this order."""

STOP = b"x"
"""The order that ends a session."""

_LETTERS = {"call": b"c", "run": b"r", "script": b"s", "session": b"i"}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
_REPORT = struct.Struct("=?iBddd?")
REPORT_LENGTH = _REPORT.size
_LIMITS = ("", "cpu", "wall")


def order(kind: str, limits: Mapping[str, float] | None) -> bytes:
    """Write an order.

    Args:
        kind: A key of `FILES`.
        limits: The fields of `Limits`; None for those of the last order.
    """
    return _LETTERS[kind] + (json.dumps(limits).encode() if limits else b"") + b"\n"


def ordered(line: bytes) -> tuple[str, dict[str, float] | None]:
    """Read what `order` wrote, without the end of its line."""
    return _KINDS[line[:1]], json.loads(line[1:]) if len(line) > 1 else None


class Report(NamedTuple):
    """What a worker says of a process it watched.

    Attributes:
        begun: Whether every process got as far as the program. Where one did not, the fault is ours.
        code: Exit code, or the negative number of the signal that ended it.
        limit: The limit it reached, `"cpu"` or `"wall"`; `""` for none.
        cpu: Processor time, in seconds.
        wall: Wall-clock, in seconds.
        memory: Largest resident memory, in MiB.
        retire: Whether the worker must not be used again.
    """

    begun: bool
    code: int
    limit: str
    cpu: float
    wall: float
    memory: float
    retire: bool

    def written(self) -> bytes:
        """Write it, in `REPORT_LENGTH` bytes."""
        return _REPORT.pack(self.begun, self.code, _LIMITS.index(self.limit), *self[3:])

    @classmethod
    def read(cls, text: bytes) -> "Report":
        """Read what `written` wrote."""
        fields: list[Any] = list(_REPORT.unpack(text))
        fields[2] = _LIMITS[fields[2]]
        return cls(*fields)
