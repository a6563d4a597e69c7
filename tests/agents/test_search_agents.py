"""Agents that search: what is known of games, found; what they cannot play, refused."""

from collections import Counter

import numpy as np
import pytest
from given_game import Chance, GivenGame, Turn
from palaestra.agents.agent import Move
from palaestra.agents.policy import Sampling
from palaestra.agents.scripted import RandomAgent
from palaestra.agents.search import equilibrium, minimax
from palaestra.agents.search.equilibrium import EquilibriumAgent
from palaestra.agents.search.mcts import MCTSAgent, visits
from palaestra.agents.search.minimax import Minimax, MinimaxAgent
from palaestra.agents.search.player import key_of, once
from palaestra.agents.search.specs import load_search
from palaestra.envs import make
from palaestra.envs.arena.game import GameArena
from palaestra.envs.arena.games.alignment import Board
from palaestra.envs.arena.games.connect_four import ConnectFour
from palaestra.envs.arena.games.kuhn_poker import KuhnPoker
from palaestra.envs.arena.games.leduc_poker import LeducPoker
from palaestra.envs.arena.games.nim import Nim
from palaestra.envs.arena.games.tic_tac_toe import TicTacToe
from palaestra.envs.arena.rules import CHANCE, OVER
from palaestra.envs.arena.table import Tabulated
from palaestra.envs.errors import UnknownNameError, UsageError

CENTRE, CORNERS = 4, [0, 2, 6, 8]


def say(player, observation=""):
    acting = player.act(observation)
    with pytest.raises(StopIteration) as stopped:
        next(acting)
    move = stopped.value.value
    assert isinstance(move, Move)
    assert move.action == move.reply
    return move.action


def play(rules, agents, seed):
    """Return what the seats of one game get, and what was said."""
    arena = GameArena(rules)
    arena.reset(seed=seed)
    players = [agent.enter(arena, arena.task(seat), 100 * seed + seat) for seat, agent in enumerate(agents)]
    said = []
    while not arena.over:
        said.append(say(players[arena.seat], arena.observe(arena.agent_selection)))
        arena.step(said[-1])
    assert arena.fault is None
    return arena.returns(), said


def played(rules, agents, games):
    return np.array([play(rules, agents, seed)[0] for seed in range(games)])


# Minimax.


def test_every_state_of_tic_tac_toe_has_its_value():
    """Against backward induction without any cut, over all 5,478 states."""
    rules = TicTacToe()
    table, search = Tabulated(rules), Minimax(rules)
    values = table.returns[:, 0].copy()
    for state in range(len(table.states) - 1, -1, -1):
        after = values[table.target[table.first[state] : table.first[state + 1]]]
        if table.turn[state] != OVER:
            values[state] = after.max() if table.turn[state] == 0 else after.min()
    assert search.value() == values[0] == 0
    generator = np.random.default_rng(0)
    for state in generator.permutation(np.flatnonzero(table.turn != OVER)).tolist():
        edges = slice(table.first[state], table.first[state + 1])
        assert search.value(table.states[state]) == values[state]
        good = table.action[edges][values[table.target[edges]] == values[state]]
        assert search.best(table.states[state]) == sorted(good.tolist())


def test_known_openings():
    search = Minimax(TicTacToe())
    assert search.best(Board(0, 0)) == list(range(9))
    assert search.best(Board(1, 0)) == [CENTRE]
    assert search.best(Board(1 << CENTRE, 0)) == CORNERS


@pytest.mark.parametrize("other", [RandomAgent(), MinimaxAgent()], ids=lambda agent: agent.name)
def test_minimax_never_loses_tic_tac_toe(other):
    first = played(TicTacToe(), [MinimaxAgent(), other], 100)[:, 0]
    second = played(TicTacToe(), [other, MinimaxAgent()], 100)[:, 1]
    assert min(first.min(), second.min()) == 0
    if isinstance(other, MinimaxAgent):
        assert max(first.max(), second.max()) == 0
    else:
        assert (first.mean(), second.mean()) > (0.9, 0.6)


