import math

import numpy as np
import pytest
from numpy.typing import NDArray
from palaestra.evolution.evaluation.statistics import wilson
from palaestra.evolution.tournament.cycles import (
    count_cycles,
    cyclic_by_chance,
    cyclic_share,
    find_cycles,
    nash_weights,
    payoffs,
)
from palaestra.evolution.tournament.games import Game, compare, scores
from palaestra.evolution.tournament.rating import rate
from palaestra.evolution.tournament.standings import cross_table, names_of, score_interval, standings

ROCK_PAPER_SCISSORS = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])


def pairings(payoff: NDArray[np.float64], games: int) -> list[Game]:
    """Games whose cross table has these payoffs, wins and losses only."""
    made = []
    for i in range(len(payoff)):
        for j in range(i + 1, len(payoff)):
            wins = round(games * (1 + payoff[i, j]) / 2)
            for number in range(games):
                paid = 1.0 if number < wins else -1.0
                made.append(Game(f"{i}.{j}.{number}", f"{i}.{j}.{number}", (i, j), 0, (paid, -paid)))
    return made


@pytest.mark.parametrize(("wins", "games"), [(0, 5), (3, 10), (10, 10), (49, 137)])
def test_without_draws_the_score_has_wilsons_interval(wins: int, games: int) -> None:
    mine, theirs = score_interval(wins, games), wilson(wins, games)
    assert (mine.value, mine.low, mine.high) == pytest.approx((theirs.value, theirs.low, theirs.high), abs=1e-12)


def test_of_no_games_nothing_is_known() -> None:
    nothing = score_interval(0, 0)
    assert math.isnan(nothing.value)
    assert (nothing.low, nothing.high) == (0, 1)


def test_scores_are_shares_of_others_left_behind() -> None:
    assert scores((1.0, -1.0)) == [1, 0]
    assert scores((0.0, 0.0)) == [0.5, 0.5]
    assert scores((2.0, 5.0, 2.0)) == [0.25, 1.0, 0.25]


def test_one_named_twice_is_numbered() -> None:
    assert names_of(["a", "b", "a"]) == ("a #1", "b", "a #2")


def test_counts_by_hand() -> None:
    games = [
        Game("1", "s", (0, 1), 0, (1.0, -1.0), moves=((0, "x"), (1, "y"), (0, "x")), illegal=(0, 1), tokens=(5, 2)),
        Game("2", "s", (1, 0), 0, (0.0, 0.0), thinking=(0.5, 0.25)),
        Game("3", "t", (0, 1), 0, (-1.0, 1.0), fault=(0, "illegal", "no")),
        Game("4", "t", (1, 0), 0, (0.0, 0.0), valid=False, blame=0),
    ]
    one, other = standings(["a", "b"], 2, games)
    assert (one.total.games, one.total.wins, one.total.draws, one.total.losses) == (3, 1, 1, 1)
    assert (one.total.points, one.total.paid, one.moves, one.illegal, one.faults) == (1.5, 0.0, 2, 0, 1)
    assert [(seat.games, seat.wins, seat.losses) for seat in one.by_seat] == [(2, 1, 1), (1, 0, 0)]
    assert (one.invalid, one.crashes, other.invalid, other.crashes, other.illegal) == (1, 0, 1, 1, 1)
    assert (one.tokens, other.tokens, one.thinking_seconds, other.thinking_seconds) == (5, 2, 0.25, 0.5)
    cells = cross_table(compare(games, 2, 2))
    assert (cells[0][1].games, cells[0][1].wins, cells[0][1].draws, cells[0][1].losses) == (3, 1, 1, 1)
    assert (cells[1][0].wins, cells[1][0].score.value, cells[0][0].games) == (1, 0.5, 0)


def test_a_cycle_is_found_with_its_weakest_link() -> None:
    payoff = np.array([[0.0, 0.8, -0.4, 1.0], [-0.8, 0, 0.6, 1.0], [0.4, -0.6, 0, 1.0], [-1.0, -1.0, -1.0, 0]])
    cells = cross_table(compare(pairings(payoff, 10), 4, 2))
    (cycle,) = find_cycles(cells)
    assert (cycle.players, cycle.sure) == ((0, 1, 2), False)
    assert cycle.strength == pytest.approx(0.4)
    assert count_cycles(payoffs(cells)) == 1
    (cycle,) = find_cycles(cross_table(compare(pairings(payoff, 1000), 4, 2)))
    assert cycle.sure


