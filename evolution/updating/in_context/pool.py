"""A pool of candidate instructions: scores by task, the front over tasks, ancestry, merges."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Candidate", "Merge", "Pool", "merge_lines"]


@dataclass(frozen=True)
class Candidate:
    """Instructions, and how they did.

    Attributes:
        instructions: What is told before every task.
        scores: Reward at each task of the Pareto set, in order; None where the episode did not count.
        parents: Numbers of the candidates it was made of: none for the first, two for a merge.
        step: The run's step in which it entered.
        digest: Of the context it was played in.
    """

    instructions: str
    scores: tuple[float | None, ...]
    parents: tuple[int, ...] = ()
    step: int = 0
    digest: str = ""

    @property
    def mean(self) -> float:
        """Mean reward over the episodes that counted; 0 of none."""
        counted = [score for score in self.scores if score is not None]
        return float(np.mean(counted)) if counted else 0.0


class Merge(NamedTuple):
    """Two candidates that may be merged, the earlier first, and the ancestor they share."""

    one: int
    other: int
    ancestor: int


@dataclass(frozen=True)
class Pool:
    """Candidates in the order in which they entered; the first is what was told at the start.

    Source: Agrawal et al. 2025, "GEPA: reflective prompt evolution can outperform reinforcement learning".

    Attributes:
        candidates: All that were accepted.
        merged: What was merged, or tried to be, so that it is not tried again.
    """

    candidates: tuple[Candidate, ...]
    merged: tuple[Merge, ...] = ()

    @property
    def best(self) -> Candidate:
        """The candidate of the highest mean; of several, the first."""
        return max(self.candidates, key=lambda candidate: candidate.mean)

    def wins(self) -> dict[int, int]:
        """Return on how many tasks each candidate of the front is best, ties counted for all of them.

        A candidate is on the front if it is best on some task and no other there is at least as good on every task and
        better on one (Algorithm 2 of the paper). What did not count speaks for nobody, nor against.
        """
        scores = np.array([[np.nan if s is None else s for s in c.scores] for c in self.candidates], np.float64)
        scores = scores.reshape(len(self.candidates), -1)
        top = scores == np.where(np.isnan(scores), -np.inf, scores).max(0)
        best = [number for number in range(len(scores)) if top[number].any()]
        front = [n for n in best if not any(_dominates(scores[other], scores[n]) for other in best)]
        return {number: int(top[number].sum()) for number in front}

    def sample(self, generator: np.random.Generator) -> int:
        """Draw a candidate of the front in proportion to the tasks it is best on; the first, where nothing counted."""
        wins = self.wins()
        if not wins:
            return 0
        weights = np.array([*wins.values()], np.float64)
        return int(generator.choice([*wins], p=weights / weights.sum()))

    def ancestors(self, number: int) -> set[int]:
        """Return the numbers of all that a candidate comes from."""
        parents = self.candidates[number].parents
        return set(parents).union(*(self.ancestors(parent) for parent in parents))

    def mergeable(self) -> list[Merge]:
        """Return the pairs of the front that may be merged.

        Neither comes from the other, and the last ancestor they share does better than neither of them.
        """
        front, found = sorted(self.wins()), list[Merge]()
        for one in front:
            for other in (number for number in front if number > one):
                above_one, above_other = self.ancestors(one), self.ancestors(other)
                if one in above_other or not (common := above_one & above_other):
                    continue
                merge = Merge(one, other, max(common))
                least = min(self.candidates[one].mean, self.candidates[other].mean)
                if merge not in self.merged and self.candidates[merge.ancestor].mean <= least:
                    found.append(merge)
        return found

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"candidates": [asdict(c) for c in self.candidates], "merged": [list(merge) for merge in self.merged]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Pool":
        """Return the pool that `as_json` wrote."""
        candidates = (
            Candidate(c["instructions"], tuple(c["scores"]), tuple(c["parents"]), c["step"], c["digest"])
            for c in values["candidates"]
        )
        return cls(tuple(candidates), tuple(Merge(*merge) for merge in values["merged"]))


def merge_lines(ancestor: str, one: str, other: str) -> str:
    """Return instructions with what each of two changed in their ancestor, line by line; both where both changed.

    Equal lines are said once.
    """
    old, first, second = (text.splitlines() for text in (ancestor, one, other))
    ours, theirs = _changes(old, first), _changes(old, second)
    merged: list[str] = []
    for place in range(len(old) + 1):
        added = [*ours.before[place], *theirs.before[place]]
        kept = [old[place]] if place < len(old) and place not in ours.gone | theirs.gone else []
        for line in (*added, *kept):
            if not line.strip() or line not in merged:
                merged.append(line)
    return "\n".join(merged).strip()


class _Changes(NamedTuple):
    """What a text changed in an older one: lines put before each old one (and at the end), old ones left out."""

    before: list[list[str]]
    gone: set[int]


def _changes(old: Sequence[str], new: Sequence[str]) -> _Changes:
    before: list[list[str]] = [[] for _ in range(len(old) + 1)]
    gone: set[int] = set()
    for kind, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            gone |= set(range(start, end))
            before[start] += new[new_start:new_end]
    return _Changes(before, gone)


def _dominates(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether one outdoes the other on the tasks that counted for both."""
    both = ~np.isnan(one) & ~np.isnan(other)
    return bool((one >= other)[both].all() and (one > other)[both].any())
