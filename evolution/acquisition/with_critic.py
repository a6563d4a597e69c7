"""Acquire with an inner critic: who attempted a task is told what was missed, and tries it again."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.agents.rollout import Assignment
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_seed
from palaestra.envs.text_env import TOLD
from palaestra.evolution.acquisition.around import AroundSampling
from palaestra.evolution.yard import Yard

__all__ = ["AGAIN", "WithCritic"]

AGAIN = "/again"
"""What stands in the id of an episode between that of the attempt that was criticised and the number of the trial."""


@dataclass(frozen=True)
class WithCritic(AroundSampling):
    """Sample groups; then let the world's critic (`TextEnv.criticised`) speak of each attempt, and try again.

    An attempt of which the critic has something to say, right or wrong, is followed by another at the same task with
    the critic's words in its prompt, and so on. All of them are recorded as they were lived: the task of a trial that
    was told something is another, with a fingerprint of its own. `palaestra.evolution.refinement.mended.KeepMended`
    keeps the last trial of each attempt, `ForgetHint` takes the critic's words away.

    Source: Tu et al. 2024, "Towards conversational diagnostic AI" (AMIE, the inner self-play loop).

    Attributes:
        sample: How tasks are tried at first.
        trials: Most further trials of an attempt; 0 leaves the critic out.
    """

    trials: int = 1

    def __post_init__(self) -> None:
        if self.trials < 0:
            raise UsageError(f"trials must be at least 0, got {self.trials}.")

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of step `step`: first attempts, then second ones, and so on."""
        played = tried = self.sample(yard, env, step)
        for trial in range(1, self.trials + 1):
            tried = yard.rollout.play(self._again(yard, env, tried, trial))
            played = played + tried
        return played

    def _again(self, yard: Yard, env: str, tried: Sequence[Episode], trial: int) -> list[Assignment]:
        """Return what is tried again, each with what the critic says of the last trial."""
        world, again = yard.rollout.env(env), list[Assignment]()
        for episode in tried:
            if not episode.valid:
                continue
            asked = world.tasks.by_id(episode.task.removesuffix(TOLD))
            task = world.criticised(asked, [turn.action for turn in episode.turns])
            if task is not None:
                first = episode.id.partition(AGAIN)[0]
                seed = derive_seed(yard.seed, "again", env, first, trial)
                again.append(Assignment(f"{first}{AGAIN}{trial}", env, task, seed, f"{first}{AGAIN}{trial}"))
        return again
