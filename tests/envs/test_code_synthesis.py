"""Functions from examples, judged by running the replies."""

import re

import numpy as np
import pytest
from palaestra.envs.code.functions import LEVELS, SHOWN, functions_of, synthesis_tasks
from palaestra.envs.code.synthesis import Synthesis
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict


def cases(task: Task) -> list[tuple[int, int]]:
    reference = task.reference
    assert isinstance(reference, dict)
    return [(case["arguments"][0], case["expected"]) for case in reference["cases"]]  # type: ignore[index, call-overload, union-attr]


def value(task: Task, x: int) -> int:
    return int(eval(str(task.metadata["solution"]), {"x": x}))


@pytest.fixture(scope="module")
def env() -> Synthesis:
    return Synthesis(size=200)


def judged(env: Synthesis, task: Task, reply: str) -> Verdict:
    env.reset(options={"task": task})
    verdict: Verdict = env.step(reply)[4]["verdict"]
    return verdict


@pytest.mark.parametrize("level", LEVELS)
def test_examples_are_shown_and_more_are_hidden(level: int) -> None:
    for task in synthesis_tasks(level, size=100):
        shown = [(int(x), int(y)) for x, y in re.findall(r"f\((\d+)\)=(-?\d+)", task.prompt)]
        assert task.prompt.endswith(" f(x)=")
        assert len(shown) == SHOWN
        assert shown == sorted(shown) == cases(task)[:SHOWN]
        assert len(cases(task)) >= 15
        assert all(value(task, x) == y for x, y in cases(task))


@pytest.mark.parametrize("level", LEVELS)
def test_only_one_function_of_the_level_fits(level: int) -> None:
    texts = [function.text for function in functions_of(level)]
    for task in synthesis_tasks(level, size=40):
        fitting = [text for text in texts if all(eval(text, {"x": x}) == y for x, y in cases(task)[:SHOWN])]
        assert fitting == [task.metadata["solution"]]


def test_prompts_and_replies_are_short_enough_for_a_nursery() -> None:
    for level in LEVELS:
        for task in synthesis_tasks(level, size=300):
            assert len(task.prompt) <= 60
            assert len(str(task.metadata["solution"])) <= 30


def test_the_seed_decides() -> None:
    first, again, other = (synthesis_tasks(1, size=50, seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest
    assert len(synthesis_tasks(1, size=4_000)) >= 2_000


def test_slips_solve_the_first_example_and_rarely_all() -> None:
    env = Synthesis(size=1_000)
    solved = []
    for task in env.tasks:
        (slip,) = env.slip(task) or ("",)
        results = [eval(slip, {"x": x}) == y for x, y in cases(task)]
        assert results[0]
        solved.append(all(results))
    assert 0.2 < np.mean(solved) < 0.6


def test_solutions_are_correct_and_slips_are_not(env: Synthesis) -> None:
    for task in list(env.tasks)[:40]:
        assert judged(env, task, str(task.metadata["solution"])).reward == 1.0
        (slip,) = env.slip(task) or ("",)
        right = all(eval(slip, {"x": x}) == y for x, y in cases(task))
        assert judged(env, task, slip).reward == float(right)


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "  {} \n",
        "{}  # so",
        "({})",
        "lambda x: {}",
        "lambda y: (lambda x: {})(y)",
        "f = lambda x: {}",
        "def f(x): return {}",
        "def f(x):\n    return {}",
        "```python\n{}\n```",
        "Two points make a line.\n```python\ndef f(x):\n    return {}\n```\nDone.",
        "import math\n\n\ndef f(x):\n    return math.floor({})",
    ],
)
def test_any_right_program_is_accepted(form: str, env: Synthesis) -> None:
    task = env.tasks[0]
    assert judged(env, task, form.format(task.metadata["solution"])).status is Status.CORRECT
    assert judged(env, task, form.format(f"{task.metadata['solution']} + 1")).status is Status.WRONG


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "x",
        "123456",
        "I do not know.",
        "x) or (x",
        "f",
        "exit()",
        "__import__('os')._exit(0)",
        "type('T', (), {'__eq__': lambda s, o: True})()",
        "[x for _ in iter(int, 1)]",
        "(" * 5_000,
        "-" * 50_000 + "x",
        "'''",
        '"""\n"""',
        "\x00",
        "\ud800",
        "{line!r}",
    ],
)
def test_hostile_and_useless_replies_earn_nothing(reply: str, env: Synthesis) -> None:
    task = env.tasks[0]
    verdict = judged(env, task, reply)
    assert verdict.reward == 0.0
    assert verdict.valid, verdict
    assert verdict.status is not Status.CORRECT


def test_repeating_the_examples_is_not_enough(env: Synthesis) -> None:
    task = env.tasks[0]
    table = f"{dict(cases(task)[:SHOWN])}.get(x, 0)"
    assert judged(env, task, table).reward == 0.0
    shared = Synthesis(size=200, credit="share")
    verdict = judged(shared, task, table)
    assert verdict.status is Status.PARTIAL
    assert SHOWN / len(cases(task)) <= verdict.reward < 0.5


def test_feedback_tells_the_first_failing_test_alone() -> None:
    env = Synthesis(size=50, tries=2)
    task = next(t for t in env.tasks if value(t, 12) != 12)
    env.reset(options={"task": task})
    examples = dict(cases(task)[:SHOWN])
    said, reward, over, *_ = env.step(f"{examples}.get(x, 777)")
    assert (reward, over) == (0.0, False)
    assert said.count("777") == 1
    x, y = cases(task)[SHOWN]
    assert f"expected: {y}\n" in said
    assert f"{x}" in said
    assert said.endswith("Tries left: 1.")
    assert env.step(str(task.metadata["solution"]))[1] == 1.0


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="level"):
        Synthesis(level=5)
    with pytest.raises(UsageError, match="size"):
        Synthesis(size=0)
    with pytest.raises(UnknownNameError, match="share"):
        Synthesis(size=1, credit="shares")


def test_an_unskilled_player_is_sometimes_right_at_most() -> None:
    env, generator = Synthesis(size=200), np.random.default_rng(0)
    guesses = [env.sample_action(generator) for _ in env.tasks]
    right = [
        all(eval(guess, {"x": x}) == y for x, y in cases(task)) for guess, task in zip(guesses, env.tasks, strict=True)
    ]
    assert np.mean(right) < 0.1
