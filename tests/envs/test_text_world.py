"""Gymnasium worlds as text: words, actions, illegal actions, verdicts."""

import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.describe import describe_value
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text import ActionParser, TextWorld
from palaestra.envs.verdict import Status

PARSER = ActionParser(["stick|stand", "hit", "pick up"])


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        ("hit", 1),
        ("HIT!", 1),
        ("I stand.", 0),
        ("not hit but stick", 0),
        ("stick? no: 1", 1),
        ("pick up", 2),
        ("Pick-up", 2),
        ("pickup", 2),
        ("7", 7),
        ("-1", -1),
        ("at 0.25 I choose 2", 2),
        ("hİt", 1),
        ("0.25", None),
        ("12345678", None),
        ("hitting sticks", None),
        ("", None),
    ],
)
def test_the_last_mention_counts(reply: str, action: int | None) -> None:
    assert PARSER(reply) == action


@given(st.text() | st.text(alphabet="stickhPUpſİı 0123-.", max_size=80))
def test_any_reply_is_parsed(reply: str) -> None:
    action = PARSER(reply)
    assert action is None or isinstance(action, int)


def test_numbers_start_where_the_space_starts() -> None:
    parser = ActionParser(["down", ""], start=-1)
    assert [parser(reply) for reply in ("down", "-1", "0")] == [-1, -1, 0]


def lake(**settings: Any) -> TextWorld:
    return TextWorld("FrozenLake-v1", is_slippery=False, **settings)


def test_a_walk_over_the_ice() -> None:
    env = lake()
    observation, info = env.reset(seed=0, options={"task": "FrozenLake-v1#3"})
    assert info == {"task": "FrozenLake-v1#3"}
    assert "PFFF\nFHFH\nFFFH\nHFFG\nYou stand on S. Row 0, column 0." in observation
    assert observation.endswith("Actions: left, down, right, up. Your action?")
    observation, reward, *_, info = env.step("Let me go down")
    assert observation.startswith("SFFF\nPHFH\n")
    assert (reward, "verdict" in info) == (0.0, False)
    for action in ("down", "right", "down", "right"):
        assert env.step(action)[2] is False
    observation, reward, terminated, _, info = env.step("2")
    assert (reward, terminated, info["verdict"].status, info["verdict"].reward) == (1.0, True, Status.CORRECT, 1.0)
    assert "You reached the goal." in observation
    assert "Your action?" not in observation
    with pytest.raises(UsageError, match="reset"):
        env.step("left")


def test_a_hole_is_wrong() -> None:
    env = lake()
    env.reset(seed=0)
    env.step("right")
    observation, reward, terminated, _, info = env.step("down")
    assert (reward, terminated, info["verdict"].status) == (0.0, True, Status.WRONG)
    assert "You fell into a hole." in observation


@pytest.mark.parametrize(("reply", "status"), [("fly", Status.UNPARSED), ("9", Status.ILLEGAL), ("-1", Status.ILLEGAL)])
def test_an_illegal_action_loses(reply: str, status: Status) -> None:
    env = TextWorld("CartPole-v1")
    env.reset(seed=0)
    env.step("left")
    _, reward, terminated, _, info = env.step(reply)
    assert (reward, terminated) == (0.0, True)
    # The return so far was paid, so the verdict says it.
    assert (info["verdict"].status, info["verdict"].reward) == (status, 1.0)


@pytest.mark.parametrize(("name", "penalty"), [("Blackjack-v1", -1.0), ("Taxi-v4", -200.0)])
def test_babbling_never_pays_better_than_losing(name: str, penalty: float) -> None:
    env = TextWorld(name)
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step("blah")
    assert (reward, terminated, info["verdict"].reward) == (penalty, True, penalty)
    harsh = TextWorld(name, penalty=-7.0)
    harsh.reset(seed=0)
    assert harsh.step("blah")[1] == -7.0


def test_retries_are_counted_over_the_episode() -> None:
    env = lake(illegal="retry:2")
    env.reset(seed=0)
    observation, reward, terminated, _, info = env.step("fly")
    assert (reward, terminated, info["verdict"].status) == (0.0, False, Status.UNPARSED)
    assert observation.endswith("Reply with one of: left, down, right, up.")
    env.step("down")
    assert env.step("8")[2] is False
    assert env.step("8")[2] is True
    env.reset(seed=0)
    assert env.step("fly")[2] is False


