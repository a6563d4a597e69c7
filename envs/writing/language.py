"""A world whose tasks anybody may write: they are read back, and come out with an answer that can be checked."""

import re
from typing import Protocol, runtime_checkable

import numpy as np
from palaestra.envs.arena.dialogues.proposals import BadTaskError
from palaestra.envs.task import Task

__all__ = ["BadTaskError", "KnowsEvolution", "TaskLanguage", "words_of"]

_WORD = re.compile(r"[^\W\d_]+|[^\s]")


@runtime_checkable
class TaskLanguage(Protocol):
    """A world whose tasks can be written down, read back and checked."""

    @property
    def how_to_write(self) -> str:
        """What somebody is told who shall write a task: its form, its bounds, and an example."""
        ...

    def write_task(self, task: Task) -> str:
        """Return a task of this world in the form in which others are written."""
        ...

    def read_task(self, text: str) -> Task:
        """Make a task of what somebody wrote; what the judge needs is worked out or run here, never taken on trust.

        The same task has the same prompt and reference, however it was written, so that its fingerprint is the one by
        which it is held out.

        Raises:
            BadTaskError: If it is none.
            InfrastructureError: If our own machinery failed.
        """
        ...


@runtime_checkable
class KnowsEvolution(Protocol):
    """A world that can show how one of its tasks is made another, so that a newborn policy can learn it."""

    def evolved_text(self, text: str, operation: str, generator: np.random.Generator) -> str | None:
        """Return a task as an operation (see `prompts.OPERATIONS`) makes it; None where that cannot be done to it."""
        ...


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a task in lower case; digits and signs are one each, so that numbers can be nearly alike."""
    return tuple(_WORD.findall(text.lower()))
