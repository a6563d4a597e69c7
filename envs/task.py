"""Tasks, and sets of them with a content hash and splits that never leak."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple, TypeAlias, overload

import numpy as np
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator

__all__ = ["HELD_OUT_SHARE", "Json", "Split", "Task", "TaskSet", "held_out"]

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

HELD_OUT_SHARE = 0.1
"""One share for every environment and run: a task held out once is held out everywhere, and figures compare."""

# Share of all possible fingerprints; 16 hex digits are read of 32.
_FINGERPRINT_SPAN = 16**16
# A generator that draws this many known tasks in a row is taken to have no new one.
_PATIENCE = 2_000


@dataclass(frozen=True)
class Task:
    """One problem.

    Attributes:
        id: Unique within its task set.
        prompt: What the agent is shown first.
        reference: What the judge needs (an answer, tests, a secret); never shown to the agent.
        metadata: Anything else worth keeping, such as difficulty and source.
    """

    id: str
    prompt: str
    reference: Json = None
    metadata: Mapping[str, Json] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits that depend on prompt and reference alone, so that a renamed copy is recognised."""
        content = json.dumps([self.prompt, self.reference], sort_keys=True, ensure_ascii=False)
        return blake2b(content.encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def held_out(self, share: float) -> bool:
        """Whether this task belongs to the held-out `share` (0 to 1), by fingerprint alone.

        The answer does not depend on the set the task came in: a task held out once is held out everywhere.
        """
        return held_out(self.fingerprint, share)


def held_out(fingerprint: str, share: float) -> bool:
    """Whether the task of this fingerprint belongs to the held-out `share` (0 to 1)."""
    return int(fingerprint[:16], 16) < share * _FINGERPRINT_SPAN


class Split(NamedTuple):
    """Two task sets with no task in common."""

    train: "TaskSet"
    test: "TaskSet"


class TaskSet(Sequence[Task]):
    """Tasks in a fixed order.

    Args:
        tasks: The tasks; ids must be unique.
        name: Where they came from, for people.
        endless: Whether they are some of many more, because whatever makes them stopped at a number.

    Raises:
        UsageError: If two tasks share an id.
    """

    def __init__(self, tasks: Iterable[Task], name: str = "tasks", *, endless: bool = False) -> None:
        self.name = name
        self.endless = endless
        self._tasks = tuple(tasks)
        self._by_id = {task.id: task for task in self._tasks}
        if len(self._by_id) != len(self._tasks):
            seen: set[str] = set()
            twice = next(t.id for t in self._tasks if t.id in seen or seen.add(t.id))  # type: ignore[func-returns-value]
            raise UsageError(f"{name}: two tasks have the id {twice!r}; ids must be unique. Rename one.")

    @classmethod
    def generated(
        cls, make: Callable[[np.random.Generator], Task], *, size: int, seed: int = 0, name: str = "generated"
    ) -> "TaskSet":
        """Draw up to `size` distinct tasks from a seeded generator.

        Args:
            make: Draws one task; its id is replaced by `name/index`.
            size: How many tasks are wanted; fewer come when the generator has no new ones to give.
            seed: Seed of the draw.
            name: Name of the set.
        """
        generator = derive_generator(seed, "tasks", name)
        tasks: dict[str, Task] = {}
        misses = 0
        while len(tasks) < size and misses < _PATIENCE:
            drawn = make(generator)
            if drawn.fingerprint in tasks:
                misses += 1
                continue
            misses = 0
            tasks[drawn.fingerprint] = Task(f"{name}/{len(tasks)}", drawn.prompt, drawn.reference, drawn.metadata)
        return cls(tasks.values(), name, endless=len(tasks) >= size)

    @cached_property
    def digest(self) -> str:
        """32 hex digits over the ids, prompts and references, in order."""
        content = blake2b(digest_size=16)
        for task in self._tasks:
            content.update(f"{task.id}\x1f{task.fingerprint}\x1e".encode(errors="surrogatepass"))
        return content.hexdigest()

    def split(self, share: float = HELD_OUT_SHARE) -> Split:
        """Divide by fingerprint: about `share` (0 to 1) of the tasks go to `test`, the same ones everywhere."""
        if not 0.0 < share < 1.0:
            raise UsageError(f"The held-out share must lie between 0 and 1, got {share}.")
        return Split(
            TaskSet((t for t in self if not t.held_out(share)), f"{self.name}[train]", endless=self.endless),
            TaskSet((t for t in self if t.held_out(share)), f"{self.name}[test]", endless=self.endless),
        )

    def draw(self, generator: np.random.Generator, count: int) -> list[Task]:
        """Draw `count` tasks without repetition (with, once all have been drawn)."""
        if not self._tasks:
            raise UsageError(f"{self.name} holds no task to draw.")
        drawn: list[Task] = []
        while len(drawn) < count:
            order = generator.permutation(len(self._tasks))[: count - len(drawn)]
            drawn.extend(self._tasks[i] for i in order)
        return drawn

    def by_id(self, task_id: str) -> Task:
        """Return the task of that id, or raise `UsageError`."""
        try:
            return self._by_id[task_id]
        except KeyError:
            raise UsageError(f"{self.name} ({len(self)} tasks) has no task {task_id!r}.") from None

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> "TaskSet": ...
    def __getitem__(self, index: int | slice) -> "Task | TaskSet":
        if isinstance(index, slice):
            return TaskSet(self._tasks[index], self.name, endless=self.endless)
        return self._tasks[index]

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks)

    def __repr__(self) -> str:
        return f"TaskSet({self.name!r}, {len(self)} tasks, {self.digest[:8]})"
