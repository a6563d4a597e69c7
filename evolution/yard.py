"""Where a policy trains and is measured: a rollout, the tasks it may learn from and those it may not."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Rollout
from palaestra.agents.specs import load_agent, run_checkpoints
from palaestra.envs.arena import catalogue
from palaestra.envs.arena.arena import Arena
from palaestra.envs.errors import ContractError, RunError, UsageError
from palaestra.envs.task import HELD_OUT_SHARE, Split, Task, TaskSet, held_out
from palaestra.evolution.league import League

__all__ = ["Outcome", "Yard", "refuse_held_out"]

# Two runs that are begun together are born within minutes of each other.
_RIVAL_SECONDS = 600.0


class Outcome(NamedTuple):
    """How an episode ended.

    Attributes:
        env: Spec of its environment.
        task: Id of its task.
        correct: Whether it was right.
    """

    env: str
    task: str
    correct: bool


@dataclass
class Yard:
    """What acquisition and evaluation need of their surroundings.

    Attributes:
        rollout: Plays episodes with the policy that learns, or an engine that has its weights.
        seed: Seed of the run; every random stream derives from it.
        league: Frozen ancestors of the policy.
        make_arena: Builds the arena of a spec.
        learner: The policy that learns, where it is not the rollout's own.
        recorded: Returns the episodes that an earlier step acquired.
        aside: Share of the training tasks that nothing is acquired from, because changes are validated on them.
    """

    rollout: Rollout
    seed: int
    league: League = field(default_factory=lambda: League(Path("league")))
    make_arena: Callable[[str], Arena] = catalogue.make_arena
    learner: LocalPolicy | None = None
    recorded: Callable[[int], list[Episode]] = field(default=lambda _: [])
    aside: float = 0.0
    _arenas: dict[str, Arena] = field(default_factory=dict)
    _rivals: dict[str, Agent] = field(default_factory=dict)
    _splits: dict[str, Split] = field(default_factory=dict)
    _outcomes: dict[int, tuple[Outcome, ...]] = field(default_factory=dict)

    @property
    def policy(self) -> LocalPolicy:
        """The policy that learns."""
        policy = self.learner or self.rollout.agent.policy
        if not isinstance(policy, LocalPolicy):
            raise UsageError(f"{self.rollout.agent.name} has no weights that could be frozen here.")
        return policy

    @property
    def directory(self) -> Path:
        """The run's folder, in which the league lies."""
        return self.league.folder.parent

    def arena(self, env: str) -> Arena:
        """Return the arena of a spec, to read from; it is built once."""
        if env not in self._arenas:
            self._arenas[env] = self.make_arena(env)
        return self._arenas[env]

    def outcomes(self, step: int) -> tuple[Outcome, ...]:
        """Return how the valid episodes of an earlier step ended; its record is read once."""
        if step not in self._outcomes:
            played = self.recorded(step)
            self._outcomes[step] = tuple(Outcome(e.env, e.task, e.correct) for e in played if e.valid)
        return self._outcomes[step]

    def rival(self, spec: str, sampling: Sampling) -> Agent:
        """Return an agent that another learns the weights of; a run that has no checkpoint yet is waited for.

        Raises:
            RunError: If the run has none after ten minutes.
        """
        if spec not in self._rivals:
            kind, _, path = spec.partition(":")
            if kind == "run":
                _await_checkpoint(Path(unquote(path.partition("@")[0].partition("?")[0])))
            self._rivals[spec] = load_agent(spec, sampling=sampling)
        return self._rivals[spec]

    def forget_rivals(self) -> None:
        """Look for rivals anew when they are next asked for: those that learn have other weights then."""
        self._rivals.clear()

    def split(self, env: str) -> Split:
        """Return the tasks of an environment, divided by their hash; without those that are set aside.

        Raises:
            UsageError: If either side is empty.
        """
        if env not in self._splits:
            tasks = self.rollout.env(env).tasks
            split = tasks.split()
            train = split.train
            if self.aside:
                train = TaskSet((task for task in train if not _set_aside(task, self.aside)), train.name)
            if not train or not split.test:
                raise UsageError(
                    f"{env} has {len(tasks)} tasks, of which {len(split.test)} are held out and {len(train)} "
                    "are left to learn from; both must be at least 1. Give it more tasks."
                )
            self._splits[env] = Split(train, split.test)
        return self._splits[env]

    def validation(self, env: str) -> TaskSet:
        """Return the training tasks of an environment that are set aside, by their hash.

        Raises:
            UsageError: If there are none.
        """
        train = self.rollout.env(env).tasks.split().train
        aside = TaskSet((task for task in train if _set_aside(task, self.aside)), f"{env}[validation]")
        if not aside:
            raise UsageError(
                f"{env} has {len(train)} training tasks, of which a share of {self.aside} set aside leaves none to "
                "validate on. Give it more tasks, or set update.validate.share higher."
            )
        return aside

    def first_tasks(self, env: str, count: int) -> "Yard":
        """Return the same yard with only the first `count` training tasks of an environment; 0 leaves all."""
        split = self.split(env)
        if count == 0 or count >= len(split.train):
            return self
        return replace(self, _splits={**self._splits, env: Split(split.train[:count], split.test)})


def _set_aside(task: Task, share: float) -> bool:
    # By the half of the fingerprint that does not say whether a task is held out.
    return held_out(task.fingerprint[16:], share)


def _await_checkpoint(run: Path) -> None:
    """Wait until a run that was begun beside this one has a checkpoint."""
    until = time.monotonic() + _RIVAL_SECONDS
    while not run_checkpoints(run):
        if time.monotonic() > until:
            raise RunError(
                f"The rival's run {run} has had no checkpoint for {_RIVAL_SECONDS:.0f} s. Begin it beside this one, or "
                "mend its name in acquire.rival; this run goes on with --resume."
            )
        time.sleep(0.5)


def refuse_held_out(episodes: Sequence[Episode]) -> None:
    """Raise `ContractError` when an episode about to be learned from is of a held-out task.

    A seat of an arena is no task that could be held out: what it meets there is made by whoever sits in the others.
    """
    arenas = {env: catalogue.is_arena(env) for env in {episode.env for episode in episodes}}
    for episode in episodes:
        if not arenas[episode.env] and held_out(episode.fingerprint, HELD_OUT_SHARE):
            raise ContractError(
                f"Episode {episode.id} played the held-out task {episode.task}; nothing may be learned from it. "
                "Acquire from Yard.split(env).train."
            )
