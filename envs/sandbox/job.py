"""What can be asked of the sandbox, and what it answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

from palaestra.envs.errors import UsageError
from palaestra.envs.sandbox.inside.values import pack

__all__ = [
    "CallJob",
    "Check",
    "Ended",
    "Job",
    "Limits",
    "Outcome",
    "PackedCalls",
    "Raised",
    "Returned",
    "RunJob",
    "ScriptJob",
    "Value",
    "packed_calls",
]

Value: TypeAlias = Any
"""Plain data: None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset and dict of plain data.

What a program returns is decoded to exactly these types; anything else comes as a `Foreign` record that equals
nothing (see `palaestra.envs.sandbox.inside.values`).
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use. A program is charged from the moment it starts, never for waiting for a worker.

    Attributes:
        cpu_seconds: Processor time.
        wall_seconds: Wall-clock, for programs that sleep or wait.
        memory_mb: Address space beyond that of the bare interpreter, in MiB.
        output_mb: What it may print or return, and the largest file it may write, in MiB.
        open_files: File descriptors.
        threads: Threads, where the kernel counts them per user namespace.
    """

    cpu_seconds: float = 4.0
    wall_seconds: float = 10.0
    memory_mb: int = 512
    output_mb: int = 4
    open_files: int = 64
    threads: int = 32

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 < getattr(self, name) < 1e6:
                raise UsageError(f"Limits.{name} must lie between 0 and a million, got {getattr(self, name)!r}.")


class Ended(StrEnum):
    """How a program's process came to its end."""

    FINISHED = "finished"
    """It did all it was asked to (a call that raised is a result like any other)."""
    RAISED = "raised"
    """Its own code raised before it could be called, or while it ran as a whole program."""
    EXITED = "exited"
    """It ended its process before it had done what it was asked to."""
    CPU_LIMIT = "cpu_limit"
    """It used up its processor time."""
    WALL_LIMIT = "wall_limit"
    """It was still there when its wall-clock time was over."""
    MEMORY_LIMIT = "memory_limit"
    """It asked for more memory than it may have."""
    OUTPUT_LIMIT = "output_limit"
    """It printed or returned more than it may."""
    KILLED = "killed"
    """A signal ended it: a crash of the interpreter, or a forbidden system call."""

    @property
    def timeout(self) -> bool:
        """Whether time ran out."""
        return self in (Ended.CPU_LIMIT, Ended.WALL_LIMIT)


class PackedCalls(tuple[tuple[Value, ...], ...]):
    """Arguments of many calls, serialised once for all the programs that are called with them."""

    @cached_property
    def text(self) -> str:
        """How they stand in a payload."""
        return packed_calls(self)


def packed_calls(calls: Sequence[Sequence[Value]]) -> str:
    """Serialise the arguments of calls."""
    return json.dumps([[pack(value) for value in call] for call in calls])


@dataclass(frozen=True, slots=True)
class CallJob:
    """Load a program and call one of its functions, once for every tuple of arguments.

    Attributes:
        program: Python source.
        entry_point: Name of the function; `Class.method` makes an instance first.
        calls: Positional arguments of each call, plain data. Every call gets fresh copies.
        limits: What the whole job may use.
    """

    program: str
    entry_point: str
    calls: Sequence[Sequence[Value]]
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class RunJob:
    """Run a program as `__main__` with a text on its standard input.

    Attributes:
        program: Python source.
        stdin: What it can read.
        limits: What it may use.
    """

    program: str
    stdin: str = ""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class ScriptJob:
    """Run a test script in one process against a program in another.

    Names that the script reads and does not define itself stand for what the program defines under that name:
    functions are called across the border, plain data is copied, other objects are handles. Every `assert` of the
    script is a check of its own: a failing one is recorded and the script goes on.

    Attributes:
        program: Python source under test; it never sees the script.
        script: Python source that tests it.
        entry_point: Calls `check(<entry_point>)` after the script has run, as HumanEval does; nothing when empty.
        limits: What each of the two processes may use.
    """

    program: str
    script: str
    entry_point: str = ""
    limits: Limits = field(default_factory=Limits)


Job: TypeAlias = CallJob | RunJob | ScriptJob


@dataclass(frozen=True, slots=True)
class Returned:
    """A call that returned.

    Attributes:
        value: Plain data, decoded from its serialised form.
        seconds: Wall-clock of the call.
    """

    value: Value
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Raised:
    """A call that raised.

    Attributes:
        error: For a person, such as `"ZeroDivisionError: division by zero (line 3)"`.
        seconds: Wall-clock of the call.
    """

    error: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """One `assert` that a test script reached.

    Attributes:
        passed: Whether it held.
        line: Line of the script, from 1.
        source: The assertion's own text, shortened.
        called: The last call across the border, such as `"add(1, 2)"`, shortened.
        expected: `repr` of what the last value was compared with, shortened; empty where that is not known.
        actual: `repr` of the value, shortened, or the error that was raised.
    """

    passed: bool
    line: int
    source: str = ""
    called: str = ""
    expected: str = ""
    actual: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job.

    Attributes:
        ended: How the program's process ended.
        error: One line for a person when it did not finish, such as `"NameError: name 'x' is not defined (line 2)"`.
        results: Of a `CallJob`: the calls that came back, in order; fewer than asked for when it did not finish.
        checks: Of a `ScriptJob`: the assertions that were reached, in order.
        planned: Of a `ScriptJob`: how many checks the script would have made at least.
        fault: Of a `ScriptJob`: what went wrong in the script itself, through no fault of the program; empty if
            nothing did. Such a task cannot be judged.
        called: The call that was under way when the program ended, shortened; empty when none was.
        stdout: Of a `RunJob`: what it printed.
        cpu_seconds: Processor time of the program.
        wall_seconds: Wall-clock from its start to its end.
        memory_mb: Largest resident memory, in MiB.
    """

    ended: Ended
    error: str = ""
    results: tuple[Returned | Raised, ...] = ()
    checks: tuple[Check, ...] = ()
    planned: int = 0
    fault: str = ""
    called: str = ""
    stdout: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    memory_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of isolation on this machine.

    Attributes:
        name: Such as `"network namespace"`.
        active: Whether it stands between programs and this machine.
        note: What it does, or why it is missing.
    """

    name: str
    active: bool
    note: str = ""
