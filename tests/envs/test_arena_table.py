"""Tabulated games: what they count, and that many games at once are the same games."""

from itertools import pairwise

import numpy as np
import pytest
from palaestra.envs.arena.games.kuhn_poker import KuhnPoker
from palaestra.envs.arena.games.leduc_poker import LeducPoker
from palaestra.envs.arena.games.tic_tac_toe import TicTacToe
from palaestra.envs.arena.rules import CHANCE, OVER
from palaestra.envs.arena.table import Tabulated
from palaestra.envs.errors import ShapeError, UsageError

GAMES = 100_000


def one_by_one(rules, generator):
    """Play one game by the rules alone; return what the seats get and how many moves were made."""
    state, steps = rules.initial(), 0
    while (turn := rules.turn(state)) != OVER:
        legal = rules.legal(state)
        chances = rules.chances(state) if turn == CHANCE else None
        steps += turn != CHANCE
        state = rules.next(state, int(generator.choice(legal, p=chances)))
    return rules.returns(state), steps


def exact(table, probabilities):
    """Return how often each state is reached, or, with ones for probabilities, on how many ways."""
    reach = np.zeros(len(table.states))
    wave = {0: 1.0}
    while wave:
        after = {}
        for state, often in wave.items():
            reach[state] += often
            for edge in range(table.first[state], table.first[state + 1]):
                target = int(table.target[edge])
                after[target] = after.get(target, 0.0) + often * probabilities[edge]
        wave = after
    return reach


def test_tic_tac_toe_counted():
    table = Tabulated(TicTacToe())
    over = table.turn == OVER
    assert (len(table.states), int(over.sum())) == (5478, 958)
    # All 255,168 games: 131,184 won by X, 77,904 by O, 46,080 drawn.
    games = exact(table, np.ones(len(table.target)))[over]
    first = table.returns[over, 0]
    assert [int(games[first == paid].sum()) for paid in (1, -1, 0)] == [131_184, 77_904, 46_080]


@pytest.mark.parametrize(
    "rules", [TicTacToe(), KuhnPoker(), KuhnPoker(3), LeducPoker()], ids=lambda r: f"{r.name}_{r.seats}"
)
def test_a_table_is_its_rules(rules):
    table = Tabulated(rules)
    assert table.states[0] == rules.initial()
    assert len(set(table.states)) == len(table.states)
    for number in range(0, len(table.states), 7):
        state, edges = table.states[number], slice(table.first[number], table.first[number + 1])
        assert table.turn[number] == rules.turn(state)
        if rules.turn(state) == OVER:
            assert tuple(table.returns[number]) == rules.returns(state)
            assert edges.start == edges.stop
            continue
        assert tuple(table.action[edges]) == rules.legal(state)
        assert {number} == set(table.source[edges])
        after = [rules.next(state, action) for action in rules.legal(state)]
        assert [table.states[target] for target in table.target[edges]] == after
        chances = rules.chances(state) if rules.turn(state) == CHANCE else (0.0,) * len(after)
        assert tuple(table.chance[edges]) == chances


def test_random_tic_tac_toe_ends_as_often_as_it_should():
    played = Tabulated(TicTacToe()).play_random(GAMES, np.random.default_rng(0))
    assert played.returns.shape == (GAMES, 2)
    shares = [(played.returns[:, 0] == paid).mean() for paid in (1, -1, 0)]
    # 3.5 standard errors of the greatest are 0.0055.
    assert shares == pytest.approx([0.5849, 0.2881, 0.1270], abs=0.0055)
    assert played.steps / GAMES == pytest.approx(7.6253, abs=0.02)


