import math

import numpy as np
import pytest
from numpy.typing import NDArray
from palaestra.evolution.tournament.games import Game, compare
from palaestra.evolution.tournament.rating import ELO, MEAN, rate
from palaestra.evolution.tournament.skill import skills
from scipy.optimize import minimize
from scipy.stats import t

Results = dict[tuple[int, int], tuple[int, int, int]]


def league(results: Results) -> list[Game]:
    """Games of `(first seat, second seat): (wins of the first, draws, its losses)`, each a set of its own."""
    games = []
    for players, counts in results.items():
        for sign, count in zip((1.0, 0.0, -1.0), counts, strict=True):
            for _ in range(count):
                name = str(len(games))
                games.append(Game(name, name, players, 0, (sign, -sign)))
    return games


def simulated(
    generator: np.random.Generator, strengths: NDArray[np.float64], sets: int, luck: str, seat: float, draw: float
) -> list[Game]:
    """Games of Davidson's model in pairs of seats; `luck` says what the two games of a pair have in common."""
    games = []
    for i in range(len(strengths)):
        for j in range(i + 1, len(strengths)):
            for number in range(sets):
                shared = generator.random()
                for turn, (a, b) in enumerate(((i, j), (j, i))):
                    d = (strengths[a] - strengths[b] + seat) / ELO
                    weights = np.cumsum(np.exp([d / 2, math.log(draw), -d / 2]))
                    drawn = {
                        "none": generator.random(),
                        "seat": shared,
                        "player": 1 - shared if turn else shared,
                    }[luck] * weights[-1]
                    paid = 1.0 - float(np.searchsorted(weights, drawn))
                    games.append(Game(f"{i}{j}{number}{turn}", f"{i}.{j}.{number}", (a, b), 0, (paid, -paid)))
    return games


def test_two_players_by_hand() -> None:
    # 15 to 5 in either seat: the odds are 3, whose logarithm has the variance 1/30 + 1/10.
    found = rate(compare(league({(0, 1): (15, 0, 5), (1, 0): (5, 0, 15)}), 2, 2))
    one, other = found.players
    assert one.value - other.value == pytest.approx(400 * math.log10(3), rel=0.005)
    assert one.value + other.value == pytest.approx(2 * MEAN)
    error = ELO * math.sqrt(1 / 30 + 1 / 10)
    assert found.differences[0, 1] == pytest.approx(error, rel=0.01)
    reach = t.ppf(0.975, 40 - 5) * error / 2
    assert (one.low, one.high) == pytest.approx((one.value - reach, one.value + reach), abs=1)
    assert found.seats[0].value == pytest.approx(0.0, abs=1e-6)


def test_draws_by_hand() -> None:
    # exp(d/2) : nu : exp(-d/2) = 20 : 30 : 5
    found = rate(compare(league({(0, 1): (20, 30, 5), (1, 0): (5, 30, 20)}), 2, 2))
    assert found.players[0].value - found.players[1].value == pytest.approx(400 * math.log10(4), rel=0.01)
    assert found.draw == pytest.approx(3.0, rel=0.01)


def test_the_first_move_by_hand() -> None:
    # d + h = ln 3 where the first moves first, h - d = 0 where it moves second: h = d = ln(3) / 2.
    found = rate(compare(league({(0, 1): (300, 0, 100), (1, 0): (200, 0, 200)}), 2, 2))
    half = 400 * math.log10(3) / 2
    assert found.players[0].value - found.players[1].value == pytest.approx(half, rel=0.01)
    assert found.seats[0].value - found.seats[1].value == pytest.approx(half, rel=0.01)
    assert found.seats[0].value + found.seats[1].value == pytest.approx(0.0, abs=1e-9)
    assert found.seats[0].low < half / 2 < found.seats[0].high


def test_many_players_against_a_plain_maximiser() -> None:
    generator = np.random.default_rng(1)
    games = simulated(generator, np.array([200.0, 50, 0, -100, -400]), 8, "none", 60, 0.7)
    for number, game in enumerate(games):  # independent: the interval is that of the observed information alone
        games[number] = Game(game.id, game.id, game.players, 0, game.returns)

    def misfit(beta: NDArray[np.float64]) -> float:
        total = (beta**2).sum() * ELO**2 / 1000**2 / 2
        for game in games:
            i, j = game.players
            d = beta[i] - beta[j] + beta[5] - beta[6]
            weights = {1.0: math.exp(d / 2), 0.0: math.exp(beta[7]), -1.0: math.exp(-d / 2)}
            total -= math.log(weights[game.returns[0]] / sum(weights.values()))
        return float(total)

    best = minimize(misfit, np.zeros(8), method="BFGS", options={"gtol": 1e-8}).x
    step = 1e-3
    hessian = np.empty((8, 8))
    for a, b in np.ndindex(8, 8):
        ea, eb = np.eye(8)[a] * step, np.eye(8)[b] * step
        corners = misfit(best + ea + eb) - misfit(best + ea - eb) - misfit(best - ea + eb) + misfit(best - ea - eb)
        hessian[a, b] = corners / (4 * step**2)
    covariance = np.linalg.inv(hessian)
    found = rate(compare(games, 5, 2))
    assert [one.value for one in found.players] == pytest.approx(MEAN + ELO * (best[:5] - best[:5].mean()), abs=0.05)
    assert found.draw == pytest.approx(math.exp(best[7]), rel=1e-3)
    errors = [
        [ELO * math.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]) for j in range(5)]
        for i in range(5)
    ]
    assert found.differences == pytest.approx(np.array(errors), rel=1e-3, abs=1e-3)


