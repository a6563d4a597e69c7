"""Refine by hindsight: what was said by one who was told something, as if said by one who was not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import FinishReason
from palaestra.agents.render import Message, Transcript
from palaestra.envs.errors import UsageError
from palaestra.envs.text_env import TOLD
from palaestra.evolution.yard import Yard

__all__ = ["ForgetHint"]


@dataclass(frozen=True)
class ForgetHint:
    """Let attempts that were told something answer the question without it.

    What was told is an answer (`Rationalise`), a critic's words (`WithCritic`) or principles (`TellPrinciples`). Such
    an attempt is known by its task, whose id ends with `TOLD`; of what stood before or in its question nothing is left.
    The ids that were sampled stay; those that stand before them are what the policy would have seen. With what
    probability it would have said the same there nobody knows, so `Turn.logprobs` are nan, and a policy gradient
    refuses such episodes. They can be imitated.
    """

    def at(self, yard: Yard, step: int) -> "_Forget":
        """Return the part for the worlds and the agent of a run.

        Raises:
            UsageError: If the agent is none whose conversations can be told anew.
        """
        del step
        agent = yard.rollout.agent
        if not isinstance(agent, LanguageAgent):
            raise UsageError(f"The conversations of {agent.name} cannot be told anew without the hint.")
        return _Forget(yard, agent)


@dataclass(frozen=True)
class _Forget:
    yard: Yard
    agent: LanguageAgent

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return all episodes, those that were told something without it."""
        return [self._without(episode) if episode.task.endswith(TOLD) else episode for episode in episodes]

    def _without(self, episode: Episode) -> Episode:
        world = self.yard.rollout.env(episode.env)
        task = world.tasks.by_id(episode.task.removesuffix(TOLD))
        asked, _ = world.clone().reset(seed=episode.seed, options={"task": task})
        turns = tuple(self._retold(asked, episode.turns))
        return replace(episode, task=task.id, fingerprint=task.fingerprint, turns=turns)

    def _retold(self, asked: str, turns: Sequence[Turn]) -> Iterable[Turn]:
        """Yield the turns of a conversation that begins with another question."""
        system = (Message("system", self.agent.system),) if self.agent.system else ()
        transcript = Transcript(self.agent.renderer, (*system, Message("user", asked)))
        ids, continues, before = transcript.context, False, None
        for turn in turns:
            if before is not None:
                stopped = before.finish is FinishReason.STOP
                said = (Message("user", turn.observation),)
                ids, continues = transcript.extend(before.reply_ids, said, stopped=stopped)
            yield replace(
                turn,
                observation=asked if before is None else turn.observation,
                context_ids=ids,
                continues=continues,
                logprobs=np.full(len(turn.reply_ids), np.nan, np.float32),
            )
            before = turn
