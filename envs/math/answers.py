"""Find the final answer in a reply and compare it exactly."""

import re
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from palaestra.envs.task import Json, Task
from palaestra.envs.verdict import Status, Verdict

__all__ = ["ExactJudge", "NumberJudge", "final_number", "last_match", "read_number", "shown"]

# A final answer stands near the end; what is before this many characters is not read.
_READ_CHARS = 20_000
# Longer numerals and larger exponents are no answers but attacks on the arithmetic.
_NUMERAL_CHARS = 1_000
_EXPONENT_DIGITS = 3

_UNSIGNED = (
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:[eE][+-]?[0-9]+(?![0-9A-Za-z]))?"
)
# A sign belongs to the number unless something stands before it that it could subtract from.
_NUMBER = re.compile(
    rf"(?P<sign>(?<![0-9A-Za-z)\]}}])[+-]\$?)?(?<![0-9A-Za-z])(?P<top>{_UNSIGNED})(?:/(?P<bottom>{_UNSIGNED}))?"
)
_FRACTION = re.compile(r"\\[dt]?frac\{([0-9]{1,100})\}\{([0-9]{1,100})\}")
_ANSWER_IS = re.compile(r"answer\s{0,9}(?:is\s{0,9}:?|:|=)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"\n|[.;](?:\s|$)")
_MINUS = str.maketrans({"−": "-", "–": "-", "﹣": "-", "－": "-"})


def shown(text: str, length: int = 60) -> str:
    """Return text short and safe enough for a message."""
    return repr(text if len(text) <= length else text[:length] + "…")


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Return the last match of a pattern, or None."""
    last = deque(pattern.finditer(text), maxlen=1)
    return last[0] if last else None


def read_number(text: str) -> Fraction | None:
    """Read the first number of a text exactly: integer, decimal, with exponent, `1,234` or `3/4`.

    Args:
        text: Any text; a `$` or `%` next to the number is passed over.

    Returns:
        The number, or None where there is none, it is too long or it divides by zero.
    """
    match = _NUMBER.search(text)
    return _value(match) if match else None


def final_number(reply: str) -> Fraction | None:
    r"""Find the number a reply ends up with.

    The last of these that the reply contains decides: what follows `####`; else the content of `\boxed{}`; else what
    follows "the answer is", to the end of the sentence and behind its last `=`; else the last number of all.

    Args:
        reply: Any text; only its last 20,000 characters are read.

    Returns:
        The number, or None where there is none.
    """
    text = reply[-_READ_CHARS:].translate(_MINUS)
    if "\\" in text:
        text = _FRACTION.sub(r"\1/\2", text).replace(r"\$", "$").replace(r"\,", "")
    for marked in (_after_hashes(text), _boxed(text), _after_answer_is(text)):
        if marked is not None:
            return read_number(marked)
    last = last_match(_NUMBER, text)
    return _value(last) if last else None


def _after_hashes(text: str) -> str | None:
    return text.rpartition("####")[2].split("\n", 1)[0] if "####" in text else None


def _boxed(text: str) -> str | None:
    start = text.rfind(r"\boxed{")
    if start < 0:
        return None
    content = text[start + len(r"\boxed{") :].split("\n", 1)[0]
    depth = 1
    for index, character in enumerate(content):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return content[:index].rpartition("=")[2]
    return ""


def _after_answer_is(text: str) -> str | None:
    last = last_match(_ANSWER_IS, text)
    if last is None:
        return None
    rest = text[last.end() :].lstrip()
    end = _SENTENCE_END.search(rest)
    return (rest[: end.start()] if end else rest).rpartition("=")[2]


def _value(match: re.Match[str]) -> Fraction | None:
    if match.end() - match.start() > _NUMERAL_CHARS:
        return None
    top, bottom = _unsigned(match["top"]), _unsigned(match["bottom"] or "1")
    if top is None or not bottom:
        return None
    value = top / bottom
    return -value if (match["sign"] or "").startswith("-") else value


def _unsigned(numeral: str) -> Fraction | None:
    digits = numeral.replace(",", "")
    exponent = digits.lower().partition("e")[2]
    return None if len(exponent.lstrip("+-")) > _EXPONENT_DIGITS else Fraction(digits)


def _expected(reference: Json) -> Fraction | None:
    if isinstance(reference, bool) or not isinstance(reference, int | float | str):
        return None
    text = str(reference).strip().translate(_MINUS)
    match = _NUMBER.fullmatch(text.removeprefix("$").removesuffix("%").strip())
    return _value(match) if match else None


@dataclass(frozen=True)
class NumberJudge:
    """Compare the reply's final number with the reference, exactly and as rational numbers."""

    def answer_of(self, reply: str) -> str | None:
        """Return the final number as a whole number or a fraction."""
        found = final_number(reply)
        return None if found is None else str(found)

    def __call__(self, task: Task, reply: str) -> Verdict:
        """Judge a reply; the reference is a number or a text that is one."""
        expected = _expected(task.reference)
        if expected is None:
            return Verdict(0.0, Status.BROKEN_TASK, f"the reference {shown(str(task.reference))} is not a number")
        found = final_number(reply)
        if found is None:
            return Verdict(0.0, Status.UNPARSED, f"no number in {shown(reply[-60:])}")
        if found == expected:
            return Verdict(1.0, Status.CORRECT)
        return Verdict(0.0, Status.WRONG, f"expected {task.reference}, got {shown(str(found))}")


@dataclass(frozen=True)
class ExactJudge:
    """Compare the whole reply with the reference, but for the white space around them."""

    def __call__(self, task: Task, reply: str) -> Verdict:
        """Judge a reply; the reference is text or a number."""
        reference = task.reference
        if isinstance(reference, bool) or not isinstance(reference, int | float | str) or not str(reference).strip():
            return Verdict(0.0, Status.BROKEN_TASK, f"the reference {shown(str(reference))} is no text to compare with")
        expected, said = str(reference).strip(), reply.strip()
        if not said:
            return Verdict(0.0, Status.UNPARSED, "the reply is empty")
        if said == expected:
            return Verdict(1.0, Status.CORRECT)
        return Verdict(0.0, Status.WRONG, f"expected {shown(expected)}, got {shown(said)}")
