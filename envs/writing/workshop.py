"""Solve the tasks of a world, and write such tasks: what a policy must know that is to evolve its own tasks."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from palaestra.envs import catalogue
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.question import QuestionEnv
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Status, Verdict
from palaestra.envs.writing.language import BadTaskError, KnowsEvolution, TaskLanguage
from palaestra.envs.writing.prompts import OPERATIONS, SERIES, ask_evolution, ask_series, task_in

__all__ = ["Workshop", "writing_task"]

_WRITE = "write"
_WAYS = ("series", "evolution")
_SIGNS = re.compile(r"[^\w]{2,8}")


class Workshop(QuestionEnv):
    """Solve tasks of another world, or write one: the next of a series, or one that is made of a given task.

    Reward 1 for a right answer, and for whatever can be read as a task of that world, with an answer that can be
    checked; which task it is, is left to who writes it. Demonstrations continue a series of equally difficult tasks by
    another of the kind, so that what is written depends on the examples.

    Args:
        of: Spec of the other world, one of questions whose tasks can be written down (`TaskLanguage`).
        writes: What is asked of those who write: the next of a `"series"`, or an `"evolution"` of a given task.
        examples: How many tasks a series shows, at least 1; fewer make a policy's birth shorter.
        asked: How many tasks of writing come with each task to solve, 0 to 1.
        explain: Whether writing is asked for in words; a newborn policy cannot read them.
        size: Most tasks to solve.
        seed: Seed of what is asked for.
        tasks: Takes the place of the other world's tasks.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        of: str = "arithmetic",
        writes: str = "series",
        examples: int = 8,
        asked: float = 0.5,
        explain: bool = False,
        size: int = 10_000,
        seed: int = 0,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if not 0.0 <= asked <= 1.0 or size < 1 or examples < 1:
            raise UsageError(
                f"asked is a share, 0 to 1, and size and examples are at least 1; got {asked}, {size} and {examples}."
            )
        if writes not in _WAYS:
            raise UnknownNameError("way of writing", writes, _WAYS)
        inner = catalogue.make(of)
        if not isinstance(inner, QuestionEnv) or not isinstance(inner, TaskLanguage):
            raise UsageError(
                f"{of} is no world of questions whose tasks can be written down: it needs how_to_write, write_task and "
                "read_task (see palaestra.envs.writing.language). arithmetic, countdown and synthesis have them."
            )
        self._inner: QuestionEnv = inner
        self._language: TaskLanguage = inner
        if writes == "evolution" and not isinstance(inner, KnowsEvolution):
            raise UsageError(f"{of} cannot show how its tasks are evolved: take writes=series, or add `evolved_text`.")
        self.explain, self.writes, self.examples = explain, writes, examples
        if tasks is None:
            solved, name = inner.tasks[:size], f"workshop({inner.tasks.name})"
            mixed = self._mixed(solved, asked, derive_generator(seed, "tasks", name))
            tasks = TaskSet(mixed, name, endless=solved.endless)
        super().__init__(tasks, self.judge_reply, render_mode=render_mode)
        self.metadata = {**self.metadata, "instant": inner.metadata.get("instant", False)}

    def _mixed(self, solved: TaskSet, asked: float, generator: np.random.Generator) -> Iterator[Task]:
        train = solved.split().train
        alike: dict[str, list[Task]] = {}
        for task in train:
            alike.setdefault(str(task.metadata.get("difficulty", "")), []).append(task)
        kinds = [some for some in alike.values() if len(some) > self.examples]
        for number, task in enumerate(solved):
            yield task
            if kinds and generator.random() < asked:
                some = kinds[int(generator.integers(len(kinds)))]
                wanted = self._demonstrated(f"write/{number}", some, generator)
                if wanted is not None:
                    yield wanted

    def _demonstrated(self, name: str, some: Sequence[Task], generator: np.random.Generator) -> Task | None:
        """Return a task of writing with what a good hand would write; None where nothing is known."""
        picked = [some[i] for i in generator.permutation(len(some))[: 1 + self.examples]]
        *examples, shown = (self._language.write_task(task) for task in picked)
        operation, wanted = SERIES, shown
        if self.writes == "evolution" and isinstance(self._inner, KnowsEvolution):
            operation, examples = list(OPERATIONS)[int(generator.integers(len(OPERATIONS)))], [shown]
            evolved = self._inner.evolved_text(shown, operation, generator)
            if evolved is None:
                return None
            wanted = evolved
        return writing_task(name, operation, examples, self._language, explain=self.explain, demonstration=wanted)

    @property
    def words(self) -> tuple[str, ...]:
        """Return what stands between the numbers and words of tasks, and names of operations: one token each."""
        runs = {run for task in self._inner.tasks[:100] for run in _SIGNS.findall(task.prompt)}
        return (*self._inner.words, *sorted(runs), *(f"{name}\n" for name in ("more", *OPERATIONS)))

    def judge_reply(self, task: Task, reply: str) -> Verdict:
        """Judge an answer, or whether what was written is a task."""
        if not _writes(task):
            return self._inner.judgement(task, reply)
        try:
            read = self._language.read_task(task_in(reply))
        except BadTaskError as error:
            return Verdict(0.0, error.status, str(error))
        return Verdict(1.0, Status.CORRECT, f"{self._language.write_task(read)} is a task")

    def solution(self, task: Task) -> Sequence[str] | None:
        """Return the answer, or a task."""
        if not _writes(task):
            return self._inner.solution(task)
        shown = task.metadata.get("demonstration")
        return (shown,) if isinstance(shown, str) else None

    def slip(self, task: Task) -> Sequence[str] | None:
        """Return the answer of someone careless; nobody slips in writing."""
        return None if _writes(task) else self._inner.slip(task)

    def hinted(self, task: Task) -> Task | None:
        """Return a task with its answer; what is written has none."""
        return None if _writes(task) else self._inner.hinted(task)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw what one without skill would answer; as a task it is none."""
        return self._inner.sample_action(generator)


def _writes(task: Task) -> bool:
    return isinstance(task.reference, dict) and _WRITE in task.reference


def writing_task(
    name: str,
    operation: str,
    examples: Sequence[str],
    language: TaskLanguage,
    *,
    explain: bool,
    parents: Sequence[str] = (),
    demonstration: str = "",
) -> Task:
    """Return the task of writing one.

    Args:
        name: Its id.
        operation: `SERIES`, or one of `OPERATIONS`.
        examples: Tasks as they are written: a series, or the one that is to be evolved.
        language: The world whose tasks they are.
        explain: Whether it is asked for in words.
        parents: Ids of the examples.
        demonstration: What a good hand would write, where that is known.
    """
    how = language.how_to_write
    if operation == SERIES:
        prompt = ask_series(examples, how, explain=explain)
    else:
        prompt = ask_evolution(operation, examples[0], how, explain=explain)
    about = {"demonstration": demonstration} if demonstration else {}
    return Task(name, prompt, {_WRITE: operation, "parents": list(parents), "number": name}, about)
