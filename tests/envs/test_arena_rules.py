"""The rules of every game, against OpenSpiel's and against numbers worked by hand."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyspiel
import pytest
from palaestra.envs.arena.games.connect_four import ConnectFour
from palaestra.envs.arena.games.goofspiel import Goofspiel
from palaestra.envs.arena.games.kuhn_poker import KuhnPoker
from palaestra.envs.arena.games.leduc_poker import LeducPoker
from palaestra.envs.arena.games.liars_dice import LiarsDice
from palaestra.envs.arena.games.nim import Nim
from palaestra.envs.arena.games.prisoners_dilemma import PrisonersDilemma
from palaestra.envs.arena.games.tic_tac_toe import TicTacToe
from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from palaestra.envs.errors import ContractError, UnknownNameError, UsageError

# What a player has seen and done, as OpenSpiel tells it.
Told = Callable[[Any, int], str]


def _information(state: Any, seat: int) -> str:
    return str(state.information_state_string(seat))


def _board(state: Any, seat: int) -> str:
    # OpenSpiel's information of these games is the order of the moves, which nobody needs.
    return str(state)


@dataclass(frozen=True)
class Pair:
    rules: Rules[Any]
    game: str
    told: Told = _information
    # OpenSpiel's information may be less than what a player remembers.
    finer: bool = False

    def load(self) -> Any:
        game = pyspiel.load_game(self.game)
        return pyspiel.convert_to_turn_based(game) if self.rules.simultaneous else game

    def check(self, seen: list[list[tuple[Hashable, str]]]) -> None:
        """Check that what a seat knows is equal exactly when it is for OpenSpiel."""
        for of_seat in seen:
            assert _is_function(of_seat)
            assert self.finer or _is_function([(theirs, ours) for ours, theirs in of_seat])


_DILEMMA = "repeated_game(stage_game=matrix_pd(),num_repetitions=4)"
_SHARED_SUITS = "leduc_poker(suit_isomorphism=True)"
PAIRS = [
    Pair(TicTacToe(), "tic_tac_toe", _board),
    Pair(ConnectFour(), "connect_four", _board),
    Pair(Nim(), "nim(is_misere=False)", _board),
    Pair(Nim("3,4,5", misere=True), "nim(pile_sizes=3;4;5,is_misere=True)", _board),
    Pair(KuhnPoker(2), "kuhn_poker"),
    Pair(KuhnPoker(3), "kuhn_poker(players=3)"),
    Pair(LeducPoker(), _SHARED_SUITS),
    Pair(LiarsDice(), "liars_dice"),
    Pair(LiarsDice(dice=2, sides=3), "liars_dice(numdice=2,dice_sides=3)"),
    Pair(Goofspiel(), "goofspiel(num_cards=5)", finer=True),
    Pair(Goofspiel(cards=13), "goofspiel", finer=True),
    Pair(Goofspiel(cards=4, order="descending"), "goofspiel(num_cards=4,points_order=descending)", finer=True),
    Pair(PrisonersDilemma(4, temptation=10, reward=5, punishment=1, sucker=0), _DILEMMA),
]
IDS = [pair.game for pair in PAIRS]


def _agree(rules: Rules[Any], state: Any, theirs: Any) -> None:
    """Check one state: whose turn it is, what can be done, how probable it is, and what it pays."""
    turn = rules.turn(state)
    if theirs.is_terminal():
        assert turn == OVER
        returns = rules.returns(state)
        assert returns == tuple(theirs.returns())
        assert all(rules.lowest <= paid <= rules.highest for paid in returns)
        assert not rules.zero_sum or sum(returns) == 0
    elif theirs.is_chance_node():
        assert turn == CHANCE
        outcomes = theirs.chance_outcomes()
        assert rules.legal(state) == tuple(outcome for outcome, _ in outcomes)
        assert rules.chances(state) == pytest.approx([chance for _, chance in outcomes])
    else:
        assert turn == theirs.current_player()
        legal = rules.legal(state)
        assert legal == tuple(theirs.legal_actions())
        assert max(legal) < rules.actions
        words = [rules.word(state, action) for action in legal]
        assert len(set(words)) == len(words)
        assert all(word == word.lower().strip() for word in words)


def _walk(rules: Rules[Any], theirs: Any) -> Iterator[tuple[Any, Any]]:
    """Go through every history of a game, in both rule sets."""
    open_states = [(rules.initial(), theirs.new_initial_state())]
    while open_states:
        state, other = open_states.pop()
        yield state, other
        if not other.is_terminal():
            open_states += [(rules.next(state, action), other.child(action)) for action in rules.legal(state)]


def _sample(rules: Rules[Any], theirs: Any, games: int, seed: int = 0) -> Iterator[tuple[Any, Any]]:
    generator = np.random.default_rng(seed)
    for _ in range(games):
        state, other = rules.initial(), theirs.new_initial_state()
        yield state, other
        while not other.is_terminal():
            action = int(generator.choice(rules.legal(state)))
            state = rules.next(state, action)
            other.apply_action(action)
            yield state, other


def _is_function(pairs: Sequence[tuple[Hashable, Hashable]]) -> bool:
    """Return whether equal first members always come with equal second ones."""
    found = defaultdict(set)
    for first, second in pairs:
        found[first].add(second)
    return all(len(seconds) == 1 for seconds in found.values())


@pytest.mark.parametrize("pair", PAIRS, ids=IDS)
def test_random_games_agree_with_openspiel(pair: Pair) -> None:
    rules = pair.rules
    seen: list[list[tuple[Hashable, str]]] = [[] for _ in range(rules.seats)]
    for state, theirs in _sample(rules, pair.load(), games=120):
        _agree(rules, state, theirs)
        turn = rules.turn(state)
        if turn >= 0:
            seen[turn].append((rules.information(state, turn), pair.told(theirs, turn)))
    pair.check(seen)


@pytest.mark.parametrize(
    "pair",
    [pair for pair in PAIRS if pair.game in ("kuhn_poker", "kuhn_poker(players=3)", _SHARED_SUITS, _DILEMMA)],
    ids=lambda pair: pair.game,
)
def test_every_history_agrees_with_openspiel(pair: Pair) -> None:
    rules = pair.rules
    seen: list[list[tuple[Hashable, str]]] = [[] for _ in range(rules.seats)]
    for state, theirs in _walk(rules, pair.load()):
        _agree(rules, state, theirs)
        turn = rules.turn(state)
        # Within a round of a simultaneous game OpenSpiel says whose turn its conversion has come to.
        for seat in () if turn < 0 else (turn,) if rules.simultaneous else range(rules.seats):
            seen[seat].append((rules.information(state, seat), pair.told(theirs, seat)))
    pair.check(seen)


@pytest.mark.parametrize(
    ("rules", "count"),
    # Kuhn: 12 (Kuhn 1950); 48 for three players (Szafron et al. 2013). Leduc: 3 ranks by 6 turns in the first round,
    # which ends in 5 ways; then 3 ranks by 3 on the board by 6 turns. Liar's dice: 2 faces by the 2**4 ways to have
    # made some of the four bids, which only rise.
    [(KuhnPoker(2), 12), (KuhnPoker(3), 48), (LeducPoker(), 3 * 6 + 5 * 3 * 3 * 6), (LiarsDice(sides=2), 2 * 2**4)],
    ids=["kuhn", "kuhn of three", "leduc", "liar's dice of two sides"],
)
def test_there_are_as_many_information_states_as_is_known(rules: Rules[Any], count: int) -> None:
    found = set()
    open_states = [rules.initial()]
    while open_states:
        state = open_states.pop()
        turn = rules.turn(state)
        if turn >= 0:
            found.add((turn, rules.information(state, turn)))
        if turn != OVER:
            open_states += [rules.next(state, action) for action in rules.legal(state)]
    assert len(found) == count


@pytest.mark.parametrize("rules", [pair.rules for pair in PAIRS], ids=IDS)
def test_a_seat_is_told_the_same_exactly_where_it_knows_the_same(rules: Rules[Any]) -> None:
    generator = np.random.default_rng(1)
    seen: list[list[tuple[Hashable, str]]] = [[] for _ in range(rules.seats)]
    for _ in range(120):
        state = rules.initial()
        while (turn := rules.turn(state)) != OVER:
            if turn >= 0:
                for seat in range(rules.seats):
                    seen[seat].append((rules.information(state, seat), rules.describe(state, seat)))
                assert rules.picture(state)
            state = rules.next(state, int(generator.choice(rules.legal(state))))
        assert all(rules.describe(state, seat) for seat in range(rules.seats))
        assert rules.picture(state)
    for of_seat in seen:
        assert _is_function(of_seat)
        assert _is_function([(described, known) for known, described in of_seat])


@pytest.mark.parametrize("rules", [pair.rules for pair in PAIRS if pair.rules.simultaneous], ids=IDS[-4:])
def test_who_moves_second_does_not_see_what_the_first_did(rules: Rules[Any]) -> None:
    generator = np.random.default_rng(2)
    for _ in range(50):
        state = rules.initial()
        while (turn := rules.turn(state)) != OVER:
            if turn == 0:
                after = [rules.next(state, action) for action in rules.legal(state)]
                assert (
                    len({rules.information(s, 0) for s in after})
                    == len(after)
                    == len({rules.describe(s, 0) for s in after})
                )
                assert {rules.information(s, 1) for s in after} == {rules.information(state, 1)}
                assert {rules.describe(s, 1) for s in after} == {rules.describe(state, 1)}
                assert len({rules.legal(s) for s in after}) == 1
            state = rules.next(state, int(generator.choice(rules.legal(state))))


def _weights(count: int) -> list[float]:
    """Return the chances of actions for one who prefers the later ones: equal ones could hide a mistake."""
    return [(place + 1) / (count * (count + 1) / 2) for place in range(count)]


def _worth(rules: Rules[Any], state: Any) -> float:
    turn = rules.turn(state)
    if turn == OVER:
        return rules.returns(state)[0]
    legal = rules.legal(state)
    chances = rules.chances(state) if turn == CHANCE else _weights(len(legal))
    return sum(chance * _worth(rules, rules.next(state, action)) for action, chance in zip(legal, chances, strict=True))


def _their_worth(state: Any) -> float:
    if state.is_terminal():
        return float(state.returns()[0])
    legal = state.legal_actions()
    pairs = state.chance_outcomes() if state.is_chance_node() else zip(legal, _weights(len(legal)), strict=True)
    return sum(chance * _their_worth(state.child(action)) for action, chance in pairs)


def test_leduc_poker_is_worth_the_same_where_suits_are_told_apart() -> None:
    rules = LeducPoker()
    theirs = _their_worth(pyspiel.load_game("leduc_poker").new_initial_state())
    assert _worth(rules, rules.initial()) == pytest.approx(theirs, abs=1e-12)
    assert abs(theirs) > 0.01


def _play(rules: Rules[Any], words: str) -> Any:
    """Play moves by their words; at a turn of chance the word is the number of the outcome."""
    state = rules.initial()
    for word in words.split():
        legal = rules.legal(state)
        chance = rules.turn(state) == CHANCE
        state = rules.next(state, next(a for a in legal if (str(a) if chance else rules.word(state, a)) == word))
    return state


@pytest.mark.parametrize(
    ("rules", "words", "returns"),
    [
        (TicTacToe(), "1 4 2 5 3", (1, -1)),
        (TicTacToe(), "1 3 2 5 4 7", (-1, 1)),
        (TicTacToe(), "1 2 3 5 4 6 8 7 9", (0, 0)),
        (ConnectFour(), "1 2 1 2 1 2 1", (1, -1)),
        (ConnectFour(), "1 2 3 2 4 2 5 2", (-1, 1)),
        # 4, 5, 6, 7 from below to the upper right.
        (ConnectFour(), "4 5 5 6 6 7 6 7 7 1 7", (1, -1)),
        (Nim("1,2"), "b1 a1 b1", (1, -1)),
        (Nim("1,2", misere=True), "b1 a1 b1", (-1, 1)),
        (KuhnPoker(), "2 0 bet pass", (1, -1)),
        (KuhnPoker(), "2 0 bet bet", (2, -2)),
        (KuhnPoker(), "0 1 pass bet bet", (-2, 2)),
        (KuhnPoker(), "0 1 pass pass", (-1, 1)),
        (KuhnPoker(3), "0 3 1 pass bet pass bet", (-2, 3, -1)),
        # A raise of 2, a re-raise, a call: 5 chips each; then 4 more each; player_0 pairs its jack.
        (LeducPoker(), "0 2 raise raise call 0 raise call", (9, -9)),
        (LeducPoker(), "0 2 raise raise call 0 check raise raise call", (13, -13)),
        (LeducPoker(), "0 2 check check 1 check check", (-1, 1)),
        (LeducPoker(), "1 1 raise call 2 check check", (0, 0)),
        (LeducPoker(), "2 0 check raise fold", (-1, 1)),
        (LeducPoker(), "2 0 raise call 1 raise raise fold", (-7, 7)),
        # Faces are 0 to 5 at the roll: a 3 and a 6, which counts as a 3 too.
        (LiarsDice(), "2 5 2x3 liar", (1, -1)),
        (LiarsDice(), "2 5 1x1 2x2 liar", (1, -1)),
        (LiarsDice(players=3), "0 0 0 1x1 3x1 liar", (0, 1, -1)),
        (LiarsDice(players=3), "0 0 0 1x1 1x2 3x2 liar", (1, 0, -1)),
        # 3 to the first; 2 to the second; the last cards are both 2, so nobody gets the 1.
        (Goofspiel(3, "descending"), "3 1 1 3", (1, -1)),
        # 3 to the second; 2 to the first and, by 3 against 2, 1 to the first: as many.
        (Goofspiel(3, "descending"), "1 3 2 1", (0, 0)),
        (Goofspiel(3, "descending"), "1 2 2 3", (-1, 1)),
        # The prize of 1 is lost by 1 to 3; that of 3 is won by 3 to 2; that of 2 is left, for 2 against 1.
        (Goofspiel(3), "0 1 3 2 3 2", (1, -1)),
        # 3 + 5 + 0 + 1 against 3 + 0 + 5 + 1.
        (PrisonersDilemma(4), "cooperate cooperate defect cooperate cooperate defect defect defect", (9, 9)),
        (PrisonersDilemma(2), "defect cooperate defect cooperate", (10, 0)),
        (PrisonersDilemma(1, 4, 2.5, 2, -1), "cooperate defect", (-1, 4)),
    ],
)
def test_games_worked_by_hand(rules: Rules[Any], words: str, returns: tuple[float, ...]) -> None:
    state = _play(rules, words)
    assert rules.turn(state) == OVER
    assert rules.returns(state) == returns


def test_no_line_of_four_runs_over_the_edge_of_the_wall() -> None:
    # X holds the upper three cells of column 1 and the lowest of column 2: one after the other, but no line.
    state = _play(ConnectFour(), "3 1 3 1 4 1 1 4 1 5 1 5 2")
    assert state.crosses.bit_count() == 7
    assert ConnectFour().turn(state) == 1


def test_whoever_can_leave_an_even_nim_sum_wins() -> None:
    # Bouton's theorem: who is to move loses exactly where the exclusive or of the piles is 0.
    rules = Nim("1,2,3")
    wins: dict[Any, bool] = {}

    def winning(state: Any) -> bool:
        if state not in wins:
            wins[state] = rules.turn(state) != OVER and any(
                not winning(rules.next(state, action)) for action in rules.legal(state)
            )
        return wins[state]

    assert not winning(rules.initial())
    for left, seat in wins:
        assert wins[left, seat] == (np.bitwise_xor.reduce(left) != 0)


def test_what_is_told_is_short_and_says_it_all() -> None:
    assert ConnectFour().describe(_play(ConnectFour(), "4 4 5"), 1) == (
        "You are O.\n.......\n.......\n.......\n.......\n...O...\n...XX.."
    )
    assert Nim().describe(_play(Nim(), "c3"), 1) == "Your turn. a=1 b=3 c=2 d=7"
    assert LeducPoker().describe(_play(LeducPoker(), "0 2 check raise call 0 check"), 1) == (
        "You are player_1. Card: K. First round: check raise call. Open: J. Second: check."
    )
    assert LiarsDice(dice=2).describe(_play(LiarsDice(dice=2), "5 2 0 1 1x6 2x1"), 0) == (
        "You are player_0. Dice: 3 6. Bids: 1x6 2x1."
    )
    assert Goofspiel(4, "descending").describe(_play(Goofspiel(4, "descending"), "3 1 1"), 0) == (
        "You are player_0. Points: you 4, they 0. Past prizes with bids, yours first: 4: 3-1. "
        "Their cards: 2 3 4. Prize: 3. You bid 1."
    )
    assert PrisonersDilemma().describe(_play(PrisonersDilemma(), "defect cooperate"), 1) == (
        "You are player_1. Round 2 of 5. So far you C, they D."
    )


def test_who_gives_up_gets_the_least() -> None:
    assert LiarsDice(players=3).forfeit(1) == (0.5, -1, 0.5)
    assert LeducPoker().forfeit(0) == (-13, 13)
    assert PrisonersDilemma(4).forfeit(0) == (0, 12)
    with pytest.raises(ContractError, match="seats 0 to 1"):
        PrisonersDilemma().forfeit(2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Nim("1,x"), "numbers from 1 to 99"),
        (lambda: Nim("0,3"), "numbers from 1 to 99"),
        (lambda: Nim(",".join("1" * 11)), "up to 10"),
        (lambda: LiarsDice(players=1), "2 to 6 players"),
        (lambda: LiarsDice(sides=1), "2 to 9 sides"),
        (lambda: LiarsDice(dice=0), "1 to 5 dice"),
        (lambda: Goofspiel(1), "2 to 13"),
        (lambda: KuhnPoker(1), "2 to 10"),
        (lambda: PrisonersDilemma(0), "1 to 100"),
        (lambda: PrisonersDilemma(reward=6), "temptation > reward"),
    ],
)
def test_settings_that_make_no_game_are_refused(make: Callable[[], Rules[Any]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_an_unknown_order_of_prizes_is_refused_with_a_guess() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'descending'"):
        Goofspiel(order="decending")