def test_every_cycle_is_found_once() -> None:
    generator = np.random.default_rng(0)
    upper = np.triu(generator.choice([-1.0, 1.0], (9, 9)), 1)
    payoff = upper - upper.T
    cells = cross_table(compare(pairings(payoff, 1), 9, 2))
    # Kendall and Babington Smith: triples less those that have a winner.
    expected = math.comb(9, 3) - sum(math.comb(int(wins), 2) for wins in (payoff > 0).sum(axis=1))
    assert len(find_cycles(cells, most=1000)) == count_cycles(payoffs(cells)) == expected > 0
    assert find_cycles(cells, most=3) == find_cycles(cells, most=1000)[:3]


def test_the_cyclic_share_of_known_payoffs() -> None:
    ladder = np.array([0.3, 0.1, 0.0, -0.4])
    steps = ladder[:, None] - ladder[None, :]
    assert cyclic_share(ROCK_PAPER_SCISSORS) == pytest.approx(1)
    assert cyclic_share(steps) == pytest.approx(0, abs=1e-12)
    assert cyclic_share(np.zeros((3, 3))) == 0
    # An order and a cycle are orthogonal: their squares add up.
    mixed = 0.2 * ROCK_PAPER_SCISSORS + steps[:3, :3]
    cycle, order = 3 * 0.2**2, (np.triu(steps[:3, :3]) ** 2).sum()
    assert cyclic_share(mixed) == pytest.approx(cycle / (cycle + order))
    # Of those who never met nothing is asked: a tree has no cycles.
    tree = np.full((4, 4), np.nan)
    for i, j in ((0, 1), (0, 2), (2, 3)):
        tree[i, j], tree[j, i] = 0.7, -0.7
    assert cyclic_share(tree) == pytest.approx(0, abs=1e-12)


def test_chance_alone_makes_some_cycles() -> None:
    generator = np.random.default_rng(0)
    few, many = (cross_table(compare(pairings(np.zeros((5, 5)), n), 5, 2)) for n in (4, 400))
    games = pairings(np.array([[0, 0.5, 0.8], [-0.5, 0, 0.5], [-0.8, -0.5, 0]]), 400)
    ordered = cross_table(compare(games, 3, 2))
    ratings = rate(compare(games, 3, 2))
    assert cyclic_by_chance(ratings, ordered, generator) < 0.1
    level = rate(compare(pairings(np.zeros((5, 5)), 4), 5, 2))
    assert cyclic_by_chance(level, few, generator) > 0.5
    assert cyclic_share(payoffs(many)) == 0


def nash(payoff: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = nash_weights(payoff)
    assert weights is not None
    return weights


def test_nash_weights_by_hand() -> None:
    assert nash(ROCK_PAPER_SCISSORS) == pytest.approx([1 / 3] * 3)
    # Each weight is in proportion to the margin between the other two.
    margins = np.array([[0.0, -0.3, 0.1], [0.3, 0, -0.2], [-0.1, 0.2, 0]])
    assert nash(margins) == pytest.approx([2 / 6, 1 / 6, 3 / 6], abs=1e-6)
    assert nash(np.zeros((4, 4))) == pytest.approx([1 / 4] * 4)
    best = np.array([[0.0, 0.1, 0.1], [-0.1, 0, 0.9], [-0.1, -0.9, 0]])
    assert nash(best) == pytest.approx([1, 0, 0], abs=1e-9)
    assert nash_weights(np.array([[0.0, np.nan], [np.nan, 0.0]])) is None


def test_a_copy_shares_its_weight() -> None:
    four = np.zeros((4, 4))
    four[:3, :3] = ROCK_PAPER_SCISSORS
    four[3, :3], four[:3, 3] = ROCK_PAPER_SCISSORS[0], -ROCK_PAPER_SCISSORS[0]
    four[3, 0] = four[0, 3] = 0
    assert nash(four) == pytest.approx([1 / 6, 1 / 3, 1 / 3, 1 / 6], abs=1e-6)


def test_nobody_does_better_than_even_against_the_nash_weights() -> None:
    generator = np.random.default_rng(0)
    for size in (2, 3, 5, 8, 20):
        for rounded in (False, True):  # coarse payoffs have many equilibria
            upper = np.triu(generator.uniform(-1, 1, (size, size)), 1)
            payoff = (np.round(upper) if rounded else upper) - (np.round(upper) if rounded else upper).T
            weights = nash(payoff)
            assert weights.sum() == pytest.approx(1)
            assert weights.min() >= 0
            assert (payoff @ weights).max() <= 1e-5
