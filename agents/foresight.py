"""What a language policy thinks of a position: its opinion of the moves, and how it says that the game will end.

Both are read off what it would say. The moves' priors are its probabilities of saying them; the value is its answer to
a question about the end, `won` less `lost`. So one net holds both, as in AlphaZero, and no part is added to it.
"""

from collections.abc import Hashable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import IntArray
from palaestra.agents.render import Message
from palaestra.agents.score import continuation_logprobs
from palaestra.agents.search.puct import Opinion
from palaestra.envs.arena.game import GameArena
from palaestra.envs.errors import UsageError

__all__ = ["ENDS", "QUESTION", "Foresight"]

QUESTION: Final = "\nHow will it end?"
"""Asked after an observation, to be answered with one of `ENDS`."""
ENDS: Final = ("lost", "drawn", "won")
"""Answers, of the values -1, 0 and 1."""


class Foresight:
    """The opinions of one policy, as it is now, on the positions of one game; each is formed once.

    Args:
        agent: Its policy is local and forgetful: what it is asked about a position must be what it is asked in a game.
        arena: The game.

    Raises:
        UsageError: If the policy is another.
    """

    def __init__(self, agent: LanguageAgent, arena: GameArena) -> None:
        if not isinstance(agent.policy, LocalPolicy):
            raise UsageError(f"The weights of {agent.name} are not in this process: take nursery:, local: or run:.")
        self.policy, self._renderer, self._system = agent.policy, agent.renderer, agent.system
        if not self._forgets():
            raise UsageError(
                f"{agent.name} is shown the whole conversation in a game, and a search asks about positions alone. "
                "Take a policy whose chat template shows only the last message, as a nursery policy born to a game "
                "that hides nothing has."
            )
        self._arena = arena.clone()
        self._arena.reset(seed=0)
        self._known: dict[Hashable, Opinion] = {}
        # The same few words are said in all positions.
        self.reply = cache(self._reply)
        self._ends = [self.reply(word) for word in ENDS]

    def _forgets(self) -> bool:
        """Whether the template shows the same whatever was said before."""
        last = (Message("user", "b"),)
        earlier = (Message("user", "a"), Message("assistant", "c"))
        return self._renderer.text(earlier + last) == self._renderer.text(last)

    def observation(self, state: Any) -> str:
        """Return what the seat whose turn it is would be told in a state."""
        self._arena.go_to(state)
        return str(self._arena.observe(self._arena.agent_selection))

    def context(self, observation: str) -> IntArray:
        """Return the `[C]` ids that stand before a reply to an observation."""
        before = (Message("system", self._system),) if self._system else ()
        return self._renderer.opening((*before, Message("user", observation)))[1]

    def _reply(self, text: str) -> IntArray:
        """Return the `[T]` ids of a reply, with the end of a turn."""
        return np.append(self._renderer.encode(text), np.int32(self.policy.tokenizer.eos_token_id))

    def __call__(self, states: Sequence[Any]) -> list[Opinion]:
        """Return the policy's opinion of each state, in which it is somebody's turn."""
        self._form([state for state in dict.fromkeys(states) if state not in self._known])
        return [self._known[state] for state in states]

    def _form(self, states: Sequence[Any]) -> None:
        rules = self._arena.rules
        contexts: list[IntArray] = []
        replies: list[list[IntArray]] = []
        for state in states:
            told = self.observation(state)
            contexts += [self.context(told), self.context(told + QUESTION)]
            replies += [[self.reply(rules.word(state, action)) for action in rules.legal(state)], self._ends]
        scored = iter(continuation_logprobs(self.policy, contexts, replies))
        for state in states:
            moves, ends = _shares(next(scored)), _shares(next(scored))
            priors = dict(zip(rules.legal(state), moves.tolist(), strict=True))
            self._known[state] = Opinion(priors, float(ends[2] - ends[0]))


def _shares(logprobs: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return probabilities among some replies."""
    likely = np.exp(logprobs.astype(np.float64) - logprobs.max())
    shares: np.ndarray[Any, np.dtype[np.float64]] = likely / likely.sum()
    return shares