def test_ties_are_broken_evenly_and_by_the_seed():
    openings = Counter(play(TicTacToe(), [MinimaxAgent()] * 2, seed)[1][0] for seed in range(450))
    assert set(openings) == set("123456789")
    assert max(openings.values()) < 80  # 50 on average, deviation 6.7
    games = {tuple(play(TicTacToe(), [MinimaxAgent()] * 2, seed)[1]) for seed in range(30)}
    assert len(games) > 25
    assert play(TicTacToe(), [MinimaxAgent()] * 2, 7) == play(TicTacToe(), [MinimaxAgent()] * 2, 7)


@pytest.mark.parametrize("piles", ["1,2,3", "1,3,5", "2,2,2"])
def test_nim_is_won_as_bouton_says(piles):
    rules = Nim(piles)
    sum_of_bits = 0
    for size in piles.split(","):
        sum_of_bits ^= int(size)
    assert Minimax(rules).value() == (1 if sum_of_bits else -1)


def test_a_search_of_some_depth():
    # X to move can win at once; O to move must block; what lies behind counts nothing.
    win, block = Board(0b000_000_011, 0b000_011_000), Board(0b000_010_001, 0b000_001_000)
    assert Minimax(TicTacToe(), 1).best(win) == [2]
    assert Minimax(TicTacToe(), 1).value(win) == 1
    assert len(Minimax(TicTacToe(), 1).best(block)) == 6
    assert Minimax(TicTacToe(), 2).best(block) == [8]
    assert Minimax(TicTacToe(), 2).value(block) == 0
    first = played(ConnectFour(), [MinimaxAgent(3), RandomAgent()], 20)[:, 0]
    assert first.sum() >= 16


def plain(rules, state, depth):
    """Minimax without cuts and without a memory."""
    turn = rules.turn(state)
    if turn == OVER:
        return rules.returns(state)[0]
    if depth == 0:
        return 0.0
    values = [plain(rules, rules.next(state, action), depth - 1) for action in rules.legal(state)]
    return max(values) if turn == 0 else min(values)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_cuts_change_nothing(depth):
    """One search, all along random games of connect four, with all that it remembers of what it met before."""
    rules, generator, values = ConnectFour(), np.random.default_rng(depth), Counter()
    search = Minimax(rules, depth)
    for _ in range(5):
        state = rules.initial()
        for _ in range(10):
            state = rules.next(state, int(generator.choice(rules.legal(state))))
        while rules.turn(state) != OVER:
            after = {action: plain(rules, rules.next(state, action), depth - 1) for action in rules.legal(state)}
            value = plain(rules, state, depth)
            assert search.value(state) == value
            assert search.best(state) == [action for action, found in after.items() if found == value]
            values[value] += 1
            state = rules.next(state, int(generator.choice(rules.legal(state))))
    assert min(values[won] for won in (-1.0, 0.0, 1.0)) > 0


def dice(chance_of_winning):
    """Seat 0 takes a little for certain, or wins or loses by chance, after seat 1 has chosen between two dice."""
    cast = Chance([(chance_of_winning, (1.0, -1.0)), (1 - chance_of_winning, (-1.0, 1.0))])
    fairer = Chance([(0.9, (1.0, -1.0)), (0.1, (-1.0, 1.0))])
    return GivenGame(Turn(0, {0: (0.25, -0.25), 1: Turn(1, {0: fairer, 1: cast})}), perfect_information=True)


@pytest.mark.parametrize(("chance_of_winning", "value", "best"), [(0.7, 0.4, 1), (0.6, 0.25, 0)])
def test_chance_counts_by_its_mean(chance_of_winning, value, best):
    rules = dice(chance_of_winning)
    assert Minimax(rules).value() == pytest.approx(value)
    assert Minimax(rules).best(()) == [best]
    assert Minimax(rules).best((1,)) == [1]
    tried = visits(rules, (), 2_000, np.random.default_rng(0))
    assert max(tried, key=tried.get) == best
    assert sum(tried.values()) == 2_000


