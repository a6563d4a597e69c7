"""Acquire by difficulty: tasks that the policy sometimes solves teach more than those it always or never does."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task, TaskSet
from palaestra.evolution.acquisition.around import AroundSampling
from palaestra.evolution.yard import Yard

__all__ = ["Curriculum", "success_rates"]


@dataclass(frozen=True)
class Curriculum(AroundSampling):
    """Sample groups of tasks of middle difficulty, as the last steps have found it.

    A task's success is the share of its episodes that were right within the last `window` steps. It is counted from
    what the run has recorded, so that a resumed run draws the same tasks. Tasks of which nothing is known are found by
    exploring, which also notices that a task has become easier or harder.

    Attributes:
        sample: How tasks are tried.
        lowest: Smallest success of a task that is chosen.
        highest: Greatest success of a task that is chosen.
        explore: Share of the tasks that are drawn among all; more, where too few of middle difficulty are known.
        window: Steps that are counted.
        by: Field of the tasks' metadata, such as `difficulty`: tasks that have the same there share their success, as
            where there are too many to meet one twice. Each task has its own when empty.
    """

    lowest: float = 0.2
    highest: float = 0.8
    explore: float = 0.25
    window: int = 20
    by: str = ""

    def __post_init__(self) -> None:
        if not 0.0 <= self.lowest <= self.highest <= 1.0 or not 0.0 <= self.explore <= 1.0:
            raise UsageError(
                f"lowest, highest and explore are shares, lowest not above highest; got {self.lowest}, {self.highest} "
                f"and {self.explore}."
            )
        if self.window < 1:
            raise UsageError(f"window must be at least 1, got {self.window}.")

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of step `step`; see `SampleGroups`."""
        train = yard.split(env).train
        if self.by and self.by not in train[0].metadata:
            raise UsageError(
                f"The tasks of {env} have no {self.by!r}: acquire.by must be one of "
                f"{', '.join(train[0].metadata) or '(none)'}, or empty."
            )
        ended: list[tuple[str, bool]] = []
        for earlier in range(max(1, step - self.window), step):
            # A ladder's earlier rungs have other tasks.
            ended += [(self._kind(train, o.task), o.correct) for o in yard.outcomes(earlier) if o.env == env]
        middle = {kind for kind, rate in success_rates(ended).items() if self.lowest <= rate <= self.highest}
        chosen = [task for task in train if _kind(task, self.by) in middle]
        generator = derive_generator(yard.seed, "acquire", env, step)

        def draw(count: int) -> list[Task]:
            known = min(len(chosen), count - round(self.explore * count))
            picked = [chosen[i] for i in generator.permutation(len(chosen))[:known]]
            return picked + train.draw(generator, count - known)

        return self.sample.play(yard, env, step, draw)

    def _kind(self, train: TaskSet, task_id: str) -> str:
        return _kind(train.by_id(task_id), self.by) if self.by else task_id


def _kind(task: Task, by: str) -> str:
    return str(task.metadata.get(by)) if by else task.id


def success_rates(ended: Sequence[tuple[str, bool]]) -> Mapping[str, float]:
    """Return the share of episodes that were right, by kind of task.

    Args:
        ended: The kind of each episode's task, and whether it was right.
    """
    made = Counter(kind for kind, _ in ended)
    right = Counter(kind for kind, correct in ended if correct)
    return {kind: right[kind] / count for kind, count in made.items()}
