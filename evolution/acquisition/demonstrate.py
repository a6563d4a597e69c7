"""Acquire from a world's own demonstrations, alone or beside what the policy does in the same tasks."""

from dataclasses import dataclass

from palaestra.agents.demonstrator import Demonstrator
from palaestra.agents.episode import Episode
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment
from palaestra.envs.arena.catalogue import is_arena
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.envs.task import Task
from palaestra.evolution.acquisition.around import AroundSampling
from palaestra.evolution.acquisition.groups import refuse_total_failure
from palaestra.evolution.yard import Yard

__all__ = ["Demonstrate", "SampleBesideDemonstrations"]


@dataclass(frozen=True)
class Demonstrate:
    """Have the world demonstrate `tasks` of its training tasks.

    Attributes:
        tasks: Episodes of one step, of one task each.
        pool: Only the first so many training tasks are ever demonstrated; 0 is all of them.
        sampling: How the policy samples when it is measured; a demonstration samples nothing.
    """

    tasks: int = 256
    pool: int = 0
    sampling: Sampling = Sampling(max_tokens=64)

    def __post_init__(self) -> None:
        _check(self.tasks, self.pool)

    def require(self, env: str) -> None:
        """Refuse an arena.

        Raises:
            UsageError: If there is nothing to be shown.
        """
        _refuse_arena(env)

    def prepare(self, yard: Yard, step: int) -> None:
        """Nothing comes before the demonstrations."""

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the demonstrations of step `step`, in order; each is a group of its own.

        Raises:
            InfrastructureError: If not one was valid.
            UsageError: If the world demonstrates nothing.
        """
        train = yard.first_tasks(env, self.pool).split(env).train
        return _shown(yard, env, step, train.draw(derive_generator(yard.seed, "demonstrate", env, step), self.tasks))


@dataclass(frozen=True)
class SampleBesideDemonstrations(AroundSampling):
    """Sample groups of attempts, and have the world demonstrate each task that was attempted.

    Attributes:
        sample: How the policy attempts.
        pool: Only the first so many training tasks are ever attempted and demonstrated; 0 is all of them.
    """

    pool: int = 0

    def __post_init__(self) -> None:
        _check(1, self.pool)

    def require(self, env: str) -> None:
        """Refuse an arena.

        Raises:
            UsageError: If there is nothing to be shown.
        """
        _refuse_arena(env)

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the attempts of step `step`, then one demonstration of each task, in order of first attempt.

        Raises:
            InfrastructureError: If no attempt or no demonstration was valid.
            UsageError: If the world demonstrates nothing.
        """
        narrowed = yard.first_tasks(env, self.pool)
        attempts = self.sample(narrowed, env, step)
        train = narrowed.split(env).train
        tasks = [train.by_id(id_) for id_ in dict.fromkeys(episode.task for episode in attempts)]
        return attempts + _shown(yard, env, step, tasks)


def _shown(yard: Yard, env: str, step: int, tasks: list[Task]) -> list[Episode]:
    agent = yard.rollout.agent
    if not isinstance(agent, LanguageAgent):
        raise UsageError(f"A demonstration is told in the words of a language policy, and {agent.name} is none.")
    assignments = [
        Assignment(f"s{step}/d{i}", env, task, derive_seed(yard.seed, "demonstration", env, step, i), f"s{step}/d{i}")
        for i, task in enumerate(tasks)
    ]
    shown = yard.rollout.played_by(Demonstrator(agent)).play(assignments)
    refuse_total_failure(shown, env)
    return shown


def _check(tasks: int, pool: int) -> None:
    if tasks < 1 or pool < 0:
        raise UsageError(f"tasks must be at least 1 and pool at least 0, got {tasks} and {pool}.")


def _refuse_arena(env: str) -> None:
    if is_arena(env):
        raise UsageError(f"{env!r} is an arena, whose seats nobody demonstrates; choose an environment with solutions.")
