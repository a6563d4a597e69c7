"""Acquire by search: games in which every move is the better one that a search led by the policy finds."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.foresight import ENDS, QUESTION, Foresight
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import FinishReason, Sampling
from palaestra.agents.search.puct import Puct
from palaestra.envs.arena.catalogue import is_arena, make_arena
from palaestra.envs.arena.game import GameArena
from palaestra.envs.arena.rules import OVER
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.yard import Yard

__all__ = ["SearchPlay"]


@dataclass(frozen=True)
class SearchPlay:
    """Play games of the policy's search against itself.

    What it gives to be imitated is one episode a seat with the moves that the search made, and one with the answers to
    how each of its positions would end, as the game then ended.

    Attributes:
        games: How many a step.
        simulations: Positions looked at for each move.
        sampling: How the policy itself samples.
    """

    games: int = 128
    simulations: int = 50
    sampling: Sampling = Sampling(max_tokens=16)

    def __post_init__(self) -> None:
        if self.games < 1 or self.simulations < 1:
            raise UsageError(f"games and simulations must be at least 1, got {self.games} and {self.simulations}.")

    def require(self, env: str) -> None:
        """Refuse what is no game of ours that can be searched.

        Raises:
            UsageError: If it is none.
        """
        _searched(env, self.simulations)

    def prepare(self, yard: Yard, step: int) -> None:
        """Nothing comes before the games."""

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of step `step`, in order."""
        agent, arena = yard.rollout.agent, yard.arena(env)
        if not isinstance(agent, LanguageAgent) or not isinstance(arena, GameArena):
            raise UsageError(f"alphazero needs a language policy and a game, got {agent.name} and {env}.")
        search = Puct(arena.rules, self.simulations)
        foresight = Foresight(agent.with_policy(yard.policy), arena)
        generator = derive_generator(yard.seed, "search-play", env, step)
        games = [_Game(arena, arena.rules.initial()) for _ in range(self.games)]
        while going := [game for game in games if game.turn != OVER]:
            tried = search.visits([game.state for game in going], foresight, generator)
            for game, visits in zip(going, tried, strict=True):
                game.move(visits, foresight, generator)
        return [
            episode
            for number, game in enumerate(games)
            for episode in game.episodes(f"s{step}/g{number}", env, agent.name, foresight)
        ]


def _searched(env: str, simulations: int) -> None:
    arena = make_arena(env) if is_arena(env) else None
    if not isinstance(arena, GameArena):
        raise UsageError(f"alphazero needs a game whose rules are known, and {env!r} is none: see `palaestra arenas`.")
    Puct(arena.rules, simulations)


class _Game:
    """One game and what its seats said."""

    def __init__(self, arena: GameArena, state: Any) -> None:
        self.arena, self.rules, self.state = arena, arena.rules, state
        self.turn = self.rules.turn(state)
        self.said: list[tuple[int, str, str, float]] = []  # seat, observation, move, its probability

    def move(self, visits: dict[int, int], foresight: Foresight, generator: np.random.Generator) -> None:
        """Draw a move by how often it was looked at."""
        actions, counts = list(visits), np.array(list(visits.values()), np.float64)
        chances = counts / counts.sum()
        drawn = int(generator.choice(len(actions), p=chances))
        word = self.rules.word(self.state, actions[drawn])
        self.said.append((self.turn, foresight.observation(self.state), word, float(chances[drawn])))
        self.state = self.rules.next(self.state, actions[drawn])
        self.turn = self.rules.turn(self.state)

    def episodes(self, id_: str, env: str, name: str, foresight: Foresight) -> list[Episode]:
        """Return two episodes a seat: its moves, and what it could have said of their end."""
        found, returns = [], self.rules.returns(self.state)
        for seat in range(self.rules.seats):
            mine = [(told, word, p) for who, told, word, p in self.said if who == seat]
            end = ENDS[1 + int(np.sign(2 * returns[seat] - self.rules.lowest - self.rules.highest))]
            asked = [(told + QUESTION, end, 1.0) for told, _, _ in mine]
            verdict, task = self.arena.verdict(seat, returns), self.arena.task(seat)
            for kind, turns in (("moves", mine), ("ends", asked)):
                lived = [_turn(*turn, foresight) for turn in turns]
                if lived and kind == "moves":
                    lived[-1] = replace(lived[-1], reward=verdict.reward, verdict=verdict)
                head = (f"{id_}/{seat}/{kind}", env, task.id, task.fingerprint, f"{id_}/{kind}", 0, 0, name)
                found.append(Episode(*head, tuple(lived), verdict))
        return found


def _turn(observation: str, reply: str, probability: float, foresight: Foresight) -> Turn:
    ids = foresight.reply(reply)
    logprobs = np.zeros(len(ids), np.float32)
    logprobs[0] = np.log(probability)
    return Turn(
        observation,
        reply,
        reply,
        0.0,
        context_ids=foresight.context(observation),
        reply_ids=ids,
        logprobs=logprobs,
        finish=FinishReason.STOP,
        versions=np.full(len(ids), foresight.policy.version, np.int32),
    )
