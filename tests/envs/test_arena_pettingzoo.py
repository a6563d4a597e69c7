"""PettingZoo's own tests over every arena, and its conventions."""

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from palaestra.envs.arena.catalogue import arena_cards, make_arena
from palaestra.envs.errors import UsageError
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, render_test, seed_test

NAMES = [card.id for card in arena_cards()]
SIMULTANEOUS = ["goofspiel_v0", "prisoners_dilemma_v0"]
# Settings other than the defaults that change who plays or what chance does.
SETTINGS: dict[str, dict[str, Any]] = {
    "kuhn_poker_v0": {"players": 3},
    "liars_dice_v0": {"players": 3, "dice": 2},
    "goofspiel_v0": {"cards": 4, "order": "descending"},
    "nim_v0": {"piles": "2,2", "misere": True},
    "prisoners_dilemma_v0": {"rounds": 3},
}
# PettingZoo's tests advise arrays and spaces of numbers; text is none.
_ABOUT_TEXT = (
    "Observation is not a NumPy array",
    "Observation space for each agent probably should be gymnasium.spaces.box or gymnasium.spaces.discrete",
    "Action space for each agent probably should be gymnasium.spaces.box or gymnasium.spaces.discrete",
)


@pytest.fixture(autouse=True)
def _strict() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for message in _ABOUT_TEXT:
            warnings.filterwarnings("ignore", message=message)
        yield


def _module(name: str) -> Any:
    return import_module(f"palaestra.envs.arena.{name}")


def _built(name: str, form: str, **settings: Any) -> Callable[..., Any]:
    return lambda **more: getattr(_module(name), form)(**settings, **more)


@pytest.fixture(params=[*NAMES, *(f"{name} set" for name in SETTINGS)])
def build(request: pytest.FixtureRequest) -> Callable[[str], Callable[..., Any]]:
    name, _, settings = request.param.partition(" ")
    return lambda form: _built(name, form, **(SETTINGS[name] if settings else {}))


@pytest.mark.parametrize("illegal", ["lose", "retry", "random"])
def test_api(build: Callable[[str], Callable[..., Any]], illegal: str) -> None:
    api_test(build("env")(illegal=illegal), num_cycles=100)
    api_test(build("raw_env")(illegal=illegal), num_cycles=100)


def test_parallel_api(build: Callable[[str], Callable[..., Any]]) -> None:
    parallel_api_test(build("parallel_env")(), num_cycles=60)
    parallel_api_test(build("parallel_env")(illegal="random"), num_cycles=60)


def test_seed(build: Callable[[str], Callable[..., Any]]) -> None:
    seed_test(build("env"), num_cycles=60)
    parallel_seed_test(build("parallel_env"), num_cycles=60)


def test_render(build: Callable[[str], Callable[..., Any]], capsys: pytest.CaptureFixture[str]) -> None:
    render_test(build("env"))
    assert capsys.readouterr().out


@pytest.mark.parametrize("name", [*SETTINGS, "tic_tac_toe_v0", "connect_four_v0", "leduc_poker_v0"])
def test_the_pictures_of_games_are_coloured(name: str) -> None:
    arena = make_arena(name)
    arena.reset(seed=1)
    generator = np.random.default_rng(0)
    while not arena.over:
        arena.step(arena.sample_action(generator))
    assert "\x1b[" in arena.picture()


@pytest.mark.parametrize("name", NAMES)
def test_names_and_versions(name: str) -> None:
    env = _module(name).env()
    assert str(env) == env.metadata["name"] == name
    assert env.possible_agents[0] == "player_0"
    doc = _module(name).__doc__
    assert all(f"| {row} |" in doc for row in ("Players", "Observation", "Action", "Reward", "Illegal moves"))
    assert "Versions: v0" in doc


@pytest.mark.parametrize("name", NAMES)
def test_wrong_use_is_told(name: str) -> None:
    env = _module(name).env()
    with pytest.raises(Exception, match="reset"):
        env.step("1")