@pytest.mark.parametrize("rules", [TicTacToe(), KuhnPoker(3), LeducPoker()], ids=lambda r: r.name)
@pytest.mark.parametrize("kind", ["random", "skewed"])
def test_many_games_at_once_are_the_same_games(rules, kind):
    """How often each state ends a game, against exact probabilities; in Leduc poker chance is not even either."""
    table = Tabulated(rules)
    probabilities = table.uniform()
    generator = np.random.default_rng(1)
    if kind == "skewed":
        weights = np.where(table.turn[table.source] == CHANCE, table.chance, generator.random(len(table.target)) ** 3)
        probabilities = weights / np.bincount(table.source, weights)[table.source]
    played = table.play(probabilities, GAMES, generator)
    over = np.flatnonzero(table.turn == OVER)
    reach = exact(table, probabilities)
    mean = reach[over] @ table.returns[over]
    error = np.sqrt(reach[over] @ (table.returns[over] - mean) ** 2 / GAMES)
    assert reach[over].sum() == pytest.approx(1.0)
    assert (np.abs(played.returns.mean(axis=0) - mean) < 4 * error + 1e-12).all()
    spread = np.sqrt(reach[over] @ (table.returns[over] - mean) ** 4 / GAMES)
    assert (np.abs(((played.returns - mean) ** 2).mean(axis=0) - error**2 * GAMES) < 4 * spread).all()
    moves = reach[table.turn >= 0].sum()
    assert played.steps / GAMES == pytest.approx(moves, rel=0.02)


def test_one_by_one_agrees():
    rules, generator = LeducPoker(), np.random.default_rng(2)
    table = Tabulated(rules)
    single = [one_by_one(rules, generator) for _ in range(3_000)]
    returns = np.array([paid for paid, _ in single])
    many = table.play_random(GAMES, generator)
    error = returns.std(axis=0) / np.sqrt(len(returns))
    assert (np.abs(returns.mean(axis=0) - many.returns.mean(axis=0)) < 4 * error).all()
    assert np.mean([steps for _, steps in single]) == pytest.approx(many.steps / GAMES, rel=0.03)


def test_the_same_generator_the_same_games():
    table = Tabulated(KuhnPoker())
    first, same, other = (table.play_random(500, np.random.default_rng(seed)).returns for seed in (3, 3, 4))
    assert (first == same).all()
    assert (first != other).any()


def test_what_never_happens_never_happens():
    """Nobody is ever given an edge of no probability, wherever it stands."""
    table = Tabulated(TicTacToe())
    for place in (0, -1):
        only = np.zeros(len(table.target))
        chosen = table.first[:-1] if place == 0 else table.first[1:] - 1
        only[chosen[table.turn != OVER]] = 1.0
        played = table.play(only, 2_000, np.random.default_rng(5))
        # The lowest cells in turn, or the highest: X wins with 1 2 3 4 5 6 7 by 3 5 7.
        assert (played.returns == [1.0, -1.0]).all()
        assert played.steps == 2_000 * 7


class Extreme:
    """A generator that draws one number only."""

    def __init__(self, drawn):
        self.drawn = drawn

    def random(self, size):
        return np.full(size, self.drawn)


@pytest.mark.parametrize(("drawn", "place"), [(0.0, 0), (np.nextafter(1.0, 0.0), -1)])
def test_the_ends_of_what_is_drawn(drawn, place):
    """The least and the greatest number there is take the first and the last edge of any probability."""
    table = Tabulated(TicTacToe())
    edges = [slice(*pair) for pair in pairwise(table.first.tolist())]
    for seed in range(10):
        ends_as_it_should(table, edges, seed, drawn, place)


def ends_as_it_should(table, edges, seed, drawn, place):
    generator = np.random.default_rng(seed)
    weights = generator.random(len(table.target)) * (generator.random(len(table.target)) > 0.5)
    for part in edges:
        if part.start < part.stop and not weights[part].any():
            weights[part.start] = 1.0
    probabilities = weights / np.bincount(table.source, weights)[table.source]
    state = steps = 0
    while table.turn[state] != OVER:
        part = edges[state]
        state = int(table.target[part][np.flatnonzero(probabilities[part])[place]])
        steps += 1
    played = table.play(probabilities, 3, Extreme(drawn))
    assert played.steps == 3 * steps
    assert (played.returns == table.returns[state]).all()


def test_no_games_and_wrong_shapes():
    table = Tabulated(KuhnPoker())
    assert table.play_random(0, np.random.default_rng(0)).returns.shape == (0, 2)
    with pytest.raises(ShapeError, match="one an edge"):
        table.play(np.ones(3), 10, np.random.default_rng(0))


def test_a_game_too_large_is_refused():
    with pytest.raises(UsageError, match="more than 5,000 states"):
        Tabulated(TicTacToe(), most_states=5_000)
    assert len(Tabulated(TicTacToe(), most_states=5_478).states) == 5_478
