"""Acquire labels from a weaker policy: it answers training tasks, and what it says is what is to be learned."""

from dataclasses import dataclass, replace
from typing import Literal

from palaestra.agents.demonstrator import Demonstrator
from palaestra.agents.episode import Episode
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment
from palaestra.agents.specs import load_agent
from palaestra.envs.arena.catalogue import is_arena
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.envs.task import Task
from palaestra.evolution.acquisition.groups import refuse_total_failure
from palaestra.evolution.yard import Yard

__all__ = ["WeakLabels"]


@dataclass(frozen=True)
class WeakLabels:
    """Have a weak policy label training tasks, and tell its labels in the ids of the policy that learns.

    An episode's verdict is the world's on the label, so a step says how many labels are right
    (`update/refined_correct`); nothing is learned from verdicts. Labels have no log-probabilities.

    Source: Burns et al. 2023, "Weak-to-strong generalization".

    Attributes:
        weak: Spec of the agent that labels. It is born, or loaded, as the run's seed says.
        labels: Whose labels: the `"weak"` agent's, or `"right"` ones, the world's demonstrations of the same tasks,
            which give the ceiling.
        tasks: Tasks that are labelled in one step.
        skip: The first so many tasks of the environment are never labelled: those whose answers the weak policy knows.
        sampling: How the policy that learns is sampled; the weak one labels greedily, within the same limit.
    """

    weak: str
    labels: Literal["weak", "right"] = "weak"
    tasks: int = 4_000
    skip: int = 0
    sampling: Sampling = Sampling(max_tokens=64)

    def __post_init__(self) -> None:
        if self.tasks < 1 or self.skip < 0:
            raise UsageError(f"tasks must be at least 1 and skip at least 0, got {self.tasks} and {self.skip}.")

    def require(self, env: str) -> None:
        """Refuse an arena.

        Raises:
            UsageError: If there are no tasks to be labelled.
        """
        if is_arena(env):
            raise UsageError(f"{env!r} is an arena, whose games nobody labels; choose an environment with tasks.")

    def prepare(self, yard: Yard, step: int) -> None:
        """Nothing comes before the labels."""

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the labelled tasks of step `step`, each a group of its own.

        Raises:
            InfrastructureError: If not one label is valid.
            UsageError: If the agent that learns is no language policy, or no task is left to label.
        """
        agent = yard.rollout.agent
        if not isinstance(agent, LanguageAgent):
            raise UsageError(f"Labels are told in the words of a language policy, and {agent.name} is none.")
        known = {task.fingerprint for task in yard.rollout.env(env).tasks[: self.skip]}
        left = [task for task in yard.split(env).train if task.fingerprint not in known]
        if not left:
            raise UsageError(f"{env} has no training task behind the first {self.skip}: lower acquire.skip.")
        order = derive_generator(yard.seed, "label", env, step).permutation(len(left))[: self.tasks]
        # A task that stands there twice has one label.
        tasks = list({left[i].fingerprint: left[i] for i in order}.values())
        script: dict[str, list[str]] | None = None
        if self.labels == "weak":
            script = self._labelled(yard, env, step, tasks)
            tasks = [task for task in tasks if task.fingerprint in script]
        told = yard.rollout.played_by(Demonstrator(agent, script)).play(_assigned(yard, env, step, tasks, "label"))
        refuse_total_failure(told, env)
        return told

    def _labelled(self, yard: Yard, env: str, step: int, tasks: list[Task]) -> dict[str, list[str]]:
        """Return what the weak policy says, turn by turn, by the fingerprint of the task."""
        greedy = replace(self.sampling, temperature=0.0, top_k=0, top_p=1.0)
        weak = load_agent(self.weak, sampling=greedy, seed=yard.seed)
        said = yard.rollout.played_by(weak).play(_assigned(yard, env, step, tasks, "weak"))
        refuse_total_failure(said, env)
        return {e.fingerprint: [turn.reply for turn in e.turns] for e in said if e.valid}


def _assigned(yard: Yard, env: str, step: int, tasks: list[Task], kind: str) -> list[Assignment]:
    return [
        Assignment(f"s{step}/{kind}{i}", env, task, derive_seed(yard.seed, kind, env, step, i), f"s{step}/{kind}{i}")
        for i, task in enumerate(tasks)
    ]
