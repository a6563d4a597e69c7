"""Dual execution agreement: programs and tests that agree with each other, where nobody knows which are right."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from palaestra.envs.sandbox.job import Value
from palaestra.envs.task import Task

__all__ = ["Consensus", "RunsPrograms", "consensus"]


@runtime_checkable
class RunsPrograms(Protocol):
    """A world of programs that can be called with whatever is drawn for them."""

    def inputs(self, generator: np.random.Generator, count: int) -> list[tuple[Value, ...]]:
        """Draw arguments that programs of this world can be called with."""
        ...

    def returned(
        self, task: Task, replies: Sequence[str], inputs: Sequence[tuple[Value, ...]]
    ) -> list[tuple[str | None, ...]]:
        """Run replies.

        Args:
            task: What they reply to.
            replies: `[N]` replies.
            inputs: `[I]` arguments.

        Returns:
            `[N][I]` what each gave, as text; None where it gave nothing.

        Raises:
            InfrastructureError: If our own machinery failed.
        """
        ...


class Consensus(NamedTuple):
    """Programs that pass the same tests.

    Attributes:
        programs: Their numbers, rising.
        tests: How many tests they pass.
    """

    programs: tuple[int, ...]
    tests: int

    @property
    def score(self) -> int:
        """How much is agreed on."""
        return len(self.programs) * self.tests


def consensus(programs: Sequence[Sequence[str | None]], writers: Sequence[Sequence[str | None]]) -> list[Consensus]:
    """Return the consensus sets, the one with the highest score first; of equals the one with the first program.

    A test is an input and what it should give. Its writer is a program, too: what that one gives. Tests that several
    write are one test.

    Args:
        programs: `[N][I]` what each program gives for each input; None where it gives nothing, which passes no test.
        writers: `[M][I]` the same of those that write tests.

    Returns:
        All sets of programs that pass the same tests, and at least one.

    Source: Chen et al. 2022, "CodeT: code generation with generated tests".
    """
    tests = {(i, given) for writer in writers for i, given in enumerate(writer) if given is not None}
    agreeing: dict[frozenset[tuple[int, str]], list[int]] = {}
    for number, outputs in enumerate(programs):
        passed = frozenset((i, given) for i, given in enumerate(outputs) if given is not None and (i, given) in tests)
        if passed:
            agreeing.setdefault(passed, []).append(number)
    sets = [Consensus(tuple(numbers), len(passed)) for passed, numbers in agreeing.items()]
    return sorted(sets, key=lambda one: -one.score)
