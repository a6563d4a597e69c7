"""From a reply to an action: pure functions that never fail; where nothing is found the action is empty."""

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Parser", "after_think", "last_line", "tagged", "whole"]

Parser: TypeAlias = Callable[[str], str]
"""`parser(reply) -> action`."""


def whole(reply: str) -> str:
    """Return the reply without the whitespace around it."""
    return reply.strip()


def after_think(reply: str) -> str:
    """Return what follows the last `</think>`; nothing when a `<think>` was never closed.

    A reply without these tags is returned whole.
    """
    thought, closing, answer = reply.rpartition("</think>")
    if not closing and "<think>" in reply:
        return ""
    del thought
    return answer.strip()


def last_line(reply: str) -> str:
    """Return the last line that is not blank."""
    return reply.strip().rpartition("\n")[2].strip()


def tagged(tag: str) -> Parser:
    """Return a parser that takes what stands between the last `<tag>` and the `</tag>` after it.

    Args:
        tag: Name of the tag, such as `"answer"`.
    """
    opening, closing = f"<{tag}>", f"</{tag}>"

    def parse(reply: str) -> str:
        end = reply.rfind(closing)
        start = reply.rfind(opening, 0, max(end, 0))
        return "" if start < 0 else reply[start + len(opening) : end].strip()

    return parse
