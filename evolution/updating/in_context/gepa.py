"""Instructions evolved by reflection on a front of candidates, of which each is best at some tasks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.agents.memory.context import Context
from palaestra.envs.errors import UsageError
from palaestra.envs.telling import NOTES, lesson_prompt, reflection_prompt
from palaestra.evolution.updating.in_context.pool import Candidate, Pool, merge_lines
from palaestra.evolution.updating.in_context.study import ASKED, Study
from palaestra.evolution.updating.in_context.trials import feedback, one_line, said

__all__ = ["Gepa", "read_instructions"]

_FENCED = re.compile(r"```[^\n]*\n(.*?)```", re.DOTALL)
_POOL, _PARETO, _SPENT = "pool", "pareto", "rollouts"


def read_instructions(answer: str) -> str:
    """Return what stands in the last fenced block of an answer; the whole answer where there is none."""
    blocks = _FENCED.findall(answer)
    return str(blocks[-1] if blocks else answer).strip()


@dataclass(frozen=True)
class Gepa:
    """Evolve the instructions of a context.

    The step's tasks are feedback, one minibatch after another. For each, a candidate is drawn from the front and
    played; the policy reads tasks, replies and the judge's words and writes other instructions; those that earn more on
    the minibatch are played on the Pareto set and enter the pool, and two of one ancestor may then be merged. The
    candidate of the highest mean on the Pareto set is proposed.

    Source: Agrawal et al. 2025, "GEPA: reflective prompt evolution can outperform reinforcement learning".

    Attributes:
        minibatch: Tasks that a reflection is about.
        pareto: Training tasks that candidates are compared on, the same in the whole run.
        merges: Most merges of a run that are tried; 0 never merges.
        writes: What the policy writes: `"whole"` instructions in place of the old ones; or `"lines"`, one for each
            failed try, which are added to them: for policies that are too small for more.
        budget: Most rollouts of a run: everything that is acquired, tried and validated. Once another minibatch might
            exceed it, nothing is tried or proposed any more.
    """

    minibatch: int = 3
    pareto: int = 24
    merges: int = 5
    writes: Literal["whole", "lines"] = "whole"
    budget: int = 1_000

    def __post_init__(self) -> None:
        if min(self.minibatch, self.pareto) < 1 or self.merges < 0 or self.budget < 1:
            raise UsageError(
                f"minibatch, pareto and budget are at least 1 and merges at least 0; got {self.minibatch}, "
                f"{self.pareto}, {self.budget} and {self.merges}."
            )

    def __call__(self, present: Context, episodes: Sequence[Episode], study: Study) -> Context | None:
        """Propose the context with the best instructions of the pool; see `Revise`."""
        return _Step(self, present, study, len(episodes)).evolve(episodes)


class _Step:
    """What one step of a run does to the pool."""

    def __init__(self, method: Gepa, present: Context, study: Study, acquired: int) -> None:
        self._method, self._present, self._study = method, present, study
        self._spent_before = int(study.notes.get(_SPENT, 0)) + acquired

    def evolve(self, episodes: Sequence[Episode]) -> Context | None:
        method, study = self._method, self._study
        proposal = None
        if _POOL in study.notes or self._affords(method.pareto):
            self._take_up()
            compared = {task.id for task in self._pareto}
            trained = [episode for episode in episodes if episode.valid and episode.task not in compared]
            for start in range(0, len(trained), method.minibatch):
                if not self._affords(2 * (method.minibatch + method.pareto) + method.minibatch):
                    break
                if self._mutate(trained[start : start + method.minibatch], start):
                    self._merge(start)
            proposal = self._propose()
            study.notes[_POOL] = self._pool.as_json()
        study.notes[_SPENT] = self._spent
        return proposal

    @property
    def _spent(self) -> int:
        return self._spent_before + sum(episode.env != ASKED for episode in self._study.episodes)

    def _affords(self, rollouts: int) -> bool:
        """Whether so many are left besides those of a validation."""
        return self._spent + rollouts + 2 * self._study.validation_tasks <= self._method.budget

    def _take_up(self) -> None:
        """Take up the pool of the step before, or begin one with what is told now."""
        notes, study = self._study.notes, self._study
        if _POOL in notes:
            self._pareto = [study.tasks.by_id(id_) for id_ in notes[_PARETO]]
            self._pool = Pool.from_json(notes[_POOL])
            return
        self._pareto = study.tasks.draw(study.generator("pareto"), min(self._method.pareto, len(study.tasks)))
        self._pool = Pool(())
        notes[_PARETO] = [task.id for task in self._pareto]
        self._enter(self._present.instructions, ())

    def _mutate(self, batch: Sequence[Episode], place: int) -> bool:
        """Reflect on a minibatch with a candidate of the front; return whether what comes of it has entered."""
        parent = self._pool.sample(self._study.generator("parent", place))
        told, tasks = self._context(self._pool.candidates[parent].instructions), [self._study.task(e) for e in batch]
        # What was acquired was played with the present context.
        played = list(batch) if told.digest == self._present.digest else self._study.play(tasks, told)
        if all(episode.correct for episode in played if episode.valid):
            return False
        written = self._reflect(told.instructions, [episode for episode in played if episode.valid])
        if not written or self._known(written):
            return False
        before, after = _paired(played, self._study.play(tasks, self._context(written)))
        if after <= before:
            return False
        self._enter(written, (parent,))
        return True

    def _reflect(self, instructions: str, tries: Sequence[Episode]) -> str:
        """Return what the policy would be told instead; nothing where it does not answer."""
        lived = [(episode.turns[0].observation, said(episode), feedback(episode)) for episode in tries]
        if self._method.writes == "whole":
            (answer,) = self._study.ask([reflection_prompt(instructions, lived)])
            return read_instructions(answer or "")
        failed = [facts for episode, facts in zip(tries, lived, strict=True) if not episode.correct]
        lines = instructions.splitlines() or [NOTES.strip()]
        for answer in self._study.ask([lesson_prompt(*facts) for facts in failed]):
            if (line := one_line(answer or "")) not in ("", *lines):
                lines.append(line)
        return "\n".join(lines)

    def _merge(self, place: int) -> None:
        """Merge two candidates of the front; what comes of it enters if it does no worse than either on some tasks."""
        generator, pairs = self._study.generator("merge", place), self._pool.mergeable()
        if not pairs or len(self._pool.merged) >= self._method.merges:
            return
        merge = pairs[int(generator.integers(len(pairs)))]
        self._pool = replace(self._pool, merged=(*self._pool.merged, merge))
        ancestor, one, other = (self._pool.candidates[n] for n in (merge.ancestor, merge.one, merge.other))
        written = merge_lines(ancestor.instructions, one.instructions, other.instructions)
        if not written or self._known(written):
            return
        known = [
            (int(n), one.scores[n], other.scores[n])
            for n in generator.permutation(len(self._pareto))
            if one.scores[n] is not None and other.scores[n] is not None
        ]
        # Tasks on which the two differ say most.
        chosen = sorted(known, key=lambda scores: scores[1] == scores[2])[: self._method.minibatch]
        played = self._study.play([self._pareto[n] for n, *_ in chosen], self._context(written))
        counted = [
            (episode.reward, mine, theirs)
            for episode, (_, mine, theirs) in zip(played, chosen, strict=True)
            if episode.valid
        ]
        reached, *least = np.sum(counted, axis=0).tolist() if counted else (0.0, np.inf)
        if reached >= max(least):
            self._enter(written, (merge.one, merge.other))

    def _enter(self, instructions: str, parents: tuple[int, ...]) -> None:
        """Play instructions on the Pareto set and keep them in the pool."""
        told = self._context(instructions)
        played = self._study.play(self._pareto, told)
        scores = tuple(episode.reward if episode.valid else None for episode in played)
        new = Candidate(instructions, scores, parents, self._study.step, told.digest)
        self._pool = replace(self._pool, candidates=(*self._pool.candidates, new))

    def _propose(self) -> Context | None:
        """Return the best context, if it is another and its validation can be paid."""
        proposal = self._context(self._pool.best.instructions)
        if proposal.digest == self._present.digest or not self._affords(0):
            return None
        for context in (self._present, proposal):  # as will be done anyway; so it is counted here
            self._study.validate(context)
        return proposal

    def _known(self, instructions: str) -> bool:
        return any(candidate.instructions == instructions for candidate in self._pool.candidates)

    def _context(self, instructions: str) -> Context:
        return replace(self._present, instructions=instructions)


def _paired(before: Sequence[Episode], after: Sequence[Episode]) -> tuple[float, float]:
    """Return what was earned before and after on the tasks that were valid both times."""
    pairs = [(one.reward, other.reward) for one, other in zip(before, after, strict=True) if one.valid and other.valid]
    return sum(one for one, _ in pairs), sum(other for _, other in pairs)
