"""Acquire explanations: tasks that no attempt solved are tried again with the answer told."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.agents.rollout import Assignment
from palaestra.envs.seeding import derive_seed
from palaestra.evolution.acquisition.around import AroundSampling
from palaestra.evolution.refinement.groups import by_group
from palaestra.evolution.yard import Yard

__all__ = ["Rationalise"]


@dataclass(frozen=True)
class Rationalise(AroundSampling):
    """Sample groups; then, for each task whose attempts all failed, attempts that are told the answer.

    The second kind is recorded as it was lived: its task is another (`TextEnv.hinted`), with an id and a fingerprint of
    its own, and stands in a group of its own. `palaestra.evolution.refinement.hindsight.ForgetHint` makes of it what it
    would have been without the hint. Worlds that cannot tell an answer give no such attempts.

    Source: Zelikman et al. 2022, "STaR: bootstrapping reasoning with reasoning".

    Attributes:
        sample: How tasks are tried at first.
        attempts: Attempts with the answer at each task that was never solved; 0 leaves rationalisation out.
    """

    attempts: int = 1

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of step `step`: those without the answer, then those with it, task by task."""
        played = self.sample(yard, env, step)
        return played + yard.rollout.play(self._told(yard, env, step, played))

    def _told(self, yard: Yard, env: str, step: int, played: Sequence[Episode]) -> list[Assignment]:
        """Return what is tried again."""
        world, again = yard.rollout.env(env), list[Assignment]()
        for name, group in by_group(played).items():
            valid = [episode for episode in group if episode.valid]
            if not valid or any(episode.correct for episode in valid):
                continue
            task = world.hinted(world.tasks.by_id(valid[0].task))
            if task is None:
                continue
            for attempt in range(self.attempts):
                group_id = f"{name}/told"
                seed = derive_seed(yard.seed, "told", env, step, name, attempt)
                again.append(Assignment(f"{group_id}/a{attempt}", env, task, seed, group_id, attempt))
        return again
