"""From reply to action."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from palaestra.agents.parse import after_think, last_line, tagged, whole

answer = tagged("answer")


@pytest.mark.parametrize(
    ("parser", "reply", "action"),
    [
        (whole, "  4 2\n", "4 2"),
        (after_think, "<think>a</think> 42 ", "42"),
        (after_think, "a</think>b</think>42", "42"),
        (after_think, "42", "42"),
        (after_think, "<think>so it is 42", ""),
        (after_think, "<think>a</think>", ""),
        (last_line, "so:\n 42 \n\n", "42"),
        (last_line, "42", "42"),
        (last_line, "\n \n", ""),
        (answer, "<answer>41</answer> no: <answer> 42 </answer>.", "42"),
        (answer, "<answer>41</answer> no: <answer>42", "41"),
        (answer, "I say <answer> when <answer>42</answer>", "42"),
        (answer, "42</answer>", ""),
        (answer, "</answer><answer>42", ""),
        (answer, "42", ""),
    ],
)
def test_parsers(parser, reply, action):
    assert parser(reply) == action


@settings(deadline=None)
@given(st.lists(st.sampled_from(["<answer>", "</answer>", "<think>", "</think>", "\n", " ", "x", ""])).map("".join))
def test_parsers_take_anything_and_return_a_part_of_it(reply):
    for parser in (whole, after_think, last_line, answer):
        action = parser(reply)
        assert action in reply
        assert action == action.strip()


@settings(deadline=None)
@given(st.text())
def test_a_tagged_answer_is_found_wherever_it_stands(text):
    assert answer(f"{text}<answer>42</answer>") == "42"
