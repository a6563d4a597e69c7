"""The contract of an agent, and the one that puts a policy into words.

An agent plays many episodes at once, so what it remembers of one lives in a `Player`. A player acts as a
generator: it yields what it asks of its policy and is sent the answer, so that whoever drives it decides how many
players' requests go into one batch. A scripted player yields nothing.

A player may do something before it answers the world: it yields a `ToolCall` and is sent what came of it. Each such
exchange is recorded as a turn of its own that the world never saw and never pays, so that ids and log-probabilities
of all that was sampled stay exact. Tools are called on threads: a slow one stalls nobody else.
"""

from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

from palaestra.agents.driving import Step
from palaestra.agents.episode import NO_FLOATS, NO_IDS
from palaestra.agents.policy import FinishReason, FloatArray, IntArray, Policy, Request, Sampling
from palaestra.envs.errors import PalaestraError
from palaestra.envs.place import Place
from palaestra.envs.task import Task

__all__ = [
    "Acting",
    "Agent",
    "Answering",
    "ContextFullError",
    "HoldsResources",
    "Move",
    "Player",
    "SpeaksFor",
    "ToolCall",
]


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """What a player does on its turn; the fields mean what they mean in `Turn`."""

    action: str
    reply: str
    context_ids: IntArray = field(default_factory=lambda: NO_IDS)
    continues: bool = False
    reply_ids: IntArray = field(default_factory=lambda: NO_IDS)
    logprobs: FloatArray = field(default_factory=lambda: NO_FLOATS)
    finish: FinishReason | None = None
    versions: IntArray = field(default_factory=lambda: NO_IDS)


@dataclass(frozen=True, slots=True, eq=False)
class ToolCall:
    """Something to be done before the world is answered.

    Attributes:
        move: What the player said to have it done; `action` is what the tool was given.
        call: Does it, on another thread, and returns what the player observes next. What it raises makes the episode
            invalid: a failure of our machinery is never the player's.
    """

    move: Move
    call: Callable[[], str]


class Answering(Future[Any]):
    """An answer that somebody outside of this process works on.

    Attributes:
        since: The `time.monotonic()` from which it is being worked on; None while it only waits, for its turn or after
            a failure, which is never charged to whoever asked.
    """

    since: float | None = None


Acting: TypeAlias = Generator[Request | ToolCall | Step | Future[Any], Any, Move]
"""Yields requests to the policy and is sent a `Sample`, tool calls and is sent a `str`, futures and calls that are no
exchange of their own (`Step`) and is sent their results; returns the move."""


class Player(Protocol):
    """One agent in one episode."""

    def act(self, observation: str) -> Acting:
        """Answer an observation; called once for each observation of the world, in order."""
        ...


@runtime_checkable
class HoldsResources(Protocol):
    """A player that holds something open for its episode, such as a process."""

    def close(self) -> None:
        """Give everything back; called once, however the episode ended. It never raises."""
        ...


class Agent(Protocol):
    """Who acts."""

    @property
    def name(self) -> str:
        """The spec that names this agent."""
        ...

    @property
    def policy(self) -> Policy | None:
        """The policy that answers its players' requests; None when they make none."""
        ...

    def with_sampling(self, sampling: Sampling) -> "Agent":
        """Return the same agent sampling otherwise; an agent that does not sample returns itself."""
        ...

    def enter(self, env: Place, task: Task, seed: int) -> Player:
        """Return a fresh player for an episode of `task`; its randomness derives from `seed`."""
        ...


@runtime_checkable
class SpeaksFor(Protocol):
    """An agent that could speak for another policy as well."""

    def with_policy(self, policy: Policy) -> Agent:
        """Return the same agent for another policy of the same tokenizer."""
        ...


class ContextFullError(PalaestraError):
    """The conversation leaves no room for a reply.

    The rollout ends the episode as truncated at its last verdict; when not even the first observation leaves room,
    the task cannot be judged with this policy and the episode is invalid.
    """
