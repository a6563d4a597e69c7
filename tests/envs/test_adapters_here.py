"""Other people's worlds, as far as the development packages go: names, settings, OpenSpiel, TextArena."""

import random
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pyspiel
import pytest
from palaestra.envs import catalogue
from palaestra.envs.adapters.chance import Chance
from palaestra.envs.adapters.expressions import unsafe
from palaestra.envs.adapters.foreign import Answer, ForeignWorld, seeds
from palaestra.envs.adapters.openenv import _action_fields
from palaestra.envs.adapters.prefixes import ADAPTERS
from palaestra.envs.arena.catalogue import is_arena, make_arena, rules_of
from palaestra.envs.arena.rules import CHANCE, OVER
from palaestra.envs.contracts import check_environment
from palaestra.envs.errors import InfrastructureError, UnknownNameError, UsageError
from palaestra.envs.verdict import Status
from pettingzoo.test import api_test, seed_test

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

SPIEL = [
    "kuhn_poker",
    "kuhn_poker?players=3",
    "leduc_poker",
    "tic_tac_toe",
    "connect_four",
    "liars_dice",
    "goofspiel?num_cards=4",
    "matrix_rps",
    "matching_pennies_3p",
    "backgammon",
    "oshi_zumo?coins=6",
]


@pytest.mark.parametrize("spec", SPIEL)
def test_openspiel_pays_what_pyspiel_pays(spec: str) -> None:
    arena = make_arena(f"openspiel:{spec}")
    generator = np.random.default_rng(5)
    for game in range(3):
        arena.reset(seed=game)
        while not arena.over:
            spiel = arena.state.spiel
            seat = arena.seat
            legal = arena.legal()
            assert sorted(legal.values()) == (sorted(spiel.legal_actions(seat)) or [0])
            assert len(set(legal)) == len(legal)
            assert "\n" not in "".join(legal)
            arena.step(arena.sample_action(generator))
        end = arena.state.spiel
        replay = pyspiel.load_game(str(end.get_game())).new_initial_state()
        if end.get_game().get_type().dynamics != pyspiel.GameType.Dynamics.SIMULTANEOUS:
            for action in end.history():
                replay.apply_action(action)
            assert replay.is_terminal()
            assert arena.results == tuple(replay.returns())
        assert arena.results == tuple(end.returns())


@pytest.mark.parametrize("name", ["kuhn_poker", "goofspiel?num_cards=4"])
def test_openspiel_arenas_keep_the_conventions(name: str) -> None:
    api_test(make_arena(f"openspiel:{name}"), num_cycles=30)
    seed_test(lambda: make_arena(f"openspiel:{name}"), num_cycles=30)


def test_moves_of_openspiel_go_by_their_names() -> None:
    kuhn = make_arena("openspiel:kuhn_poker")
    kuhn.reset(seed=1)
    assert list(kuhn.legal()) == ["pass", "bet"]
    bids = make_arena("openspiel:goofspiel?num_cards=4")
    bids.reset(seed=1)
    assert list(bids.legal()) == ["bid: 1", "bid: 2", "bid: 3", "bid: 4"]
    told = bids.observe("player_1")
    bids.step("bid: 3")
    # What the other has chosen is hidden until the round is over.
    assert bids.observe("player_1") == told


def test_search_solves_a_game_of_openspiel() -> None:
    from palaestra.agents.search.best_response import exploitability
    from palaestra.agents.search.tabular import uniform

    rules = rules_of("openspiel:kuhn_poker")
    assert exploitability(rules, uniform(rules)) == pytest.approx(0.458333, abs=1e-5)


def test_a_round_of_all_is_chosen_in_turn() -> None:
    rules = rules_of("openspiel:matrix_rps")
    state = rules.initial()
    first = rules.next(state, 0)
    assert (rules.turn(state), rules.turn(first)) == (0, 1)
    assert rules.information(state, 1) == rules.information(first, 1)
    assert rules.information(state, 0) != rules.information(first, 0)
    assert rules.turn(rules.next(first, 2)) == OVER
    assert CHANCE != OVER