def test_a_ranking_is_taken_apart_into_pairs() -> None:
    (game,) = [Game("a", "a", (4, 2, 0), 0, (2.0, 1.0, 1.0))]
    found = compare([game], 5, 3)
    assert found.first.tolist() == [4, 4, 2]
    assert found.second.tolist() == [2, 0, 0]
    assert found.first_seat.tolist() == [0, 0, 1]
    assert found.second_seat.tolist() == [1, 2, 2]
    assert found.outcome.tolist() == [1, 1, 0]
    assert found.cluster.tolist() == [0, 0, 0]


def test_what_is_not_valid_counts_for_nobody() -> None:
    games = league({(0, 1): (15, 0, 5), (1, 0): (5, 0, 15)})
    void = [Game(f"v{i}", "v", (1, 0), 0, (9.0, 0.0), valid=False, blame=0) for i in range(50)]
    assert rate(compare(games + void, 2, 2)).players == rate(compare(games, 2, 2)).players
    assert skills(games + void, 2) == skills(games, 2)


def test_who_won_everything_is_finite_and_uncertain() -> None:
    found = rate(compare(league({(0, 1): (10, 0, 0), (1, 0): (0, 0, 10), (1, 2): (5, 0, 5), (2, 1): (5, 0, 5)}), 3, 2))
    best = found.players[0]
    # Nineteen of twenty would be 512 points above the other two, a third of which lowers the mean.
    assert MEAN + 512 * 2 / 3 < best.value < best.high < MEAN + 2500
    assert best.low > MEAN - 500
    assert best.high - best.low > 2 * (found.differences[1, 2] * 1.96)


def test_without_games_nothing_is_known() -> None:
    found = rate(compare([], 3, 2))
    assert all(one.value == MEAN and one.high - one.low > 2000 for one in found.players)


def test_games_that_repeat_one_another_tell_nothing_new() -> None:
    games = simulated(np.random.default_rng(3), np.zeros(4), 30, "none", 0, 0.5)
    apart = [Game(g.id, g.id, g.players, 0, g.returns) for g in games]
    twice = [Game(f"{g.id}{copy}", g.id, g.players, 0, g.returns) for g in games for copy in range(2)]
    wide = np.mean([one.high - one.low for one in rate(compare(twice, 4, 2)).players])
    once = np.mean([one.high - one.low for one in rate(compare(apart, 4, 2)).players])
    naive = np.mean([one.high - one.low for one in rate(compare([*apart, *league_copy(apart)], 4, 2)).players])
    assert wide == pytest.approx(once, rel=0.05)
    assert naive == pytest.approx(once / math.sqrt(2), rel=0.05)


def league_copy(games: list[Game]) -> list[Game]:
    return [Game(f"{g.id}'", f"{g.id}'", g.players, 0, g.returns) for g in games]


@pytest.mark.parametrize("luck", ["none", "seat", "player"])
def test_intervals_cover_the_truth(luck: str) -> None:
    generator = np.random.default_rng(5)
    covered, seat_covered = [], []
    for _ in range(60):
        strengths = generator.normal(0, 200, 6)
        found = rate(compare(simulated(generator, strengths, 6, luck, 40, 0.6), 6, 2))
        truth = MEAN + strengths - strengths.mean()
        covered += [one.low <= true <= one.high for one, true in zip(found.players, truth, strict=True)]
        seat_covered.append(found.seats[0].low <= 20 <= found.seats[0].high)
    # 360 intervals, of one league not independent: far outside of these bounds only if something is wrong.
    assert 0.90 <= np.mean(covered) <= 0.99
    assert np.mean(seat_covered) >= 0.87


def test_openskill_prefers_who_wins_and_leaves_equals_equal() -> None:
    games = league({(0, 1): (5, 0, 0), (1, 2): (5, 0, 0)})
    first, second, third = skills(games, 3)
    assert first.mu > second.mu > third.mu
    assert first.sigma < 25 / 3
    assert first.ordinal == pytest.approx(first.mu - 3 * first.sigma)
    one, other = skills(league({(0, 1): (0, 1, 0)}), 2)
    assert one.mu == pytest.approx(other.mu)
    # Three seats: who gets more is better, whatever the unit.
    assert skills([Game("a", "a", (2, 0, 1), 0, (0.5, -3.0, 9.0))], 3)[1].mu > 25