def test_a_random_action_may_take_its_place() -> None:
    env = lake(illegal="random")
    walks = []
    for seed in (1, 1, 2):
        env.reset(seed=seed, options={"task": "FrozenLake-v1#0"})
        walk = [env.step("fly")]
        while not walk[-1][2]:
            walk.append(env.step("fly"))
        walks.append(walk)
    assert walks[0] == walks[1] != walks[2]
    assert walks[0][0][4]["verdict"].status is Status.UNPARSED
    assert walks[0][-1][4]["verdict"].status is Status.WRONG


@pytest.mark.parametrize("illegal", ["", "retry", "retry:x", "ignore"])
def test_an_unknown_policy_is_refused(illegal: str) -> None:
    with pytest.raises(UsageError, match="'lose', 'random' or 'retry:N'"):
        lake(illegal=illegal)


def test_a_task_is_a_seed_luck_included() -> None:
    env, twin = TextWorld("FrozenLake-v1"), TextWorld("FrozenLake-v1")
    for seed in (1, 2):
        # Different seeds of the environment, the same task.
        env.reset(seed=seed, options={"task": "FrozenLake-v1#5"})
        twin.reset(seed=7, options={"task": "FrozenLake-v1#5"})
        over = False
        while not over:
            step = env.step("right")
            assert step == twin.step("right")
            over = step[2]
    assert len({env.reset(options={"task": t})[0] for t in list(TextWorld("Blackjack-v1").tasks)[:3]}) == 1


@pytest.mark.parametrize(("name", "settings"), [("Taxi-v4", {}), ("FrozenLake-v1", {"is_slippery": False})])
def test_solutions_are_found_by_search(name: str, settings: dict[str, Any]) -> None:
    env = TextWorld(name, **settings)
    for task in list(env.tasks)[:10]:
        actions = env.solution(task)
        assert actions is not None
        env.reset(options={"task": task})
        steps = [env.step(action) for action in actions]
        assert [step[2] for step in steps] == [False] * (len(steps) - 1) + [True]
        assert steps[-1][4]["verdict"].status is Status.CORRECT
        assert steps[-1][4]["verdict"].reward == sum(step[1] for step in steps) >= 1.0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("FrozenLake-v1", {}),
        ("FrozenLake-v1", {"is_slippery": False, "desc": ["SH", "HG"]}),
        ("Taxi-v4", {"is_rainy": True}),
        ("Blackjack-v1", {}),
    ],
)
def test_no_solution_where_luck_decides_or_none_exists(name: str, settings: dict[str, Any]) -> None:
    env = TextWorld(name, **settings)
    assert env.solution(next(iter(env.tasks))) is None


def test_searching_a_solution_leaves_the_episode_alone() -> None:
    env = lake()
    env.reset(seed=0)
    env.step("down")
    env.solution(next(iter(env.tasks)))
    assert env.step("down")[0].startswith("SFFF\nFHFH\nPFFH")


def test_taxi_in_words() -> None:
    env = TextWorld("Taxi-v4")
    observation, _ = env.reset(options={"task": "Taxi-v4#0"})
    row, column, passenger, _ = env.inner.unwrapped.decode(env.inner.unwrapped.s)  # type: ignore[attr-defined]
    assert f"Taxi: row {row}, column {column}. The passenger is at " in observation
    assert ["Red", "Green", "Yellow", "Blue"][passenger] in observation.partition("The passenger is at ")[2][:6]
    assert all(line in observation for line in ("|R: | : :G|", "|Y| : |B: |"))


def test_blackjack_is_won_drawn_or_lost() -> None:
    env = TextWorld("Blackjack-v1")
    seen = set()
    for task in list(env.tasks)[:200]:
        observation, _ = env.reset(options={"task": task})
        assert "Your cards add up to " in observation
        _, reward, terminated, _, info = env.step("stand")
        assert terminated
        assert info["verdict"].reward == reward
        seen.add((reward, info["verdict"].status))
    assert seen == {(1.0, Status.CORRECT), (0.0, Status.WRONG), (-1.0, Status.WRONG)}


def test_cart_pole_is_partly_done_until_the_threshold() -> None:
    env = TextWorld("CartPole-v1", max_episode_steps=20)
    observation, _ = env.reset(options={"task": "CartPole-v1#0"})
    assert "Pole: " in observation
    done, total = False, 0.0
    while not done:
        state = env.inner.unwrapped.state  # type: ignore[attr-defined]
        _, reward, terminated, truncated, info = env.step("right" if state[2] + state[3] > 0 else "left")
        total, done = total + reward, terminated or truncated
    assert (truncated, total) == (True, 20.0)
    assert (info["verdict"].status, info["verdict"].reward) == (Status.PARTIAL, 20.0)
    assert TextWorld("CartPole-v1", success=lambda total, _: total > 5)._judged(False).status is Status.WRONG


