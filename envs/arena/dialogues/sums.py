"""Tasks without programs, for small policies: `37 + 48 = ?`."""

import re
from typing import ClassVar, Final

import numpy as np
from palaestra.envs.arena.dialogues.proposals import BadTaskError, Kind, Proposal
from palaestra.envs.arena.dialogues.speech import lines_of
from palaestra.envs.errors import UsageError
from palaestra.envs.math.answers import NumberJudge, shown
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Sums"]

_READ_CHARS: Final = 1_000
_SIGNS: Final = str.maketrans({"×": "*", "·": "*", "÷": "/", ":": "/", "−": "-", "–": "-"})
_EXPRESSION: Final = re.compile(r"([0-9]{1,40}(?:[-+*/][0-9]{1,40})+)(?:=\??)?", re.ASCII)
_TERM: Final = re.compile(r"([-+*/]?)([0-9]+)", re.ASCII)


class Sums(Kind):
    """Expressions of whole numbers, as `palaestra/Arithmetic-v0` asks them.

    The last line of what a proposer says is the expression: numbers with signs between them, usual precedence, every
    quotient exact.

    Args:
        digits: Most digits of a number, 1 to 15.
        operands: Most numbers, 2 to 10.
        operations: The signs that may stand between them, of `+-*/`.
    """

    name: ClassVar[str] = "arithmetic"
    instant = True

    def __init__(self, digits: int = 2, operands: int = 2, operations: str = "+-*/") -> None:
        if not 1 <= digits <= 15 or not 2 <= operands <= 10:
            raise UsageError(f"digits must be 1 to 15 and operands 2 to 10, got {digits} and {operands}.")
        if not operations or set(operations) - set("+-*/"):
            raise UsageError(f"operations must be some of '+-*/', got {operations!r}.")
        self.digits, self.operands, self.operations = digits, operands, operations
        self._judge = NumberJudge()
        signs = " ".join(operations)
        count = "two" if operands == 2 else f"2 to {operands}"
        self.how_to_propose = (
            f"Set a task: {count} whole numbers of at most {digits} digits, with one of {signs} between them, such as "
            "37+48; every quotient must be exact. Your last line is the task."
        )
        self.how_to_solve = "Give the value. Your last number is your answer."

    def read(self, text: str) -> Proposal:
        """Read an expression and work it out."""
        lines = lines_of(text[-_READ_CHARS:])
        said = "".join(lines[-1].translate(_SIGNS).split()) if lines else ""
        match = _EXPRESSION.fullmatch(said)
        if match is None:
            raise BadTaskError(Status.UNPARSED, f"{shown(said)} is no expression of whole numbers")
        terms = [(sign, int(digits)) for sign, digits in _TERM.findall(match[1])]
        for sign, number in terms:
            if number >= 10**self.digits or (sign and sign not in self.operations):
                raise BadTaskError(Status.ILLEGAL, f"{sign}{number} is not allowed here")
        if len(terms) > self.operands:
            raise BadTaskError(Status.ILLEGAL, f"{len(terms)} numbers, at most {self.operands} are allowed")
        value = _worked_out(terms)
        written = str(terms[0][1]) + "".join(f" {sign} {number}" for sign, number in terms[1:])
        return Proposal(f"{written} = ?", value, written.replace(" ", ""))

    def judge(self, proposal: Proposal, text: str) -> Verdict:
        """Compare the last number with the value."""
        return self._judge(Task(proposal.key, proposal.prompt, proposal.reference), text)

    def answer(self, text: str) -> str | None:
        """Return the last number."""
        return self._judge.answer_of(text)

    def sample_proposal(self, generator: np.random.Generator) -> str:
        """Draw numbers and signs; where only quotients are allowed, one that is exact."""
        signs = self.operations.replace("/", "")
        if not signs:
            return f"{generator.integers(10**self.digits)}/1"
        count = int(generator.integers(2, self.operands + 1))
        parts = [str(generator.integers(10**self.digits))]
        for _ in range(count - 1):
            parts += [signs[int(generator.integers(len(signs)))], str(generator.integers(10**self.digits))]
        return "".join(parts)

    def sample_answer(self, generator: np.random.Generator) -> str:
        """Draw a number of about the right size."""
        return str(generator.integers(2 * 10**self.digits))


def _worked_out(terms: list[tuple[str, int]]) -> int:
    """Return the value; products and quotients first, from the left."""
    total, term = 0, 0
    for sign, number in terms:
        if sign == "*":
            term *= number
        elif sign == "/":
            if not number or term % number:
                raise BadTaskError(Status.ILLEGAL, "a quotient is not exact")
            term //= number
        else:
            total, term = total + term, -number if sign == "-" else number
    return total + term