def test_cuts_change_nothing_behind_chance():
    """Small games drawn at random, in halves and quarters, so that means are exact."""
    generator = np.random.default_rng(7)

    def grown(depth):
        if depth == 0 or generator.random() < 0.1:
            won = float(generator.integers(-2, 3)) / 2
            return won, -won
        if generator.random() < 0.3:
            return Chance([(chance, grown(depth - 1)) for chance in (0.25, 0.25, 0.5)])
        return Turn(int(generator.integers(2)), {action: grown(depth - 1) for action in range(3)})

    def value(node):
        if isinstance(node, Chance):
            return sum(chance * value(after) for chance, after in node.after)
        if isinstance(node, Turn):
            return (max, min)[node.seat](map(value, node.after.values()))
        return node[0]

    for _ in range(60):
        root = Turn(int(generator.integers(2)), {action: grown(4) for action in range(3)})
        search = Minimax(GivenGame(root, perfect_information=True))
        values = {action: value(after) for action, after in root.after.items()}
        assert search.value() == value(root)
        assert search.best(()) == [action for action, found in values.items() if found == value(root)]


def test_a_game_too_large_for_its_end_is_refused(monkeypatch):
    monkeypatch.setattr(minimax, "_MOST_REMEMBERED", 1_000)
    with pytest.raises(UsageError, match=r"search:minimax\?depth=4"):
        Minimax(ConnectFour()).best(ConnectFour().initial())
    shallow = Minimax(ConnectFour(), 6)
    assert 0 < len(shallow.best(ConnectFour().initial())) <= 7
    long = Nim("99,99,99,99,99,99,99,99,99,99")
    with pytest.raises(UsageError, match="too large or too long"):
        Minimax(long).value()


# Monte Carlo tree search.


def test_mcts_beats_chance():
    first = played(TicTacToe(), [MCTSAgent(30), RandomAgent()], 60)[:, 0]
    second = played(TicTacToe(), [RandomAgent(), MCTSAgent(30)], 60)[:, 1]
    # Chance against itself gets 0.30 and -0.30.
    assert (first.mean(), second.mean()) > (0.8, 0.4)
    for seats in ([MCTSAgent(40), RandomAgent()], [RandomAgent(), MCTSAgent(40)]):
        won = played(ConnectFour(), seats, 10)[:, seats.index(MCTSAgent(40))]
        assert won.sum() >= 6


def test_mcts_with_patience_draws_against_minimax():
    assert (played(TicTacToe(), [MCTSAgent(400), MinimaxAgent()], 6)[:, 0] == 0).all()
    assert played(TicTacToe(), [MinimaxAgent(), MCTSAgent(1_000)], 6)[:, 1].sum() >= -1


def test_each_seat_wants_its_own():
    """Seat 1 would rather win itself than let seat 0 win; seat 2 does not care for the others."""
    choice = Turn(1, {0: (1.0, -0.5, -0.5), 1: Turn(2, {0: (-1.0, 1.0, 0.0), 1: (0.5, -1.0, 0.5)})})
    rules = GivenGame(Turn(0, {0: (0.25, 0.0, -0.25), 1: choice}), seats=3, perfect_information=True)
    for state, best in (((), 1), ((1,), 0), ((1, 1), 1)):
        tried = visits(rules, state, 3_000, np.random.default_rng(1))
        assert max(tried, key=tried.get) == best, state


def test_mcts_goes_by_its_seed():
    one, same, other = (play(ConnectFour(), [MCTSAgent(10)] * 2, seed) for seed in (1, 1, 2))
    assert one == same
    assert one[1] != other[1]


# Equilibria.


def test_the_equilibrium_agent_plays_its_policy():
    rules, generator = KuhnPoker(), np.random.default_rng(0)
    choose = EquilibriumAgent(500).prepare(rules)
    policy = equilibrium.solve(rules, 500)
    state = rules.next(rules.next(rules.next(rules.initial(), 0), 2), 0)  # jack, king, passed
    assert {choose(state, 1, generator) for _ in range(50)} == {1}
    state = rules.next(rules.next(rules.next(rules.initial(), 2), 0), 0)  # the second seat bluffs with a jack
    bets = np.mean([choose(state, 1, generator) for _ in range(3_000)])
    assert bets == pytest.approx(policy[1, ((0,), (0,))][1], abs=0.035)
    assert 0.2 < bets < 0.45


def test_the_equilibrium_agent_loses_to_nobody():
    """Exactly -1/18 for the first seat whoever plays second, or better; by 1,500 hands against chance."""
    first = played(KuhnPoker(), [EquilibriumAgent(300), RandomAgent()], 1_500)[:, 0]
    assert first.mean() > -1 / 18
    assert played(LeducPoker(), [RandomAgent(), EquilibriumAgent(300)], 300)[:, 1].mean() > 0.2


