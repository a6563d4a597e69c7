"""What a method may try out while it revises a context, recorded so that a run resumes with the same answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

import numpy as np
from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Provenance
from palaestra.agents.memory.told import ToldAgent
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.envs.errors import ContractError, RunError
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.envs.task import HELD_OUT_SHARE, Json, Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.acquisition.groups import refuse_total_failure
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.yard import Yard

__all__ = ["ASKED", "Study"]

ASKED = "asked"
"""Environment of episodes in which a policy answers a question of a method, and nobody judges it."""


@dataclass
class Study:
    """What a method may try out in one step.

    Attributes:
        yard: Where; its split leaves out the tasks that are set aside.
        env: Spec of the environment.
        step: The step.
        agent: Who is taught, told nothing.
        store: Where everything is recorded.
        run: Name of the run, for the provenance of what is written.
        sampling: How attempts are sampled.
        writing: How answers to questions are sampled.
        validation_tasks: Most tasks of a validation.
        notes: Plain JSON that the method remembers between steps.
        shards: What was recorded so far in this step.
        episodes: Everything that was played and asked in this step.
    """

    yard: Yard
    env: str
    step: int
    agent: Agent
    store: ExperienceStore
    run: str
    sampling: Sampling
    writing: Sampling
    validation_tasks: int
    notes: dict[str, Any]
    shards: list[str] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    _validated: dict[str, list[Episode]] = field(default_factory=dict)

    @property
    def tasks(self) -> TaskSet:
        """The tasks that may be learned from."""
        return self.yard.split(self.env).train

    def task(self, episode: Episode) -> Task:
        """Return the task that an episode played."""
        return self.yard.rollout.env(episode.env).tasks.by_id(episode.task)

    def generator(self, *keys: int | str) -> np.random.Generator:
        """Return the random stream of this step and some name."""
        return derive_generator(self.yard.seed, "study", self.env, self.step, *keys)

    def provenance(self, episode: str = "") -> Provenance:
        """Return where what is written now comes from."""
        return Provenance(self.run, self.step, episode, self.agent.name)

    def play(
        self,
        tasks: Sequence[Task],
        context: Context,
        *,
        attempts: int = 1,
        beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
        trial: int = 0,
    ) -> list[Episode]:
        """Play tasks with a context.

        Args:
            tasks: Training tasks.
            context: What the agent is told.
            attempts: Episodes of each task.
            beside: Further notes for single tasks, by their ids.
            trial: How often the tasks were tried before in the step; each trial has chances of its own.

        Returns:
            The episodes, task by task; invalid ones are among them.

        Raises:
            ContractError: If a task is held out.
            InfrastructureError: If no episode was valid.
        """
        return self._play("play", tasks, context, self.sampling, attempts, beside, trial)

    def validate(self, context: Context) -> list[Episode]:
        """Play this step's validation tasks greedily with a context; the same again costs nothing."""
        if context.digest not in self._validated:
            aside = self.yard.validation(self.env)
            tasks = aside.draw(self.generator("validation"), min(self.validation_tasks, len(aside)))
            greedy = replace(self.sampling, temperature=0.0, top_k=0, top_p=1.0)
            self._validated[context.digest] = self._play("validate", tasks, context, greedy)
        return self._validated[context.digest]

    def ask(self, prompts: Sequence[str], context: Context | None = None) -> list[str | None]:
        """Ask the policy; return its answers, None for those that failed.

        Args:
            prompts: What to ask, each in a conversation of its own.
            context: What the agent is told before; by default nothing.

        Raises:
            InfrastructureError: If there is no answer at all.
        """
        agent = self.agent.with_sampling(self.writing)
        if context is not None:
            agent = ToldAgent(agent, context)
        number = len(self.shards)
        tasks = [Task(f"{ASKED}-{i}", prompt) for i, prompt in enumerate(prompts)]
        seeds = [derive_seed(self.yard.seed, "ask", self.env, self.step, number, i) for i in range(len(tasks))]
        assignments = [
            Assignment(f"u{self.step}/{number}/{i}", ASKED, task, seed, f"u{self.step}/{number}/{i}")
            for i, (task, seed) in enumerate(zip(tasks, seeds, strict=True))
        ]
        rollout = Rollout(agent, make=lambda _: _Question())
        answered = self._recorded("ask", context, assignments, lambda: rollout.play(assignments))
        refuse_total_failure(answered, f"questions to {self.agent.name}")
        return [episode.turns[-1].reply if episode.valid and episode.turns else None for episode in answered]

    def find_out(self, what: str, find: Callable[[], Json]) -> Any:
        """Return what `find` finds, plain JSON; it is recorded, and not looked for again at a replay.

        For what is no function of the record, such as whether a program runs through.
        """
        shard = self._next_shard()
        if shard not in self.store:
            self.store.write(shard, [], {"step": self.step, "what": what, "request": what, "found": find()})
        self._refuse_other(shard, what)
        return self.store.lineage(shard)["found"]

    def _next_shard(self) -> str:
        shard = f"step-{self.step:06d}.{len(self.shards)}"
        self.shards.append(shard)
        return shard

    def _refuse_other(self, shard: str, request: str) -> None:
        if self.store.lineage(shard).get("request") != request:
            raise RunError(
                f"{self.store.path(shard)} holds answers to other questions than are asked now. A method must be a "
                "function of the context, the episodes and the study alone: no randomness of its own, no clock."
            )

    def _play(
        self,
        what: str,
        tasks: Sequence[Task],
        context: Context,
        sampling: Sampling,
        attempts: int = 1,
        beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
        trial: int = 0,
    ) -> list[Episode]:
        for task in tasks:
            if task.held_out(HELD_OUT_SHARE):
                raise ContractError(f"The task {task.id} is held out; a method plays those of `study.tasks`.")
        number = len(self.shards)
        assignments = [
            Assignment(
                f"u{self.step}/{number}/{i}/a{attempt}",
                self.env,
                task,
                # Not by context: two contexts are compared with the same chance.
                derive_seed(self.yard.seed, what, self.env, self.step, task.id, attempt, trial),
                f"u{self.step}/{number}/{i}",
                attempt,
            )
            for i, task in enumerate(tasks)
            for attempt in range(attempts)
        ]
        agent = ToldAgent(self.agent.with_sampling(sampling), context, beside)
        rollout = self.yard.rollout.played_by(agent)
        played = self._recorded(what, context, assignments, lambda: rollout.play(assignments), beside)
        refuse_total_failure(played, self.env)
        return played

    def _recorded(
        self,
        what: str,
        context: Context | None,
        assignments: Sequence[Assignment],
        play: Callable[[], list[Episode]],
        beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> list[Episode]:
        """Play and commit, or return what was committed."""
        shard = self._next_shard()
        asked = [(a.id, a.task.fingerprint, a.seed, list(beside.get(a.task.id, ()))) for a in assignments]
        told = "" if context is None else context.digest
        request = blake2b(repr((what, told, asked)).encode(errors="surrogatepass"), digest_size=8).hexdigest()
        if shard not in self.store:
            lineage: dict[str, Json] = {"step": self.step, "what": what, "context": told, "request": request}
            self.store.write(shard, play() if assignments else [], lineage)
        self._refuse_other(shard, request)
        episodes = self.store.read(shard)
        self.episodes += episodes
        return episodes


class _Question(TextEnv):
    """A question that nobody judges: whatever is said is the answer."""

    def __init__(self) -> None:
        super().__init__(TaskSet([Task(ASKED, "?")], ASKED))

    def begin(self, task: Task) -> str:
        return task.prompt

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        del action
        return "", 0.0, True, False, self.outcome(Verdict(0.0, Status.PARTIAL, "an answer that nobody judges"))
