"""Search led by opinions: what it finds in tic-tac-toe, and what it asks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from palaestra.agents.search.minimax import Minimax
from palaestra.agents.search.puct import Opinion, Puct
from palaestra.envs.arena.games.alignment import Board
from palaestra.envs.arena.games.kuhn_poker import KuhnPoker
from palaestra.envs.arena.games.nim import Nim
from palaestra.envs.arena.games.prisoners_dilemma import PrisonersDilemma
from palaestra.envs.arena.games.tic_tac_toe import TicTacToe
from palaestra.envs.errors import UsageError

RULES = TicTacToe()


def without_a_clue(states: Sequence[Board]) -> list[Opinion]:
    return [Opinion(dict.fromkeys(RULES.legal(s), 1 / len(RULES.legal(s))), 0.0) for s in states]


def board(crosses: str, noughts: str) -> Board:
    return Board(*(sum(1 << int(cell) - 1 for cell in cells) for cells in (crosses, noughts)))


def favourite(state: Board, simulations: int = 200, look: Any = without_a_clue) -> int:
    (visits,) = Puct(RULES, simulations).visits([state], look, np.random.default_rng(0))
    assert sum(visits.values()) == simulations
    assert set(visits) == set(RULES.legal(state))
    return 1 + max(visits, key=visits.__getitem__)


def test_it_wins_and_blocks_without_any_clue() -> None:
    assert favourite(board("12", "45")) == 3
    assert favourite(board("126", "45")) == 3  # noughts must stop 3 before 6 of their own: 6 is taken
    assert favourite(board("15", "2")) == 9


def test_it_trusts_priors_before_it_has_looked() -> None:
    def sure_of_eight(states: Sequence[Board]) -> list[Opinion]:
        return [
            Opinion({a: 0.93 if a == 7 else 0.01 for a in RULES.legal(s)}, 0.0) if s == Board(0, 0) else opinion
            for s, opinion in zip(states, without_a_clue(states), strict=True)
        ]

    assert favourite(Board(0, 0), 12, sure_of_eight) == 8


def test_with_true_values_it_plays_no_losing_move() -> None:
    minimax = Minimax(RULES)

    def knowing(states: Sequence[Board]) -> list[Opinion]:
        values = [minimax.value(s) * (1 if RULES.turn(s) == 0 else -1) for s in states]
        return [o._replace(value=v) for o, v in zip(without_a_clue(states), values, strict=True)]

    draw = np.random.default_rng(1)
    for _ in range(40):
        state = RULES.initial()
        for _ in range(int(draw.integers(1, 6))):
            if RULES.turn(state) >= 0:
                state = RULES.next(state, int(draw.choice(RULES.legal(state))))
        if RULES.turn(state) >= 0:
            assert favourite(state, 60, knowing) - 1 in minimax.best(state)


def test_values_are_the_movers() -> None:
    """A policy that thinks every position good for the one who moves sends the search to where the other has none."""
    asked: list[Board] = []

    def hopeful(states: Sequence[Board]) -> list[Opinion]:
        asked.extend(states)
        clueless = without_a_clue(states)
        # After 5 the mover, O, is said to be lost; after everything else won.
        return [o._replace(value=-1.0 if s.crosses >> 4 & 1 else 1.0) for s, o in zip(states, clueless, strict=True)]

    assert favourite(Board(0, 0), 30, hopeful) == 5
    assert all(RULES.turn(state) >= 0 for state in asked)


def test_games_are_searched_together() -> None:
    batches: list[int] = []

    def counting(states: Sequence[Board]) -> list[Opinion]:
        batches.append(len(states))
        return without_a_clue(states)

    Puct(RULES, 20).visits([board("1", ""), board("2", ""), board("3", "")], counting, np.random.default_rng(0))
    assert batches[0] == 3
    assert len(batches) <= 21
    assert max(batches) == 3


def test_the_same_seed_searches_the_same() -> None:
    found = [Puct(RULES, 30).visits([Board(0, 0)], without_a_clue, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert found[0] == found[1] != found[2]


def test_other_games_are_refused() -> None:
    with pytest.raises(UsageError, match="hides some of it"):
        Puct(KuhnPoker(), 10)
    with pytest.raises(UsageError, match="hides some of it"):
        Puct(PrisonersDilemma(), 10)
    with pytest.raises(UsageError, match="at least 1, got 0"):
        Puct(Nim(), 0)
