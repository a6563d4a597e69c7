"""Countdown: solvable tasks and a checker that nothing talks round."""

import time
import warnings
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.contracts import HOSTILE_ACTIONS
from palaestra.envs.errors import UsageError
from palaestra.envs.math.countdown import Countdown, CountdownJudge, countdown_tasks, find_expression
from palaestra.envs.task import Json, Task
from palaestra.envs.verdict import Status

TASK = Task("t", "p", {"numbers": [3, 7, 8, 8], "target": 24})


def status(reply: str, task: Task = TASK) -> Status:
    return CountdownJudge()(task, reply).status


@pytest.mark.parametrize(
    "reply",
    [
        "3 * 8",
        "(8 * 3) * (8 - 7)",
        "Let me think. 7 + 8 = 15, no.\n3 * 8 = 24",
        "24 = 3 * 8",
        "<answer>3 × 8</answer> I am sure: 7 + 8",
        r"\boxed{3 \times 8}",
        "7 + 8\n#### 3*8",
        "**3 * 8**",
        "`(3 * 8)`.",
        "- 3 * 8",
        "3 * 8\nI used 2 numbers.",
        "[8 - 7] * 3 * 8",
    ],
)
def test_right_answers(reply: str) -> None:
    assert status(reply) is Status.CORRECT


def test_fractions_are_exact_on_the_way() -> None:
    task = Task("t", "p", {"numbers": [3, 3, 8, 8], "target": 24})
    assert status("8 / (3 - 8 / 3)", task) is Status.CORRECT


@pytest.mark.parametrize("reply", ["3 + 8", "8 - 3", "3 / 8", "7", "3 * 7 + 8 / 8"])
def test_wrong_answers(reply: str) -> None:
    assert status(reply) is Status.WRONG


@pytest.mark.parametrize(
    "reply",
    [
        "3 * 3 + 15",
        "24",
        "8 * 8 * 8",
        "3 ** 8",
        "8 // 3",
        "7 / (8 - 8)",
        "-(3 - 8) * 7",
        "3.7 * 8",
        "9**9**9",
        "8(3)",
    ],
)
def test_illegal_answers(reply: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert status(reply) is Status.ILLEGAL


@pytest.mark.parametrize("reply", ["", "no idea", "3 +", "(3 * 8", "3 7 8", "((((((3))))", "()"])
def test_no_answer(reply: str) -> None:
    assert status(reply) is Status.UNPARSED


@given(st.text() | st.text(alphabet="0123456789+-*/() .=\n`$<answer>", max_size=400))
def test_any_text_is_judged(reply: str) -> None:
    task = Task("t", "p", {"numbers": [10**9 + 7, 10**9 + 9], "target": 5})
    assert CountdownJudge()(task, reply).reward == 0.0


@given(
    st.recursive(
        st.sampled_from(["3", "7", "8"]),
        lambda e: st.tuples(e, st.sampled_from("+-*/"), e).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        max_leaves=4,
    )
)
def test_the_checker_agrees_with_python(expression: str) -> None:
    judged = status(expression)
    used = sorted(int(c) for c in expression if c.isdigit())
    legal = not Counter(used) - Counter([3, 7, 8, 8])
    try:
        value = eval(expression)
    except ZeroDivisionError:
        value = None
    if not legal or value is None:
        assert judged is Status.ILLEGAL
    else:
        assert judged is (Status.CORRECT if abs(value - 24) < 1e-9 else Status.WRONG)


@pytest.mark.parametrize("piece", ["(", "(3+", "9**", "-", "3*8 ", "<answer>", "3 * 8\n", "\\boxed{", "1"])
def test_long_replies_do_not_hang(piece: str) -> None:
    began = time.process_time()
    CountdownJudge()(TASK, piece * (100_000 // len(piece)))
    assert time.process_time() - began < 10  # milliseconds in truth; work that grows faster than the reply never ends


@pytest.mark.parametrize("reply", HOSTILE_ACTIONS)
def test_hostile_replies_earn_nothing(reply: str) -> None:
    verdict = CountdownJudge()(TASK, reply)
    assert verdict.reward == 0.0
    verdict.detail.encode()


@pytest.mark.parametrize("reference", [None, 5, {}, {"numbers": 3, "target": 4}, {"numbers": [3], "target": "4"}])
def test_a_reference_of_another_shape_is_a_broken_task(reference: Json) -> None:
    assert status("3 * 8", Task("t", "p", reference)) is Status.BROKEN_TASK


def test_find_expression_reads_the_last_one() -> None:
    assert find_expression("first 1 + 2, then 3 * 4.") == "3 * 4"
    assert find_expression("so 12") == "12"
    assert find_expression("so twelve") is None


@pytest.mark.parametrize(("numbers", "highest"), [(2, 10), (4, 25), (6, 100)])
def test_every_task_is_solved_by_its_own_solution(numbers: int, highest: int) -> None:
    tasks = countdown_tasks(numbers=numbers, highest=highest, size=200)
    assert len(tasks) >= 50
    for task in tasks:
        assert isinstance(task.reference, dict)
        given_numbers, target = task.reference["numbers"], task.reference["target"]
        assert isinstance(given_numbers, list)
        assert len(given_numbers) == numbers
        assert max(given_numbers) <= highest
        assert target not in given_numbers
        assert status(str(task.metadata["solution"]), task) is Status.CORRECT
        assert eval(str(task.metadata["solution"])) == target
        assert all(str(n) in task.prompt for n in [*given_numbers, target])


def test_the_example_in_the_prompt_is_not_paid_on_most_tasks() -> None:
    assert sum(status("(1 + 2) * 3", t) is Status.CORRECT for t in countdown_tasks(size=500)) == 0


def test_feedback_names_the_value_and_not_the_solution() -> None:
    env = Countdown(tries=2)
    env.reset(seed=0, options={"task": TASK})
    assert env.step("3 + 8")[0] == "3 + 8 is 11, not 24. Tries left: 1."
    assert env.step("3 * 8")[1] == 1.0


def test_settings_out_of_range_are_refused() -> None:
    wrong: list[dict[str, Any]] = [{"numbers": 1}, {"numbers": 7}, {"highest": 3}, {"size": 0}]
    for settings in wrong:
        with pytest.raises(UsageError, match=next(iter(settings))):
            Countdown(**settings)
