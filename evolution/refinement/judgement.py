"""Refine into judgements: what the judge said of the policy's replies, to be said by the policy itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import FinishReason, IntArray
from palaestra.agents.verifier import NO, YES, Verifier
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.yard import Yard

__all__ = ["TeachJudging"]


@dataclass(frozen=True)
class TeachJudging:
    """Make of each episode a question whether it is right, with the judge's answer, as many right as wrong.

    What comes of it was never sampled, so it has no log-probabilities: it is there to be imitated. A policy that has
    learned it can weigh its own replies (`palaestra.agents.verifier`).

    Source: Liu et al. 2023, "Improving large language model fine-tuning for solving math problems".

    Attributes:
        most: Most questions of either answer.
    """

    most: int = 100_000

    def at(self, yard: Yard, step: int) -> "_Judging":
        """Return the part for the policy of a run."""
        del step
        return _Judging(Verifier(yard.rollout.agent, yard.policy), self.most)


@dataclass(frozen=True)
class _Judging:
    verifier: Verifier
    most: int

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the questions, in the order of the episodes; an episode too long to be asked about makes none."""
        asked = [(episode, self.verifier.observation(episode)) for episode in episodes]
        known = [(e, text, ids) for e, text in asked if self.verifier.fits(ids := self.verifier.context(text))]
        right = [i for i, (episode, *_) in enumerate(known) if episode.correct]
        wrong = [i for i, (episode, *_) in enumerate(known) if not episode.correct]
        count = min(len(right), len(wrong), self.most)
        # Spread over all, so that no task is left out for standing late.
        kept = [some[place] for some in (right, wrong) for place in np.arange(count) * len(some) // max(1, count)]
        return [self._question(*known[index]) for index in sorted(kept)]

    def _question(self, episode: Episode, asked: str, context: IntArray) -> Episode:
        answer = YES if episode.correct else NO
        ids, verdict = self.verifier.reply(answer), Verdict(1.0, Status.CORRECT)
        turn = Turn(
            asked,
            answer,
            answer,
            1.0,
            verdict,
            context_ids=context,
            reply_ids=ids,
            logprobs=np.full(len(ids), np.nan, np.float32),
            finish=FinishReason.STOP,
            versions=np.full(len(ids), self.verifier.policy.version, np.int32),
        )
        return Episode(
            f"{episode.id}/right?",
            episode.env,
            episode.task,
            episode.fingerprint,
            f"{episode.group}/right?",
            episode.attempt,
            episode.seed,
            episode.policy,
            (turn,),
            verdict,
        )
