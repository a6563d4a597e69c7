"""What is said, what becomes of it, and what an arena promises about its games."""

import copy
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from palaestra.envs.arena import game
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.catalogue import make_arena
from palaestra.envs.arena.games.connect_four import ConnectFour
from palaestra.envs.arena.games.kuhn_poker import KuhnPoker
from palaestra.envs.arena.moves import illegal_policy, read_move
from palaestra.envs.arena.talk import Fault
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.verdict import Status

WORDS = {"pass": 0, "bet": 1, "2x3": 7, "take 2": 3}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("bet", 1),
        (" Bet. ", 1),
        ("BET\n\n", 1),
        ("I could pass.\nbet", 1),
        ("bet\nor rather\npass", 0),
        ("I will [bet] since [pass] is weak", 0),
        ("[bet]\nThat is my move: pass", 1),
        ("[ take   2 ]", 3),
        ("take\t2.", 3),
        ("[[bet]]", 1),
        ("[2X3]", 7),
        # Nothing of these is a move, and a move inside a sentence is none.
        ("", None),
        (" \n ", None),
        ("I bet", None),
        ("bet now [raise]", None),
        ("[]", None),
        ("betpass", None),
        ("be t", None),
        # Nothing is looked for far from the end.
        ("[bet]" + " and so on" * 300, None),
        ("[be\nt]", None),
    ],
)
def test_where_a_move_is_found(text: str, number: int | None) -> None:
    assert read_move(text, WORDS)[0] == number


@given(st.text() | st.text(alphabet="[] .\nbetpas2x3\u2028\x00İ"))
@example("[" * 5000 + "bet" + "]" * 5000)
@example("\ud800")
def test_no_text_raises_and_what_is_taken_says_what_was_read(text: str) -> None:
    number, said = read_move(text, WORDS)
    assert number == WORDS.get(said)
    assert len(said) <= 200
    # The answer stands at the end: whatever comes before it does not matter.
    end = text[-500:]
    if end.strip():
        assert read_move("x" * 3000 + "\n" + end, WORDS) == read_move(end, WORDS)


@given(st.sampled_from(sorted(WORDS)), st.text(alphabet=st.characters(exclude_characters="[]"), max_size=300))
def test_a_move_in_brackets_is_found_in_any_talk(word: str, talk: str) -> None:
    assert read_move(f"{talk} [{word}] {talk}", WORDS) == (WORDS[word], word)


