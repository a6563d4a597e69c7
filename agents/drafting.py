"""An agent that answers in several drafts before the world hears one.

After a draft something may be said of it: by the world's own judge, by a trial on what the task itself shows, or by the
policy, which is asked for its opinion. Then it answers again. All of it is one episode, and one conversation unless
asked otherwise: every draft and every review is a turn, with its ids as sampled, and the last turn is what the world
hears. In `Turn.action` a draft stands as what it would have given to the world, and a review as `REVIEW`, so that the
drafts of an episode can be told from what was said about them (`drafts_in`). A last review that lets the draft stand is
the turn whose action it is.
"""

import re
from collections.abc import Generator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from palaestra.agents.agent import Acting, Agent, ContextFullError, HoldsResources, Move, Player, ToolCall
from palaestra.agents.driving import Step
from palaestra.agents.episode import Turn
from palaestra.agents.policy import Policy, Sampling
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.feedback import ASK, IT_STANDS, REVISE, lets_stand, told
from palaestra.envs.place import Place
from palaestra.envs.seeding import derive_seed
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["REVIEW", "Drafter", "Drafts", "drafts_in", "verdict_on"]

REVIEW: Final = "(review)"
"""Action of a turn in which something was said about a draft."""
_Again: TypeAlias = Generator[Any, Any, tuple[Move, bool]]
_NAMED = re.compile(r"\{(prompt|draft|review)\}")


@dataclass(frozen=True)
class Drafts:
    """How drafts come about.

    Attributes:
        rounds: Most drafts after the first.
        judged_by: Who looks at a draft first: `"nobody"`, the world's judge, who knows what is right (`"oracle"`), or
            a trial on what the task itself shows, such as its examples (`"trial"`). What stands up to it is final.
        tell: Whether the policy is told what was found; else it only hears that it shall answer again.
        ask: What the policy is then asked about its own draft; nothing asks nothing.
        stop: Words in the last line of its review that make the draft final; nothing never stops.
        revise: What it is told after its review, or in place of what was found.
        anew: Whether every request begins a conversation of its own. `ask` and `revise` then say all there is to know:
            `{prompt}` is what the world said, `{draft}` the draft, `{review}` what the policy said of it.
    """

    rounds: int = 2
    judged_by: Literal["nobody", "oracle", "trial"] = "nobody"
    tell: bool = True
    ask: str = ASK
    stop: str = IT_STANDS
    revise: str = REVISE
    anew: bool = False

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise UsageError(f"rounds must be at least 1, got {self.rounds}; without any, the agent answers once.")
        if self.judged_by == "nobody" and not self.ask:
            raise UsageError("Something must be said of a draft: let it be judged, or let the policy be asked.")
        if self.anew and ("{prompt}" not in self.revise or (self.ask and "{draft}" not in self.ask)):
            raise UsageError(
                "In a conversation of its own a request must say all there is: `revise` names {prompt}, `ask` {draft}."
            )

    def agent(self, agent: Agent) -> "Drafter":
        """Return an agent that answers so."""
        return Drafter(agent, self)


class Drafter:
    """An agent whose answers are the last of several drafts.

    Args:
        agent: Who answers.
        drafts: How.
    """

    def __init__(self, agent: Agent, drafts: Drafts) -> None:
        self.speaker = agent
        self.drafts = drafts

    @property
    def name(self) -> str:
        """The speaker's name, and that it drafts."""
        return f"{self.speaker.name}+drafts"

    @property
    def policy(self) -> Policy | None:
        """The speaker's policy."""
        return self.speaker.policy

    def with_sampling(self, sampling: Sampling) -> "Drafter":
        """Return an agent that drafts alike and samples otherwise."""
        twin = copy(self)
        twin.speaker = self.speaker.with_sampling(sampling)
        return twin

    def enter(self, env: Place, task: Task, seed: int) -> "_Author":
        """Return a player with a conversation of its own, whose first draft is what the speaker would have said.

        Raises:
            UsageError: If drafts cannot be judged as they shall be.
        """
        judged_by = self.drafts.judged_by
        if judged_by != "nobody" and not isinstance(env, TextEnv):
            raise UsageError(f"Drafts are judged by {judged_by} in environments, and {type(env).__name__} is none.")
        return _Author(_Voice(self.speaker, env, task, seed, anew=self.drafts.anew), self.drafts, env, task)


