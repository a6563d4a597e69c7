"""PettingZoo environments as text: the wrapper itself, over the classic games and environments of the tests' own."""

import re
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from palaestra.envs.arena.game import in_parallel
from palaestra.envs.arena.spoken import SpokenArena, spoken
from palaestra.envs.arena.writers.classic import CLASSIC
from palaestra.envs.arena.writers.naming import spoken_names
from palaestra.envs.arena.writers.writer import SpaceWriter
from palaestra.envs.errors import ContractError, InfrastructureError, UnknownNameError, UsageError
from palaestra.envs.verdict import Status
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.classic.go.go import env as bare_go
from pettingzoo.test import api_test, parallel_api_test, seed_test
from pettingzoo.test.example_envs import generated_agents_env_v0

pytestmark = [
    # PettingZoo's tests warn of text, of agents without numbers and of its own registry.
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

SETTINGS: dict[str, dict[str, Any]] = {"go_v5": {"board_size": 5}, "hanabi_v5": {"colors": 3, "players": 3}}
HERE = [name for name in CLASSIC if name != "gin_rummy_v4" or find_spec("pettingzoo.classic.rlcard_envs.gin_rummy")]
PETS = ["cat", "dog", "emu"]


def classic(name: str, **given: Any) -> SpokenArena:
    return spoken(name, **SETTINGS.get(name, {}), **given)


class Pets(ParallelEnv[str, Any, int]):
    """Each pet takes 1, 2 or 3 a round and is paid it at once; who takes 3 is out, and no one takes the same twice."""

    def __init__(self, rounds: int = 4, leaving: bool = True) -> None:
        self.metadata = {"name": "pets_v0", "is_parallelizable": True}
        self.render_mode = None
        self.possible_agents = PETS[:]
        self.rounds, self.leaving = rounds, leaving
        self.actions = {pet: spaces.Discrete(3, start=1) for pet in PETS}
        self.views = {pet: spaces.MultiDiscrete([10, 4, 4, 4, 100]) for pet in PETS}

    def observation_space(self, agent: str) -> Any:
        return self.views[agent]

    def action_space(self, agent: str) -> Any:
        return self.actions[agent]

    def _seen(self, pets: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        seen = np.array([self.round, *self.last.values(), self.luck])
        masks = {pet: np.array([self.last[pet] != taken for taken in (1, 2, 3)], np.int8) for pet in pets}
        return dict.fromkeys(pets, seen), {pet: {"action_mask": mask} for pet, mask in masks.items()}

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        if seed is not None:
            self.luck = int(np.random.default_rng(seed).integers(100))
        self.agents = PETS[:]
        self.round, self.last = 0, dict.fromkeys(PETS, 0)
        return self._seen(self.agents)

    def step(self, actions: dict[str, int]) -> Any:
        self.round += 1
        self.last |= actions
        out = {pet: self.leaving and taken == 3 for pet, taken in actions.items()}
        late = dict.fromkeys(actions, self.round == self.rounds)
        paid = {pet: float(taken) for pet, taken in actions.items()}
        seen, infos = self._seen(list(actions))
        self.agents = [pet for pet in self.agents if not out[pet] and not late[pet]]
        return seen, paid, out, late, infos


def played(arena: SpokenArena, seed: int, most: int = 300) -> list[int]:
    """Play at random through text; return the numbers of what was played."""
    generator = np.random.default_rng(seed)
    arena.reset(seed=seed)
    numbers = []
    while not arena.over and len(numbers) < most:
        words = list(arena.legal())
        assert arena.infos[arena.agent_selection]["action_mask"] == tuple(words)
        word = words[int(generator.integers(len(words)))]
        numbers.append(arena.legal()[word])
        arena.step(f"I think it over.\n[{word.upper()}]" if len(numbers) % 2 else word)
    assert arena.over or len(numbers) == most
    return numbers


def bare(env: Any, seed: int, numbers: list[int]) -> dict[str, float]:
    """Play numbers in the environment itself; return what each agent was paid in all."""
    env.reset(seed=seed)
    paid = dict.fromkeys(env.possible_agents, 0.0)
    left = iter(numbers)
    for agent in env.agent_iter():
        _, reward, terminated, truncated, _ = env.last()
        paid[agent] += reward
        number = None if terminated or truncated else next(left, -1)
        if number == -1:
            break
        env.step(number)
    return paid


@pytest.mark.parametrize("name", HERE)
def test_pettingzoo_accepts_every_classic_game(name: str) -> None:
    api_test(classic(name), num_cycles=40)
    seed_test(partial(classic, name), num_cycles=30)


def test_pettingzoo_accepts_the_parallel_form() -> None:
    parallel_api_test(in_parallel(classic("rps_v2")), num_cycles=40)
    # Any sample is legal where no mask forbids the last one.
    parallel_api_test(in_parallel(SpokenArena(Pets(rounds=1))), num_cycles=20)
    api_test(SpokenArena(Pets()), num_cycles=40)


@pytest.mark.parametrize("name", HERE)
def test_text_and_numbers_end_alike(name: str) -> None:
    arena = classic(name)
    module = __import__(f"pettingzoo.classic.{name}", fromlist=["env"])
    other = module.env(**SETTINGS.get(name, {}))
    decided = 0
    for seed in range(6):
        numbers = played(arena, seed)
        paid = bare(other, seed, numbers)
        assert arena.possible_agents == list(paid)
        if arena.over:
            assert arena.rewards == paid
            decided += 1
    assert decided, "no game came to its end"


def test_the_parallel_form_takes_illegal_moves_too() -> None:
    env = in_parallel(spoken("rps_v2", max_cycles=3))
    env.reset(seed=0)
    _, rewards, over, _, _ = env.step({"player_0": "the stone", "player_1": "rock"})
    assert (dict(rewards), over) == ({"player_0": -3.0, "player_1": 3.0}, {"player_0": True, "player_1": True})
    assert not spoken("rps_v2", illegal="retry").metadata["is_parallelizable"]


def test_what_is_paid_on_the_way_is_summed_for_agents_that_leave_at_different_times() -> None:
    arena, env = SpokenArena(Pets()), Pets()
    lengths = set()
    for seed in range(20):
        numbers = iter(played(arena, seed))
        env.reset(seed=seed)
        paid, rounds = dict.fromkeys(PETS, 0.0), dict.fromkeys(PETS, 0)
        cut = dict.fromkeys(PETS, False)
        while env.agents:
            actions = {pet: next(numbers) for pet in env.agents}
            _, rewards, _, late, _ = env.step(actions)
            for pet, reward in rewards.items():
                paid[pet] += reward
                rounds[pet] += 1
                cut[pet] = late[pet]
        assert next(numbers, None) is None
        assert arena.rewards == paid
        assert arena.truncations == cut
        assert all(arena.terminations.values())
        lengths.add(tuple(rounds.values()))
    assert any(len(set(rounds)) > 1 for rounds in lengths)


def test_nobody_sees_what_others_chose_before_all_have() -> None:
    arena = SpokenArena(Pets())
    arena.reset(seed=1)
    luck = int(np.random.default_rng(1).integers(100))
    told = f"You are dog.\nYou see: [0, 0, 0, 0, {luck}]\nMoves: 1, 2, 3"
    assert arena.tell(1) == told.rpartition("\n")[0]
    arena.step("3")
    assert arena.agent_selection == "dog"
    assert arena.observe("dog") == told
    arena.step("1")
    arena.step("1")
    # The cat is out; the dog may not take 1 again.
    assert arena.observe("dog") == f"You are dog.\nYou see: [1, 3, 1, 1, {luck}]\nMoves: 2, 3"
    assert arena.tell(0) == f"You are cat.\nYou see: [1, 3, 1, 1, {luck}]"
    assert not arena.over
    assert arena.seat == 1


def test_an_illegal_move_in_a_round_is_held_until_the_round_is_over() -> None:
    arena = SpokenArena(Pets())
    arena.reset(seed=1)
    arena.step("4")
    assert not arena.over
    arena.step("1")
    arena.step("3")
    assert arena.over
    assert arena.fault is not None
    assert (arena.fault.seat, arena.fault.status) == (0, Status.ILLEGAL)
    # Each has been paid its first round; the cat, for whom 1 was played, pays 1.
    assert arena.rewards == {"cat": 0.0, "dog": 1.0, "emu": 3.0}
    assert not any(arena.truncations.values())


def test_an_illegal_move_in_a_round_is_not_forgotten_when_the_first_to_move_leaves() -> None:
    arena = SpokenArena(Pets())
    arena.reset(seed=1)
    for word in ("3", "none", "2"):
        assert not arena.over
        arena.step(word)
    assert arena.over
    assert arena.rewards == {"cat": 3.0, "dog": 0.0, "emu": 2.0}


def test_an_illegal_move_among_those_who_are_left_ends_the_game_at_once() -> None:
    arena = SpokenArena(Pets())
    arena.reset(seed=1)
    for word in ("3", "1", "1"):
        arena.step(word)
    arena.step("1")
    assert arena.over
    assert arena.rewards == {"cat": 3.0, "dog": 0.0, "emu": 1.0}


@pytest.mark.parametrize(
    ("name", "seat", "rewards"),
    [("tictactoe_v3", 1, (1.0, -1.0)), ("rps_v2", 0, (-15.0, 15.0)), ("hanabi_v5", 0, (0.0, 0.0, 0.0))],
)
def test_who_gives_up_gets_the_least_there_is(name: str, seat: int, rewards: tuple[float, ...]) -> None:
    arena = classic(name)
    arena.reset(seed=0)
    for _ in range(seat):
        arena.step(next(iter(arena.legal())))
    arena.step("xyzzy")
    while not arena.over:
        arena.step(next(iter(arena.legal())))
    assert tuple(arena.rewards.values()) == rewards
    assert arena.infos[arena.possible_agents[seat]]["verdict"].status is Status.ILLEGAL


def test_a_player_may_try_again_or_be_moved_at_random() -> None:
    arena = spoken("tictactoe_v3", illegal="retry", tries=2)
    arena.reset()
    arena.step("10")
    assert "\nThat was no legal move: '10' is not one of 1, 4, 7, 2, 5, 8, 3, 6, 9.\n" in arena.observe("player_1")
    arena.step("5")
    assert arena.observe("player_2").endswith("You are O.\n1 2 3\n4 X5 6\n7 8 9\nMoves: 1, 4, 7, 2, 8, 3, 6, 9")
    arena.step("5")
    arena.step("5")
    assert (arena.over, arena.rewards["player_2"]) == (True, -1.0)
    arena = spoken("tictactoe_v3", illegal="random")
    arena.reset(seed=3)
    arena.step("pass")
    assert (arena.seat, len(arena.legal()), arena.illegal_moves) == (1, 8, [1, 0])


def test_the_rules_are_told_once_unless_switched_off() -> None:
    arena = spoken("connect_four_v3")
    arena.reset()
    assert arena.observe("player_0").startswith("Connect four. ")
    arena.step("4")
    assert arena.observe("player_0").startswith("You are X.")
    arena = spoken("connect_four_v3", explain=False)
    arena.reset()
    assert arena.observe("player_0").startswith("You are X.")


@pytest.mark.parametrize("name", ["leduc_holdem_v4", "texas_holdem_v4", "texas_holdem_no_limit_v6", "hanabi_v5"])
def test_a_seed_names_the_game(name: str) -> None:
    arena = classic(name)

    def dealt(seed: int | None) -> str:
        arena.reset(seed=seed)
        return "\n".join(arena.tell(seat) for seat in range(len(arena.possible_agents)))

    # Larger ones than the environments themselves take are welcome.
    for seed in (7, 2**40 + 7):
        first, second = dealt(seed), dealt(None)
        assert (dealt(seed), dealt(None)) == (first, second)
    assert len({dealt(seed) for seed in (*range(8), 2**32, 2**33)}) > 5


def test_a_clone_plays_its_own_game() -> None:
    for arena in (spoken("tictactoe_v3"), SpokenArena(spoken("tictactoe_v3").inner)):
        arena.reset(seed=1)
        twin = arena.clone()
        twin.reset(seed=1)
        twin.step("5")
        arena.step("9")
        assert arena.observe("player_2").endswith("1 2 3\n4 5 6\n7 8 X9\nMoves: 1, 4, 7, 2, 5, 8, 3, 6")
        assert twin.observe("player_2").endswith("1 2 3\n4 X5 6\n7 8 9\nMoves: 1, 4, 7, 2, 8, 3, 6, 9")


def test_go_boards_of_two_sizes_do_not_disturb_each_other() -> None:
    small, large = spoken("go_v5", board_size=5), spoken("go_v5", board_size=7)
    numbers = {arena: [] for arena in (small, large)}
    for arena in numbers:
        arena.reset(seed=0)
    generator = np.random.default_rng(2)
    for _ in range(30):
        for arena, done in numbers.items():
            word = arena.sample_action(generator)
            done.append(arena.legal()[word])
            arena.step(word)
            assert not arena.over
    for arena, size in ((small, 5), (large, 7)):
        env = bare_go(board_size=size)
        bare(env, 0, numbers[arena])
        assert env.unwrapped._go.board.tolist() == arena.world._go.board.tolist()


class Turns(AECEnv[str, int, int]):
    """Two agents, one action each, which `act` makes of a kind of failure."""

    def __init__(self, act: Any = None, actions: Any = None, paid: float = 1.0) -> None:
        self.metadata = {"name": "turns_v0"}
        self.possible_agents = ["left_0", "right_0"]
        self.spaces = actions or spaces.Discrete(2)
        self.act, self.paid = act, paid

    def observation_space(self, agent: str) -> Any:
        return spaces.Discrete(2)

    def action_space(self, agent: str) -> Any:
        return self.spaces

    def observe(self, agent: str) -> int:
        return 0

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.agent_selection = "left_0"

    def step(self, action: int | None) -> None:
        if self.terminations[self.agent_selection]:
            self._was_dead_step(action)
            return
        if self.act:
            self.act()
        self.rewards = dict.fromkeys(self.agents, self.paid)
        self.terminations = dict.fromkeys(self.agents, True)
        self._accumulate_rewards()


def test_an_environment_that_fails_is_not_the_players_fault() -> None:
    for env in (Turns(act=lambda: 1 / 0), Turns(paid=float("nan"))):
        arena = SpokenArena(env)
        arena.reset()
        with pytest.raises(InfrastructureError, match="turns_v0"):
            arena.step("1")
    arena = SpokenArena(Turns())
    arena.reset()
    arena.step("1")
    assert arena.rewards == {"left_0": 1.0, "right_0": 1.0}


def test_names_of_actions_must_tell_them_apart() -> None:
    arena = SpokenArena(Turns(), SpaceWriter(actions=("go", "go")))
    with pytest.raises(ContractError, match="2 legal actions and SpaceWriter has 1 words"):
        arena.reset()
    arena = SpokenArena(Turns(), SpaceWriter("Stop or go.", actions=("stop", "go")))
    arena.reset()
    assert arena.observe("left_0") == "Stop or go.\n\nYou are left_0.\nYou see: 0 (of 0 to 1)\nMoves: stop, go"


def test_what_cannot_be_spoken_is_refused() -> None:
    with pytest.raises(UsageError, match="left_0 of turns_v0 acts in Box"):
        SpokenArena(Turns(actions=spaces.Box(0, 1, (2,))))
    with pytest.raises(UsageError, match="names no possible_agents"):
        SpokenArena(generated_agents_env_v0.env())
    with pytest.raises(UsageError, match="Expected a PettingZoo"):
        SpokenArena(lambda: "chess")  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match="are for a name"):
        spoken(Turns(), colour=1)
    env = Turns()
    env.observation_space = lambda agent: spaces.Box(0, 1, (84, 84))  # type: ignore[method-assign]
    env.observe = lambda agent: np.zeros((84, 84))  # type: ignore[method-assign, assignment, return-value]
    arena = SpokenArena(env)
    arena.reset()
    with pytest.raises(UsageError, match="a writer of your own"):
        arena.observe("left_0")


def test_the_page_of_the_documentation_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "arenas-pettingzoo.md").read_text()
    names: dict[str, Any] = {"MyEnv": lambda size: Turns(), "print": lambda *told: None}
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 4
    assert names["arena"].writer.actions == ("stay", "left", "right")
    assert names["CartWriter"]().forfeit(0, (0.0, 0.0)) == (-1.0, 1.0)
    for name in CLASSIC:
        assert f"| `{name}` |" in page


