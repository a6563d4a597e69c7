"""The contract every world shares."""

from typing import Any

import numpy as np
import pytest
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv, Words

TASKS = TaskSet(Task(f"t{i}", f"say {i}", i) for i in range(100))


class Echo(TextEnv):
    def begin(self, task: Task) -> str:
        return f"{task.prompt} {self.np_random.integers(1000)}"

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        return action, 0.0, True, False, self.outcome()


def test_words_takes_every_character_up_to_the_length() -> None:
    words = Words(5)
    assert words.contains("日本\x00\ud800")
    assert not words.contains("123456")
    assert not words.contains(5)
    words.seed(0)
    assert all(words.contains(words.sample()) for _ in range(50))


def test_the_same_seed_gives_the_same_episode() -> None:
    env, twin = Echo(TASKS), Echo(TASKS)
    assert [env.reset(seed=5), env.reset()] == [twin.reset(seed=5), twin.reset()]
    assert len({env.reset(seed=s)[1]["task"] for s in range(20)}) > 10


def test_a_task_can_be_chosen_by_id_or_given_whole() -> None:
    env = Echo(TASKS)
    assert env.reset(seed=0, options={"task": "t7"})[1] == {"task": "t7"}
    assert env.reset(seed=0, options={"task": Task("new", "hello")})[0].startswith("hello")


@pytest.mark.parametrize(("options", "words"), [({"tusk": 1}, "tusk"), ({"task": "x"}, "'x'"), ({"task": 5}, "int")])
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Echo(TASKS).reset(options=options)


def test_an_empty_set_and_an_unknown_render_mode_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one task"):
        Echo(TaskSet([]))
    with pytest.raises(UsageError, match="'human'"):
        Echo(TASKS, render_mode="human")


def test_render_shows_the_observation() -> None:
    env = Echo(TASKS, render_mode="ansi")
    assert env.render() == ""
    observation, _ = env.reset(seed=0)
    assert env.render() == observation
    assert Echo(TASKS).render() is None


def test_a_clone_shares_tasks_and_nothing_else() -> None:
    env = Echo(TASKS)
    env.reset(seed=1)
    twin = env.clone()
    assert twin.tasks is env.tasks
    assert twin.task is None
    twin.reset(seed=9)
    after = env.np_random.random()
    again = Echo(TASKS)
    again.reset(seed=1)
    assert again.np_random.random() == after


def test_nothing_is_known_by_default() -> None:
    env = Echo(TASKS)
    assert env.solution(TASKS[0]) is None
    assert env.sample_action(np.random.default_rng(0)) == ""
    assert env.outcome() == {"task": ""}
