"""What a benchmark measures: who, where, on which tasks, how often and how sampled."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final, Literal

from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from palaestra.evolution.durable import dump_json

__all__ = ["ALL", "HELD_OUT", "TRAIN", "Course", "Entrant", "Suite", "refuse_endless", "tasks_of", "usual_sampling"]

HELD_OUT: Final = "held-out"
TRAIN: Final = "train"
ALL: Final = "all"
"""In place of a number of tasks: every one that there is."""


def usual_sampling(attempts: int) -> dict[str, Any]:
    """Return what is meant where no temperature is named: one attempt is greedy, several are not."""
    return {"temperature": 0.0 if attempts == 1 else 1.0}


@dataclass(frozen=True)
class Entrant:
    """A policy as a suite names it.

    Attributes:
        name: For people; unique in the suite.
        spec: What `--policy` takes.
        comment: For people.
        sampling: What it is sampled with wherever it plays, by the names of `Sampling`; wins over the environments'.
    """

    name: str
    spec: str
    comment: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Course:
    """An environment as a suite uses it.

    Attributes:
        name: For people; unique in the suite.
        spec: The environment with its options.
        comment: For people.
        tasks: Most tasks, drawn by the first seed; or `"all"`, in their own order, where they are not made without end.
        ids: These tasks and no others; empty draws them.
        split: `held-out`, or `train` for the tasks that may be learned from.
        attempts: Attempts at each task with each seed.
        seeds: Each plays the same tasks again; all randomness is named by it.
        sampling: By the names of `Sampling`; without a temperature one attempt is greedy and several are not.
        tags: Metadata by which figures are divided; empty takes the usual ones.
    """

    name: str
    spec: str
    comment: str = ""
    tasks: int | Literal["all"] = 100
    ids: tuple[str, ...] = ()
    split: str = HELD_OUT
    attempts: int = 1
    seeds: tuple[int, ...] = (0,)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def tries(self) -> int:
        """Attempts at each task over all seeds."""
        return self.attempts * len(self.seeds)

    def sampled(self, entrant: Entrant) -> dict[str, Any]:
        """Return how an entrant is sampled here, by the names of `Sampling`."""
        return {**usual_sampling(self.attempts), **self.sampling, **entrant.sampling}


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Attributes:
        name: For people, and for the folder of its results.
        courses: Where it measures.
        entrants: Whom; a suite may leave that to the command.
        comment: For people.
        source: The file it was read from.
    """

    name: str
    courses: tuple[Course, ...]
    entrants: tuple[Entrant, ...] = ()
    comment: str = ""
    source: str = ""

    def measuring(self, entrants: tuple[Entrant, ...]) -> "Suite":
        """Return the same suite for others."""
        return replace(self, entrants=entrants)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """32 hex digits over all that is measured; the file's place and comments are not part of it."""
        plain = self.as_json() | {"source": "", "comment": ""}
        for part in (*plain["courses"], *plain["entrants"]):
            part["comment"] = ""
        return blake2b(dump_json(plain).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def refuse_endless(spec: str, env: TextEnv) -> None:
    """Refuse to take all tasks of a world that makes them without end.

    Raises:
        UsageError: If it does.
    """
    if env.tasks.endless:
        raise UsageError(
            f"tasks = {ALL!r} came for {spec}, which makes tasks without end and stopped at {len(env.tasks):,}: "
            "say how many, such as 500, or name a file of tasks."
        )


def tasks_of(course: Course, env: TextEnv) -> list[Task]:
    """Return the tasks that a course plays in its environment, in order.

    Raises:
        UsageError: If the split holds none, or has no task of one of the ids, or all are asked for of an endless world.
    """
    split = env.tasks.split()
    tasks = split.test if course.split == HELD_OUT else split.train
    if course.ids:
        return [tasks.by_id(name) for name in course.ids]
    if course.tasks == ALL:
        refuse_endless(course.spec, env)
        if not tasks:
            raise UsageError(f"{course.spec} has no task on the side {course.split!r} of its {len(env.tasks)} tasks.")
        return list(tasks)
    generator = derive_generator(course.seeds[0], "bench", course.split)
    return tasks.draw(generator, min(course.tasks, max(1, len(tasks))))
