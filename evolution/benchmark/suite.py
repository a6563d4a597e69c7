"""What a benchmark measures: who, where, on which tasks, how often and how sampled."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final

from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from palaestra.evolution.durable import dump_json

__all__ = ["HELD_OUT", "TRAIN", "Course", "Entrant", "Suite", "tasks_of"]

HELD_OUT: Final = "held-out"
TRAIN: Final = "train"


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
        tasks: Most tasks, drawn by the first seed.
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
    tasks: int = 100
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
        usual = {"temperature": 0.0 if self.attempts == 1 else 1.0}
        return {**usual, **self.sampling, **entrant.sampling}


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


def tasks_of(course: Course, env: TextEnv) -> list[Task]:
    """Return the tasks that a course plays in its environment, in order.

    Raises:
        UsageError: If the split holds none, or has no task of one of the ids.
    """
    split = env.tasks.split()
    tasks = split.test if course.split == HELD_OUT else split.train
    if course.ids:
        return [tasks.by_id(name) for name in course.ids]
    generator = derive_generator(course.seeds[0], "bench", course.split)
    return tasks.draw(generator, min(course.tasks, max(1, len(tasks))))
