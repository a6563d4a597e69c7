"""Games of a policy's own search, as experience to imitate."""

from pathlib import Path

import numpy as np
import pytest
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.foresight import QUESTION
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.nursery import Plan, _new_model
from palaestra.agents.rollout import Rollout
from palaestra.agents.search.minimax import Minimax
from palaestra.envs.arena.games.nim import Nim
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Status
from palaestra.evolution.acquisition.search_play import SearchPlay
from palaestra.evolution.league import League
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.yard import Yard, refuse_held_out

ENV = "tic_tac_toe?explain=false"
SMALL = Plan(hidden_size=16, intermediate_size=32, layers=1, heads=2, positions=300)
SAID = {Status.CORRECT: "won", Status.WRONG: "lost", Status.PARTIAL: "drawn"}


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    policy = LocalPolicy(_new_model(SMALL, 0), build_tokenizer(300, forgetful=True), "test:newborn", version=4)
    return Yard(Rollout(LanguageAgent(policy)), 5, League(tmp_path / "league"))


def test_moves_and_ends_are_to_be_imitated(yard: Yard) -> None:
    episodes = SearchPlay(games=3, simulations=8)(yard, ENV, 2)
    assert len(episodes) == 12
    refuse_held_out(episodes)
    for moves, ends in zip(episodes[::2], episodes[1::2], strict=True):
        assert moves.reward == moves.verdict.reward
        assert [turn.observation + QUESTION for turn in moves.turns] == [turn.observation for turn in ends.turns]
        assert {turn.reply for turn in ends.turns} == {SAID[moves.verdict.status]}
        for turn in moves.turns:
            assert turn.reply in turn.observation.partition("\n")[2]
            assert set(turn.versions) == {4}
            assert -np.inf < turn.logprobs[0] <= 0
    assert sum(episode.reward for episode in episodes) == 0
    again = SearchPlay(games=3, simulations=8)(yard, ENV, 2)
    assert [e.digest() for e in again] == [e.digest() for e in episodes]
    assert [e.digest() for e in SearchPlay(games=3, simulations=8)(yard, ENV, 3)] != [e.digest() for e in episodes]


def test_even_without_a_clue_the_search_is_worth_imitating(yard: Yard) -> None:
    """In Nim with one heap of four, 100 positions looked at are nearly all of them."""
    rules = Nim("4")
    episodes = SearchPlay(games=20, simulations=100)(yard, "nim?piles=4&explain=false", 1)
    opened = [episode.turns[0].reply for episode in episodes if episode.id.endswith("/0/moves")]
    best = {rules.word(rules.initial(), move) for move in Minimax(rules).best(rules.initial())}
    assert sum(word in best for word in opened) > 12


def test_what_cannot_be_searched_is_refused() -> None:
    for env, why in (("arithmetic", "whose rules are known"), ("kuhn_poker", "hides"), ("negotiation", "known|hides")):
        with pytest.raises(UsageError, match=why):
            SearchPlay().require(env)
    with pytest.raises(UsageError, match="at least 1, got 0"):
        SearchPlay(games=0)


def test_the_recipe_is_found() -> None:
    recipe = find_recipe("alphazero", {"acquire.games": 8})
    assert recipe.acquire == SearchPlay(games=8)
