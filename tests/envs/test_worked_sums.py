"""Sums that say how they are reached, questions that tell their answer, and what a reply comes down to."""

import pytest
from palaestra.agents.lessons import demonstrate
from palaestra.envs import make
from palaestra.envs.contracts import check_environment
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import TOLD


def test_a_sum_is_worked_digit_by_digit() -> None:
    env = make("arithmetic?worked=true")
    check_environment(env)
    task = env.tasks.by_id("37+48")
    assert env.solution(task) == ("7+8=15 3+4+1=8 85",)
    # Who forgets to carry writes 5 below 15, and 7 below 3 and 4.
    assert env.slip(task) == ("7+8=15 3+4=7 75",)
    three = make("arithmetic?worked=true&operands=3&digits=3", TaskSet([Task("t", "87 + 288 + 5 = ?", 380)]))
    assert three.solution(three.tasks[0]) == ("7+8+5=20 8+8+2=18 2+1=3 380",)
    with pytest.raises(UsageError, match="Only sums"):
        make("arithmetic?level=3&worked=true")


def test_a_told_answer_makes_another_task() -> None:
    env = make("arithmetic?worked=true")
    task = env.tasks.by_id("37+48")
    told = env.hinted(task)
    assert (told.id, told.prompt, told.reference) == (f"37+48{TOLD}", "37 + 48 = ? (Answer: 85)", 85)
    assert told.fingerprint != task.fingerprint
    assert env.solution(told) == env.solution(task)
    countdown = make("countdown")
    assert countdown.hinted(countdown.tasks[0]) is None


def test_a_nursery_policy_is_shown_the_way_where_the_answer_is_told() -> None:
    env = make("arithmetic?worked=true&digits=1")
    tasks = [task for task in env.tasks if task.id == "7+8"]
    shown = demonstrate(env, tasks, 256)
    from palaestra.agents.alphabet import build_tokenizer

    right, slip = (
        build_tokenizer(256).decode(lessons.ids[0], skip_special_tokens=True) for lessons in (shown.right, shown.slips)
    )
    assert (right, slip) == ("7 + 8 = ? (Answer: 15)7+8=15 15", "7 + 8 = ?7+8=15 5")


def test_answers_that_are_equal_are_equal_text() -> None:
    numbers, words = make("arithmetic"), make("math")
    assert numbers.answer("7+8=15, so 5.0") == numbers.answer("5") == "5"
    assert numbers.answer("I do not know") is None
    assert words.answer(r"It is $\boxed{ 1 / 2 }$.") == "1/2"
    assert words.answer("") is None
    # Where nobody says how to read them, it is the whole reply.
    assert make("GuessNumber").answer(" 5 ") == "5"
