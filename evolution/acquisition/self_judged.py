"""Acquire by judging oneself: the policy is asked about its own replies, and what it says is their reward."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import FinishReason, Request, Sampling
from palaestra.agents.render import Message
from palaestra.envs.errors import UsageError
from palaestra.envs.math.verify import JUDGING, RIGHT, WRONG
from palaestra.envs.seeding import derive_seed
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.acquisition.around import AroundSampling
from palaestra.evolution.acquisition.groups import refuse_total_failure
from palaestra.evolution.yard import Yard

__all__ = ["SelfJudged", "read_vote"]

_WORD = re.compile(rf"\b({RIGHT}|{WRONG})\b", re.IGNORECASE)


@dataclass(frozen=True)
class SelfJudged(AroundSampling):
    """Sample groups of attempts, and pay each what the policy itself says of it.

    The reward of an episode is the share of votes that call it right. Its verdict stays the world's, so that the two
    can be compared; nothing is learned from the verdict. Where no vote can be read, or the question does not fit the
    context, the episode cannot be judged and is invalid.

    Attributes:
        sample: How the policy attempts.
        votes: How often it is asked about each attempt.
        asked: How it replies then.
        template: What it is asked: `{prompt}` is what the world said first, `{reply}` what the policy did last. The
            last `right` or `wrong` in its answer is its vote.
    """

    votes: int = 4
    asked: Sampling = Sampling(max_tokens=16)
    template: str = JUDGING

    def __post_init__(self) -> None:
        if self.votes < 1:
            raise UsageError(f"votes must be at least 1, got {self.votes}.")
        if "{prompt}" not in self.template or "{reply}" not in self.template:
            raise UsageError(f"The template must say where {{prompt}} and {{reply}} stand, got {self.template!r}.")

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of step `step`, paid by the policy's own votes.

        Raises:
            InfrastructureError: If not one episode was valid: also of a policy that never says `right` or `wrong`.
            UsageError: If the agent is no language policy.
        """
        attempts = self.sample(yard, env, step)
        agent = yard.rollout.agent
        if not isinstance(agent, LanguageAgent):
            raise UsageError(f"Only a language policy can judge its own replies, and {agent.name} is none.")
        valid = [episode for episode in attempts if episode.valid and episode.turns]
        asked = self._asked_of(agent, valid, yard.seed)
        said = iter(agent.policy.sample([request for requests in asked for request in requests]))
        read = agent.renderer.reply_text
        judged = {
            id(episode): _paid(
                episode,
                [read_vote(read(s.ids, stopped=s.finish is FinishReason.STOP)) for s in islice(said, len(requests))],
            )
            for episode, requests in zip(valid, asked, strict=True)
        }
        episodes = [judged.get(id(episode), episode) for episode in attempts]
        refuse_total_failure(episodes, env)
        return episodes

    def _asked_of(self, agent: LanguageAgent, episodes: Sequence[Episode], seed: int) -> list[list[Request]]:
        """Return what the policy is asked about each episode, vote by vote; nothing where there is no room for it."""
        system = (Message("system", agent.system),) if agent.system else ()
        asked = []
        for episode in episodes:
            question = self.template.format(prompt=episode.turns[0].observation, reply=episode.turns[-1].action)
            context = agent.renderer.opening((*system, Message("user", question)))[1]
            votes = self.votes if len(context) < agent.policy.context_limit else 0
            asked.append(
                [Request(context, self.asked, derive_seed(seed, "vote", episode.id, vote)) for vote in range(votes)]
            )
        return asked


def read_vote(answer: str) -> bool | None:
    """Return whether an answer calls a reply right; None where it says neither."""
    words = _WORD.findall(answer)
    return words[-1].lower() == RIGHT if words else None


def _paid(episode: Episode, votes: Sequence[bool | None]) -> Episode:
    read = [vote for vote in votes if vote is not None]
    if not read:
        why = (
            f"none of {len(votes)} votes says {RIGHT} or {WRONG}" if votes else "the question leaves no room for a vote"
        )
        return replace(episode, verdict=Verdict(0.0, Status.BROKEN_TASK, why))
    turns = [replace(turn, reward=0.0) for turn in episode.turns]
    turns[-1] = replace(turns[-1], reward=float(np.mean(read)))
    return replace(episode, turns=tuple(turns))