def verdict_on(env: TextEnv, task: Task, action: str) -> tuple[Verdict, str]:
    """Return what a world's judge says of a first action, and what is observed then; the world itself is not touched.

    Raises:
        UsageError: If the world judges no single action.
    """
    twin = env.clone()
    twin.reset(seed=0, options={"task": task})
    observation, *_, info = twin.step(action)
    verdict = info.get("verdict")
    if not isinstance(verdict, Verdict):
        raise UsageError(
            f"{type(env).__name__} does not judge a single answer, so no draft can be called right or wrong there. "
            "Choose a world that asks one question."
        )
    return verdict, observation


def drafts_in(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns of an episode that hold a draft, the last of which the world heard."""
    return [turn for turn in turns if turn.action != REVIEW]


class _Voice:
    """The speaker in one episode: one conversation, or another one for every request."""

    def __init__(self, agent: Agent, env: Place, task: Task, seed: int, *, anew: bool) -> None:
        self._agent, self._env, self._task, self._seed, self._anew = agent, env, task, seed, anew
        self._players: list[Player] = []

    def act(self, text: str) -> Acting:
        if not self._players or self._anew:
            # The first draft is what the speaker alone would have said.
            seed = derive_seed(self._seed, "anew", len(self._players)) if self._players else self._seed
            self._players.append(self._agent.enter(self._env, self._task, seed))
        return (yield from self._players[-1].act(text))

    def close(self) -> None:
        for player in self._players:
            if isinstance(player, HoldsResources):
                player.close()


@dataclass(frozen=True)
class _Author:
    """One episode in which answers are drafted."""

    speaker: _Voice
    drafts: Drafts
    env: Place
    task: Task

    def act(self, observation: str) -> Acting:
        draft: Move = yield from self.speaker.act(observation)
        for _ in range(self.drafts.rounds):
            found = yield from self._found(draft.action)
            if found is None:
                break
            try:
                draft, stands = yield from self._answered_again(draft, found, observation)
            except ContextFullError:  # what was said last stands; it is recorded, so nobody says it once more
                return Move(draft.action, draft.action)
            if stands:
                break
        return draft

    def _answered_again(self, draft: Move, found: str, observation: str) -> _Again:
        """Return another draft, or the review that lets this one stand, and whether it does."""
        plan = self.drafts
        request = self._filled(plan.ask or plan.revise, observation, draft)
        said: Move = yield from self._answer_to(draft, told(found, request))
        if not plan.ask:  # then it is another draft at once
            return said, False
        if lets_stand(said.reply, plan.stop):
            return replace(said, action=draft.action), True
        revise = self._filled(plan.revise, observation, draft, said.reply)
        return (yield from self._answer_to(replace(said, action=REVIEW), revise)), False

    def _filled(self, text: str, prompt: str, draft: Move, review: str = "") -> str:
        """Return a request with what it names filled in; one of the same conversation names nothing."""
        if not self.drafts.anew:
            return text
        known = {"prompt": prompt, "draft": draft.action, "review": review}
        # Not `format`: programs have braces of their own.
        return _NAMED.sub(lambda match: known[match[1]], text)

    def _answer_to(self, move: Move, text: str) -> Acting:
        """Record what was said last, and answer what is said to it."""
        heard = yield ToolCall(move, lambda: text)
        return (yield from self.speaker.act(heard))

    def _found(self, action: str) -> Generator[Step, Any, str | None]:
        """Return what is told of a draft, None where it stands."""
        if self.drafts.judged_by == "nobody":
            return ""
        found: str | None = yield Step(partial(_judged, self.env, self.task, action, self.drafts.judged_by))
        return found if found is None or self.drafts.tell else ""

    def close(self) -> None:
        self.speaker.close()


def _judged(env: Place, task: Task, action: str, judged_by: str) -> str | None:
    """Return what was found wrong with a draft, None where it stands.

    Raises:
        InfrastructureError: If it could not be judged.
        UsageError: If the world has nothing to try a draft on.
    """
    assert isinstance(env, TextEnv)  # the agent enters no other place
    if judged_by == "trial":
        return env.tried_out(task, action)
    verdict, observation = verdict_on(env, task, action)
    if not verdict.valid:
        raise InfrastructureError(f"A draft could not be judged: {verdict.detail}")
    return None if verdict.status is Status.CORRECT else observation.partition(" Tries left")[0]
