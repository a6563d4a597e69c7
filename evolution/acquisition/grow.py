"""Acquire tasks: the policy writes them, the world reads, checks and refuses, and the policy tries what is left."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment
from palaestra.envs import catalogue
from palaestra.envs.arena.catalogue import is_arena
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.envs.sources import load_tasks
from palaestra.envs.task import HELD_OUT_SHARE, Task
from palaestra.envs.verdict import Status, Verdict
from palaestra.envs.writing.language import BadTaskError, TaskLanguage, words_of
from palaestra.envs.writing.prompts import task_in
from palaestra.envs.writing.workshop import writing_task
from palaestra.evolution.acquisition.groups import refuse_total_failure
from palaestra.evolution.acquisition.orders import Order, Orders, Series
from palaestra.evolution.acquisition.pool import Entry, Measure, measured, read_pool, write_pool
from palaestra.evolution.refinement.groups import by_group
from palaestra.evolution.refinement.likeness import rouge_l
from palaestra.evolution.refinement.novelty import Fate, Refusal, Vet
from palaestra.evolution.yard import Yard

__all__ = ["GrowTasks", "is_writing", "workshop_of"]

_WORKSHOP: Final = "palaestra/Workshop-v0?of="
_FILES: Final = (".jsonl", ".jsonl.gz", ".ndjson", ".parquet")


def workshop_of(env: str, *, explain: bool) -> str:
    """Return the spec of the world in which tasks of another are written."""
    return f"{_WORKSHOP}{quote(env, safe='')}&size=1&explain={str(explain).lower()}"


def is_writing(episode: Episode) -> bool:
    """Whether an episode wrote a task; else it solved one."""
    return episode.env.startswith(_WORKSHOP)


@dataclass(frozen=True)
class GrowTasks:
    """Have tasks written from those that are there, take what passes, and try it.

    The experience of a step is what was written, then the attempts; a text that is not taken has a verdict that begins
    with why (`palaestra.evolution.refinement.novelty.Fate`). The pool lies beside it, see `pool`.

    A task is refused that is held out, in whatever world, or that is nearly one of those which the environment keeps
    back. Its reference is the world's work, so a task without an answer that can be checked is none.

    Attributes:
        orders: What is asked for.
        vets: What a task must pass, in order, beside being a task that is neither held out nor known.
        seeds: Where seeds come from: a spec of an environment or a file of tasks; nothing is the environment itself.
        count: How many of its training tasks are seeds, drawn by the run's seed; 0 is all.
        written: Tasks asked for in a step; 0 never writes, and only tries the seeds.
        groups: Tasks tried in a step: new ones first, then others of the pool, drawn, some of them more than once if
            need be.
        attempts: Attempts at each.
        unsolved: Whether a new task stays that no attempt solved.
        near: Lowest `rouge_l` with a held-out task of the environment that is too near.
        writer: Spec of who writes, such as `http:MODEL@ADDRESS`; nothing is the policy that learns.
        explain: Whether writing is asked for in words; a newborn policy cannot read them.
        writing: How the writer samples.
        sampling: How attempts are sampled.
    """

    orders: Orders = field(default_factory=Series)
    vets: tuple[Vet, ...] = ()
    seeds: str = ""
    count: int = 175
    written: int = 64
    groups: int = 64
    attempts: int = 8
    unsolved: bool = True
    near: float = 0.9
    writer: str = ""
    explain: bool = True
    writing: Sampling = Sampling(max_tokens=256)
    sampling: Sampling = Sampling(max_tokens=64)

    def __post_init__(self) -> None:
        if min(self.count, self.written) < 0 or min(self.groups, self.attempts) < 1:
            raise UsageError(
                "count and written must be at least 0, groups and attempts at least 1, got "
                f"{self.count}, {self.written}, {self.groups} and {self.attempts}."
            )

    def require(self, env: str) -> None:
        """Refuse a world whose tasks nobody can write.

        Raises:
            UsageError: If it has no language for its tasks, or more is asked for than is tried.
        """
        if self.groups < self.written:
            raise UsageError(
                f"Each new task is tried: acquire.groups ({self.groups}) must be at least acquire.written "
                f"({self.written})."
            )
        if is_arena(env) or not isinstance(catalogue.make(env), TaskLanguage):
            raise UsageError(
                f"Tasks of {env!r} cannot be written down and read back. Take an environment that can, such as "
                "arithmetic, countdown or synthesis, or give yours how_to_write, write_task and read_task "
                "(palaestra.envs.writing.language)."
            )

    def prepare(self, yard: Yard, step: int) -> None:
        """Nothing comes before what is written."""

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return what was written in step `step`, then the attempts, in order; the grown pool lies in the run.

        Raises:
            InfrastructureError: If nothing that was written, or no attempt, was valid.
        """
        pool = self.seeded(yard, env) if step == 1 else read_pool(yard.directory, step - 1)
        writings, new = self._write(yard, env, step, pool)
        attempts = self._try(yard, env, step, pool, new)
        found = {group[0].task: one for group in by_group(attempts).values() if (one := _measure(group))}
        for number, entry in list(new.items()):
            measure = found.get(entry.task.id)
            if not self.unsolved and measure is not None and measure.solved == 0.0:
                why = f"none of {measure.attempts} attempts was right"
                writings[number] = _refused(writings[number], Refusal(Fate.UNSOLVED, why))
                del new[number]
        write_pool(yard.directory, step, measured([*pool, *new.values()], found))
        return writings + attempts

    def recall(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the attempts of all earlier steps, oldest first: the whole pool is learned from in every step."""
        lived = (episode for earlier in range(1, step) for episode in yard.recorded(earlier))
        return [episode for episode in lived if episode.env == env]  # else it wrote

    def seeded(self, yard: Yard, env: str) -> list[Entry]:
        """Return the seeds.

        Raises:
            UsageError: If there are none.
        """
        language = _language(yard, env)
        if self.seeds.endswith(_FILES):
            tasks = [t for t in load_tasks(Path(self.seeds)).tasks if not t.held_out(HELD_OUT_SHARE)]
        else:
            tasks = list(yard.split(self.seeds or env).train)
        if not tasks:
            raise UsageError(f"{self.seeds} has no task that is not held out: there is nothing to begin with.")
        if self.count:
            drawn = derive_generator(yard.seed, "seeds", env).permutation(len(tasks))[: self.count]
            tasks = [tasks[i] for i in sorted(drawn)]
        return [Entry(Task(t.id, t.prompt, t.reference), _text(language, t)) for t in tasks]

    def _write(self, yard: Yard, env: str, step: int, pool: Sequence[Entry]) -> tuple[list[Episode], dict[int, Entry]]:
        """Return what was written, and what of it is taken, by its number there."""
        if self.written == 0:
            return [], {}
        language, generator = _language(yard, env), derive_generator(yard.seed, "write", env, step)
        orders = self.orders(pool, self.written, generator)
        assignments = [self._assign(yard, env, step, number, order) for number, order in enumerate(orders)]
        played = yard.rollout.played_by(self._writer(yard)).play(assignments)
        refuse_total_failure(played, env)
        kept = [words_of(language.write_task(task)) for task in yard.split(env).test]
        known, new = {entry.task.fingerprint for entry in pool}, dict[int, Entry]()
        taken = {entry.task.id for entry in pool}
        for number, (order, episode) in enumerate(zip(orders, played, strict=True)):
            if not episode.valid:
                continue
            there = [*pool, *new.values()]
            try:
                entry = self._taken(language, order, episode, there, known, kept)
            except InfrastructureError as error:  # what was written is not to blame
                played[number] = _ended(episode, Verdict(0.0, Status.INFRASTRUCTURE, str(error)))
                continue
            if isinstance(entry, Refusal):
                played[number] = _refused(episode, entry)
            else:
                name = f"written/s{step}/{number}"
                while name in taken:  # by a seed that another run has written
                    name += "'"
                new[number] = replace(entry, step=step, task=replace(entry.task, id=name))
                known.add(entry.task.fingerprint)
        return played, new

    def _taken(
        self,
        language: TaskLanguage,
        order: Order,
        episode: Episode,
        there: Sequence[Entry],
        known: set[str],
        kept: Sequence[Sequence[str]],
    ) -> Entry | Refusal:
        """Return what a text is as a task of the pool, or why it is none."""
        try:
            task = language.read_task(task_in(episode.turns[-1].action))
        except BadTaskError as error:
            return Refusal(Fate.NO_TASK, str(error))
        text = language.write_task(task)
        if task.held_out(HELD_OUT_SHARE):
            return Refusal(Fate.HELD_OUT, f"{text} is held out")
        if task.fingerprint in known:
            return Refusal(Fate.KNOWN, f"{text} is there")
        words = words_of(text)
        if any(rouge_l(words, held) >= self.near for held in kept):
            return Refusal(Fate.HELD_OUT, f"{text} is nearly a held-out task")
        for vet in self.vets:
            if (refusal := vet(text, order, there)) is not None:
                return refusal
        versions = episode.turns[-1].versions
        writer = episode.policy + (f"@{int(versions[-1])}" if len(versions) else "")
        parents = tuple(parent.task.id for parent in order.parents)
        return Entry(task, text, operation=order.operation, parents=parents, writer=writer)

    def _assign(self, yard: Yard, env: str, step: int, number: int, order: Order) -> Assignment:
        texts, parents = [p.text for p in order.parents], [p.task.id for p in order.parents]
        name, language = f"write/s{step}/{number}", _language(yard, env)
        while True:
            task = writing_task(name, order.operation, texts, language, explain=self.explain, parents=parents)
            if not task.held_out(HELD_OUT_SHARE):
                break
            name += "'"  # one that asks the same and may be learned from
        seed, id_ = derive_seed(yard.seed, "write", env, step, number), f"s{step}/w{number}"
        return Assignment(id_, workshop_of(env, explain=self.explain), task, seed, id_)

    def _writer(self, yard: Yard) -> Agent:
        if self.writer:
            return yard.rival(self.writer, self.writing)
        return yard.rollout.agent.with_sampling(self.writing)

    def _try(self, yard: Yard, env: str, step: int, pool: Sequence[Entry], new: dict[int, Entry]) -> list[Episode]:
        """Return attempts at the new tasks, and at others of the pool."""
        generator, tasks = derive_generator(yard.seed, "try", env, step), [entry.task for entry in new.values()]
        while len(tasks) < self.groups:
            drawn = generator.permutation(len(pool))[: self.groups - len(tasks)]
            tasks += [pool[i].task for i in drawn]
        assignments = [
            Assignment(
                f"s{step}/g{g}/a{attempt}",
                env,
                task,
                derive_seed(yard.seed, "try", env, step, g, attempt),
                f"s{step}/g{g}",
                attempt,
            )
            for g, task in enumerate(tasks)
            for attempt in range(self.attempts)
        ]
        played = yard.rollout.played_by(yard.rollout.agent.with_sampling(self.sampling)).play(assignments)
        refuse_total_failure(played, env)
        return played


def _language(yard: Yard, env: str) -> TaskLanguage:
    world = yard.rollout.env(env)
    if not isinstance(world, TaskLanguage):
        raise UsageError(f"Tasks of {env!r} cannot be written down and read back.")
    return world


def _text(language: TaskLanguage, task: Task) -> str:
    """Return how a task is written; a file of a run says it, since it does not hold all that the world knows."""
    written = task.metadata.get("text")
    return written if isinstance(written, str) else language.write_task(task)


def _measure(group: Sequence[Episode]) -> Measure | None:
    valid = [episode for episode in group if episode.valid]
    if not valid:
        return None
    versions = [int(turn.versions[-1]) for episode in valid for turn in episode.turns if len(turn.versions)]
    right = sum(episode.correct for episode in valid)
    return Measure(right / len(valid), len(valid), max(versions, default=0))


def _refused(episode: Episode, refusal: Refusal) -> Episode:
    """Return a writing as one that is paid nothing, with the reason in its verdict."""
    status = episode.verdict.status if refusal.fate is Fate.NO_TASK else Status.ILLEGAL
    return _ended(episode, Verdict(0.0, status, f"{refusal.fate}: {refusal.why}"))


def _ended(episode: Episode, verdict: Verdict) -> Episode:
    turns = (*episode.turns[:-1], replace(episode.turns[-1], reward=0.0, verdict=verdict))
    return replace(episode, turns=turns, verdict=verdict)
