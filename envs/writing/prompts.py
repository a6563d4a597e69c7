"""How a policy is asked to write a task: in words for models, in a few signs for newborn ones.

Source: Wang et al. 2023, "Self-Instruct" (a numbered series to be continued); Xu et al. 2023, "WizardLM" (in-depth and
in-breadth evolving); both shortened, in words of our own.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

__all__ = ["BROADEN", "OPERATIONS", "SERIES", "ask_evolution", "ask_series", "task_in"]

SERIES: Final = "series"
BROADEN: Final = "broaden"
OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "constrain": "Add one more constraint or requirement to it.",
        "deepen": "Ask it deeper and wider: where it touches something, make it go further there.",
        "concretise": "Put something more specific in the place of something general.",
        "reason": "If a few simple steps of thought solve it, make it ask for several steps.",
        "complicate": "Add data that has to be used, such as further numbers, a table or a formula.",
        BROADEN: "",
    }
)
"""The ways to evolve a task, with what is said to ask for them; all but the last make it harder."""

_READ_CHARS: Final = 20_000
_HARDER: Final = (
    "Rewrite a task into a more complex version, a bit harder to solve, that can still be understood and answered by "
    "itself and has one right answer. {how} Make it only a little longer, by 10 to 20 words at most. Do not speak of "
    "the given task or of rewriting in it."
)
_OTHER: Final = (
    "Take a task as an example and write a new one: of the same field and rarer, about as long and as difficult, that "
    "can be understood and answered by itself and has one right answer. Do not speak of the given task in it."
)
_NUMBER: Final = re.compile(r"\d{1,3}[ \t]*[:.)][ \t]+")
_HEADING: Final = re.compile(
    r"^[ \t#*]*(?:new|next|given|rewritten)?[ \t]*task[ \t]*\d{0,3}[ \t#*]*:[ \t*]*", re.IGNORECASE | re.MULTILINE
)


def ask_series(examples: Sequence[str], how_to_write: str, *, explain: bool) -> str:
    """Return what asks for one more task like some.

    Args:
        examples: Tasks as they are written, in order.
        how_to_write: What the world tells those who write.
        explain: Whether it is said in words; a newborn policy reads only the tasks.
    """
    if not explain:
        return "\n".join(["more", *examples])
    series = "\n".join(f"Task {number}: {text}" for number, text in enumerate(examples, 1))
    return (
        f"Come up with a series of different tasks.\n{how_to_write}\n\n{series}\n\nWrite task {len(examples) + 1}, the "
        "next of the series, unlike those before, and nothing else. Do not solve it."
    )


def ask_evolution(operation: str, text: str, how_to_write: str, *, explain: bool) -> str:
    """Return what asks for a task to be evolved.

    Args:
        operation: One of `OPERATIONS`.
        text: The task as it is written.
        how_to_write: What the world tells those who write.
        explain: Whether it is said in words.
    """
    if not explain:
        return f"{operation}\n{text}"
    asked = _OTHER if operation == BROADEN else _HARDER.format(how=OPERATIONS[operation])
    return (
        f"{asked}\n{how_to_write}\n\nGiven task:\n{text}\n\nReply with the new task and nothing else. Do not solve it."
    )


def task_in(reply: str) -> str:
    """Return the task in a reply, without the number or heading that may stand before it, nor a second one after."""
    text = reply[:_READ_CHARS].strip()
    if begun := _HEADING.search(text):
        following = _HEADING.search(text, begun.end())
        text = text[begun.end() : following.start() if following else None].strip()
    number = _NUMBER.match(text)
    return text[number.end() :] if number else text
