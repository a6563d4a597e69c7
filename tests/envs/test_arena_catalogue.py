"""Names and specs of arenas."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from palaestra.envs.arena import catalogue, kuhn_poker_v0
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.catalogue import arena_cards, make_arena, register_arena, rules_of
from palaestra.envs.arena.games.kuhn_poker import KuhnPoker
from palaestra.envs.arena.games.nim import Nim
from palaestra.envs.errors import UnknownNameError, UsageError


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_ENTRIES", dict(catalogue._ENTRIES))


@pytest.mark.parametrize("card", arena_cards(), ids=lambda card: card.id)
def test_every_name_makes_its_arena(card: Any) -> None:
    for name in (card.id, card.id.rpartition("_v")[0], card.id.upper()):
        arena = make_arena(name)
        assert isinstance(arena, Arena)
        assert str(arena) == card.id
        arena.reset(seed=0)
        assert arena.observe(arena.agent_selection)
    assert card.summary
    assert "render_mode" not in card.parameters
    assert "explain" in card.parameters.split(", ")


def test_a_spec_sets_what_the_arena_takes() -> None:
    arena = make_arena("kuhn_poker?players=3&explain=false&illegal=retry&tries=2")
    assert len(arena.possible_agents) == 3
    assert (arena.explanation, arena.illegal, arena.tries) == ("", "retry", 2)
    assert rules_of("nim?piles=2,3&misere=true").initial() == Nim("2,3").initial()
    # A number is text where text is wanted, and a whole number will do for a real one.
    assert rules_of("nim?piles=4").initial().left == (4,)
    assert rules_of("prisoners_dilemma?temptation=7").highest == 35


def test_the_rules_of_a_spec() -> None:
    rules = rules_of("kuhn_poker?players=4")
    assert isinstance(rules, KuhnPoker)
    assert rules.seats == 4


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("kuhn_poker?player=3", "has no parameter 'player'; its parameters are players"),
        ("kuhn_poker?players", "expected key=value"),
        ("kuhn_poker?players=2&players=3", "once for each key"),
        ("kuhn_poker?players=many", "players must be int, got 'many'"),
        ("kuhn_poker?render_mode=ansi", "has no parameter 'render_mode'"),
        ("kuhn_poker?players=1", "2 to 10 players"),
        ("kuhn_poker?illegal=loose", "Did you mean 'lose'"),
        ("no_such_module_at_all:game_v0", "cannot be imported"),
        ("pettingzoo:tictactoe_v3?tries=some", "tries must be int"),
    ],
)
def test_what_a_spec_cannot_mean(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_arena(spec)


def test_an_unknown_name_is_met_with_near_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown arena 'kuhn_pocker'\. Did you mean 'kuhn_poker'"):
        make_arena("kuhn_pocker")
    with pytest.raises(UnknownNameError, match=r"Known: .*connect_four, .*`palaestra arenas` lists ours"):
        make_arena("zzz")


def test_pettingzoos_own_games_are_spoken() -> None:
    arena = make_arena("pettingzoo:tictactoe_v3?illegal=random&explain=false")
    assert isinstance(arena, Arena)
    assert (arena.illegal, arena.explanation) == ("random", "")
    arena.reset(seed=0)
    assert arena.observe(arena.agent_selection)
    with pytest.raises(UsageError, match="has no rules"):
        rules_of("pettingzoo:tictactoe_v3")


def test_settings_of_pettingzoos_games_are_theirs() -> None:
    arena = make_arena("pettingzoo:rps_v2?max_cycles=2")
    arena.reset()
    for _ in range(4):
        assert not arena.over
        arena.step(arena.sample_action(np.random.default_rng(0)))
    assert arena.over
    with pytest.raises(UsageError, match="no_such_setting"):
        make_arena("pettingzoo:tictactoe_v3?no_such_setting=1")


MODULE = """
from palaestra.envs.arena.catalogue import register_arena
from palaestra.envs.arena.game import GameArena
from palaestra.envs.arena.games.nim import Nim

def heap(size: int = 4, explain: bool = True):
    return GameArena(Nim(str(size)), explain=explain)

register_arena("heap_v0", heap, "One pile")
register_arena("heap_v1", "my_games_of_a_test:heap", "One pile")
register_arena("wrong_v0", lambda: 3)
"""


def test_an_arena_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_games_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnknownNameError):
        make_arena("heap")
    try:
        arena = make_arena("my_games_of_a_test:heap_v0?size=2&explain=false")
    finally:
        sys.modules.pop("my_games_of_a_test", None)
    arena.reset()
    assert arena.observe("player_0") == "Your turn. a=2"
    assert ("heap_v0", "One pile", "size, explain") in [(c.id, c.summary, c.parameters) for c in arena_cards()[:-1]]
    assert isinstance(rules_of("heap_v1"), Nim)
    with pytest.raises(UsageError, match="made a int, expected an Arena"):
        make_arena("wrong")


def test_the_newest_version_is_meant_where_none_is_named() -> None:
    for version in (9, 10):
        register_arena(f"kuhn_poker_v{version}", lambda version=version: kuhn_poker_v0.raw_env(players=version))
    assert len(make_arena("kuhn_poker").possible_agents) == 10
    assert len(make_arena("kuhn_poker_v0").possible_agents) == 2


def test_a_name_is_registered_with_a_version_and_once() -> None:
    with pytest.raises(UsageError, match="ends in its version"):
        register_arena("heap", kuhn_poker_v0.raw_env)
    with pytest.raises(UsageError, match="a changed one is a new version"):
        register_arena("kuhn_poker_v0", kuhn_poker_v0.env)
    register_arena("kuhn_poker_v0", kuhn_poker_v0.raw_env)
