"""Exact equality, decided at once or left open."""

import time
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from palaestra.envs.contracts import HOSTILE_ACTIONS
from palaestra.envs.math.equality import decide
from palaestra.envs.math.reading import Many, Number, Reading, Words, read

EQUAL = [
    *[
        ("5", same)
        for same in ("+5", "5.0", "05", "(5)", r"\{5\}", "5.", " 5 ", "$5$", "x = 5", r"x \in \{5\}", r"\text{5}")
    ],
    *[
        ("5", same)
        for same in ("$5", r"\$5", "€5", "5 cm", r"5\text{ cm}", r"5\,\mathrm{cm}^2", "5 apples", "5^\\circ", "5°")
    ],
    *[("-5", same) for same in ("−5", "-5.00", "-$5", "$-5", r"x=-5", "-10/2", r"-\frac{10}{2}", r"\frac{-10}{2}")],
    *[
        ("1/2", same)
        for same in ("0.5", ".5", "2/4", r"\frac12", r"\frac{1}{2}", r"\dfrac 1 2", r"\tfrac{2}{4}", "50%", r"50\%")
    ],
    *[("1234567", same) for same in ("1,234,567", "1{,}234{,}567", r"1\,234\,567", r"1{\,}234{\,}567", r"1\!234\!567")],
    *[
        ("1234567", same)
        for same in ("1234567.0", "$1,234,567.00", "1.234567e6", r"1.234567 \times 10^{6}", "1.234567*10^6")
    ],
    *[
        ("300000", same)
        for same in ("3e5", "3E+5", r"3 \times 10^5", r"3\cdot10^{5}", "3 × 10^5", "300 thousand", "0.3 million")
    ],
    *[("0.003", same) for same in ("3e-3", r"3 \times 10^{-3}", "0.3%", r"\frac{3}{1000}")],
    *[("5/2", same) for same in ("2.5", "2 1/2", r"2\frac{1}{2}", r"2 \tfrac12", "250%", r"2\frac12\text{ cups}")],
    *[("1/3", same) for same in ("0.333333", "0.3333333", r"0.\overline{3}", r"0.3\overline{3}", "33.333333%", "2/6")],
    *[("50%", same) for same in ("50", "0.5", "1/2", r"50\%", "50 percent", r"50\text{ percent}", r"50\,\%")],
    *[("5 cm", same) for same in ("5", r"5\text{ cm}", "5 centimeters", "5.0 cm.", r"5\,\text{cm}", r"$5$")],
    *[(r"5\text{ cm}^2", same) for same in ("5 cm^2", "5 cm²", "5 square centimeters", "5 sq cm", "5")],
    *[("25 m/s", same) for same in ("25 meters per second", r"25\text{ m/s}", "25")],
    *[
        ("(1, 2)", same)
        for same in ("(1,2)", r"\left( 1, 2 \right)", r"\big(1,\,2\big)", "(1.0, 4/2)", "1, 2", "(x,y)=(1,2)"[6:])
    ],
    *[("[1, 2)", same) for same in (r"\left[1,2\right)", "[1.0, 2)", r"x \in [1,2)")],
    *[("(1,2,3)", same) for same in ("[1,2,3]", "1,2,3", r"(1,2,\frac{6}{2})")],
    *[
        (r"\{1,2\}", same)
        for same in (r"\{2, 1\}", r"\left\{1,2\right\}", r"\lbrace 1, 2 \rbrace", "{1,2}", "1,2", "2 and 1")
    ],
    *[
        ("1,2", same)
        for same in ("2, 1", "1 or 2", r"1 \text{ and } 2", "x=1, x=2", r"x = 2 \text{ or } x = 1", "1;2", "1, 2, 1")
    ],
    *[("1,-1", same) for same in (r"\pm 1", r"\pm1", r"0 \pm 1", "x=\\pm1")],
    *[(r"(-\infty, 3]", same) for same in (r"(-\infty,3]", r"[-\infty,3]", r"\left(-\infty,3\right]", "(-∞, 3]")],
    (r"(-\infty,1)\cup(2,3)", r"(2,3) \cup (-\infty, 1)"),
    *[(r"\emptyset", same) for same in (r"\varnothing", r"\{\}")],
    *[(r"\infty", same) for same in (r"+\infty", "∞", "infinity")],
    *[(r"\text{A}", same) for same in ("A", "(A)", r"\textbf{(A)}", "a", r"\mathrm{A}")],
    *[(r"\text{no solution}", same) for same in ("No solution", r"\text{No Solution}.")],
    (r"\frac{ \sqrt{3} }{2}", r"\dfrac{\sqrt{3}}{2}"),
    (r"\left(x+1\right)^2", "(x + 1)^2."),
    ("1010_2", "1010_{2}"),
    ("11:30", "11:30"),
]
DIFFERENT = [
    *[
        ("5", other)
        for other in (
            "-5",
            "6",
            "5.1",
            "5.0000001",
            "5/2",
            "55",
            "0.5",
            "x=6",
            "5e1",
            "1,5",
            r"\infty",
            "6 cm",
            "600%",
            "1.5,0",
        )
    ],
    *[("5 cm", other) for other in ("5 m", "6 cm", "5 cm^2", "5 inches", "$5", "5%")],
    *[("1,234", other) for other in ("1.234", "123", "12,340", "1,235")],
    *[("1/3", other) for other in ("0.33", "0.33333", "0.333334", "1/4", "3", "-1/3", r"0.\overline{34}")],
    *[("50%", other) for other in ("5%", "0.05", "500%", "0.5%")],
    *[
        ("(1,2)", other)
        for other in ("(2,1)", "[1,2]", "(1,2]", "(1,2,3)", "(1,3)", r"\{1,2\}", "1,3", "5", r"\emptyset")
    ],
    *[("[1,2]", other) for other in ("(1,2)", "[1,2)", "[1,3]", "[2,1]")],
    *[("1,2", other) for other in ("1,3", "1", "1,2,3", "(1,3)", r"\{1\}", r"\pm1")],
    *[("x=5", other) for other in ("y=5", "x=6", "-5")],
    *[("A", other) for other in ("B", r"\text{C}")],
    *[("1010_2", other) for other in ("1010_3", "1011_2")],
    *[("300000", other) for other in ("3e4", r"3 \times 10^4", "10^5", "300 million")],
    *[("0.0000001", other) for other in ("0.0000002", "0", "1e-8")],
    *[("2 1/2", other) for other in ("3/2", "21/2", "2.25", "1")],
    ("1e999", "1e998"),
]
OPEN = [
    *[
        ("5", other)
        for other in (
            "5x",
            "5i",
            r"\sqrt{25}",
            "five",
            "5!",
            "2+3",
            "2 3",
            "5^1",
            "5 dozen",
            "5 tenths",
            "5 squared",
            "5m",
        )
    ],
    *[("1,2", other) for other in ("[1,2]", "(2,1)", "x=1, y=2", r"\sqrt2")],
    *[("5 apples", other) for other in ("5 oranges", "6")],
    *[("ab", other) for other in ("ba", "a b")],
    *[("1234", other) for other in ("1 234", "12,34.5 x")],
    *[(r"(1,234)", other) for other in ("(1234)", "(1,234.0)")],
    *[("1.5", other) for other in ("1{,}5", "0,5", "1/0", "3/2/1", "1e1000", r"\frac{3}{2}x", r"1\frac{3}{2}")],
    (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}"),
    (r"x > 5", r"(5, \infty)"),
    ("x+1", "1+x"),
    ("9^{9^{9^9}}", "1"),
]


