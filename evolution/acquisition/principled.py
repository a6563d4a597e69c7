"""Acquire under principles: the policy plays its tasks with a few written rules in front of them."""

from dataclasses import dataclass, replace

from palaestra.agents.episode import Episode
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.told import with_context
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task
from palaestra.envs.telling import told
from palaestra.envs.text_env import TOLD
from palaestra.evolution.acquisition.around import AroundSampling
from palaestra.evolution.yard import Yard

__all__ = ["PRINCIPLED", "TellPrinciples"]

PRINCIPLED = "/told"
"""How the id and the group of an episode end that was played under principles."""


@dataclass(frozen=True)
class TellPrinciples(AroundSampling):
    """Sample groups of attempts, each told the same principles in front of its first observation.

    The world is asked nothing but its tasks, so every environment will do. What was played is another task than the one
    that is asked untold, and is recorded so: with an id (ending with `TOLD`), a fingerprint and a group of its own, and
    the digest of what was told in the agent's name. `palaestra.evolution.refinement.hindsight.ForgetHint` makes of it
    what it would have been untold.

    Source: Sun et al. 2023, "Principle-driven self-alignment of language models from scratch with minimal human
    supervision" (Dromedary, the second stage).

    Attributes:
        sample: How tasks are drawn and tried.
        principles: What is told, without white space at its ends.
    """

    principles: str = ""

    def require(self, env: str) -> None:
        """Refuse to tell nothing; else see `SampleGroups`.

        Raises:
            UsageError: If there are no principles.
        """
        if not self.principles.strip():
            raise UsageError(
                "There are no principles to be told. Write them in --set acquire.principles='...', or as `principles` "
                "under [acquire] of a file named by --config."
            )
        super().require(env)

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of step `step` in order, all of them told."""
        context = Context(self.principles.strip())
        rollout = yard.rollout.played_by(with_context(yard.rollout.agent, context))
        tasks = yard.rollout.env(env).tasks
        played = self.sample(replace(yard, rollout=rollout), env, step)
        return [_under(context.instructions, tasks.by_id(episode.task), episode) for episode in played]


def _under(principles: str, task: Task, episode: Episode) -> Episode:
    """Return an episode as one of another task, the same with principles in front."""
    other = replace(task, id=f"{task.id}{TOLD}", prompt=told(task.prompt, instructions=principles))
    return replace(
        episode,
        id=f"{episode.id}{PRINCIPLED}",
        group=f"{episode.group}{PRINCIPLED}",
        task=other.id,
        fingerprint=other.fingerprint,
    )
