"""Tasks about programs: what one returns (deduction), for what it does (abduction), which one it is (induction).

The program, its inputs and a solver's answer are run or read in the sandbox only. A program is shown and run in one
spelling, by its syntax tree, without comments and docstrings, which could say the answer.

Source: Zhao et al. 2025, "Absolute Zero: reinforced self-play reasoning with zero data".
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from palaestra.envs.arena.dialogues.proposals import BadTaskError, Kind, Proposal, block_of, blocks_of
from palaestra.envs.arena.dialogues.speech import quoted, tidy
from palaestra.envs.arena.dialogues.values import literal
from palaestra.envs.math.answers import shown
from palaestra.envs.sandbox import CallJob, Ended, Limits, Outcome, Raised, Returned, Sandbox, shared_sandbox
from palaestra.envs.sandbox.job import Value
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Abduction", "Deduction", "Induction"]

LIMITS: Final = Limits(cpu_seconds=1.0, wall_seconds=3.0, memory_mb=256, output_mb=1)

_VETTING: Final = Path(__file__).with_name("vetting.py").read_text(encoding="utf-8")
_PROGRAM_CHARS: Final = 3_000
_INPUT_CHARS: Final = 1_000
_ANSWER_CHARS: Final = 5_000
_MESSAGE_CHARS: Final = 300
_PYTHON: Final = ("python", "py", "python3")
_FORM: Final = "```python\ndef f(...):\n    ...\n```\n```input\nthe arguments of f, literals separated by commas\n```"
_CONDITIONS: Final = (
    "f must return plain data, always the same for the same arguments, and may import math, itertools, functools, "
    "collections, string, re, operator, fractions, decimal, heapq, bisect, copy and typing. It is run; what fails, "
    "takes more than a second, or differs from run to run is no task."
)

Calls = tuple[tuple[Value, ...], ...]


class _Programs(Kind):
    """What the three kinds share.

    Args:
        sandbox: Where programs run; None takes the process-wide one.
        limits: What a proposed program may use, for all of its inputs, and a solver's.
    """

    fewest: ClassVar[int] = 1
    most: ClassVar[int] = 1

    def __init__(self, sandbox: Sandbox | None = None, limits: Limits = LIMITS) -> None:
        self._sandbox = sandbox
        self.limits = limits

    @property
    def sandbox(self) -> Sandbox:
        """Where programs run."""
        return self._sandbox or shared_sandbox()

    def read(self, text: str) -> Proposal:
        """Take program and inputs out of a text, vet them, and run the program twice."""
        blocks = blocks_of(text)
        programs = [content for name, content in blocks if name in _PYTHON]
        inputs = [content for name, content in blocks if name == "input"]
        if len(programs) != 1 or not self.fewest <= len(inputs) <= self.most:
            wanted = "one block named input" if self.most == 1 else f"{self.fewest} to {self.most} blocks named input"
            came = f"{len(programs)} and {len(inputs)}"
            raise BadTaskError(Status.UNPARSED, f"expected one block named python and {wanted}, got {came}")
        if len(programs[0]) > _PROGRAM_CHARS or any(len(given) > _INPUT_CHARS for given in inputs):
            raise BadTaskError(
                Status.ILLEGAL, f"more than {_PROGRAM_CHARS} characters of program or {_INPUT_CHARS} of an input"
            )
        program, calls = self._vetted(programs[0], inputs)
        outputs = self._outputs(program, calls)
        message = tidy(next((content for name, content in blocks if name == "message"), ""), _MESSAGE_CHARS)
        key = "\n".join([self.name, program, *map(_arguments, calls)])
        reference = literal(outputs[0]) if self.most == 1 else key
        return Proposal(self.ask(program, calls, outputs, message), reference, key, program, calls, outputs)

    @abstractmethod
    def ask(self, program: str, calls: Calls, outputs: Sequence[Value], message: str) -> str:
        """Return what solvers are shown."""

    def _vetted(self, program: str, inputs: Sequence[str]) -> tuple[str, Calls]:
        outcome = self.sandbox.run(CallJob(_VETTING, "vet", [(program, list(inputs))], self.limits))
        result = outcome.results[0] if outcome.results else None
        if not isinstance(result, Returned):
            raise BadTaskError(Status.UNPARSED, f"it cannot be read: {_failure(outcome)}")
        wrong, spelled, arguments = result.value
        if not wrong and ("```" in spelled or len(spelled) > 2 * _PROGRAM_CHARS):
            wrong = "it holds a fence" if "```" in spelled else "it is too long"
        if wrong:
            raise BadTaskError(Status.ILLEGAL, str(wrong)[:200])
        calls = tuple(tuple(given) for given in arguments)
        written = {_written(given) for given in calls}
        if len(written) < len(calls):
            raise BadTaskError(Status.ILLEGAL, "an input comes twice")
        return spelled, calls

    def _outputs(self, program: str, calls: Calls) -> tuple[Value, ...]:
        """Run the program in two processes, in the second on every input twice and in another order."""
        again = (*reversed(calls), *calls)
        first, second = (self.sandbox.submit(CallJob(program, "f", given, self.limits)) for given in (calls, again))
        values = _returned(first.result(), len(calls))
        repeated = _returned(second.result(), len(again))
        texts = [_written(value) for value in values]
        if [_written(value) for value in repeated] != [*reversed(texts), *texts]:
            raise BadTaskError(Status.ILLEGAL, "f does not return the same every time")
        return tuple(values)

    def sample_proposal(self, generator: np.random.Generator) -> str:
        """Draw one operation with a digit."""
        operation, number = "+-*"[int(generator.integers(3))], int(generator.integers(1, 10))
        inputs = generator.permutation(10)[: max(self.fewest, 1)]
        blocks = "\n".join(f"```input\n{given}\n```" for given in inputs)
        return f"```python\ndef f(x):\n    return x {operation} {number}\n```\n{blocks}"

    def sample_answer(self, generator: np.random.Generator) -> str:
        """Draw a small number."""
        return str(generator.integers(20))


class Deduction(_Programs):
    """Given the program and the arguments, what does it return? Values are compared by Python's `==`."""

    name = "deduction"
    how_to_propose = (
        f"Set a task: write a Python function f and arguments for it, in two blocks:\n{_FORM}\n"
        f"Others will see both and say what f returns. {_CONDITIONS}"
    )
    how_to_solve = "Give the value as a Python literal, in a block named output or as your last line."

    def ask(self, program: str, calls: Calls, outputs: Sequence[Value], message: str) -> str:
        """Show the program and the call."""
        del outputs, message
        return f"```python\n{program}\n```\nWhat does f({_arguments(calls[0])}) return?"

    def judge(self, proposal: Proposal, text: str) -> Verdict:
        """Read a literal and compare it."""
        answer = block_of(text, "output")
        job = CallJob(_VETTING, "read_value", [(answer[:_ANSWER_CHARS],)], self.limits)
        outcome = self.sandbox.run(job)
        result = outcome.results[0] if outcome.results else None
        if not isinstance(result, Returned):
            return Verdict(0.0, Status.UNPARSED, f"{shown(answer)} is no literal")
        return _verdict(
            result.value == proposal.outputs[0], f"expected {_short(proposal.outputs[0])}, got {shown(answer)}"
        )


