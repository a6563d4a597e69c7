"""Who shows how it is done: a world's own demonstration, told in the ids in which a policy would have said it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from palaestra.agents.agent import Acting, ContextFullError, Move, Player
from palaestra.agents.episode import NO_FLOATS, NO_IDS
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import FinishReason, Request, Sample, Sampling
from palaestra.envs.errors import ContractError, UsageError
from palaestra.envs.place import Place
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv

__all__ = ["Demonstrator"]


@dataclass(frozen=True)
class Demonstrator:
    """Plays a world's demonstration through an agent's own words.

    The agent's player renders the conversation and is handed each action as if its policy had sampled it; so a
    demonstration has the ids of an episode of that policy. It has no log-probabilities and no versions, because nobody
    sampled it.

    Attributes:
        agent: In whose words.
        script: What is done instead of the world's demonstration, by the task's fingerprint; None shows the world's.
    """

    name: ClassVar[str] = "demonstration"
    policy: ClassVar[None] = None
    agent: LanguageAgent
    script: Mapping[str, Sequence[str]] | None = None

    def with_sampling(self, sampling: Sampling) -> "Demonstrator":
        """Return a demonstrator in the words of an agent that samples otherwise."""
        return replace(self, agent=self.agent.with_sampling(sampling))

    def enter(self, env: Place, task: Task, seed: int) -> "_Shower":
        """Return a player that knows how `task` is done.

        Raises:
            UsageError: If the world demonstrates nothing, or the script does not know the task.
        """
        if self.script is not None:
            actions = self.script.get(task.fingerprint)
        else:
            actions = env.demonstration(task) if isinstance(env, TextEnv) else None
        if actions is None:
            raise UsageError(
                f"{type(env).__name__} has no demonstration of task {task.id!r}: implement `solution` or "
                "`demonstration`, or take a recipe that learns from the policy's own episodes."
            )
        return _Shower(self.agent, self.agent.enter(env, task, seed), iter(actions), task)


@dataclass(frozen=True)
class _Shower:
    agent: LanguageAgent
    player: Player
    actions: Iterator[str]
    task: Task

    def act(self, observation: str) -> Acting:
        yield from ()
        action = next(self.actions, None)
        if action is None:
            raise UsageError(f"The demonstration of task {self.task.id!r} is over and the episode goes on: correct it.")
        acting = self.player.act(observation)
        request = next(acting)
        if not isinstance(request, Request):
            raise ContractError(
                f"{self.agent.name} asked for a {type(request).__name__} where its policy should reply."
            )
        tokenizer, limit = self.agent.renderer.tokenizer, self.agent.policy.context_limit
        ids = np.append(self.agent.renderer.encode(action), np.int32(tokenizer.eos_token_id)).astype(np.int32)
        if len(request.context) + len(ids) > limit:
            raise ContextFullError(
                f"The demonstration has {len(request.context)} + {len(ids)} tokens and {self.agent.name} takes {limit}."
            )
        try:
            acting.send(Sample(ids, NO_FLOATS, FinishReason.STOP, NO_IDS))
        except StopIteration as end:
            move: Move = end.value
            return move
        raise ContractError(f"{self.agent.name} asked again after its policy had replied.")