@pytest.mark.parametrize(("expected", "given_"), EQUAL)
def test_equal(expected: str, given_: str) -> None:
    assert decide(given_, expected) is True
    assert decide(expected, given_) is True


@pytest.mark.parametrize(("expected", "given_"), DIFFERENT)
def test_different(expected: str, given_: str) -> None:
    assert decide(given_, expected) is False
    assert decide(expected, given_) is False


@pytest.mark.parametrize(("expected", "given_"), OPEN)
def test_left_open(expected: str, given_: str) -> None:
    assert decide(given_, expected) is None
    assert decide(expected, given_) is None


def test_readings() -> None:
    assert read("-7") == Reading(Number(-7))
    assert read("x = 2.50 cm") == Reading(Number(Fraction(5, 2), decimal=True, mark="cm"), "x")
    assert read("[1, 2)") == Reading(Many("[)", (Number(1), Number(2))))
    assert read(r"\text{June}") == Reading(Words("june"))
    assert read("x^2") is None
    assert read("1" * 401) is None


NUMBERS = st.fractions(max_denominator=10**6) | st.integers(-(10**20), 10**20).map(Fraction)
FORMS = st.sampled_from(["{}", "({})", "$ {} $", "x = {}", r"{}\text{{ cm}}", "{}.", r"\left( {} \right)", r"\{{{}\}}"])


