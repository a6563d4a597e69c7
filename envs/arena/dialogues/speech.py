"""What one seat says to another: bounded, clean, and never to be mistaken for anything else that is told."""

import unicodedata
from typing import Final

__all__ = ["lines_of", "quoted", "tidy"]

# They turn the direction of what follows, so that a reader sees another text than a program.
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def tidy(text: str, length: int) -> str:
    r"""Return what can be passed on of a text: no control characters, no halves of characters, no empty lines.

    Args:
        text: Anything.
        length: Most characters of it; what is beyond is cut off.

    Returns:
        Text in lines that end with `\n` and nothing else; `""` where there is nothing to say.
    """
    # Every kind of line end becomes one, so that nobody starts a line that is not taken for one.
    lines = (_clean(line) for line in text[: 4 * length].splitlines())
    return "\n".join(line for line in lines if line)[:length].strip()


def _clean(line: str) -> str:
    if not line.isprintable():
        line = "".join(" " if c == "\t" else c for c in line if c == "\t" or not _unsayable(c))
    return line.rstrip()


def _unsayable(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or character in _TURNING


def quoted(name: str, speech: str) -> str:
    """Return a speech with its speaker before every line, so that no line of it can pass for somebody else's."""
    return "\n".join(f"{name}> {line}" for line in speech.split("\n"))


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that are not empty, without the white space around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]
