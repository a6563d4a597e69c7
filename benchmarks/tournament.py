"""What rating a tournament costs, and whether its ratings and their intervals tell the truth.

    python benchmarks/tournament.py            # keeps benchmarks/results/tournament.json
    python benchmarks/tournament.py --quick    # small, keeps nothing

1. Ten thousand games of Kuhn poker among eight scripted players: the seconds from finished games to the result, all of
   it (ratings by maximum likelihood and by openskill, cross table, cycles, Nash weights), and those of the maximum
   likelihood alone; medians over repeats. Target: below 10 s.
2. Simulated leagues of eight whose strengths are known: normal around 0 with a deviation of 200 points, the first move
   worth 40, draws by Davidson's model. Everybody meets everybody in sets of two games with swapped seats. The luck of
   the two games of a set is independent; or the same for the seat (as with the same cards), so that it cancels out; or
   the same for the player, so that the second game tells less than it seems to. For each, over all leagues:
   - Kendall's tau between ratings and true strengths, of maximum likelihood and of openskill. Target: at least 0.9 with
     100 games a pairing, of maximum likelihood.
   - the share of 95 % intervals of ratings that hold the truth; of intervals of the first move; and of intervals that
     take all games for independent, to see what the clusters are for. Target: 0.93 to 0.97 for ratings.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from palaestra.agents.scripted import ConstantAgent, RandomAgent
from palaestra.evolution.tournament.games import Comparisons, Game, compare
from palaestra.evolution.tournament.rating import ELO, MEAN, rate
from palaestra.evolution.tournament.result import conclude
from palaestra.evolution.tournament.schedule import Plan
from palaestra.evolution.tournament.skill import skills
from palaestra.evolution.tournament.store import Store
from palaestra.evolution.tournament.tournament import play
from record import bootstrap, keep
from scipy.stats import kendalltau

PLAYERS = 8
DEVIATION, FIRST_MOVE, DRAW = 200.0, 40.0, 0.6
LUCK = ("independent", "of the seat", "of the player")


def rating_time(games: int, repeats: int) -> dict[str, Any]:
    """Play a tournament, and rate it again and again."""
    agents = [*[RandomAgent()] * 5, ConstantAgent("bet"), ConstantAgent("pass"), ConstantAgent("nonsense")]
    pairings = PLAYERS * (PLAYERS - 1) // 2
    plan = Plan("kuhn_poker", tuple(agent.name for agent in agents), 2, -(-games // pairings))
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder, "run"), plan) as store:
        began = time.perf_counter()
        played = play(store, agents)
        playing = time.perf_counter() - began
    whole, likelihood = [], []
    for _ in range(repeats):
        began = time.perf_counter()
        conclude(played)
        whole.append(time.perf_counter() - began)
        began = time.perf_counter()
        rate(compare(played.games, PLAYERS, 2))
        likelihood.append(time.perf_counter() - began)
    return {
        "games": len(played.games),
        "playing_seconds": playing,
        "seconds": statistics.median(whole),
        "seconds_worst": max(whole),
        "likelihood_seconds": statistics.median(likelihood),
        "target_seconds": 10.0,
    }


def league(generator: np.random.Generator, strengths: NDArray[np.float64], sets: int, luck: str) -> list[Game]:
    """Play a league of Davidson's model."""
    first, second = np.triu_indices(len(strengths), 1)
    pairs = np.tile(
        np.stack([first, second], axis=1), (sets, 1)
    )  # as a schedule has it: a set of each, again and again
    shared = generator.random(len(pairs))
    games: list[tuple[int, int, Game]] = []
    for turn in range(2):
        players = pairs[:, ::-1] if turn else pairs
        d = (strengths[players[:, 0]] - strengths[players[:, 1]] + FIRST_MOVE) / ELO
        chances = np.exp(np.stack([d / 2, np.full_like(d, np.log(DRAW)), -d / 2]))
        bounds = np.cumsum(chances / chances.sum(axis=0), axis=0)
        drawn = {
            "independent": generator.random(len(pairs)),
            "of the seat": shared,
            "of the player": 1 - shared if turn else shared,
        }[luck]
        paid = 1.0 - (drawn > bounds[0]) - (drawn > bounds[1])
        games += [
            (number, turn, Game(f"{number}.{turn}", str(number), (int(a), int(b)), 0, (float(p), -float(p))))
            for number, ((a, b), p) in enumerate(zip(players, paid, strict=True))
        ]
    return [game for _, _, game in sorted(games, key=lambda one: one[:2])]


def apart(comparisons: Comparisons) -> Comparisons:
    """Take all games for independent."""
    return replace(comparisons, cluster=np.arange(len(comparisons.cluster)))


def truth(seed: int, leagues: int, sets: int, luck: str) -> dict[str, Any]:
    """Compare ratings with the strengths that made the results."""
    generator = np.random.default_rng(seed)
    taus: dict[str, list[float]] = {"likelihood": [], "openskill": []}
    covered: dict[str, list[float]] = {"ratings": [], "ratings_taken_for_independent": [], "first_move": []}
    widths = []
    for _ in range(leagues):
        strengths = generator.normal(0, DEVIATION, PLAYERS)
        games = league(generator, strengths, sets, luck)
        comparisons = compare(games, PLAYERS, 2)
        found, naive = rate(comparisons), rate(apart(comparisons))
        centred = MEAN + strengths - strengths.mean()
        taus["likelihood"].append(tau([one.value for one in found.players], strengths))
        taus["openskill"].append(tau([one.mu for one in skills(games, PLAYERS)], strengths))
        for name, ratings in (("ratings", found.players), ("ratings_taken_for_independent", naive.players)):
            # One share a league: its intervals are not independent of each other.
            held = [one.low <= true <= one.high for one, true in zip(ratings, centred, strict=True)]
            covered[name].append(float(np.mean(held)))
        covered["first_move"].append(float(found.seats[0].low <= FIRST_MOVE / 2 <= found.seats[0].high))
        widths.append(float(np.mean([one.high - one.low for one in found.players])))
    return {
        "leagues": leagues,
        "games_per_pairing": 2 * sets,
        "kendall_tau": {name: bootstrap(values) for name, values in taus.items()},
        "coverage": {name: bootstrap(values) for name, values in covered.items()},
        "mean_width": statistics.mean(widths),
    }


def tau(ratings: Sequence[float], strengths: NDArray[np.float64]) -> float:
    return float(kendalltau(ratings, strengths).statistic)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures are not kept")
    quick = parser.parse_args().quick
    figures = {
        "rating": rating_time(1_000 if quick else 10_000, 2 if quick else 5),
        "leagues": {
            f"{luck}, {2 * sets} games a pairing": truth(number, 20 if quick else 300, sets, luck)
            for number, (luck, sets) in enumerate((luck, sets) for luck in LUCK for sets in (10, 50))
        },
        "targets": {"coverage_of_ratings": [0.93, 0.97], "kendall_tau_of_likelihood_at_100_games": 0.9},
    }
    print(json.dumps(figures, indent=1))
    if not quick:
        keep("tournament", figures)


if __name__ == "__main__":
    main()
