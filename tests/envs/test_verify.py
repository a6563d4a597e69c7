"""Sums and judgements of sums: what is right, what is careless, and that no judgement gives a held-out sum away."""

from collections import Counter

import pytest
from palaestra.envs import make
from palaestra.envs.contracts import check_environment
from palaestra.envs.errors import UsageError
from palaestra.envs.math.verify import RIGHT, WRONG
from palaestra.envs.task import HELD_OUT_SHARE
from palaestra.envs.verdict import Status


def judgements(env):
    return [task for task in env.tasks if "question" in task.metadata]


def test_it_keeps_the_contract_of_environments():
    check_environment(make("palaestra/Verify-v0?size=200"))


def test_half_of_the_answers_to_judge_are_right():
    env = make("verify")
    asked = judgements(env)
    assert 0.3 < len(asked) / (len(env.tasks) - len(asked)) < 0.4
    counts = Counter(task.reference for task in asked)
    assert 0.45 < counts[RIGHT] / len(asked) < 0.55
    for task in asked[:500]:
        one, other = task.metadata["question"].removesuffix(" = ?").split(" + ")
        assert (task.reference == RIGHT) is (int(one) + int(other) == int(task.metadata["answer"]))
        assert task.prompt == f"{task.metadata['question']} {task.metadata['answer']}. Right or wrong?"


def test_no_judgement_gives_a_held_out_sum_away():
    env = make("verify")
    held = {task.prompt for task in env.tasks if task.held_out(HELD_OUT_SHARE)}
    asked = judgements(env)
    assert len(held) > 500
    assert all((task.metadata["question"] in held) is task.held_out(HELD_OUT_SHARE) for task in asked)
    assert sum(task.held_out(HELD_OUT_SHARE) for task in asked) > 20


def test_words_and_numbers_are_judged_each_by_its_own_judge():
    env = make("verify")
    task = next(t for t in judgements(env) if t.reference == WRONG)
    assert env.judge_reply(task, " wrong\n").status is Status.CORRECT
    assert env.judge_reply(task, "right").status is Status.WRONG
    assert env.judge_reply(task, str(task.metadata["answer"])).status is Status.WRONG
    sum_ = env.tasks[0]
    assert env.judge_reply(sum_, f"it is {sum_.reference}").status is Status.CORRECT


def test_a_careless_demonstrator_judges_as_he_adds():
    careful, careless = make("verify"), make("verify?careless=true")
    asked = judgements(careful)
    assert {careful.slip(task) for task in asked} == {None}
    fooled = [task for task in asked if task.reference == WRONG and careless.slip(task) == (RIGHT,)]
    assert len(fooled) > 100
    for task in fooled[:50]:
        one, other = task.metadata["question"].removesuffix(" = ?").split(" + ")
        digits = zip(one.zfill(2), other.zfill(2), strict=True)
        assert int("".join(str((int(a) + int(b)) % 10) for a, b in digits)) == int(task.metadata["answer"])


def test_a_level_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="level must be from 1 to 8"):
        make("verify?level=9")
