"""Acquire by sampling: several attempts at the same task, so that they can be compared with each other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from palaestra.agents.episode import Episode
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment
from palaestra.envs.errors import InfrastructureError
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.envs.task import Task
from palaestra.evolution.refinement.groups import by_group, is_informative
from palaestra.evolution.yard import Yard

__all__ = ["SampleGroups", "refuse_total_failure"]


@dataclass(frozen=True)
class SampleGroups:
    """Sample `attempts` episodes each of `groups` tasks with the present policy.

    Attributes:
        groups: How many groups are wanted.
        attempts: Episodes of one group, all of one task.
        sampling: How the policy samples.
        rounds: Most rounds of sampling. After the first, further tasks are drawn in place of groups whose attempts
            all earned the same and teach nothing (dynamic sampling, Yu et al. 2025, "DAPO"); 1 never refills.
        partial: What becomes of an episode in mid-life when the weights change, where the policy plays while it learns
            (see `ahead`): it goes on, its later tokens sampled by the new weights, or it is played anew (`"drop"`).
    """

    groups: int = 32
    attempts: int = 8
    sampling: Sampling = Sampling(max_tokens=64)
    rounds: int = 1
    partial: Literal["keep", "drop"] = "keep"

    def require(self, env: str) -> None:
        """Every environment has tasks; a seat of an arena has games against random players."""

    def prepare(self, yard: Yard, step: int) -> None:
        """Nothing comes before the tasks."""

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of step `step` in order, the uninformative and invalid ones included.

        Raises:
            InfrastructureError: If not one episode was valid: there is something to mend, not to learn.
        """
        train, generator = yard.split(env).train, derive_generator(yard.seed, "acquire", env, step)
        return self.play(yard, env, step, lambda count: train.draw(generator, count))

    def play(self, yard: Yard, env: str, step: int, draw: Callable[[int], Sequence[Task]]) -> list[Episode]:
        """Return the episodes of step `step` on tasks that are chosen otherwise.

        Args:
            yard: Where.
            env: Spec of the environment.
            step: The step.
            draw: Returns so many tasks; called once a round.

        Raises:
            InfrastructureError: If not one episode was valid.
        """
        episodes: list[Episode] = []
        informative, wanted = 0, self.groups
        for round_number in range(self.rounds):
            tasks = draw(wanted)
            sampled = yard.rollout.play(self.assign(tasks, yard.seed, env, step, round_number))
            episodes += sampled
            informative += sum(is_informative(group) for group in by_group(sampled).values())
            missing = self.groups - informative
            if missing <= 0:
                break
            # As many more as the share so far promises to fill the gap, within one more batch.
            played = len(episodes) // self.attempts
            wanted = min(self.groups, math.ceil(missing * played / max(1, informative)))
        refuse_total_failure(episodes, env)
        return episodes

    def drawn(self, yard: Yard, env: str, step: int) -> list[Assignment]:
        """Return what step `step` plays in its first round, group by group."""
        tasks = yard.split(env).train.draw(derive_generator(yard.seed, "acquire", env, step), self.groups)
        return self.assign(tasks, yard.seed, env, step, 0)

    def assign(self, tasks: Sequence[Task], seed: int, env: str, step: int, round_number: int) -> list[Assignment]:
        """Return the attempts at each task, group by group."""
        return [
            Assignment(
                id=f"s{step}/r{round_number}/g{g}/a{attempt}",
                env=env,
                task=task,
                # Attempts share the world's chance only through the task; their own sampling differs.
                seed=derive_seed(seed, "episode", env, step, round_number, g, attempt),
                group=f"s{step}/r{round_number}/g{g}",
                attempt=attempt,
            )
            for g, task in enumerate(tasks)
            for attempt in range(self.attempts)
        ]


def refuse_total_failure(episodes: Sequence[Episode], env: str) -> None:
    """Raise `InfrastructureError` if not one episode was valid."""
    if episodes and not any(episode.valid for episode in episodes):
        raise InfrastructureError(
            f"None of {len(episodes)} episodes in {env} was valid; the first says: {episodes[0].verdict.detail}"
        )
