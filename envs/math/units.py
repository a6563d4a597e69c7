"""What may stand behind a number: per cent, degrees, a base, a scale word, a unit, or the name of what was counted."""

import re

__all__ = ["PERCENT", "is_label", "read_mark"]

PERCENT = "%"
_LABEL = "~"

_SYNONYMS = """
$ dollar dollars usd; € euro euros eur; £ gbp sterling; ¥ yen; ₹ rupee rupees rs; cent cents ¢
mm millimeter millimeters millimetre millimetres; cm centimeter centimeters centimetre centimetres
m meter meters metre metres; km kilometer kilometers kilometre kilometres
in inch inches; ft foot feet; yd yard yards; mi mile miles
mg milligram milligrams; g gram grams gm; kg kilogram kilograms; lb lbs; oz ounce ounces; ton tons tonne tonnes
ms millisecond milliseconds; s sec secs second seconds; min mins minute minutes; h hr hrs hour hours
day days; week weeks; month months; year years yr yrs
ml milliliter milliliters millilitre millilitres; l liter liters litre litres; gal gallon gallons
mph; kmh kph; am; pm; °c; °f; ° degree degrees deg; radian radians rad; n newton newtons; j joule joules; w watt watts
"""
_UNITS = {
    word: words[0] for words in map(str.split, _SYNONYMS.replace("\n", ";").split(";")) for word in words if words
}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
# Words that change the number they follow: such a text is no number with a label.
_CHANGING = re.compile(
    r"\b(?:dozens?|scores?|gross|pairs?|couple|hal(?:f|ves)|quarters?|thirds|fifths|(?:hundred|thousand|million|billion"
    r"|trillion)s?|[a-z]+th(?:s)?|percent\w*|pct|times|squared|cubed|factorial|plus|minus|over|divided|by|point|negative"
    r"|mod|modulo|choose|roots?|sqrt|sin|cos|tan|log|exp|inf|infty|infinity|more|less|and|or|to|from|of|if|when|base"
    r"|remainder|not|no|is)\b"
)
_TAIL = re.compile(
    r'(?P<quote>"?)\s*(?P<words>[A-Za-z°$€¢][A-Za-z°. /]*?)\s*(?P<inner>\^?[23²³])?\s*"?(?P<power>\^?\{?[23²³]\}?)?'
)
_BASE = re.compile(r"_(?:\{\s*)?([0-9]{1,2})(?:\s*\})?")
_PER = re.compile(r"\s*/\s*|\s+per\s+")
_COMMON_LETTERS = ("m", "g", "s", "h", "l")
_POWERS = {"square": "2", "sq": "2", "cubic": "3", "cu": "3"}


def is_label(mark: str) -> bool:
    """Whether a mark only names what was counted, such as apples."""
    return mark.startswith(_LABEL)


def read_mark(tail: str) -> tuple[str, int] | None:
    r"""Read what follows a number in a tidied text.

    Returns:
        Its mark (empty for none; equal for `"cm"` and `centimeters`) and the factor of a word such as million; None
        where it is none of these and the number is part of something larger.
    """
    apart = tail[:1] == " "
    tail = tail.strip()
    scale = 1
    first, _, rest = tail.strip('" ').partition(" ")
    if first.lower() in _SCALES:
        scale = _SCALES[first.lower()]
        tail = rest.strip('" ')
    if not tail:
        return "", scale
    if tail in ("%", "°"):
        return tail, scale
    if base := _BASE.fullmatch(tail):
        return f"_{base[1]}", scale
    match = _TAIL.fullmatch(tail)
    if match is None:
        return None
    surely = bool(match["quote"]) or (apart and match["words"] in _COMMON_LETTERS)
    mark = _unit(match["words"], (match["power"] or match["inner"] or "").strip("^{}"), surely)
    return None if mark is None else (mark, scale)


def _unit(words: str, power: str, surely: bool) -> str | None:
    lowered = words.strip(" .").lower()
    if lowered in ("percent", "percentage", "pct"):
        return None if power else PERCENT
    parts = [_named(part) for part in _PER.split(lowered)]
    power = {"²": "2", "³": "3"}.get(power, power)
    # A single letter may be a variable, unless it is written as text or apart from its number.
    if all(parts) and (surely or len(lowered) > 1):
        return "/".join(str(part) for part in parts) + (f"^{power}" if power else "")
    plain = lowered.replace(".", "")
    counted = 3 <= len(plain) <= 40 and plain.replace(" ", "").isalpha() and len(plain.split()[0]) > 2
    if power or not counted or _CHANGING.search(plain):
        return None
    return _LABEL + plain.removesuffix("s")


def _named(part: str) -> str | None:
    first, _, rest = part.replace(".", "").strip().partition(" ")
    if first in _POWERS and rest in _UNITS:
        return f"{_UNITS[rest]}^{_POWERS[first]}"
    return _UNITS.get(part.replace(".", "").replace("° ", "°").strip())