@pytest.mark.parametrize(
    "piece", ["[", "]", "[x", "[[]]", "\n", " ", ".", "\u2028", "[bet", "x] [", "\u0130"], ids=lambda p: ascii(p)
)
def test_a_megabyte_of_anything_is_read_at_once(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    began = time.process_time()
    for _ in range(20):
        read_move(text, WORDS)
    # Milliseconds; reading all of it with a regular expression that goes back and forth would take minutes.
    assert time.process_time() - began < 2


def test_an_unknown_way_with_illegal_moves_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'retry'"):
        illegal_policy("retri")
    with pytest.raises(UsageError, match="at least 1"):
        make_arena("kuhn_poker?tries=0")


@pytest.mark.parametrize(
    ("text", "status"),
    [("9", Status.ILLEGAL), ("hello", Status.ILLEGAL), ("", Status.UNPARSED), (None, Status.UNPARSED)],
)
def test_an_illegal_move_loses(text: Any, status: Status) -> None:
    arena = make_arena("kuhn_poker?players=3")
    arena.reset(seed=0)
    arena.step("bet")
    arena.step(text)
    assert arena.over
    assert arena.fault is not None
    assert (arena.fault.seat, arena.fault.status) == (1, status)
    assert "pass, bet" in arena.fault.detail
    assert arena.illegal_moves == [0, 1, 0]
    assert arena.rewards == {"player_0": 1.0, "player_1": -2.0, "player_2": 1.0}
    assert [arena.infos[agent]["verdict"].status for agent in arena.agents] == [Status.PARTIAL, status, Status.PARTIAL]


def test_an_illegal_move_may_be_tried_again() -> None:
    arena = make_arena("kuhn_poker?illegal=retry&tries=3&explain=false")
    arena.reset(seed=0)
    plain = arena.observe("player_0")
    for tried in (1, 2):
        arena.step("raise")
        assert arena.agent_selection == "player_0"
        assert arena.illegal_moves == [tried, 0]
        assert arena.observe("player_0") == f"That was no legal move: 'raise' is not one of pass, bet.\n{plain}"
        assert "no legal move" not in arena.observe("player_1")
    arena.step("bet")
    assert "no legal move" not in arena.observe("player_0") + arena.observe("player_1")
    # The next move has its own tries.
    for _ in range(2):
        arena.step("")
        assert not arena.over
    arena.step("what?")
    assert arena.fault == Fault(1, Status.ILLEGAL, "'what?' is not one of pass, bet")
    assert arena.rewards == {"player_0": 2.0, "player_1": -2.0}
    assert "no legal move" not in arena.observe("player_0") + arena.observe("player_1")
    arena.reset(seed=0)
    assert (arena.fault, arena.illegal_moves, arena.observe("player_0")) == (None, [0, 0], plain)


def _rubbish_game(arena: Arena, seed: int) -> list[str]:
    """Let both seats talk rubbish, and return what they are told."""
    arena.reset(seed=seed)
    told = []
    while not arena.over:
        told.append(arena.observe(arena.agent_selection))
        arena.step("rubbish")
    return told


def test_a_random_move_may_stand_in_for_an_illegal_one() -> None:
    arena = make_arena("leduc_poker?illegal=random")
    games = [_rubbish_game(arena, seed) for seed in range(40)]
    assert games == [_rubbish_game(make_arena("leduc_poker?illegal=random"), seed) for seed in range(40)]
    assert arena.fault is None
    assert sum(arena.illegal_moves) == len(games[-1])
    assert all(word in str(games) for word in ("fold", "call", "raise", "check"))


def test_where_all_move_at_once_the_round_is_heard_to_its_end() -> None:
    arena = make_arena("prisoners_dilemma?rounds=3&illegal=retry&tries=2")
    arena.reset()
    arena.step("confess")
    assert arena.agent_selection == "player_0"
    arena.step("confess")
    assert (arena.over, arena.agent_selection, arena.fault) == (False, "player_1", None)
    assert "You said" not in arena.observe("player_1")
    arena.step("cooperate")
    assert arena.fault is not None
    assert (arena.over, arena.fault.seat, arena.rewards) == (True, 0, {"player_0": 0.0, "player_1": 9.0})


def test_who_exceeds_the_clock_can_be_made_to_give_up() -> None:
    arena = make_arena("connect_four")
    arena.reset()
    arena.step("4")
    arena.give_up(Fault(1, Status.TIMEOUT, "thought for longer than 3 s"))
    assert arena.over
    assert arena.rewards == {"player_0": 1.0, "player_1": -1.0}
    assert arena.infos["player_1"]["verdict"].status is Status.TIMEOUT
    assert arena.infos["player_0"]["verdict"].status is Status.CORRECT
    for _ in range(2):
        arena.step(None)
    assert arena.agents == []
    assert arena.over


def _transcript(arena: Arena, seed: int | None, moves: int) -> list[str]:
    """Play random moves of a stream and return all that everybody was told."""
    generator = np.random.default_rng(moves)
    arena.reset(seed=seed)
    lines = []
    while not arena.over:
        lines += [arena.observe(agent) for agent in arena.possible_agents]
        arena.step(arena.sample_action(generator))
    return [*lines, str(arena.rewards)]


GAMES = ["kuhn_poker?players=4", "leduc_poker", "liars_dice?players=3&dice=2", "goofspiel", "connect_four", "nim"]


@pytest.mark.parametrize("spec", GAMES)
def test_the_same_seed_is_the_same_game(spec: str) -> None:
    arena = make_arena(spec)
    first = [_transcript(arena, seed, seed) for seed in range(10)]
    assert [_transcript(arena.clone(), seed, seed) for seed in range(10)] == first
    assert [_transcript(make_arena(spec), seed, seed) for seed in reversed(range(10))] == first[::-1]
    assert len({str(told) for told in first}) > 5


def test_without_a_seed_chance_goes_on_from_the_last_game() -> None:
    arena = make_arena("kuhn_poker?players=6")
    first = [_transcript(arena, seed, 0)[:6] for seed in (5, None, None)]
    assert [_transcript(arena, seed, 0)[:6] for seed in (5, None, None)] == first
    assert first[0] != first[1] != first[2]
    assert _transcript(arena, None, 0)[:6] != _transcript(arena.clone(), None, 0)[:6]


def test_a_seed_deals_the_same_cards_whatever_is_said() -> None:
    boards: dict[int, set[str]] = {}
    for spec in ("leduc_poker?explain=false", "leduc_poker?explain=false&illegal=random"):
        for seed in range(60):
            for first in ("check check", "raise call", "check raise call", "rubbish rubbish rubbish rubbish"):
                arena = make_arena(spec)
                arena.reset(seed=seed)
                for word in first.split():
                    if not arena.over:
                        arena.step(word)
                cards = arena.state.cards  # type: ignore[attr-defined]
                if len(cards) == 3:
                    boards.setdefault(seed, set()).add(str(cards))
    assert len(boards) == 60
    assert all(len(dealt) == 1 for dealt in boards.values())
    assert len({dealt.pop() for dealt in boards.values()}) > 15


def test_cards_are_dealt_as_often_as_the_rules_say() -> None:
    arena = make_arena("leduc_poker")
    count = 6000
    for seeds in (range(count), [None] * count):
        dealt: Counter[tuple[int, ...]] = Counter()
        for seed in seeds:
            arena.reset(seed=seed)
            dealt[arena.state.cards] += 1  # type: ignore[attr-defined]
        for (mine, theirs), times in dealt.items():
            chance = 1 / 3 * (1 / 5 if mine == theirs else 2 / 5)
            # Five deviations: one in a million by chance.
            assert abs(times - count * chance) < 5 * np.sqrt(count * chance * (1 - chance))
        assert len(dealt) == 9


def test_clones_do_not_disturb_each_other() -> None:
    arena = make_arena("kuhn_poker?players=3")
    arena.reset(seed=1)
    arena.step("bet")
    before = [arena.observe(agent) for agent in arena.agents]
    twin = arena.clone()
    _transcript(twin, 2, 0)
    assert [arena.observe(agent) for agent in arena.agents] == before
    assert not arena.over
    assert twin.over
    arena.step("pass")
    arena.step("silly")
    assert arena.illegal_moves == [0, 0, 1]
    assert twin.illegal_moves == [0, 0, 0]
    assert twin.fault is None


def test_a_clone_has_a_chance_of_its_own() -> None:
    arena = make_arena("leduc_poker")
    for seed in range(30):
        dealt = []
        for disturbed in (False, True):
            arena.reset(seed=seed)
            arena.step("check")
            if disturbed:
                _transcript(arena.clone(), seed + 1, 0)
            arena.step("check")
            dealt.append(arena.state.cards)  # type: ignore[attr-defined]
        assert dealt[0] == dealt[1]


def test_a_deep_copy_goes_on_by_itself() -> None:
    arena = make_arena("leduc_poker")
    arena.reset(seed=3)
    arena.step("check")
    twin = copy.deepcopy(arena)
    for one in (twin, arena):
        assert one.observe("player_1").endswith("First round: check.\nMoves: check, raise")
        one.step("check")
        one.step("check")
        assert one.agent_selection == "player_1"
    # The card on the board is the same: the stream of chance was copied too, and is drawn from twice.
    assert twin.state == arena.state  # type: ignore[attr-defined]
    twin.step("silly")
    assert (arena.over, arena.illegal_moves, arena.infos["player_0"]) == (False, [0, 0], {})


def test_the_rules_are_explained_before_the_first_move_of_a_seat() -> None:
    arena, silent = make_arena("kuhn_poker"), make_arena("kuhn_poker?explain=false")
    for one in (arena, silent):
        one.reset(seed=0)
    rules = KuhnPoker().explanation
    for word in ("pass", "bet"):
        agent = arena.agent_selection
        assert arena.observe(agent) == f"{rules}\n\n{silent.observe(agent)}\nMoves: pass, bet"
        arena.step(word)
        silent.step(word)
        assert arena.observe(agent).removesuffix("\nMoves: pass, bet") == silent.observe(agent)
    assert arena.observe("player_0").endswith("Said: pass bet\nMoves: pass, bet")


def test_a_game_larger_than_what_is_remembered_is_played_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    games = [_transcript(make_arena("connect_four"), seed, seed) for seed in range(5)]
    monkeypatch.setattr(game, "_REMEMBERED", 7)
    forgetful = game.GameArena(ConnectFour())
    assert [_transcript(forgetful, seed, seed) for seed in range(5)] == games
    assert len(forgetful._known) <= 7


def test_samples_are_moves_of_the_game() -> None:
    arena = make_arena("liars_dice?sides=2")
    arena.reset(seed=0)
    space = arena.action_space("player_0")
    space.seed(0)
    assert {space.sample() for _ in range(100)} == {"1x1", "1x2", "2x1", "2x2", "liar"}
    assert {space.sample(("liar",)) for _ in range(10)} == {"liar"}
    generator = np.random.default_rng(0)
    assert {arena.sample_action(generator) for _ in range(100)} == {"1x1", "1x2", "2x1", "2x2"}
    assert all(text in space for text in ("", "anything at all", "é"))
    assert 3 not in space
