"""The verdicts that differ from Math-Verify's are those that the documentation lists, and no others."""

import re
from itertools import product
from pathlib import Path

import pytest
from math_verify import parse, verify
from palaestra.envs.math.equality import decide
from palaestra.envs.math.judge import MathJudge
from palaestra.envs.math.library_service import answer
from palaestra.envs.task import Task

PAGE = (Path(__file__).parents[2] / "docs" / "math-judge.md").read_text()
JUDGE = MathJudge()


def table(title: str) -> list[tuple[str, str, bool, bool]]:
    """Read a table of the page: known answer, what came, our verdict, Math-Verify's."""
    lines = PAGE.split(f"### {title}\n", 1)[1].split("\n#", 1)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return [(a.strip("`"), b.strip("`"), ours == "correct", theirs == "correct") for a, b, ours, theirs, _ in rows]


def library(known: str, given: str) -> bool:
    return bool(verify(parse(known, parsing_timeout=None), parse(given, parsing_timeout=None), timeout_seconds=None))


def library_equal(known: str, given: str) -> bool:
    return library(f"\\boxed{{{known}}}", f"\\boxed{{{given}}}")


@pytest.mark.parametrize(("known", "given", "ours", "theirs"), table("Answers"))
def test_answers_judged_otherwise(known: str, given: str, ours: bool, theirs: bool) -> None:
    assert decide(given, known) is ours
    assert library_equal(known, given) is theirs
    assert ours is not theirs


@pytest.mark.parametrize(("known", "reply", "ours", "theirs"), table("Replies"))
def test_replies_judged_otherwise(known: str, reply: str, ours: bool, theirs: bool) -> None:
    assert JUDGE(Task("t", "p", known), reply).reward == ours
    assert library(f"${known}$", reply) is theirs
    assert ours is not theirs


def test_every_row_was_read() -> None:
    assert (
        len(table("Answers")) + len(table("Replies")) == len(re.findall(r"^\| `[^`]*` \| `", PAGE, re.MULTILINE)) > 30
    )


# Every answer is compared with every other: spellings of a few values, of which no rule of the page speaks.
SPELLINGS = (
    *(
        "5",
        "-5",
        "+5",
        "(5)",
        "5.5",
        "$5$",
        r"\{5\}",
        "[5]",
        "x=5",
        "x = -5",
        "y=5",
        r"\text{5}",
        "007",
        "7",
        "−7",
        "-7",
    ),
    *(
        "0.5",
        ".5",
        "1/2",
        r"\frac12",
        r"\frac{1}{2}",
        r"\dfrac{1}{2}",
        r"-\frac{1}{2}",
        r"\frac{-1}{2}",
        r"\frac{1}{-2}",
    ),
    *(r"1\frac{1}{2}", r"1\tfrac12", "3/2", "1.5", "1.50", "2/3", "4/6", "0.666667", "0.666666", "0.6666667", "1/3"),
    *(
        "50%",
        r"50\%",
        "50",
        "150%",
        "9%",
        "900%",
        "0.09",
        "9",
        "1,234",
        "1{,}234",
        "1234",
        "1.234",
        "12,34",
        r"\$1,234",
    ),
    *(r"3\times10^5", r"3 \cdot 10^{5}", "300000", "300,000", "10^5", "100000", r"3\times 10^{-5}", "0.00003", "3E5"),
    *("(1,2)", "(1, 2)", r"\left(1,2\right)", "[1,2]", "(1,2]", "[1,2)", "(2,1)", "[2,1]", "1,2", "2,1", "1 and 2"),
    *(r"1 \text{ or } 2", "1;2", "x=1,x=2", r"x=1 \text{ or } x=2", r"\pm 1", "1,-1", r"3\pm 2", "1,5", "1,1,2"),
    *("(1,2,3)", "[1,2,3]", "(3,2,1)", "(1.0,2)", "(0.333333,2)", r"(\frac13,2)", r"x\in(1,2)", "1,2,3", "3,2,1"),
    *(r"(1,\infty)", r"[1,\infty)", r"(1,\infty]", r"(-\infty,1)", r"(-\infty,1)\cup(2,3)", r"(2,3)\cup(-\infty,1)"),
    *(r"\infty", r"-\infty", r"+\infty", r"\emptyset", r"\text{A}", "A", "(A)", r"\mathrm{A}", "B", "x", r"\text{B}"),
    *(r"\text{yes}", r"\text{Yes}", r"\text{no}", r"\text{June}", r"\text{june}"),
)


# These are compared with all of the above, and not with each other: unlike units are on the page.
MARKED = (
    r"\$5",
    "5 cm",
    r"5\,\text{cm}",
    "5 hours",
    r"5\text{ apples}",
    r"5^\circ",
    "5 degrees",
    "-5 m",
    r"25\text{ m/s}",
)


def test_all_other_decisions_are_those_of_math_verify() -> None:
    parsed = {text: parse(f"\\boxed{{{text}}}", parsing_timeout=None) for text in (*SPELLINGS, *MARKED)}
    pairs = (*product(SPELLINGS, SPELLINGS), *product(SPELLINGS, MARKED), *product(MARKED, SPELLINGS))
    decided = [(known, given, decide(given, known)) for known, given in pairs]
    equal = [row for row in decided if row[2] is True]
    different = [row for row in decided if row[2] is False]
    assert len(equal) > 600
    assert len(different) > 8_000
    # Most answers differ from most others: a part of those is enough.
    checked = equal + different[::7]
    assert [row for row in checked if verify(parsed[row[0]], parsed[row[1]], timeout_seconds=None) is not row[2]] == []


EXPRESSIONS = (
    *(
        r"\sqrt{2}",
        r"\frac{2}{\sqrt2}",
        "1.414214",
        "1.41",
        r"\pi",
        "3.141593",
        "e",
        "E",
        "x",
        "xy",
        "yx",
        r"\text{xy}",
    ),
    *(
        "5",
        r"5\%",
        "0.05",
        "5x",
        "x^2+1",
        "(x+1)(x-1)",
        "x^2-1",
        "y^2-1",
        r"\ln 8",
        r"3\ln 2",
        r"\sin^2 x + \cos^2 x",
        "1",
    ),
    *(
        "i^2",
        "-1",
        "(1+i)^2",
        "2i",
        r"\frac{x}{x}",
        "x - x",
        "0",
        "5!",
        "120",
        "x=5",
        "(1,2)",
        r"e^{i\pi}",
        "900\\%",
        "9",
    ),
)


def test_a_look_at_one_point_changes_no_verdict_of_the_library() -> None:
    parsed = {text: parse(f"\\boxed{{{text}}}", parsing_timeout=None) for text in EXPRESSIONS}
    differing = [
        (known, given)
        for known, given in tuple(product(EXPRESSIONS, EXPRESSIONS))[::3]
        if answer({"expected": known, "given": given})["equal"]
        is not verify(parsed[known], parsed[given], timeout_seconds=None)
    ]
    assert differing == []