def test_known_worlds_are_instant_and_others_are_not() -> None:
    assert lake().metadata["instant"] is True
    assert TextWorld("MountainCar-v0").metadata["instant"] is False


class Strange(gymnasium.Env[Any, Any]):
    """Every kind of observation; misbehaves on request."""

    def __init__(self, trouble: str = "", start: int = 5) -> None:
        self.trouble = trouble
        self.action_space = spaces.Discrete(3, start=start)
        self.observation_space = spaces.Dict(
            {
                "cell": spaces.Discrete(4),
                "pair": spaces.Tuple((spaces.Discrete(2, start=3), spaces.Text(5))),
                "box": spaces.Box(-1, 1, (2,)),
                "bits": spaces.MultiBinary(2),
            }
        )

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if self.trouble == "reset":
            raise OSError("no disk")
        return self._state(), {}

    def _state(self) -> Any:
        box = np.array([0.123456, -0.0], np.float32)
        return {"cell": np.int64(1), "pair": (3, "hey"), "box": box, "bits": np.array([1, 0], np.int8)}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action in self.action_space
        if self.trouble == "step":
            raise OSError("no disk")
        return self._state(), float("nan") if self.trouble == "reward" else 2.0, action == 7, False, {}


def test_any_discrete_world_is_spoken() -> None:
    env = TextWorld(Strange)
    observation, info = env.reset(seed=0)
    assert info["task"].startswith("Strange#")
    words = "State: bits: [1, 0]; box: [0.1235, 0.0]; cell: 1 (of 0 to 3); pair: 3 (of 3 to 4); hey"
    assert sorted(words[7:].split("; ")) == sorted(observation.splitlines()[2][7:].split("; "))
    assert observation.endswith("Actions: 5, 6, 7. Your action?")
    assert env.step("I take 5")[1] == 2.0
    *_, info = env.step("7")
    assert (info["verdict"].status, info["verdict"].reward) == (Status.CORRECT, 4.0)
    env.reset(seed=0)
    assert env.step("4")[4]["verdict"].status is Status.ILLEGAL


def test_describer_parser_and_success_can_be_replaced() -> None:
    env = TextWorld(
        Strange,
        describe=lambda world, state: f"cell {state['cell']} of {type(world).__name__}",
        parse=lambda reply: 7 if reply == "stop" else None,
        success=lambda total, terminated: total > 100,
    )
    assert "cell 1 of Strange" in env.reset(seed=0)[0]
    assert env.step("stop")[4]["verdict"].status is Status.PARTIAL
    env.reset(seed=0)
    assert env.step("7")[4]["verdict"].status is Status.UNPARSED


@pytest.mark.parametrize("trouble", ["step", "reward"])
def test_a_world_that_fails_is_never_a_reward(trouble: str) -> None:
    env = TextWorld(lambda: Strange(trouble))
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step("5")
    assert (reward, terminated, info["verdict"].status) == (0.0, True, Status.INFRASTRUCTURE)


def test_a_world_that_does_not_start_is_our_failure() -> None:
    with pytest.raises(InfrastructureError, match="no disk"):
        TextWorld(lambda: Strange("reset")).reset(seed=0)


def test_what_cannot_be_spoken_is_refused() -> None:
    with pytest.raises(UsageError, match="Discrete actions"):
        TextWorld("Pendulum-v1")
    with pytest.raises(UsageError, match=r"cannot be built with {'map_name': '9x9'}: KeyError"):
        TextWorld("FrozenLake-v1", map_name="9x9")
    with pytest.raises(UsageError, match="give TextWorld a describe"):
        describe_value(spaces.Box(0, 255, (64, 64)), np.zeros((64, 64)))
    with pytest.raises(UsageError, match="must be a seed"):
        lake(tasks=TaskSet([Task("a", "p", "x")])).reset(seed=0)


def test_clones_do_not_share_the_world() -> None:
    env = lake()
    env.reset(seed=0)
    twin = env.clone()
    assert twin.inner is not env.inner
    twin.reset(seed=0)
    twin.step("right")
    assert env.step("down")[0].startswith("SFFF\nPHFH")
    twin.close()


def test_text_needs_no_extra_packages() -> None:
    code = (
        "import sys; sys.modules['pygame'] = None\n"
        "from palaestra.envs import make\n"
        "for name in ('frozenlake', 'taxi', 'blackjack', 'cartpole'):\n"
        "    env = make(name); env.reset(seed=0); env.step(env.action_names[0]); env.render(); env.close()\n"
        "print('spoken')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("spoken", 0), done.stderr
