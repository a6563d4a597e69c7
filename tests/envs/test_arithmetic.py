"""Arithmetic problems against Python's own arithmetic."""

import re
from fractions import Fraction

import numpy as np
import pytest
from palaestra.envs.errors import UsageError
from palaestra.envs.math.arithmetic import LEVELS, Arithmetic, Difficulty, arithmetic_tasks


def computed(prompt: str) -> Fraction:
    problem = prompt.removesuffix(" = ?")
    assert re.fullmatch(r"[0-9]+( [+\-*/] [0-9]+)+", problem)
    return Fraction(eval(re.sub("([0-9]+)", r"Fraction(\1)", problem)))


def test_the_default_is_every_sum_of_two_numbers_below_100() -> None:
    env = Arithmetic()
    assert len(env.tasks) == 10_000
    sums = {tuple(map(int, t.prompt.removesuffix(" = ?").split(" + "))): t.reference for t in env.tasks}
    assert sums == {(a, b): a + b for a in range(100) for b in range(100)}
    assert env.tasks.by_id("37+48").prompt == "37 + 48 = ?"


@pytest.mark.parametrize("level", LEVELS)
def test_references_are_exact_at_every_level(level: int) -> None:
    tasks = arithmetic_tasks(LEVELS[level], size=300)
    assert len(tasks) >= 100
    for task in tasks:
        assert computed(task.prompt) == task.reference
        numbers = re.findall("[0-9]+", task.prompt)
        assert len(numbers) == LEVELS[level].operands
        assert max(map(len, numbers)) <= LEVELS[level].digits


def test_levels_get_harder() -> None:
    means = [
        np.mean([float(t.metadata["difficulty"]) for t in arithmetic_tasks(LEVELS[level], size=300)])  # type: ignore[arg-type]
        for level in (1, 2, 4, 6, 7, 8)
    ]
    assert means == sorted(means)


def test_all_operations_come_up_and_quotients_are_exact() -> None:
    tasks = arithmetic_tasks(Difficulty(2, 3, "+-*/"), size=1_000)
    assert {sign for t in tasks for sign in t.prompt if sign in "+-*/"} == set("+-*/")
    divisors = [int(d) for t in tasks for d in re.findall(r"/ ([0-9]+)", t.prompt)]
    assert 0 not in divisors
    assert np.mean(np.array(divisors) == 1) < 0.35


def test_settings_override_the_level() -> None:
    env = Arithmetic(level=8, operands=2, operations="-")
    assert all(re.fullmatch(r"[0-9]{1,4} - [0-9]{1,4} = \?", task.prompt) for task in env.tasks)
    assert {t.metadata["difficulty"] for t in Arithmetic(level=1).tasks} == {2}


def test_the_seed_decides_and_sizes_are_kept() -> None:
    first, again, other = (arithmetic_tasks(Difficulty(3, 3, "+-*/"), size=50, seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest
    assert len(first) == 50
    assert len(arithmetic_tasks(Difficulty(1, 2, "+-"), size=10_000)) == 200


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"digits": 0}, "digits"),
        ({"digits": 16}, "digits"),
        ({"operands": 1}, "operands"),
        ({"operands": 11}, "operands"),
        ({"operations": "%"}, "operations"),
        ({"operations": ""}, "operations"),
        ({"level": 9}, "level"),
        ({"size": 0}, "size"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Arithmetic(**settings)  # type: ignore[arg-type]


def test_an_unskilled_player_is_sometimes_right_at_most() -> None:
    env, generator = Arithmetic(), np.random.default_rng(0)
    rewards = []
    for task in list(env.tasks)[:500]:
        env.reset(options={"task": task})
        rewards.append(env.step(env.sample_action(generator))[1])
    assert np.mean(rewards) < 0.05
