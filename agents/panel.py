"""An agent that is several: members answer, may see what the others answered and answer again, and vote.

Without a second round this is self-consistency; with one, debate. The vote is the last turn: nobody sampled it, so it
has no ids, and its action is what the world hears. Each member's turns before it are whole contexts of their own
(`continues` is false): what stands in one member's window is not in another's.
"""

from collections import Counter
from collections.abc import Generator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from palaestra.agents.agent import Acting, Agent, ContextFullError, HoldsResources, Move, Player, ToolCall
from palaestra.agents.episode import NO_IDS, Turn
from palaestra.agents.policy import IntArray, Policy, Sampling
from palaestra.envs.errors import UsageError
from palaestra.envs.feedback import others_said
from palaestra.envs.place import Place
from palaestra.envs.seeding import derive_seed
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv

__all__ = ["Panel", "Panels", "elect", "votes_in"]

_VOTE = "The answer that most of them give counts."


@dataclass(frozen=True)
class Panels:
    """How a panel answers.

    Attributes:
        members: How many there are, all of one policy.
        rounds: How often each answers again after it has seen the others' answers; 0 only votes.
    """

    members: int = 3
    rounds: int = 2

    def __post_init__(self) -> None:
        if self.members < 1 or self.rounds < 0:
            raise UsageError(f"members must be at least 1 and rounds at least 0, got {self.members}, {self.rounds}.")

    @property
    def replies(self) -> int:
        """How many replies are sampled for one answer."""
        return self.members * (1 + self.rounds)

    def agent(self, agent: Agent) -> "Panel":
        """Return an agent that answers so."""
        return Panel(agent, self)


class Panel:
    """An agent of several members.

    Args:
        agent: Who each of them is; they differ in their seeds.
        panels: How they answer.
    """

    def __init__(self, agent: Agent, panels: Panels) -> None:
        self.speaker = agent
        self.panels = panels

    @property
    def name(self) -> str:
        """The speaker's name, and how many of it there are."""
        return f"{self.speaker.name}+panel"

    @property
    def policy(self) -> Policy | None:
        """The speaker's policy."""
        return self.speaker.policy

    def with_sampling(self, sampling: Sampling) -> "Panel":
        """Return a panel of as many that samples otherwise."""
        twin = copy(self)
        twin.speaker = self.speaker.with_sampling(sampling)
        return twin

    def enter(self, env: Place, task: Task, seed: int) -> "_Table":
        """Return a player of several conversations; the first member says what the speaker alone would have said."""
        seeds = [seed, *(derive_seed(seed, "member", member) for member in range(1, self.panels.members))]
        return _Table([_Member(self.speaker.enter(env, task, s)) for s in seeds], self.panels.rounds, env)


def elect(answers: Sequence[str | None]) -> int:
    """Return which of several answers counts: the first of those that most are equal to; None is no answer.

    Raises:
        UsageError: If there is none to choose from.
    """
    if not answers:
        raise UsageError("A vote needs at least one answer.")
    votes = Counter(answer for answer in answers if answer is not None)
    return answers.index(votes.most_common(1)[0][0]) if votes else 0


def votes_in(turns: Sequence[Turn], panels: Panels) -> list[list[Turn]]:
    """Return the members' turns of a valid episode, without the vote: the rounds in which all of them answered."""
    said = turns[:-1]
    return [list(said[i : i + panels.members]) for i in range(0, len(said) - panels.members + 1, panels.members)]


class _Member:
    """One conversation of a panel, whose turns are recorded with their whole context."""

    def __init__(self, speaker: Player) -> None:
        self.speaker = speaker
        self._row: IntArray = NO_IDS

    def act(self, observation: str) -> Acting:
        move: Move = yield from self.speaker.act(observation)
        context = np.concatenate([self._row, move.context_ids]) if move.continues else move.context_ids
        self._row = np.concatenate([context, move.reply_ids])
        return replace(move, context_ids=context, continues=False)


@dataclass(frozen=True)
class _Table:
    """Several conversations that end in one answer."""

    members: Sequence[_Member]
    rounds: int
    env: Place

    def act(self, observation: str) -> Acting:
        heard, said = [observation] * len(self.members), list[str]()
        for number in range(self.rounds + 1):
            try:
                moves = yield from self._answered(heard)
            except ContextFullError:  # what all of them said last counts
                if not said:
                    raise
                break
            said = [move.action for move in moves]
            last = number == self.rounds
            heard = [_VOTE if last else others_said(said[:i] + said[i + 1 :]) for i in range(len(said))]
            yield _then(moves[-1], heard[0])
        action = said[elect([self._answer(text) for text in said])]
        return Move(action, action)

    def _answered(self, heard: Sequence[str]) -> Generator[Any, Any, list[Move]]:
        """Have each member answer; all answers but the last are recorded."""
        moves: list[Move] = []
        for index, member in enumerate(self.members):
            move: Move = yield from member.act(heard[index])
            moves.append(move)
            if index + 1 < len(self.members):
                yield _then(move, heard[index + 1])
        return moves

    def _answer(self, action: str) -> str | None:
        return self.env.answer(action) if isinstance(self.env, TextEnv) else action.strip() or None

    def close(self) -> None:
        for member in self.members:
            if isinstance(member.speaker, HoldsResources):
                member.speaker.close()


def _then(move: Move, text: str) -> ToolCall:
    return ToolCall(move, lambda: text)
