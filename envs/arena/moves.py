"""Find the move in what a player says, and what becomes of one that is none."""

import re
from collections.abc import Mapping
from enum import StrEnum

from palaestra.envs.errors import UnknownNameError

__all__ = ["Illegal", "illegal_policy", "read_move"]

# A move stands at the end of what is said; nothing before is looked at.
_LOOKED_AT = 2_000
_BRACKETED = re.compile(r"\[([^\[\]\n]{1,200})\]")


class Illegal(StrEnum):
    """What becomes of a move that is not legal."""

    LOSE = "lose"
    """Its player loses the game."""
    RETRY = "retry"
    """Its player is told and may try again, a given number of times; then it loses."""
    RANDOM = "random"
    """A random legal move is made instead."""


def illegal_policy(name: str) -> Illegal:
    """Return the policy of a name.

    Raises:
        UnknownNameError: If there is none.
    """
    if name not in Illegal.__members__.values():
        raise UnknownNameError("way with illegal moves", name, [str(way) for way in Illegal])
    return Illegal(name)


def read_move(text: str, words: Mapping[str, int]) -> tuple[int | None, str]:
    """Find a move.

    The whole text may be the move. Otherwise the last words in square brackets are it, or, without brackets, the last
    line that is not empty. Case, white space around and a full stop behind do not matter.

    Args:
        text: What a player said.
        words: The legal moves, in lower case, with their numbers.

    Returns:
        The number, or None; and the words that were taken for the move, `""` where nothing could be.
    """
    if text in words:
        return words[text], text
    end = text[-_LOOKED_AT:].lower()
    bracketed = _BRACKETED.findall(end)
    lines = [line for line in end.splitlines() if line.strip()]
    said = " ".join((bracketed[-1] if bracketed else lines[-1] if lines else "").strip().rstrip(".").split())[:200]
    return words.get(said), said
