"""Worlds to which small policies are born that correct themselves: what is asked, told and shown there."""

from collections import Counter

import numpy as np
import pytest
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from palaestra.envs.feedback import ASK, IT_STANDS, OTHERS, REVISE, SOMETHING_WRONG, lets_stand, others_said, told
from palaestra.envs.verdict import Status


def dialogue(env, task, actions=None):
    """What is observed and done, and the verdicts, None where nothing was judged."""
    observation, _ = env.reset(options={"task": task})
    lines, verdicts = [observation], []
    for action in env.demonstration(task) if actions is None else actions:
        observation, reward, over, _, info = env.step(action)
        lines += [action, observation]
        verdicts.append(info["verdict"].status if "verdict" in info else None)
    return lines, verdicts, reward, over


@pytest.fixture(scope="module")
def correct():
    return make("correct")


def kind(env, name):
    return [task for task in env.tasks if task.metadata["kind"] == name]


def test_every_demonstration_ends_its_episode(correct):
    for task in correct.tasks[:500]:
        *_, over = dialogue(correct, task)
        assert over


def test_who_is_told_that_he_is_wrong_answers_until_he_is_right(correct):
    wrong = [task for task in kind(correct, "told") if len(task.metadata["said"]) > 1]
    for task in wrong[:200]:
        lines, verdicts, reward, _ = dialogue(correct, task)
        assert lines[2] == f"That is not correct. {REVISE}"
        assert verdicts[0] is Status.WRONG
        assert (verdicts[-1], reward) == (Status.CORRECT, 1.0)
    assert any(len(task.metadata["said"]) == 3 for task in wrong)


def test_who_is_asked_learns_nothing_of_whether_he_was_right(correct):
    heard = {tuple(dialogue(correct, task)[0][2:5:2]) for task in kind(correct, "asked")[:300]}
    assert heard == {(ASK, REVISE)}


def test_a_review_says_whether_another_answer_follows(correct):
    for task in kind(correct, "asked")[:300]:
        draft, word, answer = correct.demonstration(task)
        assert word == (IT_STANDS if answer == draft else SOMETHING_WRONG)


def test_others_are_shown_and_the_majority_followed(correct):
    for task in kind(correct, "shown")[:300]:
        lines, *_ = dialogue(correct, task)
        assert lines[2] == others_said(task.metadata["others"])
        votes = Counter([lines[1], *task.metadata["others"]])
        assert votes[lines[3]] == max(votes.values())


@pytest.mark.parametrize(("checks", "share"), [(0.6, 0.6), (1.0, 1.0)])
def test_reviews_are_right_as_often_as_is_said(checks, share):
    env = make(f"correct?checks={checks}")
    carrying = [task for task in kind(env, "asked") if sum(int(n) % 10 for n in task.id.split("+")) > 9]
    right = np.mean([env.demonstration(task)[-1] == str(task.reference) for task in carrying])
    first = np.mean([env.demonstration(task)[0] == str(task.reference) for task in carrying])
    assert right == pytest.approx(0.96 * share, abs=0.04)
    assert first == pytest.approx(0.96 * 0.6, abs=0.04)


def test_odds_are_those_with_which_demonstrations_come(correct):
    """The mean of 1 / odds over draws is the number of different things that could be said."""
    told_ones = [task for task in kind(correct, "told") if sum(int(n) % 10 for n in task.id.split("+")) > 9]
    by_said = Counter(correct.demonstration(task)[0] == str(task.reference) for task in told_ones)
    right = [task for task in told_ones if correct.demonstration(task)[0] == str(task.reference)]
    assert by_said[True] / len(told_ones) == pytest.approx(np.mean([correct.odds(task) for task in right]), abs=0.03)
    assert all(0 < correct.odds(task) <= 1 for task in correct.tasks)


def test_a_sum_that_is_held_out_is_held_out_here_too(correct):
    sums = {task.id: task.fingerprint for task in make("arithmetic").tasks}
    assert all(task.fingerprint == sums[task.id] for task in correct.tasks)


def test_right_workings_are_right_and_begin_differently():
    env = make("ways")
    begun = set()
    for task in env.tasks[:400]:
        lines, verdicts, *_ = dialogue(env, task)
        carries = sum(int(n) % 10 for n in task.id.split("+")) > 9
        one, other = task.id.split("+")
        careless = lines[1].startswith(f"{int(one) % 10}+{int(other) % 10}=")
        assert verdicts == [Status.WRONG if careless and wrong(lines[1], task) else Status.CORRECT]
        assert wrong(lines[1], task) is (verdicts == [Status.WRONG])
        begun.add((careless, carries))
    assert {(True, True), (False, True)} <= begun
    assert env.solution(env.tasks[0]) == (str(env.tasks[0].reference),)


def wrong(working, task):
    return working.split()[-1] != str(task.reference)


def test_careless_workings_are_the_most_frequent_single_way():
    env = make("ways")
    odds = Counter(round(env.odds(task), 6) for task in env.tasks)
    assert set(odds) == {0.4, 0.2}
    assert odds[0.4] / len(env.tasks) == pytest.approx(0.4, abs=0.02)


def test_a_program_that_fails_an_example_is_told_which_and_may_be_mended():
    env = make("debug?size=200")
    task = next(task for task in env.tasks if task.metadata["solution"] == "x*4")
    first, right = env.slip(task)
    lines, verdicts, reward, over = dialogue(env, task, (first, right))
    assert "of 3 tests passed" in lines[2]
    assert lines[2].endswith(REVISE)
    assert (verdicts[-1], reward, over) == (Status.CORRECT, 1.0, True)


def test_what_stands_up_to_the_examples_ends_the_episode_right_or_wrong():
    env = make("debug?size=50")
    task = env.tasks[0]
    table = {case["arguments"][0]: case["expected"] for case in task.reference["cases"][:3]}
    _, verdicts, reward, over = dialogue(env, task, (f"{table}.get(x, 0)",))
    assert (verdicts, reward, over) == ([Status.PARTIAL], 0.0, True)


def test_programs_to_repair_are_tried_on_the_tests_of_their_prompt():
    mend = make("mend?trace=off&size=20")
    task = mend.tasks[0]
    assert mend.tried_out(task, task.metadata["solution"]) is None
    assert "expected: " in mend.tried_out(task, "return a+1000")
    with pytest.raises(UsageError, match="shows nothing in its tasks"):
        make("code").tried_out(make("code").tasks[0], "pass")


@pytest.mark.parametrize(
    ("review", "stands"),
    [
        ("It stands.", True),
        ("7 and 8 are 15.\nit stands\n", True),
        ("It stands to reason\nthat 85 is right", False),
        ("wrong", False),
        ("", False),
    ],
)
def test_a_review_lets_a_draft_stand_in_its_last_line(review, stands):
    assert lets_stand(review) is stands
    assert not lets_stand(review, stop="")


def test_requests_are_put_in_words():
    assert told("Wrong.") == f"Wrong. {REVISE}"
    assert told("actual: 3\n") == f"actual: 3\n{REVISE}"
    assert others_said(["85", "75"]) == f"{OTHERS}\n85\n75\n{REVISE}"


@pytest.mark.parametrize(
    "spec", ["correct?careless=1.5", "correct?checks=-0.1", "correct?level=3", "ways?careless=1.0"]
)
def test_settings_out_of_range_are_refused(spec):
    with pytest.raises(UsageError, match=r"share|level must be 1 or 2"):
        make(spec)
