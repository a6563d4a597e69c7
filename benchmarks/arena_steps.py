"""How many moves a second an arena makes, beside other libraries' worlds, with players that move at random.

    python benchmarks/arena_steps.py [--quick]

All on one core, in turn within each round, so that all meet the same machine; 95 % intervals over the rounds. A step is
one move of a player; the players are a line of code that draws evenly from the legal moves, the same everywhere.

1. Text: at every turn the seat is told where it stands and says its move. Ours is the bare arena (`raw_env`) with the
   rules of the game told before the first move; the player draws from the arena's list of moves. TextArena's are its
   `-raw` environments, without its wrappers: `get_observation` returns what was said since, not yet put together for a
   model, and the player reads the legal moves from its `game_state` instead of the text. Its Kuhn poker plays three
   hands a game, as registered. PettingZoo's tic-tac-toe, in numbers instead of text, is its `raw_env` with `observe`.
   Target: at least twice the better of the others. Ours works out each state once and keeps it, which these small
   games favour.
2. Many games at once: `Tabulated.play_random` with a million games a call, against OpenSpiel's random games in C++ (the
   evaluator of its search, asked for that many games from one position by a search of one simulation) and driven from
   Python. OpenSpiel begins Kuhn poker behind the deal, because its search begins at no turn of chance. Target: no less
   than a fifth of the rate in C++.

The mean length of a game is checked for each against the exact one: who plays other games measures nothing.
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import pyspiel
import textarena
from palaestra.envs.arena import kuhn_poker_v0, tic_tac_toe_v0
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.table import Tabulated
from pettingzoo.classic import tictactoe_v3
from record import bootstrap, keep

Played = tuple[int, int]
"""How many moves, in how many games."""
Play = Callable[[int], Played]
"""Plays so many games."""

# Exact, for moves drawn evenly; TextArena's Kuhn poker is three hands.
LENGTHS: Final = {"tic_tac_toe": 7.6253, "kuhn_poker": 2.25}
TEXTARENA_HANDS: Final = 3
TARGET_TEXT, TARGET_MANY = 2.0, 0.2

draw = random.Random(0).random


def ours(arena: Arena) -> Play:
    def play(games: int) -> Played:
        steps = 0
        for _ in range(games):
            arena.reset()
            while not arena.over:
                agent = arena.agent_selection
                arena.observe(agent)
                legal = arena.infos[agent]["action_mask"]
                arena.step(legal[int(draw() * len(legal))])
                steps += 1
        return steps, games

    return play


def textarena_of(name: str, moves: Callable[[dict[str, Any]], list[str]]) -> Play:
    env = textarena.make(name)

    def play(games: int) -> Played:
        steps = 0
        for _ in range(games):
            env.reset(num_players=2)
            done = False
            while not done:
                env.get_observation()
                legal = moves(env.state.game_state)
                done, _ = env.step(legal[int(draw() * len(legal))])
                steps += 1
        return steps, games

    return play


def free_cells(game: dict[str, Any]) -> list[str]:
    board = game["board"]
    return [f"[{cell}]" for cell in range(9) if board[cell // 3][cell % 3] == ""]


def words(game: dict[str, Any]) -> list[str]:
    return [f"[{word}]" for word in game["current_legal_action_tree"]]


def textarena_kuhn() -> Play:
    play = textarena_of("KuhnPoker-v0-raw", words)

    def hands(games: int) -> Played:
        rounds = max(1, games // TEXTARENA_HANDS)
        return play(rounds)[0], rounds * TEXTARENA_HANDS

    return hands


def pettingzoo_tic_tac_toe() -> Play:
    env = tictactoe_v3.raw_env()

    def play(games: int) -> Played:
        steps = 0
        for _ in range(games):
            env.reset()
            while not any(env.terminations.values()):
                legal = np.flatnonzero(env.observe(env.agent_selection)["action_mask"])
                env.step(int(legal[int(draw() * len(legal))]))
                steps += 1
        return steps, games

    return play


def many_ours(table: Tabulated) -> Play:
    generator = np.random.default_rng(0)
    return lambda games: (table.play_random(games, generator).steps, games)


def openspiel_from_python(name: str) -> Play:
    game = pyspiel.load_game(name)

    def play(games: int) -> Played:
        steps = 0
        for _ in range(games):
            state = game.new_initial_state()
            while not state.is_terminal():
                legal = state.legal_actions()
                steps += not state.is_chance_node()
                state.apply_action(legal[int(draw() * len(legal))])
        return steps, games

    return play


def openspiel_in_cpp(name: str) -> Play:
    """Search by one simulation, which is that many random games from the root; the moves are not counted there."""
    game = pyspiel.load_game(name)
    state = game.new_initial_state()
    while state.is_chance_node():
        state.apply_action(state.legal_actions()[0])

    def play(games: int) -> Played:
        evaluator = pyspiel.RandomRolloutEvaluator(games, random.Random(draw()).randrange(2**31))
        bot = pyspiel.MCTSBot(game, evaluator, 1.0, 1, 1, False, 0, False)
        assert bot.mcts_search(state).explore_count == 1
        return round(LENGTHS[name] * games), games

    return play


def rate(name: str, play: Play, games: int) -> float:
    """Return moves a second."""
    began = time.perf_counter()
    steps, played = play(games)
    seconds = time.perf_counter() - began
    # Six standard errors: the deviation of a game's length is below 1.4 moves.
    if abs(steps / played - LENGTHS[name]) > 6 * 1.4 / played**0.5:
        raise SystemExit(f"{name}: {steps / played:.3f} moves a game instead of {LENGTHS[name]}: another game.")
    return steps / seconds


def measure(
    name: str, contestants: dict[str, tuple[Play, int]], others: tuple[str, ...], rounds: int, target: float
) -> dict[str, Any]:
    """Let all play in turn; `others` are those that ours is compared with."""
    rates: dict[str, list[float]] = {who: [] for who in contestants}
    for number in range(rounds + 1):
        for who, (play, games) in contestants.items():
            measured = rate(name, play, games)
            if number:  # the first round warms up
                rates[who].append(measured)
    ratios = [mine / max(rates[who][i] for who in others) for i, mine in enumerate(rates["ours"])]
    return {
        "steps_per_second": {who: bootstrap(values) for who, values in rates.items()},
        f"ours_over_{'_or_'.join(others)}": bootstrap(ratios) | {"target": target},
    }


def in_text(games: int, rounds: int) -> dict[str, Any]:
    tic_tac_toe = {
        "ours": (ours(tic_tac_toe_v0.raw_env()), games),
        "textarena": (textarena_of("TicTacToe-v0-raw", free_cells), games),
        "pettingzoo": (pettingzoo_tic_tac_toe(), games),
    }
    kuhn_poker = {
        "ours": (ours(kuhn_poker_v0.raw_env()), 3 * games),
        "textarena": (textarena_kuhn(), 3 * games),
    }
    return {
        "tic_tac_toe": measure("tic_tac_toe", tic_tac_toe, ("textarena", "pettingzoo"), rounds, TARGET_TEXT),
        "kuhn_poker": measure("kuhn_poker", kuhn_poker, ("textarena",), rounds, TARGET_TEXT),
    }


def many_at_once(games: int, rounds: int) -> dict[str, Any]:
    figures = {}
    for name, module in (("tic_tac_toe", tic_tac_toe_v0), ("kuhn_poker", kuhn_poker_v0)):
        began = time.perf_counter()
        table = Tabulated(module.rules())
        seconds = time.perf_counter() - began
        contestants = {
            "ours": (many_ours(table), games),
            "openspiel_cpp": (openspiel_in_cpp(name), games),
            "openspiel_python": (openspiel_from_python(name), max(1, games // 20)),
        }
        found = measure(name, contestants, ("openspiel_cpp",), rounds, TARGET_MANY)
        figures[name] = {**found, "seconds_to_tabulate": seconds}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures are not kept")
    quick = parser.parse_args().quick
    rounds = 2 if quick else 15
    figures = {
        "textarena_version": version("textarena"),
        "open_spiel_version": version("open-spiel"),
        "text": in_text(500 if quick else 20_000, rounds),
        "many_at_once": many_at_once(20_000 if quick else 1_000_000, rounds),
    }
    print(json.dumps(figures, indent=1))
    if not quick:
        keep("arena_steps", figures)


if __name__ == "__main__":
    main()
