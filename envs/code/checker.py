"""Problems with many right answers: a checker, run in a sandbox of its own, says what an answer is worth.

A checker is Python source with `check(case_input, actual, expected) -> bool | float`. What it is given, hostile values
included, is plain data. One that raises on an answer, or returns no score, has not accepted it: that is the answer's
fault, unless it fails on the expected answer too, or for a reason that no answer can have, such as an unknown name.
"""

import math
from collections.abc import Sequence

from palaestra.envs.sandbox.job import CallJob, Ended, Limits, Outcome, Raised, Returned, Value

__all__ = ["BrokenCheckerError", "Given", "checking", "control", "scores"]

Given = tuple[Value, Value, Value]
"""(case_input, actual, expected)"""

# No answer makes a checker raise these.
_OWN = ("NameError", "ImportError", "ModuleNotFoundError")


class BrokenCheckerError(Exception):
    """The checker cannot judge; inside of the code judge it becomes a verdict of status BROKEN_TASK."""


def checking(checker: str, given: Sequence[Given], limits: Limits) -> CallJob:
    """Return the job that asks the checker about all answers of a program."""
    return CallJob(checker, "check", tuple(given), limits)


def scores(outcome: Outcome, count: int) -> list[float | str]:
    """Read what the checker said of `count` answers.

    Returns:
        For each, the score (0 to 1), or in words why there is none.

    Raises:
        BrokenCheckerError: If the checker does not load, or breaks for a reason of its own.
    """
    if outcome.ended is Ended.RAISED:
        raise BrokenCheckerError(f"the checker does not load: {outcome.error}")
    said: list[float | str] = []
    for result in outcome.results:
        if isinstance(result, Raised):
            if result.error.startswith(_OWN):
                raise BrokenCheckerError(f"the checker raised {result.error}")
            said.append(f"the checker raised {result.error}")
        else:
            said.append(_score(result))
    missing = f"the checker did not end: {outcome.error}"
    return said + [missing] * (count - len(said))


def _score(result: Returned) -> float | str:
    value = result.value
    if isinstance(value, bool | int | float) and not math.isnan(value) and 0 <= value <= 1:
        return float(value)
    came = f"{value:g}" if isinstance(value, float) else f"a value of type {type(value).__name__}"
    return f"the checker returned {came}, expected True, False or a number from 0 to 1"


def control(said: Sequence[float | str], given: Sequence[Given]) -> list[Given]:
    """Return the questions, with the expected answer as the actual one, that tell whose fault a silence is.

    None where the task gives no expected answer to ask about: then it is the answer's.
    """
    return [
        (case_input, expected, expected)
        for score, (case_input, _, expected) in zip(said, given, strict=True)
        if isinstance(score, str) and expected not in ("", None)
    ]
