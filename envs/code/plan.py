"""What the sandbox is asked about a program, and what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from palaestra.envs.sandbox.job import PackedCalls, Value

__all__ = ["CallPlan", "Plan", "RunPlan", "ScriptPlan", "Test"]


@dataclass(frozen=True, slots=True)
class Test:
    """One test of values, evaluated in this process.

    Attributes:
        input: The call or the standard input, shortened.
        expected: What should come of it, in words, shortened.
        holds: Whether a value passes. May raise for values of a wrong type: they do not pass.
        given: What a checker is told: the arguments or the standard input, and what was expected.
    """

    __test__ = False  # for pytest, which takes every class of this name for a collection of tests

    input: str
    expected: str
    holds: Callable[[Value], bool]
    given: tuple[Value, Value] = ((), None)


@dataclass(frozen=True, slots=True)
class CallPlan:
    """Call one function with each test's arguments."""

    entry_point: str
    calls: PackedCalls
    tests: tuple[Test, ...]
    checker: str = ""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Run the program once for each standard input."""

    inputs: tuple[str, ...]
    tests: tuple[Test, ...]
    checker: str = ""


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """Run a test script beside the program.

    Attributes:
        script: Python source.
        entry_point: See `ScriptJob`.
        checks: How many checks it makes, where every assertion is reached once; None where that is not known.
        stub: A program that does nothing under the name that is tested: a fault that the script shows with it too is
            the script's own.
        tested: The name of the function that is tested; empty where there is none.
    """

    script: str
    entry_point: str
    checks: int | None
    stub: str = ""
    tested: str = ""


Plan: TypeAlias = CallPlan | RunPlan | ScriptPlan
