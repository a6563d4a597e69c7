"""Where a policy trains and is measured: a rollout, the tasks it may learn from and those it may not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from palaestra.agents.episode import Episode
from palaestra.agents.rollout import Rollout
from palaestra.envs.errors import ContractError, UsageError
from palaestra.envs.task import HELD_OUT_SHARE, Split, held_out

__all__ = ["Yard", "refuse_held_out"]


@dataclass
class Yard:
    """What acquisition and evaluation need of their surroundings.

    Attributes:
        rollout: Plays episodes with the policy that learns.
        seed: Seed of the run; every random stream derives from it.
    """

    rollout: Rollout
    seed: int
    _splits: dict[str, Split] = field(default_factory=dict)

    def split(self, env: str) -> Split:
        """Return the tasks of an environment, divided by their hash.

        Raises:
            UsageError: If either side is empty.
        """
        if env not in self._splits:
            tasks = self.rollout.env(env).tasks
            split = tasks.split()
            if not split.train or not split.test:
                raise UsageError(
                    f"{env} has {len(tasks)} tasks, of which {len(split.test)} are held out and {len(split.train)} "
                    "are left to learn from; both must be at least 1. Give it more tasks."
                )
            self._splits[env] = split
        return self._splits[env]


def refuse_held_out(episodes: Sequence[Episode]) -> None:
    """Raise `ContractError` when an episode about to be learned from is of a held-out task."""
    for episode in episodes:
        if held_out(episode.fingerprint, HELD_OUT_SHARE):
            raise ContractError(
                f"Episode {episode.id} played the held-out task {episode.task}; nothing may be learned from it. "
                "Acquire from Yard.split(env).train."
            )
