"""Values, best responses and equilibria against OpenSpiel's, and against numbers known from the literature."""

from functools import cache

import numpy as np
import pyspiel
import pytest
from given_game import Chance, GivenGame, Turn
from open_spiel.python import policy as spiel_policy
from open_spiel.python.algorithms import expected_game_score
from open_spiel.python.algorithms import exploitability as spiel_exploitability
from palaestra.agents.search.best_response import best_response, exploitability, nash_conv, value
from palaestra.agents.search.cfr import CFR, solve
from palaestra.agents.search.tabular import TabularPolicy, joined, uniform
from palaestra.agents.search.tree import GameTree
from palaestra.envs.arena.games.kuhn_poker import KuhnPoker
from palaestra.envs.arena.games.leduc_poker import LeducPoker
from palaestra.envs.arena.games.tic_tac_toe import TicTacToe
from palaestra.envs.arena.rules import CHANCE, OVER
from palaestra.envs.arena.table import Tabulated
from palaestra.envs.errors import ContractError, ShapeError, UsageError
from spiel_rules import SpielRules

# A name, our rules and the same game of OpenSpiel.
GAMES = {
    "kuhn": (KuhnPoker, "kuhn_poker"),
    "kuhn_3": (lambda: KuhnPoker(3), "kuhn_poker(players=3)"),
    "leduc": (LeducPoker, "leduc_poker(suit_isomorphism=True)"),
    "leduc_of_openspiel": (lambda: SpielRules("leduc_poker"), "leduc_poker"),
    "liars_dice_of_openspiel": (lambda: SpielRules("liars_dice(dice_sides=3)"), "liars_dice(dice_sides=3)"),
}
ZERO_SUM_OF_TWO = [name for name in GAMES if name != "kuhn_3"]


@cache
def tree_and_names(name):
    """Walk both games at once; return our tree, their game, and what they call what our seats know."""
    tree, theirs = GameTree(GAMES[name][0]()), pyspiel.load_game(GAMES[name][1])
    names = {}

    def walk(state, spiel):
        rules, turn = tree.rules, tree.rules.turn(state)
        if turn == OVER:
            assert spiel.is_terminal()
            assert spiel.returns() == pytest.approx(rules.returns(state))
            return
        actions = sorted(spiel.legal_actions())
        legal = rules.legal(state)
        assert len(actions) == len(legal)
        if turn == CHANCE:
            chances = [probability for _, probability in sorted(spiel.chance_outcomes())]
            assert chances == pytest.approx(rules.chances(state))
        else:
            assert spiel.current_player() == turn
            key = turn, rules.information(state, turn)
            assert names.setdefault(key, spiel.information_state_string()) == spiel.information_state_string()
        for ours, their in zip(legal, actions, strict=True):
            walk(rules.next(state, ours), spiel.child(their))

    walk(tree.rules.initial(), theirs.new_initial_state())
    assert len(set(names.values())) == len(names)
    return tree, theirs, names


def to_spiel(name, policy):
    """Write our policy down as one of theirs."""
    _, theirs, names = tree_and_names(name)
    table = spiel_policy.TabularPolicy(theirs)
    for key, called in names.items():
        row, mask = table.state_lookup[called], table.legal_actions_mask[table.state_lookup[called]]
        table.action_probability_array[row] = 0.0
        table.action_probability_array[row][np.flatnonzero(mask)] = [p for _, p in sorted(policy[key].items())]
    return table


def drawn(tree, seed):
    generator = np.random.default_rng(seed)

    def decide(_state, _seat, legal):
        return dict(zip(legal, generator.dirichlet(np.full(len(legal), 0.5)), strict=True))

    return TabularPolicy.written(tree, decide)


def policies(tree):
    first = TabularPolicy.written(tree, lambda _state, _seat, legal: {a: float(a == legal[0]) for a in legal})
    generator = np.random.default_rng(0)
    pure = TabularPolicy.written(tree, lambda _state, _seat, legal: {int(generator.choice(legal)): 1.0})
    pure = TabularPolicy({key: {a: chosen.get(a, 0.0) for a in first[key]} for key, chosen in pure.items()})
    return {"uniform": uniform(tree), "first": first, "pure": pure, "random": drawn(tree, 1), "other": drawn(tree, 2)}


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("kind", ["uniform", "first", "pure", "random"])
def test_what_policies_are_worth_agrees_with_openspiel(name, kind):
    tree, theirs, _ = tree_and_names(name)
    policy = policies(tree)[kind]
    table = to_spiel(name, policy)
    values = expected_game_score.policy_value(theirs.new_initial_state(), [table] * tree.rules.seats)
    assert value(tree, policy) == pytest.approx(values, abs=1e-9)
    assert nash_conv(tree, policy) == pytest.approx(spiel_exploitability.nash_conv(theirs, table), abs=1e-9)
    if name in ZERO_SUM_OF_TWO:
        expected = spiel_exploitability.exploitability(theirs, table)
        assert exploitability(tree, policy) == pytest.approx(expected, abs=1e-9)
        assert expected > 0.1


