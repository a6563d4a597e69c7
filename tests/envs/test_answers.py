"""The number that a reply ends up with."""

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.contracts import HOSTILE_ACTIONS
from palaestra.envs.math.answers import ExactJudge, NumberJudge, final_number, read_number, shown
from palaestra.envs.task import Json, Task
from palaestra.envs.verdict import Status


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("85", "85"),
        ("  85.\n", "85"),
        ("37 + 48 = 85", "85"),
        ("=-7", "-7"),
        ("it is −7", "-7"),
        ("10-3", "3"),
        ("f(2)-3", "3"),
        ("+4", "4"),
        ("-$5", "-5"),
        ("$1,234,567.50", "1234567.5"),
        ("1,2,3", "3"),
        ("3/4", "3/4"),
        ("-3/4", "-3/4"),
        (".5", "1/2"),
        ("2.50", "5/2"),
        ("1.5e3", "1500"),
        ("2E-2", "1/50"),
        ("**12**", "12"),
        ("_12_", "12"),
        ("50%", "50"),
        ("7 apples #### 12 apples\nbye 3", "12"),
        ("#### 1\n#### 2", "2"),
        (r"so \boxed{42}, not 43", "42"),
        (r"\boxed{x = 42}", "42"),
        (r"\boxed{\frac{1}{3}}", "1/3"),
        (r"\boxed{-\frac{1}{3}}", "-1/3"),
        (r"\boxed{\text{about } 5}", "5"),
        (r"\boxed{1\,000}", "1000"),
        ("The answer is 85. I checked it 2 times.", "85"),
        ("Answer: 3.5; done in 4 steps", "7/2"),
        ("The answer is:\n\n85", "85"),
        ("The answer is 37 + 48 = 85", "85"),
        ("the answer is 1. No, the answer is 2.", "2"),
        ("CO2 rose by 4", "4"),
    ],
)
def test_final_number(reply: str, number: str) -> None:
    assert final_number(reply) == Fraction(number)


@pytest.mark.parametrize(
    "reply",
    ["", "none", "CO2", "3/0", "9" * 2_000, "1e9999", r"\boxed{", r"\boxed{}", "½"],
)
def test_no_final_number(reply: str) -> None:
    assert final_number(reply) is None


def test_a_mark_without_a_number_is_not_replaced_by_another_number() -> None:
    assert final_number("5 apples\n#### many") is None


@given(st.fractions(max_denominator=10**6), st.sampled_from(["{}", "#### {}", "\\boxed{{{}}}", "The answer is {}."]))
def test_every_fraction_is_read_back(number: Fraction, form: str) -> None:
    assert final_number(form.format(number)) == number


@given(st.integers(-(10**30), 10**30))
def test_thousands_separators_change_nothing(number: int) -> None:
    assert read_number(f"{number:,}") == read_number(str(number)) == number


@given(st.text() | st.text(alphabet="0123456789.,-+/e#\\boxed{}$ answer is=\n", max_size=300))
def test_any_text_is_judged(reply: str) -> None:
    for judge in (NumberJudge(), ExactJudge()):
        assert judge(Task("t", "p", 123456789123), reply).status in (Status.WRONG, Status.UNPARSED)


@pytest.mark.parametrize(
    "piece", ["1,111", "#### ", "\\boxed{", "answer is ", "answer" + " " * 50, "9", "-", "1/", "1e"]
)
def test_long_replies_do_not_hang(piece: str) -> None:
    reply = piece * (100_000 // len(piece))
    began = time.process_time()
    NumberJudge()(Task("t", "p", 3), reply)
    assert time.process_time() - began < 10  # milliseconds in truth; work that grows faster than the reply never ends


@pytest.mark.parametrize("reply", HOSTILE_ACTIONS)
def test_hostile_replies_earn_nothing(reply: str) -> None:
    verdict = NumberJudge()(Task("t", "p", 85), reply)
    assert verdict.reward == 0.0
    assert len(verdict.detail) < 2_200
    verdict.detail.encode()


@pytest.mark.parametrize("reference", [85, 85.0, "85", " 85 ", "$85", "85%", "170/2", "8.5e1"])
def test_references_are_numbers_or_texts_of_them(reference: Json) -> None:
    assert NumberJudge()(Task("t", "p", reference), "85").status is Status.CORRECT
    assert NumberJudge()(Task("t", "p", reference), "86").status is Status.WRONG


def test_decimals_are_exact() -> None:
    assert NumberJudge()(Task("t", "p", 0.1), "0.1").status is Status.CORRECT
    assert NumberJudge()(Task("t", "p", 0.1), "1/10").status is Status.CORRECT
    assert NumberJudge()(Task("t", "p", 0.3), "0.30000000000000004").status is Status.WRONG
    assert NumberJudge()(Task("t", "p", "−5"), "-5").status is Status.CORRECT


@pytest.mark.parametrize("reference", [None, True, "many", "5 apples", [5], {"a": 5}, float("nan"), ""])
def test_a_reference_that_is_no_number_is_a_broken_task(reference: Json) -> None:
    assert NumberJudge()(Task("t", "p", reference), "5").status is Status.BROKEN_TASK


def test_exact_judge_compares_the_whole_text() -> None:
    judge, task = ExactJudge(), Task("t", "p", "Paris")
    assert judge(task, " Paris\n").status is Status.CORRECT
    assert judge(task, "paris").status is Status.WRONG
    assert judge(task, "It is Paris").status is Status.WRONG
    assert judge(task, "  ").status is Status.UNPARSED
    assert judge(Task("t", "p", None), "None").status is Status.BROKEN_TASK


def test_shown_is_short_and_storable() -> None:
    assert shown("a" * 100, 5) == "'aaaaa…'"
    shown("\ud800\x00").encode()