@pytest.mark.parametrize("name", SIMULTANEOUS)
def test_in_the_parallel_form_everybody_moves_in_every_round(name: str) -> None:
    arena = make_arena(name)
    env = _module(name).parallel_env()
    generator = np.random.default_rng(3)
    for game in range(30):
        observations, infos = env.reset(seed=game)
        arena.reset(seed=game)
        rounds = 0
        while env.agents:
            assert env.agents == ["player_0", "player_1"] == list(observations)
            moves = {}
            for agent in env.agents:
                # Told in full before anybody has moved: each has its own moves, and the round is the same.
                assert observations[agent] == arena.observe(agent)
                words = infos[agent]["action_mask"]
                assert observations[agent].endswith(f"\nMoves: {', '.join(words)}")
                moves[agent] = words[int(generator.integers(len(words)))]
            told = observations["player_1"]
            for agent in env.agents:
                assert arena.agent_selection == agent
                assert arena.infos[agent]["action_mask"] == infos[agent]["action_mask"]
                assert arena.observe("player_1") == told
                arena.step(moves[agent])
            observations, rewards, terminations, truncations, infos = env.step(moves)
            rounds += 1
            assert rewards == arena.rewards
            assert terminations == arena.terminations
            assert not any(truncations.values())
        assert rounds == {"goofspiel_v0": 4, "prisoners_dilemma_v0": 5}[name]
        assert rewards == {f"player_{seat}": paid for seat, paid in enumerate(arena.returns())}


@pytest.mark.parametrize("name", SIMULTANEOUS)
@pytest.mark.parametrize("silly", [("player_0",), ("player_1",), ("player_0", "player_1")])
def test_in_the_parallel_form_an_illegal_move_loses_after_the_round(name: str, silly: tuple[str, ...]) -> None:
    env = _module(name).parallel_env()
    _, infos = env.reset(seed=0)
    observations, rewards, terminations, _, infos = env.step(
        {agent: "nonsense" if agent in silly else infos[agent]["action_mask"][0] for agent in env.agents}
    )
    loser = silly[0]
    arena = env.unwrapped
    assert not env.agents
    assert all(terminations.values())
    assert arena.fault.seat == int(loser[-1])
    assert tuple(rewards.values()) == arena.rules.forfeit(arena.fault.seat)
    assert infos[loser]["verdict"].status == "illegal"
    assert set(observations) == {"player_0", "player_1"}


@pytest.mark.parametrize("name", SIMULTANEOUS)
def test_nobody_can_try_again_alone_where_all_move_at_once(name: str) -> None:
    with pytest.raises(UsageError, match="asks one seat again"):
        _module(name).parallel_env(illegal="retry")


def test_in_a_game_of_turns_only_the_mover_counts() -> None:
    env = _module("tic_tac_toe_v0").parallel_env()
    env.reset()
    env.step({"player_0": "5", "player_1": "1"})
    observations, *_ = env.step({"player_0": "9", "player_1": "1"})
    assert observations["player_0"].endswith("O1 2 3\n4 X5 6\n7 8 9\nMoves: 2, 3, 4, 6, 7, 8, 9")


def test_only_who_is_to_move_has_a_mask() -> None:
    env = _module("kuhn_poker_v0").raw_env()
    env.reset(seed=0)
    assert env.infos == {"player_0": {"action_mask": ("pass", "bet")}, "player_1": {}}
    env.step("bet")
    assert env.infos == {"player_0": {}, "player_1": {"action_mask": ("pass", "bet")}}
    assert env.last()[4]["action_mask"] == ("pass", "bet")
    env.step("pass")
    assert [env.infos[agent]["verdict"].status for agent in env.agents] == ["correct", "wrong"]


def test_the_usual_loop_collects_what_was_paid() -> None:
    env = _module("leduc_poker_v0").env()
    env.reset(seed=4)
    paid = dict.fromkeys(env.possible_agents, 0.0)
    for agent in env.agent_iter():
        _, reward, terminated, truncated, info = env.last()
        paid[agent] += reward
        env.step(None if terminated or truncated else env.action_space(agent).sample(info["action_mask"]))
    assert env.unwrapped.over
    assert tuple(paid.values()) == env.unwrapped.returns()
    assert any(paid.values())