def test_a_game_is_solved_once(monkeypatch):
    solved = []
    monkeypatch.setattr(equilibrium, "_SOLVED", {})
    monkeypatch.setattr(equilibrium, "solve", lambda rules, n: solved.append((rules.seats, n)))
    for rules, iterations in ((KuhnPoker(), 5), (KuhnPoker(), 5), (KuhnPoker(3), 5), (KuhnPoker(), 6)):
        EquilibriumAgent(iterations).prepare(rules)
    assert solved == [(2, 5), (3, 5), (2, 6)]
    assert key_of(KuhnPoker()) == key_of(KuhnPoker()) != key_of(KuhnPoker(3))
    odd = KuhnPoker()
    odd.other = lambda: None
    assert key_of(odd) is odd


def test_what_is_kept_is_bounded():
    kept = {}
    for key in [*range(40), 39]:
        assert once(kept, key, lambda key=key: key * 2) == 2 * key
    assert list(kept) == list(range(24, 40))


# What they are and where they play.


def test_names_are_specs():
    for name, options, spec in (
        ("minimax", {}, "search:minimax"),
        ("minimax", {"depth": "04"}, "search:minimax?depth=4"),
        ("mcts", {}, "search:mcts?simulations=200"),
        ("mcts", {"simulations": "30"}, "search:mcts?simulations=30"),
        ("cfr", {}, "search:cfr?iterations=2000"),
        ("cfr", {"iterations": "10"}, "search:cfr?iterations=10"),
    ):
        agent = load_search(name, options)
        assert agent.name == spec
        assert agent.policy is None
        assert agent.with_sampling(Sampling()) is agent


def test_unknown_specs_are_refused():
    with pytest.raises(UnknownNameError, match="minimax") as caught:
        load_search("minmax", {})
    assert caught.value.suggestions == ("minimax",)
    with pytest.raises(UnknownNameError, match="depth"):
        load_search("minimax", {"deph": "3"})
    with pytest.raises(UnknownNameError, match="simulations"):
        load_search("mcts", {"depth": "3"})
    for value in ("0", "-1", "two", "1.5", "", "٣"):
        with pytest.raises(UsageError, match="whole number from 1"):
            load_search("minimax", {"depth": value})
    for agent in (MCTSAgent, EquilibriumAgent, MinimaxAgent):
        with pytest.raises(UsageError, match="at least 1, got 0"):
            agent(0)


@pytest.mark.parametrize("agent", [MinimaxAgent(), MCTSAgent(), EquilibriumAgent(10)], ids=lambda agent: agent.name)
def test_places_without_rules_are_refused(agent):
    env = make("palaestra/Arithmetic-v0")
    _, info = env.reset(seed=0)
    with pytest.raises(UsageError, match="searches the rules of a game"):
        agent.enter(env, info["task"], 0)


def test_games_they_cannot_play_are_refused():
    poker, three = GameArena(KuhnPoker()), GivenGame((0.0, 0.0, 0.0), seats=3, perfect_information=True)
    for agent in (MinimaxAgent(), MCTSAgent()):
        with pytest.raises(UsageError, match="kuhn_poker hides some of it"):
            agent.enter(poker, poker.task(0), 0)
    for rules in (three, GivenGame((0.0, 0.0), perfect_information=True, zero_sum=False)):
        with pytest.raises(UsageError, match="zero-sum games of two"):
            MinimaxAgent().prepare(rules)
    with pytest.raises(UsageError, match="search:minimax"):
        EquilibriumAgent().prepare(TicTacToe())


def test_chance_at_the_root_of_a_simulation():
    """The dice of a played-out game fall as often as they should."""
    rules = GivenGame(
        Turn(0, {0: Chance([(0.2, (1.0, -1.0)), (0.8, (-1.0, 1.0))]), 1: (-0.3, 0.3)}), perfect_information=True
    )
    assert rules.turn((0,)) == CHANCE
    tried = visits(rules, (), 1_500, np.random.default_rng(3))
    assert tried[1] > 1_000  # -0.3 is better than the -0.6 of the dice
