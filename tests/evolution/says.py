"""Agents whose whole mind is a function of the words they read."""

from collections.abc import Callable

from palaestra.agents.agent import Acting, Move
from palaestra.agents.policy import Sampling


class Says:
    """Says what a function makes of the observation."""

    policy = None

    def __init__(self, answer: Callable[[str], str], name: str = "says") -> None:
        self.answer, self.name = answer, name

    def with_sampling(self, sampling: Sampling) -> "Says":
        return self

    def enter(self, env: object, task: object, seed: int) -> "Says":
        return self

    def act(self, observation: str) -> Acting:
        reply = self.answer(observation)
        return Move(reply, reply)
        yield