@pytest.mark.parametrize("name", GAMES)
def test_policies_of_different_seats_against_each_other(name):
    tree, theirs, _ = tree_and_names(name)
    kinds = policies(tree)
    seats = [kinds["random"], kinds["other"], kinds["first"]][: tree.rules.seats]
    tables = [to_spiel(name, policy) for policy in seats]
    values = expected_game_score.policy_value(theirs.new_initial_state(), tables)
    assert value(tree, joined(seats)) == pytest.approx(values, abs=1e-9)
    assert value(tree, joined(seats)) != pytest.approx(value(tree, kinds["random"]), abs=1e-3)


@pytest.mark.parametrize("name", GAMES)
def test_a_best_response_gets_its_value(name):
    tree, _, _ = tree_and_names(name)
    policy = drawn(tree, 3)
    for seat in range(tree.rules.seats):
        best = best_response(tree, policy, seat)
        assert best.value > value(tree, policy)[seat]
        seats = [policy] * tree.rules.seats
        seats[seat] = best.policy
        assert value(tree, joined(seats))[seat] == pytest.approx(best.value, abs=1e-12)


def test_best_response_by_hand():
    """Whoever never bets gives up to every bet: the answer wins one chip in every hand."""
    tree = GameTree(KuhnPoker())
    passive = TabularPolicy.written(tree, lambda _state, _seat, _legal: {0: 1.0})
    assert [best_response(tree, passive, seat).value for seat in (0, 1)] == [1.0, 1.0]
    assert value(tree, passive) == (0.0, 0.0)
    assert exploitability(tree, passive) == 1.0


def test_kuhn_poker_solved():
    tree = GameTree(KuhnPoker())
    policy = solve(tree, 500)
    assert exploitability(tree, policy) < 0.001
    assert value(tree, policy) == pytest.approx((-1 / 18, 1 / 18), abs=1e-4)
    # All equilibria (Kuhn 1950): the first seat bets a king three times as often as it bluffs with a jack, and calls
    # with a queen one third more often than it bluffs; the second's policy is the only one.
    bet = {key: chosen[1] for key, chosen in policy.items()}
    bluff = bet[0, ((0,), ())]
    assert 0 <= bluff <= 1 / 3 + 0.01
    assert bet[0, ((2,), ())] == pytest.approx(3 * bluff, abs=0.02)
    assert bet[0, ((1,), (0, 1))] == pytest.approx(bluff + 1 / 3, abs=0.02)
    second = {(0, (0,)): 1 / 3, (0, (1,)): 0, (1, (0,)): 0, (1, (1,)): 1 / 3, (2, (0,)): 1, (2, (1,)): 1}
    for (card, said), probability in second.items():
        assert bet[1, ((card,), said)] == pytest.approx(probability, abs=0.02)


@pytest.mark.parametrize("name", ["leduc", "leduc_of_openspiel"])
def test_leduc_poker_solved(name):
    tree, _, _ = tree_and_names(name)
    policy = solve(tree, 300)
    assert exploitability(tree, policy) < 0.01
    assert value(tree, policy)[0] == pytest.approx(-0.0856, abs=0.001)  # as OpenSpiel's solvers find


@pytest.mark.parametrize("name", ["kuhn", "kuhn_3", "leduc"])
def test_every_iteration_is_openspiels(name):
    """The average policies of the first iterations, and not only what they tend to."""
    tree, theirs, names = tree_and_names(name)
    ours, other = CFR(tree), pyspiel.CFRPlusSolver(theirs)
    for _ in range(5):
        ours.run(1)
        other.evaluate_and_update_policy()
        found, expected = ours.average(), other.average_policy()
        for key, called in names.items():
            chosen = list(found[key].values())
            assert chosen == pytest.approx([p for _, p in expected.get_state_policy(called)], abs=1e-9), (key, called)


def test_solving_more_brings_it_nearer():
    tree = GameTree(LeducPoker())
    solver = CFR(tree)
    found = [exploitability(tree, solver.average())]
    for _ in range(3):
        solver.run(20)
        found.append(exploitability(tree, solver.average()))
    assert found == sorted(found, reverse=True)
    assert solver.iterations == 60


