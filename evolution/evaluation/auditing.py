"""Another judge's word on replies that were paid already: a stricter environment in which nobody trains.

The auditor is an environment. It is reset to the very task that was played and is given the recorded actions; what it
pays is compared with what was paid. It is told to nobody who learns.
"""

from collections.abc import Mapping, Sequence

from palaestra.agents.episode import Episode
from palaestra.envs import catalogue
from palaestra.envs.arena.catalogue import is_arena
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Verdict

__all__ = ["Auditor", "check_auditor"]


def check_auditor(spec: str, envs: Sequence[str]) -> None:
    """Refuse an auditor that could not judge what is played in some environments.

    Args:
        spec: The auditor; nothing is none.
        envs: Where the policy learns.

    Raises:
        UsageError: If it or one of them is an arena, or it is one of them.
    """
    if not spec:
        return
    if arenas := [env for env in (spec, *envs) if is_arena(env)]:
        raise UsageError(
            f"An auditor judges replies to tasks again, and {arenas[0]} is an arena, whose games have no task of their "
            "own. Name an environment, or leave out --auditor."
        )
    if spec in envs:
        raise UsageError(f"The auditor {spec} is where the policy learns; name a stricter one that it does not see.")
    catalogue.make(spec)


class Auditor:
    """A judge that nobody learns from.

    Args:
        spec: An environment that can be reset to the tasks that are played: its judge reads their references.

    Attributes:
        failure: What went wrong with the auditor itself at first in the last call; nothing is nothing.
    """

    def __init__(self, spec: str) -> None:
        self.spec, self.failure = spec, ""
        self._env = catalogue.make(spec)

    def __call__(self, episodes: Sequence[Episode], tasks: Mapping[str, Task]) -> dict[str, float]:
        """Return what the auditor pays, by the episodes' ids.

        Args:
            episodes: What was played; demonstrations and invalid ones are passed over.
            tasks: The tasks by id. An episode of another one (such as a task that was told) is passed over.

        Returns:
            The rewards; an episode that the auditor failed at, or has not ended with, is not among them.
        """
        self.failure, paid = "", {}
        for episode in episodes:
            task = tasks.get(episode.task)
            if task is not None and episode.valid and not episode.demonstrated:
                try:
                    reward = _judged(self._env, episode, task)
                except Exception as error:  # somebody else's world must not stop a run that never needed it
                    self.failure = self.failure or f"{type(error).__name__}: {error} (task {task.id})"
                    continue
                if reward is not None:
                    paid[episode.id] = reward
        return paid


def _judged(env: TextEnv, episode: Episode, task: Task) -> float | None:
    """Return the reward of the recorded actions; None where the world would have gone on.

    Raises:
        InfrastructureError: If the world could not judge.
    """
    reward, verdict = 0.0, None
    env.reset(seed=episode.seed, options={"task": task})
    for turn in episode.turns:
        _, paid, terminated, truncated, info = env.step(turn.action)
        reward, verdict = reward + paid, info.get("verdict", verdict)
        if terminated or truncated:
            if isinstance(verdict, Verdict) and not verdict.valid:
                raise InfrastructureError(f"{verdict.status.value}: {verdict.detail}")
            return float(reward)
    return None
