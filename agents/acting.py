"""One turn of a player: what it asks on the way to its move, and the record of it."""

import time
from collections.abc import Generator
from concurrent.futures import Future
from typing import Any

from palaestra.agents.agent import Agent, Move, Player
from palaestra.agents.driving import Asked, Awaited, Step
from palaestra.agents.episode import Turn
from palaestra.agents.policy import Request
from palaestra.envs.errors import ContractError
from palaestra.envs.verdict import Verdict

__all__ = ["act", "turn"]


def act(
    agent: Agent, player: Player, observation: str, turns: list[Turn]
) -> Generator[Awaited, Any, tuple[str, Move, float]]:
    """Let a player act; each use of a tool on the way becomes a turn.

    Args:
        agent: Whose player it is.
        player: Who acts.
        observation: What it is told.
        turns: Where its uses of tools are added.

    Returns:
        What was observed last (by a tool, if any was used), the move that answers it, and when it was asked for.
    """
    acting = player.act(observation)
    asked, answer = time.perf_counter(), None
    while True:
        try:
            awaited = acting.send(answer)
        except StopIteration as end:
            return observation, end.value, asked
        if isinstance(awaited, Request):
            if agent.policy is None:
                raise ContractError(f"The agent {agent.name} asked for a sample but has no policy.")
            answer = yield Asked(agent.policy, awaited)
            continue
        if isinstance(awaited, Future | Step):
            answer = yield awaited
            continue
        acted = time.perf_counter()
        answer = yield Step(awaited.call)
        turns.append(turn(observation, awaited.move, (asked, acted)))
        observation, asked = answer, time.perf_counter()


def turn(
    observation: str,
    move: Move,
    since: tuple[float, float],
    reward: float = 0.0,
    verdict: Verdict | None = None,
) -> Turn:
    """Record a turn that ends now; `since` says when the policy was asked and when it had answered."""
    asked, acted = since
    return Turn(
        observation,
        move.reply,
        move.action,
        reward,
        verdict,
        move.context_ids,
        move.continues,
        move.reply_ids,
        move.logprobs,
        move.finish,
        move.versions,
        acted - asked,
        time.perf_counter() - acted,
    )