def test_each_seat_of_three_players():
    tree = GameTree(KuhnPoker(3))
    assert nash_conv(tree, solve(tree, 300)) < 0.01
    with pytest.raises(UsageError, match="nash_conv"):
        exploitability(tree, uniform(tree))


def test_a_decision_at_different_depths():
    """Seat 0 does not know whether seat 1 has moved before it, so one decision of its own has states of two depths."""
    last = Turn(0, {0: (3.0, -3.0), 1: (-1.0, 1.0)}, knows="after a")
    early = Turn(0, {0: last, 1: (0.0, 0.0)}, knows="x")
    late = Turn(0, {0: (-2.0, 2.0), 1: (1.0, -1.0)}, knows="x")
    rules = GivenGame(Chance([(0.25, early), (0.75, Turn(1, {0: late, 1: (0.0, 0.0)}))]))
    tree = GameTree(rules)
    assert len(tree.keys) == 3
    # Action 0 leads to 3 in one case of four; in the others to -2 as often as seat 1 lets it (half of the time).
    best = best_response(tree, uniform(tree), 0)
    assert best.value == pytest.approx(0.75 * 0.5 * 1.0)
    assert best.policy[0, "x"] == {0: 0.0, 1: 1.0}
    assert best.policy[0, "after a"] == {0: 1.0, 1: 0.0}
    rare = TabularPolicy({**uniform(tree).table, (1, (1,)): {0: 0.1, 1: 0.9}})
    assert best_response(tree, rare, 0).value == pytest.approx(0.25 * 3.0 - 0.75 * 0.1 * 2.0)
    assert exploitability(tree, solve(tree, 2_000)) < 0.01


def test_complete_information_has_best_responses_though_states_forget():
    tree = GameTree(TicTacToe())
    assert (len(tree.states), tree.recalls) == (5478, False)
    # Against an even choice of moves, the best first player draws one game in 192 and wins all others.
    assert best_response(tree, uniform(tree), 0).value == pytest.approx(191 / 192, abs=1e-12)
    with pytest.raises(UsageError, match="minimax"):
        CFR(tree)


def test_games_that_break_their_contract_are_refused():
    forgets = Turn(0, {0: Turn(0, {0: (0.0, 0.0)}, knows="y"), 1: Turn(0, {0: (1.0, -1.0)}, knows="y")}, knows="x")
    with pytest.raises(ContractError, match="did different things"):
        GameTree(GivenGame(forgets))
    other = [(0.5, Turn(0, {0: (0.0, 0.0), 1: (0.0, 0.0)}, knows="x")), (0.5, Turn(0, {0: (0.0, 0.0)}, knows="x"))]
    for order in (other, other[::-1]):
        with pytest.raises(ContractError, match="different actions"):
            GameTree(GivenGame(Chance(order)))


def test_a_game_that_comes_back_is_refused():
    class Round(TicTacToe):
        def next(self, state, action):
            return state if action == 8 else super().next(state, action)

    with pytest.raises(UsageError, match="come back"):
        GameTree(Round())


def test_policies_played_get_what_they_are_worth():
    table, games = Tabulated(LeducPoker()), 200_000
    tree = GameTree(LeducPoker())
    policy = joined([drawn(tree, 4), drawn(tree, 5)])
    returns = table.play(policy.on(table), games, np.random.default_rng(6)).returns
    error = returns[:, 0].std() / games**0.5
    assert abs(returns[:, 0].mean() - value(tree, policy)[0]) < 4 * error < 0.05 < abs(value(tree, policy)[0])
    with pytest.raises(UsageError, match="seat 1"):
        policy.of_seat(0).on(table)


def test_policies_that_are_none_are_refused():
    tree = GameTree(KuhnPoker())
    good = uniform(tree)
    key = (0, ((0,), ()))
    for broken in ({0: 0.5, 1: 0.6}, {0: 1.5, 1: -0.5}, {0: 0.5, 1: 0.4, 2: 0.1}, {}):
        with pytest.raises(UsageError, match="probabilities"):
            value(tree, TabularPolicy({**good.table, key: broken}))
    with pytest.raises(UsageError, match="does not say"):
        value(tree, good.of_seat(0))
    with pytest.raises(UsageError, match="seat 1"):
        joined([good, good.of_seat(0)])
    with pytest.raises(ShapeError):
        tree.written(np.zeros(3))
    assert len(good) == 12
    assert set(good) == set(tree.keys)