class Abduction(_Programs):
    """Given the program and what it returned, which arguments were it? Any that return the same are right."""

    name = "abduction"
    how_to_propose = (
        f"Set a task: write a Python function f and arguments for it, in two blocks:\n{_FORM}\n"
        f"Others will see f and what it returns, and look for arguments. {_CONDITIONS}"
    )
    how_to_solve = (
        "Give the arguments as Python literals separated by commas, in a block named input or as your last line."
    )

    def ask(self, program: str, calls: Calls, outputs: Sequence[Value], message: str) -> str:
        """Show the program and the value."""
        del calls, message
        return f"```python\n{program}\n```\nFor which arguments does f return {literal(outputs[0])}?"

    def judge(self, proposal: Proposal, text: str) -> Verdict:
        """Read arguments, call the program with them, and compare what it returns."""
        answer = block_of(text, "input")
        outcome = self.sandbox.run(CallJob(_VETTING, "read", [(answer[:_ANSWER_CHARS],)], self.limits))
        result = outcome.results[0] if outcome.results else None
        if not isinstance(result, Returned) or not isinstance(result.value, tuple):
            return Verdict(0.0, Status.UNPARSED, f"{shown(answer)} is no list of literals")
        outcome = self.sandbox.run(CallJob(proposal.program, "f", [result.value], self.limits))
        return _run_verdict(outcome, proposal.outputs)


