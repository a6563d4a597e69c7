"""Every error of ours: one tree, so that a caller can tell bad input from broken machinery."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

__all__ = [
    "BadRowError",
    "ContractError",
    "DivergenceError",
    "InfrastructureError",
    "PalaestraError",
    "PeerError",
    "RefusedError",
    "RunError",
    "ShapeError",
    "StuckError",
    "SynchronisationError",
    "UnknownNameError",
    "UsageError",
]


class PalaestraError(Exception):
    """Root of all errors raised on purpose by Palaestra."""


class UsageError(PalaestraError, ValueError):
    """What a person gave cannot be used; the message says what came, what was expected and what to do."""


class UnknownNameError(UsageError):
    """A name that is not known, with the nearest known ones.

    Args:
        kind: What the name should have named, such as `"environment"`.
        name: The name that came.
        known: All names that would have been understood.
        advice: What to do to see or extend the known names.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], advice: str = "") -> None:
        choices = sorted(set(known))
        near = get_close_matches(name, choices, n=3, cutoff=0.5)
        guess = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else f" Known: {', '.join(choices)}."
        super().__init__(f"Unknown {kind} {name!r}.{guess}{' ' + advice if advice else ''}")
        self.name = name
        self.suggestions = tuple(near)


class BadRowError(UsageError):
    """A row of a file that is no task.

    Args:
        source: The file or data set.
        line: One-based line or row number.
        field: The field at fault, or `""` when the row as a whole is.
        problem: What came and what was expected.
    """

    def __init__(self, source: str | Path, line: int, field: str, problem: str) -> None:
        where = f"{source}, line {line}" + (f", field {field!r}" if field else "")
        super().__init__(f"{where}: {problem}")
        self.source = str(source)
        self.line = line
        self.field = field
        self.problem = problem


class ShapeError(UsageError):
    """An array has another shape or type than the formula is defined for."""


class ContractError(PalaestraError):
    """An environment, policy or agent broke the contract it claims to keep."""


class InfrastructureError(PalaestraError):
    """Our machinery or an outside service failed; what it touched is invalid and never becomes a reward."""


class StuckError(InfrastructureError):
    """A world or a tool that did not answer within its time; its call was left to itself."""


class SynchronisationError(PalaestraError):
    """An engine that was given the trainer's weights does not compute what the trainer computes; the run stops."""


class PeerError(InfrastructureError):
    """Another process that trains with this one failed, ended or went silent; all of them stop."""


class DivergenceError(PalaestraError):
    """Processes that train one policy together hold different weights; the run stops."""


class RefusedError(UsageError):
    """An outside service will do nothing more for us until a person changes something: a key, a name, a budget.

    Whoever plays many episodes stops here, since all others would break alike; none of them is lost or counted.
    """


class RunError(PalaestraError):
    """A run directory cannot be created, read or continued."""
