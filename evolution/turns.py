"""Parts of a recipe that take turns by step: whose turn it is. Pure functions."""

from collections.abc import Sequence
from itertools import accumulate

from palaestra.envs.errors import UsageError

__all__ = ["check_turns", "turn_at"]


def turn_at(steps: Sequence[int], step: int) -> int:
    """Return the number, from 0, of the part whose turn step `step` is; steps count from 1.

    Args:
        steps: How many steps each part has, in order; the last goes on for ever.
        step: At least 1.
    """
    return next((turn for turn, end in enumerate(accumulate(steps[:-1])) if step <= end), len(steps) - 1)


def check_turns(steps: Sequence[int], parts: int) -> None:
    """Raise `UsageError` unless each of at least one part has a number of steps of at least 1."""
    if parts < 1 or len(steps) != parts or min(steps) < 1:
        raise UsageError(f"Each part needs at least 1 step, and each number a part: got {list(steps)} for {parts}.")
