r"""Find the text of the final answer in a reply: pure, and linear in the end of the reply that it reads."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from palaestra.envs.math.answers import last_match
from palaestra.envs.math.reading import Words, read

__all__ = ["Extracted", "How", "extract"]

# A final answer stands near the end; what is before this many characters is not read.
_END_CHARS = 20_000
# A line that is an answer, and a sentence that states one, are no longer than this.
_LINE_CHARS = 300
# `\boxed{1}, \boxed{2}, …` and `$1$, $2$, …`: so many parts make one answer at most.
_PARTS = 16

_BOX = re.compile(r"\\f?box(?:ed)?(?![A-Za-z])\s{0,9}(?:\{|(?P<bare>[^\s{}$\\]{1,40}))")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BETWEEN = re.compile(
    r"[\s$.,;]{0,9}(?:\\text\s?\{)?\s{0,3}(?:and|or)?\s{0,3}\}?[\s$,]{0,9}(?:[A-Za-z]\s{0,3}=\s{0,3})?", re.IGNORECASE
)
_STATED = re.compile(r"(?:nswer|NSWER)(?:\*\*)?(?:\s{0,9}[:=]|[^\n.:=]{0,60}?\s(?:is|IS)\b\s{0,9}:?)")
_FINAL = re.compile(r"final\s{1,9}a$", re.IGNORECASE)
# So many mentions of an answer are looked at for one that says what it is.
_MENTIONS = 100
_SENTENCE_END = re.compile(r"\n|[.;!](?=\s|$|\*)|\*\*(?![0-9(])|\sI hope\b")
# Pandoc's rule tells a formula from two prices: no space inside the dollars, no digit behind them.
_FORMULA = re.compile(
    r"(?<!\\)\$\$(?P<a>[^$]{1,2000})\$\$|\\\[(?P<b>(?:[^\\]|\\(?![\[\]])){1,2000})\\\]"
    r"|\\\((?P<c>(?:[^\\]|\\(?![()])){1,2000})\\\)"
    r"|(?<![\\$])\$(?=[^\s$])(?P<d>(?:[^$\n\\]|\\.){1,500})(?<!\s)\$(?![0-9$])"
    r"|(?P<e>-?\\[dt]?frac\s?\{[^{}]{1,60}\}\s?\{[^{}]{1,60}\})"
)
_UNSIGNED = (
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:[eE][+-]?[0-9]{1,3}(?![0-9A-Za-z]))?"
)
# A sign belongs to the number unless something stands before it that it could subtract from.
_NUMERAL = re.compile(
    rf"(?:(?<![0-9A-Za-z)\]}}])[-+])?[$€£]?(?<![0-9A-Za-z.])(?:[0-9]+\s(?=[0-9]+/[0-9]))?{_UNSIGNED}(?:/{_UNSIGNED})?"
    r"(?:\s(?:hundred|thousand|million|billion|trillion)\b)?(?:\s?\\?%)?"
)
_NUMERAL_CHARS = 400
_ARITHMETIC = re.compile(r"[0-9\s+*/×÷().,$-]*[-+*/×÷][0-9\s+*/×÷().,$=-]*=([^=]+)")
_OR = re.compile(r"\W{0,9}or\b[^.\n]{0,30}", re.IGNORECASE)
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_ONE_WORD_OR_TWO = re.compile(r"[A-Za-z][A-Za-z'-]*(?:\s[A-Za-z'-]+)?\.?")
_SPELLINGS = str.maketrans({"−": "-", "–": "-", "﹣": "-", "－": "-"})


class How(StrEnum):
    """By what an answer was recognised."""

    BOXED = "boxed"
    r"""It stands in the last `\boxed{}` or `\fbox{}`."""
    HASHES = "hashes"
    """It follows the last `####`."""
    STATED = "stated"
    """It follows "the answer is" or "Answer:"."""
    PLAIN = "plain"
    """The reply, or its last line, is nothing but an answer."""
    FORMULA = "formula"
    """It is the last formula."""
    NUMBER = "number"
    """It is the last number."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """The final answer of a reply.

    Attributes:
        text: As it was written, without what marked it.
        how: What marked it.
    """

    text: str
    how: How


def extract(reply: str) -> Extracted | None:
    r"""Find the answer that a reply ends up with.

    An `<answer>` tag narrows the reply to its content. Then the latest of `\boxed{}`, `####` and "final answer is"
    decides; else the last "answer is"; else a reply or last line that is nothing but an answer; else whichever of the
    last formula and the last number comes later. Boxes or formulas joined by commas, "and" or "or" are one answer.

    Args:
        reply: Any text; only its last 20,000 characters are read.

    Returns:
        The answer, or None where there is none, or where the last box was never closed.
    """
    text = reply[-_END_CHARS:]
    if not text.isascii():
        text = text.translate(_SPELLINGS)
    text = _tagged(text) if "<answer>" in text else text
    stated = _statement(text)
    boxed, box_start = _boxed(text) if "box" in text else (None, -1)
    hashes = text.rfind("####")
    final = stated.start() if stated and _FINAL.search(text, max(0, stated.start() - 16), stated.start()) else -1
    if box_start >= 0 and box_start > max(hashes, final):
        return _extracted(boxed, How.BOXED)
    if hashes > final:
        return _extracted(_stated(text, hashes + len("####")), How.HASHES)
    if stated:
        return _extracted(_stated(text, stated.end()), How.STATED)
    return _extracted(_plain(text), How.PLAIN) or _last(text)


def _extracted(text: str | None, how: How) -> Extracted | None:
    text = (text or "").strip()
    if formula := _FORMULA.fullmatch(text.rstrip(".")):
        text = _content(formula)
    if "=" in text and (computed := _ARITHMETIC.fullmatch(text)) and read(computed[1].strip()):
        text = computed[1].strip()
    return Extracted(text, how) if any(map(str.isalnum, text)) or "\\" in text or "∞" in text else None


def _tagged(text: str) -> str:
    before, closing, _ = text.rpartition("</answer>")
    return before.rpartition("<answer>")[2] if closing else text.rpartition("<answer>")[2]


def _boxed(text: str) -> tuple[str | None, int]:
    """Return the content of the last box, joined with those before it that belong to the same list, and its position.

    The content is None where the box was never closed: it was cut off, and what stands in it is not what was meant.
    """
    contents: list[str] = []
    last, start = -1, len(text)
    for box in reversed(list(_BOX.finditer(text))[-_PARTS:]):
        content, end = _closed(text, box)
        if content is None or (contents and (end > start or not _BETWEEN.fullmatch(text, end, start))):
            return ", ".join(contents) or None, max(last, box.start())
        if content and content not in contents:
            contents.insert(0, content)
            last, start = max(last, box.start()), box.start()
    return ", ".join(contents), last


def _closed(text: str, box: re.Match[str]) -> tuple[str | None, int]:
    if box["bare"]:
        return box["bare"].rstrip(".,;"), box.end()
    depth = 1
    for brace in _BRACE.finditer(text, box.end()):
        depth += (brace[0] == "{") - (brace[0] == "}")
        if depth == 0:
            return text[box.end() : brace.start()].strip(), brace.end()
    return None, len(text)


def _statement(text: str) -> re.Match[str] | None:
    """Return where it was last said what the answer is."""
    start = len(text)
    for _ in range(_MENTIONS):
        start = max(text.rfind("nswer", 0, start), text.rfind("NSWER", 0, start))
        if start < 1:
            break
        if found := _STATED.match(text, start):
            return found
    return None


def _stated(text: str, position: int) -> str:
    """Return what a sentence says the answer is, from the position where it says so."""
    rest = text[position : position + 4 * _LINE_CHARS].lstrip("* \t\r\n")
    end = _SENTENCE_END.search(rest)
    phrase = (rest[: end.start()] if end else rest).strip()
    first = _FORMULA.match(rest) or _FORMULA.search(phrase)
    if first:
        return next(_runs(rest[first.start() :]))[1]
    if len(phrase) <= _LINE_CHARS and (read(phrase) or not _PROSE.search(phrase)):
        return phrase
    after = phrase.rpartition("=")[2].strip()
    if read(after):
        return after
    numeral = _NUMERAL.match(phrase)
    if numeral and re.match(r"\s?[,(]?\s?[A-Za-z]{2,}", phrase[numeral.end() :]):
        return numeral[0]
    numerals = deque(_NUMERAL.finditer(phrase), maxlen=2)
    if len(numerals) == 2 and _OR.fullmatch(phrase, numerals[0].end(), numerals[1].start()):
        return f"{numerals[0][0]}, {numerals[1][0]}"  # who says "43 or 42" has said neither
    return numerals[-1][0] if numerals else phrase[:_LINE_CHARS]


def _plain(text: str) -> str | None:
    """Return the reply, or else its last line, where that is nothing but an answer."""
    text = text.strip()
    if len(text) <= _LINE_CHARS and "\n" not in text and (_ONE_WORD_OR_TWO.fullmatch(text) or _is_number(text)):
        return text
    line = text[text.rfind("\n") + 1 :].strip("*` \t")
    prose = len(line) > _LINE_CHARS or _PROSE.search(line) or line.startswith("- ")
    return None if prose or _BOX.search(line) or line.count("$") % 2 or not any(map(str.isalnum, line)) else line


def _is_number(text: str) -> bool:
    reading = read(text)
    return reading is not None and not isinstance(reading.value, Words)


def _content(formula: re.Match[str]) -> str:
    return next(group for group in formula.groups() if group).strip()


def _last(text: str) -> Extracted | None:
    formulas = deque(_runs(text) if "$" in text or "\\" in text else (), maxlen=1)
    formula_end, formula = formulas[0] if formulas else (-1, None)
    end = len(text)
    for line in reversed(text.split("\n")):
        numeral = last_match(_NUMERAL, line)
        if numeral and end - len(line) + numeral.end() > formula_end:
            return Extracted(numeral[0], How.NUMBER) if len(numeral[0]) <= _NUMERAL_CHARS else None
        end -= len(line) + 1
        if numeral or end < formula_end:
            break
    return _extracted(formula, How.FORMULA)


def _runs(text: str) -> Iterator[tuple[int, str]]:
    """Yield each run of formulas that are joined by commas, "and" or "or", with the position of its end."""
    parts: list[str] = []
    end = 0
    for match in _FORMULA.finditer(text):
        content = _content(match)
        if parts and not (len(parts) < _PARTS and _BETWEEN.fullmatch(text, end, match.start())):
            yield end, ", ".join(parts)
            parts = []
        parts.append(content)
        end = match.end()
    if parts:
        yield end, ", ".join(parts)