def test_unknown_names_are_met_with_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="'kuhn_poker'"):
        make_arena("openspiel:kuhn_pokr")
    with pytest.raises(UnknownNameError, match="'TicTacToe-v0'"):
        make_arena("textarena:TicTcToe-v0")
    with pytest.raises(UnknownNameError, match="'Wordle-v0'"):
        catalogue.make("textarena:Wordl-v0")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("openspiel:2048", "a game for 1"),
        ("openspiel:kuhn_poker?players=99", "cannot load"),
        ("openspiel:kuhn_poker?chips=5", "cannot load"),
        ("openspiel:", "names nothing"),
        ("textarena:Wordle-v0", "played alone"),
        ("textarena:TicTacToe-v0?players=5", "does not begin with 5"),
        ("textarena:TicTacToe-v0?colour=red", "colour"),
    ],
)
def test_what_an_arena_cannot_be_made_of_is_said(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_arena(spec)


def test_which_kind_a_name_is() -> None:
    assert is_arena("textarena:TicTacToe-v0")
    assert is_arena("openspiel:kuhn_poker")
    assert not is_arena("textarena:Wordle-v0")
    assert not is_arena("textarena:Nowhere-v0")
    assert not is_arena("reasoning-gym:chain_sum")
    with pytest.raises(UsageError, match="several"):
        catalogue.make("textarena:TicTacToe-v0")


PACKAGES = {
    "reasoning-gym": "reasoning_gym",
    "textarena": "textarena",
    "gem": "gem",
    "verifiers": "verifiers",
    "openenv": "openenv",
    "openspiel": "pyspiel",
    "inspect": "inspect_ai",
}


@pytest.mark.parametrize("prefix", sorted(ADAPTERS))
def test_a_missing_package_names_its_extra(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = PACKAGES[prefix]
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    make = make_arena if prefix == "openspiel" else catalogue.make
    with pytest.raises(UsageError, match=rf"pip install 'palaestra\[{prefix}\]'"):
        make(f"{prefix}:something")


def test_naming_the_adapters_loads_none_of_their_packages() -> None:
    code = (
        "import sys, palaestra.envs, palaestra.envs.catalogue, palaestra.envs.arena.catalogue;"
        f"print(sorted(set({sorted(PACKAGES.values())}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


class Dice(ForeignWorld):
    """Pays what the process's own dice say, and breaks when told to."""

    def __init__(self) -> None:
        super().__init__(seeds("dice", 5))
        self.chance = Chance()

    def start(self, task):
        if task.reference == 4:
            raise ZeroDivisionError("no dice")
        self.chance.seed(task.reference)
        return "Roll."

    def act(self, action):
        if action == "break":
            raise OSError("the table broke")
        if action == "nan":
            return Answer("", float("nan"))
        with self.chance:
            return Answer(f"{random.random()} {np.random.random()}", 0.5, action == "stop")  # noqa: NPY002


def test_a_world_that_fails_is_no_reward() -> None:
    env = Dice()
    for action, said in (("break", "OSError: the table broke"), ("nan", "paid nan")):
        env.reset(seed=0, options={"task": "dice#0"})
        assert env.step("roll")[1] == 0.5
        _, reward, terminated, _, info = env.step(action)
        assert (reward, terminated, info["verdict"].status) == (0.0, True, Status.INFRASTRUCTURE)
        assert said in info["verdict"].detail
        with pytest.raises(UsageError, match="no running episode"):
            env.step("roll")
    with pytest.raises(InfrastructureError, match="no dice"):
        env.reset(seed=0, options={"task": "dice#4"})
    env.reset(seed=0, options={"task": "dice#0"})
    env.step("roll")
    assert env.step("stop")[4]["verdict"].status is Status.CORRECT


def test_the_process_wide_generators_are_lent_and_given_back() -> None:
    def rolls(env: Dice, between) -> list[str]:
        env.reset(seed=0, options={"task": "dice#1"})
        told = []
        for _ in range(3):
            between()
            told.append(env.step("roll")[0])
        return told

    python, numpy = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    quiet = rolls(Dice(), lambda: None)
    assert random.getstate() == python
    assert np.random.get_state()[1].tolist() == numpy  # noqa: NPY002
    # Another world at work in between, and anybody's own draws, change nothing.
    other = Dice()
    other.reset(seed=0, options={"task": "dice#2"})
    assert rolls(Dice(), lambda: (other.step("roll"), random.random())) == quiet
    assert len(set(quiet)) == 3


@pytest.mark.parametrize(
    "text", ["3*x**2 + 2*x - 1", "sin(2*x)/2", "(3 + 5)*12/4", "-7", "0.375", "exp(-x) + C", "3/8", "gamma*x"]
)
def test_formulas_are_safe(text: str) -> None:
    assert unsafe(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "((9**9)**9)**9",
        "9**(9*99)",
        "10**(2**30)",
        "1e999999999",
        "9" * 40,
        "__import__('os')",
        "x.__class__",
        "eval(x)",
        "open(x)",
        "factorial(9)",
        "gamma(99999999)",
        "2*beta(3) + gamma(3)",
        "[x for x in y]",
        "lambda: 0",
        "f(x)(y)",
        "'a'*9",
        "x" + "+x" * 5_000,
        "(" * 300,
        "True",
        "",
    ],
)
def test_what_a_parser_should_not_evaluate(text: str) -> None:
    assert unsafe(text)


GUESS = "textarena:GuessTheNumber-v0?size=40"


def test_a_game_of_textarena_for_one() -> None:
    env = catalogue.make(GUESS)
    check_environment(env)
    outcomes = set()
    for task in env.tasks:
        told, _ = env.reset(seed=0, options={"task": task})
        assert "You are playing Guess The Number" in told
        # Bisection needs no more than 5 guesses, and the game allows 10.
        low, high = 1, 20
        for _ in range(5):
            middle = (low + high) // 2
            told, reward, over, _, info = env.step(f"[{middle}]")
            if over:
                break
            assert "You are playing" not in told, "the agent remembers; it is told what is new"
            low, high = (middle + 1, high) if "higher" in told else (low, middle - 1)
        assert over
        outcomes.add((reward, info["verdict"].status))
    assert outcomes == {(1.0, Status.CORRECT)}


def test_a_game_that_is_lost_by_no_move() -> None:
    env = catalogue.make(GUESS)
    env.reset(seed=0)
    replies = [env.step("I do not know.") for _ in range(2)]
    assert not replies[0][2]
    assert "invalid move" in replies[0][0]
    assert replies[1][2]
    assert replies[1][4]["verdict"].status is Status.ILLEGAL
    assert replies[1][1] < 0.5


def test_what_textarena_brings_and_cannot_build_is_said() -> None:
    with pytest.raises(UsageError, match="does not bring it"):
        make_arena("textarena:UsedCar-v0-balanced")
    with pytest.raises(UsageError, match=r"cannot build GuessWho-v0: .*key"):
        catalogue.make("textarena:GuessWho-v0")
    # Its messages name no sender.
    env = catalogue.make("textarena:Countdown-v0?size=3")
    assert "Countdown" in env.reset(seed=0)[0]
    assert env.step("[0]")[4].get("verdict") is None


def test_a_game_of_textarena_for_two() -> None:
    arena = make_arena("textarena:TicTacToe-v0")
    api_test(make_arena("textarena:TicTacToe-v0"), num_cycles=20)
    arena.reset(seed=0)
    assert "You are Player 0" in arena.observe("player_0")
    for move in ("[4]", "[0]", "[3]", "[1]"):
        arena.step(move)
    told = arena.observe("player_0")
    assert "You are Player 0" not in told
    assert "Player 1" in told
    arena.step("[5]")
    assert arena.over
    assert arena.results == (1.0, -1.0)
    assert [arena.infos[agent]["verdict"].status for agent in arena.agents] == [Status.CORRECT, Status.WRONG]
    arena.reset(seed=0)
    arena.step("nonsense")
    assert arena.agent_selection == "player_0"
    arena.step("more nonsense")
    assert arena.over
    assert arena.infos["player_0"]["verdict"].status is Status.ILLEGAL


def test_a_game_of_textarena_for_several_and_the_same_from_the_same_seed() -> None:
    arena, twin = (make_arena("textarena:LiarsDice-v0?players=3") for _ in range(2))
    told = []
    for game, other in ((arena, 1), (twin.clone(), 1), (arena, 2)):
        game.reset(seed=other)
        told.append([str(game.observe(game.agent_selection))])
        for _ in range(12):
            if game.over:
                break
            game.step("[Bid: 1, 2]" if game.seat == 0 else "[Call]")
            told[-1].append(str(game.observe(game.agent_selection)))
    assert told[0] == told[1] != told[2]
    assert len(arena.possible_agents) == 3


def test_matches_record_outside_games() -> None:
    from palaestra.agents.matches import Match, Matches
    from palaestra.agents.specs import load_agent

    players = [load_agent("search:mcts?simulations=20"), load_agent("scripted:random")]
    records = Matches(players).play(
        [Match("a", "openspiel:tic_tac_toe", (0, 1), 3), Match("b", "openspiel:tic_tac_toe", (0, 1), 3)]
    )
    assert all(record.valid for record in records)
    assert records[0].moves == records[1].moves
    assert sum(records[0].returns) == 0.0


@pytest.mark.parametrize("said", [b"[1]", b'{"action": [1]}', b'{"action": null}', b"{}", b"no json"])
def test_what_is_no_openenv_server_is_said(said: bytes) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(UsageError, match="No OpenEnv server answers"):
            _action_fields(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