def test_names() -> None:
    for name in ("tictactoe_v3", "classic/tictactoe_v3", "pettingzoo/classic/tictactoe_v3"):
        assert spoken(name).title == "tictactoe_v3"
    assert {"butterfly/pistonball_v6", "classic/gin_rummy_v4"} <= set(spoken_names())
    with pytest.raises(UnknownNameError, match="Did you mean 'tictactoe_v3'"):
        spoken("tictactoe_v2")
    with pytest.raises(UnknownNameError, match="chess_v6"):
        spoken("chess")
    with pytest.raises(UsageError, match=r"classic/go_v5 cannot be built with \{'komy': 1\}"):
        spoken("go_v5", komy=1)


def test_a_butterfly_world_is_spoken_by_its_spaces() -> None:
    class Short(SpaceWriter):
        def tell(self, env: Any, agent: str, observation: Any) -> str:
            return f"You are {agent}; you see {observation.shape}."

    names = ("stay", "up", "down")
    pong = next(name for name in spoken_names() if "cooperative_pong" in name)
    arena = spoken(pong, writer=Short(actions=names), max_cycles=5)
    arena.reset(seed=0)
    assert arena.observe("paddle_0") == "You are paddle_0; you see (280, 480, 3).\nMoves: stay, up, down"
    assert not arena.instant
    turns = 0
    while not arena.over:
        arena.step("up")
        turns += 1
    assert turns == 10
    assert arena.truncations == {"paddle_0": True, "paddle_1": True}


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes a package look as if it were not installed, and modules that use it not yet imported."""

    def hide(package: str, *users: str) -> None:
        monkeypatch.setitem(sys.modules, package, None)
        for user in users:
            monkeypatch.delitem(sys.modules, f"pettingzoo.classic.{user}", raising=False)

    return hide


@pytest.mark.parametrize(
    ("name", "package", "users"),
    [
        ("leduc_holdem_v4", "rlcard", ("rlcard_envs.leduc_holdem", "rlcard_envs.rlcard_base")),
        ("chess_v6", "chess", ("chess.chess", "chess.chess_utils")),
        ("rps_v2", "pygame", ("rps.rps",)),
        ("hanabi_v5", "shimmy.openspiel_compatibility", ("hanabi.hanabi",)),
    ],
)
def test_what_is_missing_is_said(without: Any, name: str, package: str, users: tuple[str, ...]) -> None:
    without(package, *users)
    with pytest.raises(UsageError, match=rf"classic/{name} needs .*pip install 'palaestra\[classic\]'"):
        spoken(name)
