"""Games between agents: who sits where, what is recorded, and whose fault is whose."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from palaestra.agents.agent import Acting, Move
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.language import LanguageAgent
from palaestra.agents.matches import Match, Matches, MatchRecord
from palaestra.agents.policy import FinishReason, Request, Sample, Sampling
from palaestra.agents.scripted import ConstantAgent, RandomAgent
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.catalogue import make_arena
from palaestra.envs.errors import ContractError, InfrastructureError
from palaestra.envs.place import Place
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status

TTT = "tic_tac_toe?explain=false"


@dataclass(frozen=True)
class Scripted:
    """Does what a function says."""

    do: Callable[[str], str]
    name: str = "scripted:test"
    policy: Any = None

    def with_sampling(self, sampling: Sampling) -> "Scripted":
        return self

    def enter(self, env: Place, task: Task, seed: int) -> "Scripted":
        return self

    def act(self, observation: str) -> Acting:
        yield from ()
        move = self.do(observation)
        return Move(move, move)


@dataclass
class Speller:
    """A policy that spells out legal moves of tic-tac-toe one after the other, and counts its batches."""

    tokenizer: Any
    name: str = "test:speller"
    version: int = 3
    context_limit: int = 400
    batches: list[int] = field(default_factory=list)
    broken: bool = False

    def sample(self, requests: list[Request]) -> list[Sample]:
        if self.broken:
            raise InfrastructureError("the server is gone")
        self.batches.append(len(requests))
        return [self._reply(request) for request in requests]

    def _reply(self, request: Request) -> Sample:
        board = self.tokenizer.decode(request.context).rpartition("You are ")[2].partition(".\n")[2]
        word = next(cell for cell in board.split() if cell.isdigit())
        ids = np.array([*self.tokenizer.encode(word, add_special_tokens=False), self.tokenizer.eos_token_id], np.int32)
        return Sample(
            ids, np.full(len(ids), -0.5, np.float32), FinishReason.STOP, np.full(len(ids), self.version, np.int32)
        )


@pytest.fixture
def tokenizer() -> Any:
    return build_tokenizer(400)


def games(count: int, players: tuple[int, int] = (0, 1), arena: str = TTT) -> list[Match]:
    return [Match(f"m{i}", arena, players, i) for i in range(count)]


def test_records_come_in_order_and_do_not_depend_on_how_many_are_alive() -> None:
    agents = [RandomAgent(), RandomAgent()]
    many, one = (Matches(agents, in_flight=n).play(games(30, arena="kuhn_poker")) for n in (30, 1))
    assert [record.match.id for record in many] == [f"m{i}" for i in range(30)]
    assert [(r.moves, r.returns) for r in many] == [(r.moves, r.returns) for r in one]
    assert all(sum(record.returns) == 0 and record.valid for record in many)
    assert len({record.moves for record in many}) > 3


def test_seats_have_chances_of_their_own_and_games_of_one_seed_the_same_cards() -> None:
    first, second = Matches([ConstantAgent("bet")]).play(
        [Match("a", "kuhn_poker", (0, 0), 7), Match("b", "kuhn_poker", (0, 0), 7, attempt=1)]
    )
    assert [e.turns[0].observation for e in first.episodes] == [e.turns[0].observation for e in second.episodes]
    alike = Matches([RandomAgent()]).play([Match("a", TTT, (0, 0), 7), Match("b", TTT, (0, 0), 7, attempt=1)])
    assert alike[0].moves != alike[1].moves


def test_the_winner_is_paid_with_its_last_turn() -> None:
    crosses, noughts = iter("123"), iter("45")
    agents = [Scripted(lambda _: next(crosses)), Scripted(lambda _: next(noughts))]
    (record,) = Matches(agents).play(games(1))
    won, lost = record.episodes
    assert record.returns == (1.0, -1.0)
    assert [turn.reward for turn in won.turns] == [0.0, 0.0, 1.0]
    assert [turn.reward for turn in lost.turns] == [0.0, -1.0]
    assert (won.verdict.status, lost.verdict.status) == (Status.CORRECT, Status.WRONG)
    assert (won.task, lost.task) == ("tic_tac_toe_v0/player_0", "tic_tac_toe_v0/player_1")
    assert won.turns[1].observation == "You are X.\nX1 2 3\nO4 5 6\n7 8 9"
    assert type(won.turns[0].observation) is str


def test_rubbish_loses_as_the_arena_says() -> None:
    agents = [ConstantAgent("I resign?"), RandomAgent()]
    lost, again, drawn = Matches(agents).play(
        [Match(name, f"{TTT}&illegal={name}", (0, 1), 1) for name in ("lose", "retry", "random")]
    )
    assert (lost.returns, lost.illegal, lost.valid) == ((-1.0, 1.0), (1, 0), True)
    assert lost.fault is not None
    assert lost.episodes[0].verdict.status is Status.ILLEGAL
    assert (again.returns, again.illegal) == ((-1.0, 1.0), (3, 0))
    assert "no legal move" in again.episodes[0].turns[1].observation
    assert drawn.fault is None
    assert drawn.illegal[0] >= 3


def test_a_player_that_raises_voids_its_own_game_alone() -> None:
    def sometimes(observation: str) -> str:
        if "X" in observation.partition("\n")[2]:
            raise RuntimeError("lost my mind")
        return "5"

    records = Matches([Scripted(sometimes), RandomAgent()]).play(
        [*games(2, (0, 1)), Match("other", TTT, (1, 1), 5), *games(1, (1, 0))]
    )
    assert [record.valid for record in records] == [False, False, True, False]
    assert [record.blame for record in records] == [0, 0, None, 1]
    assert records[0].detail == "RuntimeError: lost my mind"
    assert records[0].returns == (0.0, 0.0)
    assert not any(episode.valid for episode in records[0].episodes)
    assert not any(turn.reward for episode in records[0].episodes for turn in episode.turns)


def test_whoever_thinks_too_long_loses_by_the_clock_and_holds_up_nobody() -> None:
    def slowly(_: str) -> str:
        time.sleep(1.5)
        return "1"

    began = time.monotonic()
    records = Matches([Scripted(slowly), RandomAgent()], move_seconds=0.1).play(
        [*games(2, (0, 1)), *games(3, (1, 1)), *games(1, (1, 0))]
    )
    assert time.monotonic() - began < 1.4
    assert [record.returns for record in records[:2]] == [(-1.0, 1.0)] * 2
    assert records[-1].returns == (1.0, -1.0)
    assert all(record.valid for record in records)
    assert records[0].fault is not None
    assert records[0].fault.status is Status.TIMEOUT
    assert records[2].fault is None


def test_an_arena_that_never_answers_voids_its_own_game_alone() -> None:
    never = threading.Event()

    def make(spec: str) -> Arena:
        arena = make_arena(spec)

        class Hanging(type(arena)):  # type: ignore[misc]
            instant = False

            def step(self, action: str) -> None:
                if action == "hang":
                    never.wait(60)
                super().step(action)

        arena.__class__ = Hanging
        return arena

    agents = [ConstantAgent("hang"), RandomAgent()]
    records = Matches(agents, workers=2, step_seconds=0.3, make=make).play([*games(2), *games(3, (1, 1))])
    assert [record.valid for record in records] == [False, False, True, True, True]
    assert records[0].detail.startswith("StuckError: Game 'm0' of tic_tac_toe?explain=false has been waited for since")
    never.set()


def test_policies_are_asked_in_batches_and_their_tokens_kept(tokenizer: Any) -> None:
    one, two = Speller(tokenizer), Speller(tokenizer)
    agents = [LanguageAgent(one), LanguageAgent(two)]
    records = Matches(agents).play(games(6))
    assert all(record.valid for record in records), records[0].detail
    assert one.batches[0] == 6
    assert two.batches[0] == 6
    first = records[0].episodes[0]
    assert [len(turn.reply_ids) for turn in first.turns] == [2] * len(first.turns)
    assert first.turns[1].continues
    assert set(first.turns[0].versions) == {3}
    assert records[0].tokens == tuple(episode.tokens for episode in records[0].episodes)
    row = first.rows()[0]
    assert int((row.turn >= 0).sum()) == first.tokens


def test_a_policy_that_fails_voids_the_games_that_asked_it(tokenizer: Any) -> None:
    agents = [LanguageAgent(Speller(tokenizer, broken=True)), RandomAgent()]
    records = Matches(agents).play([*games(2), Match("other", TTT, (1, 1), 5)])
    assert [record.valid for record in records] == [False, False, True]


def test_a_conversation_that_is_full_has_lost(tokenizer: Any) -> None:
    agents = [LanguageAgent(Speller(tokenizer, context_limit=80)), RandomAgent()]
    (record,) = Matches(agents).play(games(1))
    assert record.valid
    assert record.fault is not None
    assert record.fault.seat == 0
    assert record.episodes[0].truncated


def test_matches_that_do_not_fit_are_refused() -> None:
    for players in ((0,), (0, 2), (0, 1, 1)):
        with pytest.raises(ContractError, match="has 2 seats and there are 2 agents"):
            Matches([RandomAgent(), RandomAgent()]).play([Match("m", TTT, players, 0)])


def test_every_record_is_told_as_its_game_ends() -> None:
    told: list[MatchRecord] = []
    records = Matches([RandomAgent()]).play(games(5, (0, 0)), told.append)
    assert sorted(record.match.id for record in told) == sorted(record.match.id for record in records)
