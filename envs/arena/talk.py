"""What is said in an arena: what seats are told, what they may say, and what comes of what they may not."""

import string
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from palaestra.envs.text_env import Words
from palaestra.envs.verdict import Status

__all__ = ["MAX_CHARS", "Fault", "IllegalMoveError", "Moves", "Told"]

MAX_CHARS: Final = 100_000
"""Longest observation and action, where an arena says nothing else."""


class Moves(Words):
    """All text up to a length; samples are moves of the game, legal or not.

    Args:
        words: Moves to draw from; without any, samples are printable ASCII.
        max_length: Longest text, in characters.
    """

    def __init__(self, words: Sequence[str], max_length: int = MAX_CHARS) -> None:
        super().__init__(max_length)
        self.words = tuple(words)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Draw one of the moves in `mask`, else any move, else any text."""
        del probability
        words = mask or self.words
        if words:
            return str(words[int(self.np_random.integers(len(words)))])
        count = int(self.np_random.integers(1, 40))
        return "".join(string.printable[i] for i in self.np_random.integers(len(string.printable), size=count))


class Told(str):
    """What a seat is told: text that says, as PettingZoo's tests ask of an observation, what it is made of."""

    __slots__ = ()
    dtype = np.dtype(str)


class IllegalMoveError(Exception):
    """Raised by `Arena.play` for what the rules forbid; the message tells the player why."""


class Fault(NamedTuple):
    """Why a seat lost without the rules saying so.

    Attributes:
        seat: Whose fault it was.
        status: ILLEGAL, UNPARSED or TIMEOUT.
        detail: One line for a person.
    """

    seat: int
    status: Status
    detail: str
