"""Problems whose answers are programs."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from palaestra.envs.catalogue import make
from palaestra.envs.code.environment import Code
from palaestra.envs.code.problems import shipped_problems
from palaestra.envs.errors import InfrastructureError, UnknownNameError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Status, Verdict

TASK = Task(
    "double",
    "Double it.",
    {
        "format": "calls",
        "entry_point": "f",
        "cases": [{"arguments": [n], "expected": 2 * n} for n in (1, 2, 3, 4444)],
    },
)


def formats() -> Mapping[str, Task]:
    return {str(task.reference["format"]): task for task in shipped_problems()}  # type: ignore[index, call-overload]


@pytest.fixture(scope="module")
def env() -> Code:
    return Code()


@pytest.mark.parametrize("task", shipped_problems(), ids=lambda task: task.id)
def test_every_shipped_solution_scores_1_and_an_empty_one_nothing(task: Task, env: Code) -> None:
    env.reset(options={"task": task})
    *_, info = env.step(str(task.metadata["solution"]))
    assert info["verdict"] == Verdict(1.0, Status.CORRECT, info["verdict"].detail)
    env.reset(options={"task": task})
    assert env.step("```python\npass\n```")[1] == 0.0


def test_all_formats_are_there_and_some_problems_are_held_out() -> None:
    assert set(formats()) == {"calls", "stdio", "mbpp", "humaneval"}
    assert sum("checker" in task.reference for task in shipped_problems()) >= 2  # type: ignore[operator]
    assert len(shipped_problems()) >= 12
    # Else `palaestra bench code` had nothing to ask.
    assert len(shipped_problems().split().test) >= 2


def test_credit_is_shared_or_all_or_nothing() -> None:
    half = "def f(n):\n    return 2 * n if n < 3 else 0"
    for credit, reward in (("share", 0.5), ("all", 0.0)):
        env = Code(tasks=TaskSet([TASK]), credit=credit)
        env.reset()
        _, paid, over, _, _ = env.step(half)
        assert (paid, over) == (reward, True)
    with pytest.raises(UnknownNameError):
        Code(credit="none")


def test_feedback_is_the_first_failing_test_and_no_other() -> None:
    env = Code(tasks=TaskSet([TASK]), tries=3)
    env.reset()
    said, reward, over, *_ = env.step("def f(n):\n    return 2 * n if n < 3 else n")
    assert (reward, over) == (0.0, False)
    assert "2 of 4 tests passed" in said
    assert "expected: 6\n" in said
    assert "actual: 3\n" in said
    assert "4444" not in said
    assert "8888" not in said
    said, *_ = env.step("def f(n):\n    return 1 // 0")
    assert "ZeroDivisionError" in said
    assert said.endswith("Tries left: 1.")
    said, reward, over, _, info = env.step("def f(n):\n    return n + n")
    assert (said, reward, over) == ("Correct.", 1.0, True)
    assert info["verdict"].status is Status.CORRECT


def test_long_values_are_shortened_in_feedback() -> None:
    task = Task(
        "long", "p", {"format": "calls", "entry_point": "f", "cases": [{"arguments": ["a" * 5_000], "expected": 1}]}
    )
    env = Code(tasks=TaskSet([task]), tries=2)
    env.reset()
    said, *_ = env.step("def f(n):\n    return n * 100")
    assert len(said) < 2_000


def test_our_own_failure_ends_the_episode_without_a_reward() -> None:
    class Broken:
        def examine(self, task: Task, reply: str) -> Any:
            raise InfrastructureError("no worker")

    env = Code(tasks=TaskSet([TASK]), tries=3)
    env.judge = Broken()  # type: ignore[assignment]
    env.reset()
    _, reward, over, _, info = env.step("def f(n): return 2 * n")
    assert (reward, over, info["verdict"].status) == (0.0, True, Status.INFRASTRUCTURE)


def test_clones_play_beside_each_other_on_threads() -> None:
    env = Code(tasks=TaskSet([TASK]), tries=2)
    started = threading.Barrier(8)

    def episode(number: int) -> tuple[str, float]:
        twin = env.clone()
        twin.reset()
        started.wait()
        said, *_ = twin.step(f"def f(n):\n    return {number}")
        return said, twin.step("def f(n):\n    return 2 * n")[1]

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(episode, range(100, 108)))
    assert all(f"actual: {100 + i}\n" in said and reward == 1.0 for i, (said, reward) in enumerate(results))


def test_judging_may_wait() -> None:
    assert Code().metadata["instant"] is False
    assert make("synthesis?size=10").metadata["instant"] is False
    assert make("math?size=10").metadata["instant"] is False
