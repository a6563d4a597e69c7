"""Evaluate on tasks that nothing was ever learned from."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status
from palaestra.evolution.evaluation.further import Further, check_further, measure
from palaestra.evolution.evaluation.record import Estimate, Played, Score
from palaestra.evolution.evaluation.statistics import mean_pass_at_k, wilson
from palaestra.evolution.yard import Yard

__all__ = ["HeldOut", "summarise"]

GREEDY_GROUP = "greedy"


@dataclass(frozen=True)
class HeldOut:
    """Play held-out tasks once greedily and, for pass@k, several times sampled.

    Attributes:
        tasks: Most held-out tasks to play; the same ones for every policy and run of one seed.
        attempts: Sampled attempts a task; 1 or less samples none.
        sampling: How to sample them; the greedy pass has the same token limit.
        also: What else is measured in a run, see `palaestra.evolution.evaluation.further`: of the sampled attempts
            `"majority"` and `"reranked"`, of the greedy ones `"calibration"` and `"positions"`.
    """

    tasks: int = 500
    attempts: int = 1
    sampling: Sampling = Sampling(max_tokens=64)
    also: tuple[Further, ...] = ()

    def __post_init__(self) -> None:
        check_further(self.also, self.attempts)

    def score(
        self, rollout: Rollout, env: str, seed: int = 0, on_episode: Callable[[Episode], None] | None = None
    ) -> Score:
        """Play, and return the score; of the episodes no more is kept than that takes.

        Args:
            rollout: Plays.
            env: Where.
            seed: Names the tasks and all randomness.
            on_episode: Called with each episode as it ends.
        """
        began, counted = time.perf_counter(), _Count(env)

        def ended(episode: Episode) -> None:
            counted.add(episode)
            if on_episode is not None:
                on_episode(episode)

        for played_by, assignments in self._plan(rollout, env, seed):
            played_by.stream(map(counted.expected, assignments), ended)
        return counted.score(time.perf_counter() - began)

    def play(self, yard: Yard, env: str, step: int) -> Played:
        """Play all episodes of one evaluation; the same tasks at every step."""
        del step
        episodes = self.sample(yard.rollout, env, yard.seed)
        greedy = [episode for episode in episodes if episode.group == GREEDY_GROUP]
        sampled = [episode for episode in episodes if episode.group != GREEDY_GROUP]
        return Played(episodes, measure(self.also, yard, greedy, sampled))

    def scores(self, env: str, episodes: Sequence[Episode], figures: Mapping[str, float]) -> tuple[Score, ...]:
        """Return the score in one environment."""
        return (replace(summarise(env, episodes, 0.0), figures=figures),)

    def settle(self, yard: Yard, env: str, episodes: Sequence[Episode], step: int) -> None:
        """Nothing follows from a measurement."""

    def sample(self, rollout: Rollout, env: str, seed: int) -> list[Episode]:
        """Play the held-out tasks of `env`; greedy episodes are those of group `greedy`."""
        return [
            episode
            for played_by, assignments in self._plan(rollout, env, seed)
            for episode in played_by.play(list(assignments))
        ]

    def _plan(self, rollout: Rollout, env: str, seed: int) -> Iterator[tuple[Rollout, Iterator[Assignment]]]:
        """Yield what is to be played and by whom: greedily, then sampled."""
        test = rollout.env(env).tasks.split().test
        tasks = test.draw(derive_generator(seed, "evaluate", env), min(self.tasks, len(test)))
        greedy = rollout.agent.with_sampling(replace(self.sampling, temperature=0.0, top_k=0, top_p=1.0))
        yield rollout.played_by(greedy), (_assignment(env, task, seed, GREEDY_GROUP, 0) for task in tasks)
        if self.attempts > 1:
            sampled = rollout.agent.with_sampling(self.sampling)
            attempts = ((task, attempt) for task in tasks for attempt in range(self.attempts))
            yield rollout.played_by(sampled), (_assignment(env, task, seed, task.id, a) for task, a in attempts)


def _assignment(env: str, task: Task, seed: int, group: str, attempt: int) -> Assignment:
    kind = GREEDY_GROUP if group == GREEDY_GROUP else "sampled"
    return Assignment(
        id=f"{env}/{kind}/{task.id}/a{attempt}",
        env=env,
        task=task,
        seed=derive_seed(seed, "evaluate", env, kind, task.id, attempt),
        group=group,
        attempt=attempt,
    )


def summarise(env: str, episodes: Sequence[Episode], seconds: float) -> Score:
    """Summarise the episodes of `HeldOut.sample`; invalid ones are counted and in no other figure.

    Args:
        env: Spec of the environment; episodes of others are passed over.
        episodes: What was played.
        seconds: Wall-clock it took.
    """
    counted = _Count(env)
    for episode in episodes:
        counted.add(episode)
    return counted.score(seconds)


class _Count:
    """What a score needs of the episodes, in the order they are expected in, or else come in."""

    def __init__(self, env: str) -> None:
        self._env = env
        self._greedy: dict[str, tuple[float, Status] | None] = {}
        self._sampled: dict[str, list[bool]] = {}
        self._invalid = self._tokens = 0

    def expected(self, assignment: Assignment) -> Assignment:
        """Keep a place for the episode of an assignment."""
        if assignment.group == GREEDY_GROUP:
            self._greedy[assignment.id] = None
        else:
            self._sampled.setdefault(assignment.group, [])
        return assignment

    def add(self, episode: Episode) -> None:
        """Count an episode; one of another environment is passed over."""
        if episode.env != self._env:
            return
        self._tokens += episode.tokens
        if not episode.valid:
            self._invalid += 1
        elif episode.group == GREEDY_GROUP:
            self._greedy[episode.id] = episode.reward, episode.verdict.status
        else:
            self._sampled.setdefault(episode.group, []).append(episode.correct)

    def score(self, seconds: float) -> Score:
        """Return the score."""
        greedy = [found for found in self._greedy.values() if found is not None]
        right = sum(status is Status.CORRECT for _, status in greedy)
        return Score(
            env=self._env,
            tasks=len(greedy),
            accuracy=wilson(right, len(greedy)),
            pass_at_k=_pass_at_k([attempts for attempts in self._sampled.values() if attempts]),
            mean_reward=float(np.mean([reward for reward, _ in greedy])) if greedy else math.nan,
            statuses=dict(Counter(str(status) for _, status in greedy)),
            invalid=self._invalid,
            tokens=self._tokens,
            seconds=seconds,
        )


def _pass_at_k(attempts: list[list[bool]]) -> dict[int, Estimate]:
    """Return pass@1, 2, 4, ... up to the number of attempts that every task with a full count has."""
    count = max((len(task) for task in attempts), default=0)
    complete = [sum(task) for task in attempts if len(task) == count]
    ks = sorted({1, count} | {2**i for i in range(1, count.bit_length()) if 2**i <= count}) if count else []
    return {k: mean_pass_at_k(complete, count, k, np.random.default_rng(0)) for k in ks}