class Induction(_Programs):
    """Given half of the calls with their values, write a program that does the same on all of them."""

    name = "induction"
    fewest, most = 4, 10
    how_to_propose = (
        "Set a task: write a Python function f, 4 to 10 different inputs for it, and, if you like, a hint:\n"
        f"{_FORM}\n(more blocks named input)\n```message\na hint\n```\n"
        f"Others will see the hint and the first half of the inputs with what f returns, and write f anew. "
        f"{_CONDITIONS}"
    )
    how_to_solve = "Write f in Python, in a block named python. It must be right on these calls and on others."

    def ask(self, program: str, calls: Calls, outputs: Sequence[Value], message: str) -> str:
        """Show the first half of the calls."""
        del program
        half = (len(calls) + 1) // 2
        lines = [f"f({_arguments(c)}) = {literal(value)}" for c, value in zip(calls[:half], outputs, strict=False)]
        if message:
            lines.append(quoted("hint", message))
        return "\n".join([*lines, "What is f?"])

    def judge(self, proposal: Proposal, text: str) -> Verdict:
        """Run a program on all inputs and compare what it returns."""
        program = block_of(text, *_PYTHON) if "```" in text else text
        if not program.strip():
            return Verdict(0.0, Status.UNPARSED, "there is no program")
        outcome = self.sandbox.run(CallJob(program[:_ANSWER_CHARS], "f", proposal.calls, self.limits))
        return _run_verdict(outcome, proposal.outputs)

    def sample_answer(self, generator: np.random.Generator) -> str:
        """Draw one operation with a digit."""
        return f"def f(x):\n    return x {'+-*'[int(generator.integers(3))]} {generator.integers(1, 10)}"


def _arguments(call: Sequence[Value]) -> str:
    return ", ".join(_written(value) for value in call)


def _written(value: Value) -> str:
    try:
        return literal(value)
    except ValueError as error:
        raise BadTaskError(Status.ILLEGAL, str(error)[:200]) from None


def _short(value: Value) -> str:
    return shown(literal(value))


def _failure(outcome: Outcome) -> str:
    raised = next((result.error for result in outcome.results if isinstance(result, Raised)), "")
    return shown(raised or outcome.error, 200)


def _returned(outcome: Outcome, count: int) -> list[Value]:
    """Return what every call gave.

    Raises:
        BadTaskError: If not every call returned something.
    """
    values = [result.value for result in outcome.results if isinstance(result, Returned)]
    if outcome.ended is Ended.FINISHED and len(values) == count:
        return values
    raise BadTaskError(Status.TIMEOUT if outcome.ended.timeout else Status.CRASHED, f"f failed: {_failure(outcome)}")


def _verdict(right: bool, detail: str) -> Verdict:
    return Verdict(1.0, Status.CORRECT) if right else Verdict(0.0, Status.WRONG, detail)


def _run_verdict(outcome: Outcome, expected: Sequence[Value]) -> Verdict:
    """Judge a run: right where every call returned what was expected."""
    values = [result.value if isinstance(result, Returned) else _NOTHING for result in outcome.results]
    right = sum(bool(value == wanted) for value, wanted in zip(values, expected, strict=False))
    if outcome.ended is not Ended.FINISHED:
        status = Status.TIMEOUT if outcome.ended.timeout else Status.CRASHED
        return Verdict(0.0, status, _failure(outcome))
    return _verdict(right == len(expected), f"right on {right} of {len(expected)} calls")


_NOTHING: Final = object()
