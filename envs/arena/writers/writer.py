"""The contract of a writer, and the one that speaks of any environment by its spaces."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from gymnasium import spaces
from palaestra.envs.describe import describe_value
from palaestra.envs.errors import UsageError

__all__ = ["SpaceWriter", "Writer"]


class Writer(ABC):
    """Puts one PettingZoo environment into words.

    A writer remembers nothing of a game: many games may share it. `env` is always the bare environment,
    `env.unwrapped`; what it knows is all there to be used, so take care to tell each agent only what it may know.

    Attributes:
        explanation: The rules for a player, shown before its first move; `""` shows none.
        lowest: The least that a seat can get in a game, which is what it gets when it gives up; None where unknown.
        zero_sum: Whether what the seats get always adds up to nothing.
        instant: Whether the steps of the environment take microseconds and never wait.
    """

    explanation: str = ""
    lowest: float | None = None
    zero_sum: bool = False
    instant: bool = False

    @abstractmethod
    def tell(self, env: Any, agent: str, observation: Any) -> str:
        """Return what an agent is told of how things stand, without its moves: short, and complete.

        Args:
            env: The bare environment.
            agent: Who is told; not always the one whose turn it is, and the game may be over.
            observation: What the environment shows this agent, mask and all.
        """

    @abstractmethod
    def word(self, env: Any, agent: str, action: int) -> str:
        """Return how a legal action is written: short, in lower case, unique among the legal ones."""

    def forfeit(self, seat: int, so_far: tuple[float, ...]) -> tuple[float, ...]:
        """Return what each seat gets when one gives up its game, by breaking the rules or the clock.

        It gets the least there is, which the others share in a zero-sum game. Where the least is unknown it pays 1,
        as in PettingZoo's `TerminateIllegalWrapper`. The others keep what they have.

        Args:
            seat: Who gives up.
            so_far: What each seat has got until now.
        """
        lowest = so_far[seat] - 1.0 if self.lowest is None else self.lowest
        if self.zero_sum:
            share = -lowest / (len(so_far) - 1)
            return tuple(lowest if other == seat else share for other in range(len(so_far)))
        return tuple(lowest if other == seat else got for other, got in enumerate(so_far))

    def picture(self, env: Any) -> str:
        """Return the whole state for an onlooker; `""` where what the agents are told must do."""
        del env
        return ""


class SpaceWriter(Writer):
    """Reads out any observation by its space; actions go by their numbers, or by names that are given.

    Args:
        explanation: The rules for a player.
        actions: Names of the actions, from the first of the action space on.
        lowest: See `Writer`.
    """

    def __init__(self, explanation: str = "", actions: tuple[str, ...] = (), lowest: float | None = None) -> None:
        self.explanation = explanation
        self.actions = actions
        self.lowest = lowest

    def tell(self, env: Any, agent: str, observation: Any) -> str:  # noqa: D102
        space = env.observation_space(agent)
        if isinstance(space, spaces.Dict) and isinstance(observation, Mapping):
            # The legal moves are told in words.
            parts = {key: part for key, part in space.spaces.items() if key != "action_mask"}
            space = next(iter(parts.values())) if list(parts) == ["observation"] else spaces.Dict(parts)
            observation = observation["observation"] if list(parts) == ["observation"] else observation
        try:
            return f"You are {agent}.\nYou see: {describe_value(space, observation)}"
        except UsageError:
            name = env.metadata.get("name", type(env).__name__)
            raise UsageError(
                f"An observation of {name} in {space} cannot be read out; give `spoken` a writer of your own: "
                "spoken(env, writer=...), see docs/arenas-pettingzoo.md."
            ) from None

    def word(self, env: Any, agent: str, action: int) -> str:  # noqa: D102
        if self.actions:
            return self.actions[action - int(env.action_space(agent).start)]
        return str(action)
