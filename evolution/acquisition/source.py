"""Where a step's experience comes from: played when it is asked for, or played ahead while the policy learns."""

from typing import Any, NamedTuple, Protocol

from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.pace import Pace
from palaestra.evolution.recipe import Acquire
from palaestra.evolution.yard import Yard

__all__ = ["Acquired", "AtOnce", "Source", "played_ahead"]


class Acquired(NamedTuple):
    """What a step is to learn from.

    Attributes:
        episodes: The episodes, in order.
        lineage: What is to be recorded with them.
    """

    episodes: list[Episode]
    lineage: dict[str, Any]


class Source(Protocol):
    """Where experience comes from."""

    @property
    def pace(self) -> Pace:
        """What says how fast it comes."""
        ...

    def acquire(self, env: str, step: int) -> Acquired:
        """Return new episodes for a step."""
        ...

    def updated(self) -> None:
        """The policy has learned; called once a step, also when its episodes were recorded ones."""
        ...

    def close(self) -> None:
        """Stop whatever goes on."""
        ...


class AtOnce:
    """Plays when asked, with the policy that learns.

    Args:
        acquire: How.
        yard: Where.
    """

    def __init__(self, acquire: Acquire, yard: Yard) -> None:
        self._acquire = acquire
        self._yard = yard
        self.pace = Pace(yard.rollout.meter, 0)

    def acquire(self, env: str, step: int) -> Acquired:
        """See `Source`."""
        self.pace.begin()
        return Acquired(self._acquire(self._yard, env, step), {})

    def updated(self) -> None:
        """See `Source`."""

    def close(self) -> None:
        """See `Source`."""


def played_ahead(acquire: Acquire, staleness: int) -> SampleGroups:
    """Return what can be played while the policy learns.

    Raises:
        UsageError: If it cannot, or the bound is none.
    """
    if staleness < 1:
        raise UsageError(f"staleness must be 0 (play when asked) or more versions, got {staleness}.")
    if not isinstance(acquire, SampleGroups):
        raise UsageError(
            f"--staleness {staleness} plays groups of attempts while the policy learns; this recipe acquires by "
            f"{type(acquire).__name__}. Leave it out, or take a recipe that samples groups, such as grpo."
        )
    return acquire
