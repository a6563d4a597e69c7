"""Play a cell of a benchmark: what is in the cache is taken from there, the rest is played and kept as it ends."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final

from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.agents.http.meter import Metered, Usage
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.envs.errors import ContractError, UsageError
from palaestra.envs.seeding import derive_seed
from palaestra.envs.task import Task
from palaestra.evolution.benchmark.cache import Cache, Cell, Cost
from palaestra.evolution.benchmark.identity import key_of, task_key, world_identity
from palaestra.evolution.benchmark.suite import Course, Entrant, tasks_of

__all__ = ["Field", "PlayedCell", "Ready", "play_cell"]

FORMAT: Final = 1
"""Of the cache: episodes of another one are not found."""
# What ended is kept after so many episodes or seconds; a kill loses no more.
_EPISODES_AT_ONCE: Final = 512
_SECONDS_BETWEEN: Final = 5.0


@dataclass(frozen=True)
class Field:
    """A course with its world.

    Attributes:
        course: What the suite says.
        tasks: What is played, in order.
        keys: Their contents, see `task_key`.
        identity: Which world it is, see `world_identity`.
    """

    course: Course
    tasks: tuple[Task, ...]
    keys: tuple[str, ...]
    identity: dict[str, Any]

    @classmethod
    def of(cls, course: Course, rollout: Rollout) -> "Field":
        """Build the world of a course, and draw its tasks.

        Raises:
            UsageError: If there is no such world or task.
        """
        env = rollout.env(course.spec)
        # A task that is there twice under two names is one task, and counts once.
        tasks = {task_key(task): task for task in reversed(tasks_of(course, env))}
        keys = tuple(reversed(tasks))
        return cls(course, tuple(tasks[key] for key in keys), keys, world_identity(course.spec, env))


@dataclass(frozen=True)
class Ready:
    """An entrant that was loaded.

    Attributes:
        entrant: What the suite says.
        agent: Who plays.
        identity: Who that is, see `policy_identity`.
    """

    entrant: Entrant
    agent: Agent
    identity: dict[str, Any]


@dataclass(frozen=True)
class PlayedCell:
    """What one entrant did on one course.

    Attributes:
        episodes: All that were asked for, invalid ones among them, by task, seed and attempt. Their ids and groups are
            those of the results, the same for whoever played when.
        keys: Key in the cache, by seed.
        cost: What playing them cost, in whichever process they were played; what a kill lost is not in it.
        found: How many of them were not played now.
    """

    episodes: tuple[Episode, ...]
    keys: dict[int, str]
    cost: Cost
    found: int


def play_cell(
    cache: Cache, rollout: Rollout, ready: Ready, field: Field, progress: Callable[[int, int], None] | None = None
) -> PlayedCell:
    """Return a cell, played now as far as it was not.

    Args:
        cache: Where episodes are kept; invalid ones are not, so that they are played again another time.
        rollout: Plays.
        ready: Who.
        field: Where.
        progress: Called with how many episodes there are, and how many there shall be.

    Raises:
        UsageError: If the entrant cannot play there, or a server refuses to go on. What was played is kept.
        RunError: If another process plays the same.
    """
    course = field.course
    sampling = _sampling(course, ready.entrant)
    playing = rollout.played_by(ready.agent.with_sampling(sampling))
    total, keys, cost, found = len(field.tasks) * course.tries, dict[int, str](), Cost(), 0
    lived: dict[tuple[int, str], Episode] = {}
    for seed in course.seeds:
        about = {
            "format": FORMAT,
            "policy": ready.identity,
            "world": field.identity,
            "sampling": asdict(sampling),
            "seed": seed,
        }
        keys[seed] = key_of(about)
        with cache.cell(keys[seed], about) as cell:
            wanted = list(_wanted(field, seed))
            kept = cell.find([assignment.id for assignment in wanted])
            found += len(kept.episodes)
            before = len(lived)
            lived |= {(seed, name): episode for name, episode in kept.episodes.items()}
            cost += kept.cost
            keeper = _Keeper(cell, ready.agent, partial(_tell, progress, before, total))
            keeper.begin(len(kept.episodes))
            try:
                playing.stream((a for a in wanted if a.id not in kept.episodes), keeper.add)
            finally:
                keeper.flush()
            lived |= {(seed, episode.id): episode for episode in keeper.lived}
            cost += keeper.cost
    return PlayedCell(tuple(_in_order(ready.entrant, field, lived)), keys, cost, found)


def _tell(progress: Callable[[int, int], None] | None, before: int, total: int, done: int) -> None:
    if progress:
        progress(before + done, total)


def _sampling(course: Course, entrant: Entrant) -> Sampling:
    try:
        return Sampling(**course.sampled(entrant))
    except UsageError as error:
        raise UsageError(f"{entrant.name} in {course.name}: {error}") from error


def _wanted(field: Field, seed: int) -> Iterator[Assignment]:
    """Yield what is to be played with a seed; names and seeds come from what tasks hold, not from what they are called.

    Every entrant plays a task with the same seeds, so that attempts pair.
    """
    for task, key in zip(field.tasks, field.keys, strict=True):
        for attempt in range(field.course.attempts):
            played = derive_seed(seed, "bench", key, attempt)
            yield Assignment(_name(key, attempt), field.course.spec, task, played, key, attempt)


def _name(key: str, attempt: int) -> str:
    return f"{key}/a{attempt}"


class _Keeper:
    """Takes episodes as they end and keeps them, with what they cost, every few seconds."""

    def __init__(self, cell: Cell, agent: Agent, progress: Callable[[int], None]) -> None:
        self._cell = cell
        self._agent = agent
        self._progress = progress
        self._waiting: list[Episode] = []
        self._since = time.perf_counter()
        self._usage = self._read()
        self._done = 0
        self.lived: list[Episode] = []
        self.cost = Cost()

    def begin(self, done: int) -> None:
        """Begin to count what playing costs, with so many episodes there already."""
        self._since, self._usage, self._done = time.perf_counter(), self._read(), done
        self._progress(done)

    def add(self, episode: Episode) -> None:
        """Take an episode that has ended."""
        self.lived.append(episode)
        self._waiting.append(episode)
        self._progress(self._done + len(self.lived))
        if len(self._waiting) >= _EPISODES_AT_ONCE or time.perf_counter() - self._since > _SECONDS_BETWEEN:
            self.flush()

    def flush(self) -> None:
        """Keep what has ended; failures of our machinery are no results, and another time is asked anew."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        cost = self._measure(waiting)
        self.cost += cost
        if valid := [episode for episode in waiting if episode.valid]:
            self._cell.add(valid, cost)

    def _read(self) -> Usage | None:
        return self._agent.usage if isinstance(self._agent, Metered) else None

    def _measure(self, episodes: Sequence[Episode]) -> Cost:
        now, before = time.perf_counter(), self._usage
        seconds, self._since = now - self._since, now
        self._usage = usage = self._read()
        if usage is None or before is None:
            return Cost(seconds, sum(map(_tokens_in, episodes)), sum(episode.tokens for episode in episodes))
        return Cost(
            seconds,
            usage.prompt_tokens - before.prompt_tokens,
            usage.completion_tokens - before.completion_tokens,
            None if usage.spend is None or before.spend is None else usage.spend - before.spend,
            usage.requests - before.requests,
        )


def _tokens_in(episode: Episode) -> int:
    """Return how many tokens the policy was given, the whole context each time it was asked."""
    read = row = 0
    for turn in episode.turns:
        row = (row if turn.continues else 0) + len(turn.context_ids)
        read += row
        row += len(turn.reply_ids)
    return read


def _in_order(entrant: Entrant, field: Field, lived: dict[tuple[int, str], Episode]) -> Iterator[Episode]:
    """Yield the episodes as results name them."""
    course = field.course
    for task, key in zip(field.tasks, field.keys, strict=True):
        for seed in course.seeds:
            for attempt in range(course.attempts):
                episode = lived.get((seed, _name(key, attempt)))
                if episode is None:
                    raise ContractError(f"{entrant.name} in {course.name}: {task.id} a{attempt} was never played.")
                group = f"{entrant.name}/{course.name}/{task.id}"
                name = f"{group}/s{seed}/a{attempt}"
                yield replace(episode, id=name, group=group, env=course.spec, task=task.id, policy=entrant.spec)
