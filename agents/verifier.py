"""What a language policy thinks of replies: asked whether one is right, how probable it finds `yes`.

The opinion is read off what it would say, so generator and verifier are one net and one vocabulary.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from palaestra.agents.episode import Episode
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import IntArray
from palaestra.agents.render import Message
from palaestra.agents.score import continuation_logprobs
from palaestra.envs.errors import UsageError

__all__ = ["NO", "QUESTION", "YES", "Verifier"]

QUESTION: Final = "\nIs that right?"
"""Asked after a conversation, to be answered with `YES` or `NO`."""
YES: Final = "yes"
NO: Final = "no"


class Verifier:
    """The opinions of one policy, as it is now.

    Args:
        agent: Who is asked; its system text stands before the question.
        policy: Whose weights answer.

    Raises:
        UsageError: If the agent has no words.
    """

    def __init__(self, agent: object, policy: LocalPolicy) -> None:
        if not isinstance(agent, LanguageAgent):
            raise UsageError(f"Only a language policy can be asked whether a reply is right, got {agent}.")
        self.policy, self._renderer, self._system = policy, agent.renderer, agent.system
        # The same two words are said of all.
        self.reply = cache(self._reply)

    def observation(self, episode: Episode) -> str:
        """Return what the policy is asked about an episode: what was said in it, and whether it is right."""
        return "\n".join(line for turn in episode.turns for line in (turn.observation, turn.reply)) + QUESTION

    def context(self, observation: str) -> IntArray:
        """Return the `[C]` ids that stand before the answer."""
        before = (Message("system", self._system),) if self._system else ()
        return self._renderer.opening((*before, Message("user", observation)))[1]

    def _reply(self, text: str) -> IntArray:
        """Return the `[T]` ids of an answer, with the end of a turn."""
        return np.append(self._renderer.encode(text), np.int32(self.policy.tokenizer.eos_token_id))

    def fits(self, context: IntArray) -> bool:
        """Whether the policy takes these ids and either answer."""
        return len(context) + max(len(self.reply(YES)), len(self.reply(NO))) <= self.policy.context_limit

    def __call__(self, episodes: Sequence[Episode]) -> NDArray[np.float64]:
        """Return `[N]` how probable the policy finds `YES` rather than `NO` of each episode, 0 to 1.

        An episode too long to be asked about is one of which nothing is known: 0.5.
        """
        contexts = [self.context(self.observation(episode)) for episode in episodes]
        short = [i for i, ids in enumerate(contexts) if self.fits(ids)]
        answers = [[self.reply(YES), self.reply(NO)]] * len(short)
        scored = continuation_logprobs(self.policy, [contexts[i] for i in short], answers)
        found = np.full(len(episodes), 0.5)
        for index, (yes, no) in zip(short, scored, strict=True):
            found[index] = 1.0 / (1.0 + np.exp(np.clip(float(no) - float(yes), -700, 700)))
        return found
