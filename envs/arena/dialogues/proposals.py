"""Tasks that a player sets, and what they are worth to the one who set them."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

import numpy as np
from palaestra.envs.sandbox.job import Value
from palaestra.envs.task import Json
from palaestra.envs.verdict import Status, Verdict

__all__ = ["BadTaskError", "Kind", "Payment", "Proposal", "after_duplicates", "block_of", "blocks_of"]

# What stands before so many characters of a reply is not read.
_READ_CHARS: Final = 20_000
_FENCE: Final = re.compile(r"[ \t]{0,3}```[ \t]*([A-Za-z0-9_+-]{0,20})[ \t]*")


class BadTaskError(Exception):
    """Raised for a text that is no task; the message tells why.

    Args:
        status: UNPARSED where it is not in the form asked for, else what is wrong with the task.
        why: One line for a person.
    """

    def __init__(self, status: Status, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Proposal:
    """A task that can be solved and judged.

    Attributes:
        prompt: What solvers are shown.
        reference: What a solver's answer is compared with, or the key where that is a program.
        key: The task in one spelling, the same for the same task; for whoever counts duplicates.
        program: The program that the task is about, as it is run; empty where there is none.
        calls: The arguments it is called with.
        outputs: What it returns for each.
    """

    prompt: str
    reference: Json
    key: str
    program: str = ""
    calls: tuple[tuple[Value, ...], ...] = ()
    outputs: tuple[Value, ...] = ()


class Kind(ABC):
    """A kind of tasks.

    Attributes:
        name: Such as `"deduction"`.
        instant: Whether reading and judging never wait.
        how_to_propose: What a proposer is told.
        how_to_solve: What a solver is told.
    """

    name: ClassVar[str]
    instant: bool = False
    how_to_propose: str
    how_to_solve: str

    @abstractmethod
    def read(self, text: str) -> Proposal:
        """Make a task of what a proposer said.

        Raises:
            BadTaskError: If it is none.
            InfrastructureError: If our own machinery failed.
        """

    @abstractmethod
    def judge(self, proposal: Proposal, text: str) -> Verdict:
        """Judge what a solver said: 1 for right, 0 for anything else.

        Raises:
            InfrastructureError: If our own machinery failed.
        """

    def answer(self, text: str) -> str | None:
        """Return what a solver's reply comes down to, so that equal answers are equal text; None where it has none.

        It is read without knowing what is right: for votes among solvers.
        """
        return block_of(text).strip() or None

    @abstractmethod
    def sample_proposal(self, generator: np.random.Generator) -> str:
        """Draw a task as somebody without any skill would set it."""

    @abstractmethod
    def sample_answer(self, generator: np.random.Generator) -> str:
        """Draw an answer of somebody without any skill."""


class Payment(StrEnum):
    """What a task pays to its proposer; p is the share of the solvers that solved it."""

    ABSOLUTE_ZERO = "absolute_zero"
    """1 - p, and 0 where nobody solved it. What is not in the form asked for costs 1; what is, and is no valid task,
    costs 0.5. Source: Zhao et al. 2025, "Absolute Zero" (the learnability reward and the composite reward)."""
    R_ZERO = "r_zero"
    """1 - 2|p - 1/2|; what is no task pays 0. Whoever sees a batch takes off the share of its duplicates, not below 0
    (`after_duplicates`). Source: Huang et al. 2025, "R-Zero"; p there is agreement with the majority, for want of a
    right answer."""

    def of(self, success: float) -> float:
        """Return what a task pays that the share `success` (0 to 1) of its solvers solved."""
        if self is Payment.R_ZERO:
            return 1.0 - 2.0 * abs(success - 0.5)
        return 1.0 - success if success > 0.0 else 0.0

    def of_bad(self, status: Status) -> float:
        """Return what a text pays that is no task."""
        if self is Payment.R_ZERO:
            return 0.0
        return -1.0 if status is Status.UNPARSED else -0.5


def after_duplicates(paid: float, share: float) -> float:
    """Return what remains of R-Zero's payment for a task whose like are the `share` (0 to 1) of its batch."""
    return max(0.0, paid - share)


def blocks_of(text: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of a text, as language and content; one that is not closed goes to the end."""
    blocks: list[tuple[str, str]] = []
    language: str | None = None
    inside: list[str] = []
    for line in text[-_READ_CHARS:].splitlines():
        fence = _FENCE.fullmatch(line) if "```" in line else None
        if language is None:
            if fence is not None:
                language, inside = fence[1].lower(), []
        elif fence is not None and not fence[1]:
            blocks.append((language, "\n".join(inside)))
            language = None
        else:
            inside.append(line)
    if language is not None:
        blocks.append((language, "\n".join(inside)))
    return blocks


def block_of(text: str, *names: str) -> str:
    """Return the answer in a reply: its last block of one of these names, else its last block, else its last line."""
    blocks = blocks_of(text)
    named = [content for name, content in blocks if name in names]
    if blocks:
        return named[-1] if named else blocks[-1][1]
    return next((line.strip() for line in reversed(text[-_READ_CHARS:].splitlines()) if line.strip()), "")
