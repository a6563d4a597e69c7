"""What holds for every registered id."""

import warnings
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env
from palaestra.envs.catalogue import worlds
from palaestra.envs.contracts import check_environment
from palaestra.envs.text import TextWorld
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status

IDS = [entry.id for entry in worlds()]


@pytest.fixture(params=IDS)
def env(request: pytest.FixtureRequest, tmp_path: Path) -> gymnasium.Env[Any, Any]:
    settings: dict[str, Any] = {}
    if request.param == "palaestra/Question-v0":
        file = tmp_path / "q.jsonl"
        file.write_text("".join(f'{{"prompt": "{i} + 1?", "answer": {i + 1}}}\n' for i in range(30)))
        settings = {"path": str(file)}
    return gymnasium.make(request.param, **settings)


def test_it_passes_gymnasiums_checks_without_a_warning(env: gymnasium.Env[Any, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


def test_it_passes_gymnasiums_checks_with_its_wrappers_on(env: gymnasium.Env[Any, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Gymnasium's own advice not to check an environment with wrappers around it.
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version.*")
        check_env(env)


def test_it_keeps_our_contract(env: gymnasium.Env[Any, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_environment(env)


def test_the_known_answer_scores_1_and_a_wrong_one_does_not(env: gymnasium.Env[Any, Any]) -> None:
    bare = env.unwrapped
    assert isinstance(bare, TextEnv)
    task = bare.tasks[0]
    solution = bare.solution(task)
    if isinstance(bare, TextWorld):
        # By default luck rules three of them; of Taxi the best return differs from start to start.
        assert (solution is not None) is ("Taxi" in str(task))
    if solution is not None:
        bare.reset(seed=0, options={"task": task})
        steps = [bare.step(action) for action in solution]
        assert steps[-1][4]["verdict"].status is Status.CORRECT
        assert sum(step[1] for step in steps) == 1.0 or isinstance(bare, TextWorld)
    bare.reset(seed=0, options={"task": task})
    _, reward, _, _, info = bare.step("123456")
    assert reward <= 0.0
    assert info["verdict"].status in (Status.WRONG, Status.ILLEGAL, Status.UNPARSED)


def test_held_out_tasks_are_never_among_the_others(env: gymnasium.Env[Any, Any]) -> None:
    assert isinstance(env.unwrapped, TextEnv)
    tasks = env.unwrapped.tasks
    train, test = tasks.split(0.2)
    assert len(train) + len(test) == len(tasks)
    assert not {t.fingerprint for t in train} & {t.fingerprint for t in test}
    # Guessing asks one question of all secrets, and setting a task one of all sums; patients hide what differs.
    shared = {t.prompt for t in train} & {t.prompt for t in test}
    hiding = {"palaestra/GuessNumber-v0", "palaestra/Consult-v0"}
    assert shared <= {"Set a task."} or env.spec.id in hiding  # type: ignore[union-attr]
