"""Agents without a policy: the yardsticks at both ends, and one that always says the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self
from urllib.parse import quote

import numpy as np
from palaestra.agents.agent import Acting, Move
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import UsageError
from palaestra.envs.place import Place
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task

__all__ = ["ConstantAgent", "OracleAgent", "RandomAgent"]


class _Scripted:
    """An agent that samples nothing."""

    policy: ClassVar[None] = None

    def with_sampling(self, sampling: Sampling) -> Self:
        """Return this agent, which does not sample."""
        del sampling
        return self


@dataclass(frozen=True)
class RandomAgent(_Scripted):
    """Does what a player without any skill would try."""

    name: ClassVar[str] = "scripted:random"

    def enter(self, env: Place, task: Task, seed: int) -> "_Guesser":
        """Return a player that draws from the world's own sample of actions."""
        del task
        return _Guesser(env, derive_generator(seed, "random"))


@dataclass(frozen=True)
class OracleAgent(_Scripted):
    """Plays the solution that the world itself knows."""

    name: ClassVar[str] = "scripted:oracle"

    def enter(self, env: Place, task: Task, seed: int) -> "_Reciter":
        """Return a player that knows the solution of `task`.

        Raises:
            UsageError: If the world knows none.
        """
        del seed
        solution = env.solution(task)
        if solution is None:
            raise UsageError(
                f"{type(env).__name__} knows no solution of task {task.id!r}, so no oracle can play it: "
                "implement `solution`, or take another agent."
            )
        return _Reciter(iter(solution), task)


@dataclass(frozen=True)
class ConstantAgent(_Scripted):
    """Says the same whatever it sees.

    Attributes:
        text: What it says.
    """

    text: str

    @property
    def name(self) -> str:
        """The spec that names this agent."""
        return f"scripted:constant?text={quote(self.text)}"

    def enter(self, env: Place, task: Task, seed: int) -> "_Parrot":
        """Return a player that says the text."""
        del env, task, seed
        return _Parrot(self.text)


@dataclass(frozen=True)
class _Guesser:
    env: Place
    generator: np.random.Generator

    def act(self, observation: str) -> Acting:
        del observation
        yield from ()
        action = self.env.sample_action(self.generator)
        return Move(action, action)


@dataclass(frozen=True)
class _Reciter:
    solution: Iterator[str]
    task: Task

    def act(self, observation: str) -> Acting:
        del observation
        yield from ()
        action = next(self.solution, None)
        if action is None:
            raise UsageError(f"The solution of task {self.task.id!r} is played and the episode goes on: correct it.")
        return Move(action, action)


@dataclass(frozen=True)
class _Parrot:
    text: str

    def act(self, observation: str) -> Acting:
        del observation
        yield from ()
        return Move(self.text, self.text)
