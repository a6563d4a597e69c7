r"""Take the typography off an answer, so that `\left( 1{,}234,\dfrac12 \right)` and `(1,234,\frac12)` are one text."""

import re

__all__ = ["SET_CLOSE", "SET_OPEN", "tidy", "without_spaces"]

SET_OPEN, SET_CLOSE = "\x02", "\x03"
r"""Stand for `\{` and `\}` in a tidied text, where plain braces only group."""

_SPELLINGS = {
    **dict.fromkeys(("dfrac", "tfrac", "cfrac"), r"\frac"),
    **dict.fromkeys(("times", "cdot"), "×"),
    **dict.fromkeys(("circ", "degree"), "°"),
    **dict.fromkeys(("quad", "qquad", ",", ":", ";", ">", " "), " "),
    **dict.fromkeys(("lbrace", "{"), SET_OPEN),
    **dict.fromkeys(("rbrace", "}"), SET_CLOSE),
    **dict.fromkeys(("emptyset", "varnothing"), SET_OPEN + SET_CLOSE),
    **dict.fromkeys(("infty", "infin"), "∞"),
    **{"$": "$", "%": "%", "cup": "∪", "pm": "±", "in": "∈"},
    **dict.fromkeys(("left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "!"), ""),
}
_WORDY = "|".join(sorted((name for name in _SPELLINGS if name.isalpha()), key=len, reverse=True))
_COMMAND = re.compile(rf"\\({_WORDY})(?![A-Za-z])|\\([,:;>{{}}$%! ])")
_TEXT = re.compile(
    r"\\(?:text(?:rm|bf|it|normal)?|math(?:rm|bf|it|sf|tt)|mbox|operatorname)\s*\{([A-Za-z0-9 .'()/^²³%-]*)\}"
)
# `1{,}234` and `1\,234` are one number; `12{,}5` is left alone, for it is a decimal in some countries.
_THOUSANDS = re.compile(r"(?<=[0-9])(?:\{,\}|\\[,:;!]|\{\\[,:;!]\})\s?(?=[0-9]{3}(?![0-9]))")
_DEGREE = re.compile(r"\s*\^\s*(?:\{\s*°\s*\}|°)")
_MINUS = str.maketrans({"−": "-", "–": "-", "﹣": "-", "－": "-", "·": "×", "⋅": "×"})
_OUTER_SPACE = re.compile(r"(?<![A-Za-z0-9])\s+|\s+(?![A-Za-z0-9])")


def tidy(text: str) -> str:
    r"""Return an answer without spacing commands, `\left`, text styles, outer dollars and a final stop.

    Texts in `\text{}` come back in double quotes; `\times` is `×`, `\infty` is `∞`, `^\circ` is `°`.
    """
    text = text.replace('"', "").replace("~", " ")
    if not text.isascii():
        text = text.translate(_MINUS)
    if "{,}" in text or "\\" in text:
        text = _THOUSANDS.sub(",", text)
    if "\\" in text:
        text = _TEXT.sub(_quoted, text)
        text = _COMMAND.sub(_spelled, text)
        text = _DEGREE.sub("°", text).rstrip("\\")
    text = " ".join(text.split()).rstrip(".,;").strip("* ")
    if len(text) > 2 and text[0] == text[-1] == "$":
        text = text.strip("$ ").rstrip(".,; ")
    return text


def without_spaces(tidied: str) -> str:
    """Return a tidied text without the spaces that separate nothing."""
    return _OUTER_SPACE.sub("", tidied)


def _quoted(match: re.Match[str]) -> str:
    content = match[1].strip()
    if content.strip(",") in ("or", "and"):
        return ","
    return f'"{content}"' if any(map(str.isalpha, content)) else content


def _spelled(match: re.Match[str]) -> str:
    return _SPELLINGS[match[1] or match[2]]
