"""A person at the terminal as an agent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from palaestra.agents.agent import Acting, Move
from palaestra.agents.policy import Sampling
from palaestra.envs.place import Place
from palaestra.envs.task import Task

__all__ = ["Person"]


@dataclass(frozen=True)
class Person:
    """Says what a person types.

    Attributes:
        ask: Shows what there is to see and returns what was typed; `EOFError` gives the game up.
    """

    ask: Callable[[str], str]
    name: ClassVar[str] = "person"
    policy: ClassVar[None] = None

    def with_sampling(self, sampling: Sampling) -> "Person":
        """Return this agent, which does not sample."""
        del sampling
        return self

    def enter(self, env: Place, task: Task, seed: int) -> "Person":
        """Return this agent: a person remembers by themselves."""
        del env, task, seed
        return self

    def act(self, observation: str) -> Acting:
        """Ask the person."""
        yield from ()
        said = self.ask(observation)
        return Move(said, said)
