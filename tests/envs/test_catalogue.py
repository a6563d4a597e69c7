"""Ids, specs and short names."""

import sys
from pathlib import Path
from typing import Any

import gymnasium
import palaestra.envs
import pytest
from palaestra.envs.catalogue import cards, make, register_all, world, worlds
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.math.arithmetic import Arithmetic
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text import TextWorld
from palaestra.envs.text_env import TextEnv


def test_gymnasium_makes_every_id(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"prompt": "p", "answer": 1}')
    for entry in worlds():
        for name in (entry.id, f"palaestra.envs:{entry.id}"):
            settings: dict[str, Any] = {"path": str(file)} if entry.short == "question" else {}
            env = gymnasium.make(name, **settings)
            assert isinstance(env.unwrapped, TextEnv)
            assert env.unwrapped.reset(seed=0)[0]


def test_registering_twice_changes_nothing(recwarn: pytest.WarningsRecorder) -> None:
    before = dict(gymnasium.registry)
    register_all()
    assert dict(gymnasium.registry) == before
    assert not recwarn


@pytest.mark.parametrize("name", ["arithmetic", "Arithmetic", "palaestra/arithmetic-v0", "palaestra/Arithmetic-v0"])
def test_short_names(name: str) -> None:
    assert world(name).id == "palaestra/Arithmetic-v0"
    assert type(make(name)) is Arithmetic
    assert type(make(f"palaestra.envs:{name}")) is Arithmetic


def test_make_puts_no_wrapper_around() -> None:
    env = make("arithmetic")
    assert env.unwrapped is env


def test_specs_set_parameters() -> None:
    assert (
        make("arithmetic?digits=3&operations=-&size=20").tasks.digest
        == Arithmetic(digits=3, operations="-", size=20).tasks.digest
    )
    assert {s for t in make("arithmetic?operations=+-").tasks for s in t.prompt if s in "+-"} == {"+", "-"}
    assert make("arithmetic?seed=5&level=4").tasks.digest == Arithmetic(seed=5, level=4).tasks.digest
    assert make("taxi?penalty=-3&illegal=retry:2").reset(seed=0)
    assert len(make("arithmetic?").tasks) == 10_000


def test_text_stays_text_where_text_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "a & b.jsonl"
    file.write_text('{"prompt": "p", "answer": 1}\n{"prompt": "q"}')
    env = make(f"question?path={str(file).replace('&', '%26')}&skip_bad_rows=true&tries=2")
    assert len(env.tasks) == 1
    with pytest.raises(UsageError, match="no file or folder '5'"):
        make("question?path=5")


def test_other_gymnasium_ids_are_spoken() -> None:
    env = make("FrozenLake-v1?is_slippery=false&map_name=8x8&illegal=random")
    assert isinstance(env, TextWorld)
    assert env.inner.unwrapped.desc.shape == (8, 8)  # type: ignore[attr-defined]
    # Exactly Gymnasium's id, although the short name is one of ours.
    assert make("CartPole-v1").tasks.name == "CartPole-v1"
    assert make("cartpole?max_episode_steps=7").inner.spec.max_episode_steps == 7  # type: ignore[attr-defined]


def test_own_tasks_take_the_place_of_generated_ones() -> None:
    tasks = TaskSet([Task("a", "5 + 5 = ?", 10)])
    assert make("arithmetic", tasks).tasks is tasks


@pytest.mark.parametrize(("name", "near"), [("arithmetik", "arithmetic"), ("FrozenLake-v7", "FrozenLake-v1")])
def test_unknown_ids_suggest_near_ones(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        make(name)
    assert near in caught.value.suggestions


def test_an_id_like_no_other_lists_ours_alone() -> None:
    with pytest.raises(UnknownNameError, match=r"Known: .*palaestra/Taxi-v0") as caught:
        make("zzz")
    assert "Humanoid" not in str(caught.value)
    with pytest.raises(UnknownNameError, match="palaestra/Arithmetic-v0"):
        world("palaestra/Arithmetic-v1")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("arithmetic?digit=3", "no parameter 'digit'; its parameters are digits, operands"),
        ("arithmetic?tasks=3", "no parameter 'tasks'"),
        ("taxi?env=FrozenLake-v1", "no parameter 'env'"),
        ("taxi?is_slippery=true", "no parameter 'is_slippery'; .*is_rainy"),
        ("arithmetic?digits=many", "digits must be .*int.*'many'"),
        ("arithmetic?digits=2.5", "digits must be .*int.*'2.5'"),
        ("arithmetic?digits", "key=value"),
        ("arithmetic?digits=1&digits=2", "once for each key"),
        ("no_such_module_at_all:X-v0", "cannot be imported"),
    ],
)
def test_settings_that_mean_nothing_are_refused(spec: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make(spec)


def test_a_world_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_worlds.py").write_text(
        "import gymnasium\n"
        "from palaestra.envs.math.arithmetic import Arithmetic\n"
        "class Mine(Arithmetic): pass\n"
        "gymnasium.register('mine/Sums-v0', entry_point='my_own_worlds:Mine', kwargs={'level': 1})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    env = make("my_own_worlds:mine/Sums-v0?operations=-")
    assert type(env) is sys.modules["my_own_worlds"].Mine
    assert len(env.tasks) == 100
    gymnasium.registry.pop("mine/Sums-v0")


def test_cards_name_what_can_be_set() -> None:
    listed = {card.id: card for card in cards()}
    assert set(listed) == {entry.id for entry in worlds()}
    assert listed["palaestra/GuessNumber-v0"].parameters == "high, guesses, seed"
    assert "is_slippery" in listed["palaestra/FrozenLake-v0"].parameters


def test_the_package_exports_make() -> None:
    assert palaestra.envs.make is make
