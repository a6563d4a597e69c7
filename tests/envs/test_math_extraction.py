"""The text of the final answer."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.contracts import HOSTILE_ACTIONS
from palaestra.envs.math.extraction import Extracted, How, extract


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (r"so \boxed{42}, not 43", "42"),
        (r"\boxed{\frac{1}{\sqrt{3}}}.", r"\frac{1}{\sqrt{3}}"),
        (r"\boxed{\left\{ 1, 2 \right\}}", r"\left\{ 1, 2 \right\}"),
        (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
        (r"\boxed{1} or rather \boxed{2}", "2"),
        (r"$x=\boxed{1}$ or $x=\boxed{2}$", "1, 2"),
        (r"\boxed{1}, \boxed{2} \text{ and } \boxed{3}", "1, 2, 3"),
        (r"\boxed{5}. \boxed{5}", "5"),
        (r"\boxed{4}. So, the total is \boxed{12}", "12"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed 5", "5"),
        (r"\fbox{7}", "7"),
        (r"\boxed{$5$}", "5"),
        (r"\boxed{3 + 2 = 5}", "5"),
        (r"\boxed{}. It is 4", None),
        (r"\boxed{5} and the answer is 6", "5"),
    ],
)
def test_boxed(reply: str, text: str | None) -> None:
    found = extract(reply)
    assert found is not None
    if text is None:
        assert found == Extracted("4", How.NUMBER)
    else:
        assert found == Extracted(text, How.BOXED)


@pytest.mark.parametrize("reply", [r"\boxed{12", r"\boxed{1} then \boxed{1", r"The answer is 3, so \boxed{\frac{1}{2"])
def test_a_box_that_was_cut_off_holds_no_answer(reply: str) -> None:
    assert extract(reply) is None


@pytest.mark.parametrize(
    ("reply", "text", "how"),
    [
        ("7 apples #### 12 apples\nbye 3", "12 apples", How.HASHES),
        ("#### 1,234", "1,234", How.HASHES),
        ("####\n-5", "-5", How.HASHES),
        ("#### 5, checked 3 times.", "5", How.HASHES),
        ("The answer is 85. I checked it 2 times.", "85", How.STATED),
        ("Answer: 3.5; done in 4 steps", "3.5", How.STATED),
        ("**Answer:** 5", "5", How.STATED),
        ("ANSWER: 7", "7", How.STATED),
        ("The answer is:\n\n85", "85", How.STATED),
        ("The answer is 37 + 48 = 85", "85", How.STATED),
        ("the answer is 1. No, the answer is 2.", "2", How.STATED),
        ("The answer is **5 apples**.", "5 apples", How.STATED),
        ("The answer is 5 apples because 3 and 2", "5", How.STATED),
        ("The answer is about 5", "5", How.STATED),
        ("The answer is $1$, $2$ and $3$.", "1, 2, 3", How.STATED),
        ("The final answer to the question is 7.", "7", How.STATED),
        (r"The final answer is $\frac{1}{2}$. I hope it is correct.", r"\frac{1}{2}", How.STATED),
        (r"\boxed{5}? The final answer is 6.", "6", How.STATED),
        ("The answer is y = 2x + 1.", "y = 2x + 1", How.STATED),
        ("the answer is (1, 2].", "(1, 2]", How.STATED),
        ("The answer is Paris.", "Paris", How.STATED),
        ("The correct answer is: **C**", "C", How.STATED),
        ("The answer is correct. So 4", "correct", How.STATED),
        ("42", "42", How.PLAIN),
        ("x = 5", "x = 5", How.PLAIN),
        ("New York", "New York", How.PLAIN),
        (r"\frac{\sqrt3}{2}", r"\frac{\sqrt3}{2}", How.PLAIN),
        (r"\[ x = \frac{1}{2} \]", r"x = \frac{1}{2}", How.PLAIN),
        ("so we get\n\nx^2+1", "x^2+1", How.PLAIN),
        ("37 + 48 = 85", "85", How.PLAIN),
        ("it is −7", "-7", How.NUMBER),
        ("a cost of $1,234,567.50 in all", "$1,234,567.50", How.NUMBER),
        ("It costs $5 and then $3", "$3", How.NUMBER),
        ("so we have 2 1/2", "2 1/2", How.NUMBER),
        ("thus 5 million people", "5 million", How.NUMBER),
        (r"we have 50\% of it", r"50\%", How.NUMBER),
        ("CO2 rose by 4\nin CO2", "4", How.NUMBER),
        ("Then $x^2=4$. Hence x is 2.", "2", How.NUMBER),
        ("Then it is 4, so $x^2$ in all", "x^2", How.FORMULA),
        (r"we get \(5\) or \(6\) in all", "5, 6", How.FORMULA),
        (r"so it must be \frac{3}{4}.", r"\frac{3}{4}", How.FORMULA),
        ("<think>4</think><answer>42</answer> bye 7", "42", How.PLAIN),
        (r"<answer>It is \boxed{3}</answer>", "3", How.BOXED),
    ],
)
def test_marked_otherwise(reply: str, text: str, how: How) -> None:
    assert extract(reply) == Extracted(text, how)


@pytest.mark.parametrize("reply", ["", " \n", "I do not know.", "...", "$$", "\\(", "####", "The answer is "])
def test_no_answer(reply: str) -> None:
    assert extract(reply) is None


def test_only_the_end_is_read() -> None:
    assert extract(r"\boxed{3}" + " so it goes" * 3_000) is None
    assert extract("so it goes " * 30_000 + r"\boxed{3}") == Extracted("3", How.BOXED)


MARKS = r"\boxed{ { } \fbox{ #### <answer> </answer> $ $$ \[ \] \( \) \frac{1}{2} answer is final 1,234 -5 .5 1e5 % ="
PARTS = [*MARKS.split(), " ", "\n", "**", "and", ", ", "The answer is ", "x", "ſ", "\ud800"]
LATEX = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)


@given(st.text() | LATEX)
def test_any_reply_is_read(reply: str) -> None:
    found = extract(reply)
    assert found is None or found.text == found.text.strip() != ""


@given(st.sampled_from(["42", r"\frac{\sqrt{3}}{2}", "(1, 2]", "x^2 + 1", r"\{1, 2\}", r"\text{June}"]), LATEX)
def test_what_stands_before_a_last_box_does_not_matter(answer: str, before: str) -> None:
    found = extract(f"{before} and therefore it can only be \\boxed{{{answer}}}".replace("<answer>", ""))
    assert found == Extracted(answer, How.BOXED)


PIECES = (
    *(
        "1,111",
        "#### ",
        "\\boxed{",
        "\\boxed{1} ",
        "\\boxed{1}, ",
        "\\boxed",
        "answer is ",
        "answer is $",
        "final answer",
        " answer",
    ),
    *(
        "answer" + " " * 50,
        "9",
        "-",
        "1/",
        "1e",
        "1 ",
        "1.",
        "+1",
        "$",
        "$$",
        "$a",
        "$a ",
        "$$a",
        "$1$, ",
        "\\(",
        "\\[",
        "\\[a",
    ),
    *(
        "{",
        "}",
        "(",
        "\\frac{1}",
        "\\frac{1}{",
        "<answer>",
        "</answer>",
        " and ",
        "=",
        "1=",
        "9^",
        "\\text{",
        "\n",
        "a1\n",
        "\\",
    ),
)


@pytest.mark.parametrize("piece", PIECES)
def test_long_replies_do_not_hang(piece: str) -> None:
    long = piece * (100_000 // len(piece))
    began = time.process_time()
    for reply in (
        long,
        long + "\\boxed{" + long,
        "\\boxed{" + long[:9_000] + "}",
        long + " the answer is " + long[:9_000],
    ):
        extract(reply)
    assert time.process_time() - began < 5  # milliseconds in truth


@pytest.mark.parametrize("reply", HOSTILE_ACTIONS)
def test_hostile_replies_are_read(reply: str) -> None:
    found = extract(reply)
    assert found is None or len(found.text) <= 20_000
