"""The update that changes nothing: of methods whose whole effect lies in how a policy is asked.

It needs no weights, so a model on a server can be its policy as well as one in this process. Its checkpoints hold no
weights: they are where the policy came from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode

__all__ = ["Fixed", "Unchanged"]


@dataclass(frozen=True)
class Unchanged:
    """An update that changes nothing."""

    def start(self, policy: object, beginning: object) -> "_Idle":
        """Begin work on a policy; see `Update.start`."""
        del policy, beginning
        return _Idle()


class _Idle:
    """Learns nothing."""

    def step(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Pass episodes over; see `Updater.step`."""
        del episodes
        return {}

    def save(self, directory: Path) -> None:
        """Nothing is remembered."""

    def load(self, directory: Path) -> None:
        """Nothing was remembered."""


class Fixed:
    """What a run asks of a policy that stays as it is, whatever has its weights.

    Args:
        agent: Whose policy it is.

    Attributes:
        name: The spec that names it.
        version: Always 0.
        trust_remote_code: Never; nothing is loaded from this run's checkpoints.
    """

    def __init__(self, agent: Agent) -> None:
        self.name = agent.name
        self.version = 0
        self.trust_remote_code = False

    def save(self, directory: Path) -> None:
        """Write nothing."""