def written(number: Fraction) -> str:
    sign = "-" if number < 0 else ""
    return sign + rf"\frac{{{abs(number.numerator)}}}{{{number.denominator}}}"


@given(NUMBERS, FORMS)
def test_every_number_is_itself_however_written(number: Fraction, form: str) -> None:
    assert decide(form.format(number), written(number)) is True
    assert decide(form.format(number), written(number + Fraction(1, 10**7))) is False


@given(NUMBERS, NUMBERS)
def test_numbers_are_equal_only_to_themselves(one: Fraction, other: Fraction) -> None:
    assume(one != other)
    assert decide(str(one), written(other)) is False


@given(st.integers(-(10**12), 10**12))
def test_separators_and_decimals_change_nothing(number: int) -> None:
    for form in (f"{number:,}", f"{number:,}".replace(",", "{,}"), f"{number:,}".replace(",", r"\,"), f"{number}.000"):
        assert decide(form, str(number)) is True


@given(st.lists(NUMBERS, min_size=2, max_size=5, unique=True), st.randoms())
def test_order_matters_in_tuples_and_not_in_sets(numbers: list[Fraction], random: object) -> None:
    other = list(reversed(numbers))
    one, two = (", ".join(map(str, items)) for items in (numbers, other))
    assert decide(f"\\{{{one}\\}}", f"\\{{{two}\\}}") is True
    assert decide(one, two) is True
    assert decide(f"({one})", f"({two})") is False
    assert decide(f"({one})", f"({one})") is True


SIGNS = r"0 1 2 5 12 234 . , / - + = % $ ( ) [ ] { } \{ \} ^ ^{2} _2 10 e E x ; : ∞ ° − € ½ ٣"
COMMANDS = r"\frac \frac{1}{2} \sqrt{2} \times \text{ \pi \infty \cup \pm \left \right \overline{3} \% \$ \, \circ"
PARTS = [*SIGNS.split(), *COMMANDS.split(), "cm", "or", "and", "million", "apples", " ", "\n", '"', "\ud800"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=12).map("".join) | st.text(max_size=60)


@given(TEXTS, TEXTS)
def test_any_two_texts_are_compared_both_ways_alike(one: str, other: str) -> None:
    assert decide(one, other) is decide(other, one)


@given(TEXTS)
def test_every_text_equals_itself(text: str) -> None:
    assert decide(text, text) is (True if text.strip() else None)


@pytest.mark.parametrize(
    "hostile", [*HOSTILE_ACTIONS, *(p * (400 // len(p)) for p in PARTS), "1,111" * 80, "5" + " a" * 190 + "!"]
)
def test_hostile_texts_are_compared_at_once(hostile: str) -> None:
    began = time.process_time()
    for expected in (
        "5",
        "(1, 2]",
        r"\frac{1}{2}",
        "x = 5 cm",
        r"\{1, 2\}",
        hostile[:-1],
        f"({hostile})",
        f"x={hostile}",
        f"5{hostile}",
    ):
        decide(hostile, expected)
    assert time.process_time() - began < 2  # milliseconds in truth


@pytest.mark.parametrize("tower", ["10^{999}", "1e999", "1e-999", "9" * 399, "1e999%", "1e999 trillion", r"\pm 1e999"])
def test_large_numbers_cost_nothing(tower: str) -> None:
    began = time.process_time()
    assert decide(tower, tower + " ") is True
    assert decide(tower, r"(1, \infty)") is False
    assert decide(tower, "0.5") is False
    assert time.process_time() - began < 1
