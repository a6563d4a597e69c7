"""What claims read of arms: pure functions of what the arms of one seed left behind."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from palaestra.envs.errors import UsageError
from palaestra.evolution.evaluation.record import Score
from palaestra.evolution.evaluation.statistics import gap_recovered
from palaestra.evolution.reproduction.lived import Lived

__all__ = ["Arms", "Fewer", "Logged", "Measured", "Minus", "Negative", "OnlySolved", "Reading", "Recovered"]

Arms: TypeAlias = Mapping[str, Lived]
"""The arms of one seed, by name."""


class Reading(Protocol):
    """A figure of the arms of one seed; as text it says what it is."""

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms it reads."""
        ...

    def __call__(self, lived: Arms) -> float:
        """Return the figure; nan where it is not there."""
        ...

    def by_task(self, lived: Arms) -> dict[str, float] | None:
        """Return the same for each held-out task, by fingerprint; None where it is no mean over tasks."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """Something that an evaluation measured.

    Attributes:
        arm: Of which arm.
        what: `accuracy`, `pass@K`, or the name of a further figure, such as `majority@16`.
        at: Which evaluation: 0 is the one before learning, 1 the next, -1 the last.
        measure: Which score, by its `measure`; nothing is the first.
        env: Of which environment, by its spec; nothing is any.
    """

    arm: str
    what: str = "accuracy"
    at: int = -1
    measure: str = ""
    env: str = ""

    @property
    def arms(self) -> tuple[str, ...]:
        """See `Reading`."""
        return (self.arm,)

    def __call__(self, lived: Arms) -> float:
        """See `Reading`."""
        score = self._score(lived[self.arm])
        if self.what == "accuracy":
            return score.accuracy.value
        if self.what.startswith("pass@"):
            k = int(self.what.removeprefix("pass@"))
            return score.pass_at_k[k].value if k in score.pass_at_k else math.nan
        return score.figures.get(self.what, math.nan)

    def by_task(self, lived: Arms) -> dict[str, float] | None:
        """See `Reading`."""
        first = lived[self.arm].evaluations[self.at].scores[0]
        if self.what != "accuracy" or self._score(lived[self.arm]) is not first:
            return None
        return {task: float(right) for task, right in lived[self.arm].solved[self.at].items()} or None

    def _score(self, arm: Lived) -> Score:
        scores = arm.evaluations[self.at].scores
        found = [s for s in scores if self.measure in ("", s.measure) and self.env in ("", s.env)]
        if not found:
            known = ", ".join(f"{score.measure!r} in {score.env}" for score in scores)
            wanted = f"named {self.measure!r}" + (f" in {self.env}" if self.env else "")
            raise UsageError(f"The arm {self.arm!r} has no score {wanted}; it has {known}.")
        return found[0]

    def __str__(self) -> str:
        when = {0: "at the start", -1: "at the end"}.get(self.at, f"at evaluation {self.at}")
        where = ", ".join(name for name in (self.measure, self.env) if name)
        return f"{self.what}{f' ({where})' if where else ''} of {self.arm} {when}"


@dataclass(frozen=True, slots=True)
class Logged:
    """The mean of what some steps logged.

    Attributes:
        arm: Of which arm.
        what: Name of the figure in `metrics.jsonl`.
        last: Mean over so many of the last steps that logged it; below 0, of the first ones.
        stage: Count only steps of that stage of a recipe; -1 counts all.
    """

    arm: str
    what: str
    last: int = 10
    stage: int = -1

    @property
    def arms(self) -> tuple[str, ...]:
        """See `Reading`."""
        return (self.arm,)

    def __call__(self, lived: Arms) -> float:
        """See `Reading`."""
        rows = [row for row in lived[self.arm].steps if self.stage < 0 or row.get("update/stage") == self.stage]
        told = [float(row[self.what]) for row in rows if row.get(self.what) is not None]
        chosen = told[-self.last :] if self.last > 0 else told[: -self.last]
        return float(np.mean(chosen)) if chosen else math.nan

    def by_task(self, lived: Arms) -> dict[str, float] | None:
        """Nothing: steps differ in their tasks."""
        del lived
        return None

    def __str__(self) -> str:
        which = f"last {self.last}" if self.last > 0 else f"first {-self.last}"
        return f"{self.what} of {self.arm} ({which} steps{f' of stage {self.stage}' if self.stage >= 0 else ''})"


@dataclass(frozen=True, slots=True)
class OnlySolved:
    """Share of held-out tasks that one arm solves at the end and another never did, before learning or after.

    Attributes:
        arm: The one.
        never: The other.
    """

    arm: str
    never: str

    @property
    def arms(self) -> tuple[str, ...]:
        """See `Reading`."""
        return (self.arm, self.never)

    def __call__(self, lived: Arms) -> float:
        """See `Reading`."""
        tasks = self.by_task(lived)
        return float(np.mean(list(tasks.values()))) if tasks else math.nan

    def by_task(self, lived: Arms) -> dict[str, float]:
        """See `Reading`."""
        end, others = lived[self.arm].solved[-1], lived[self.never].solved
        common = [task for task in end if all(task in solved for solved in others)]
        return {task: float(end[task] and not any(solved[task] for solved in others)) for task in common}

    def __str__(self) -> str:
        return f"share of tasks that {self.arm} solves at the end and {self.never} never does"


@dataclass(frozen=True, slots=True)
class Fewer:
    """Share of episodes saved on the way to an accuracy: 1 less the ratio of episodes played until it is measured.

    Attributes:
        arm: Who shall need fewer.
        than: Than whom.
        level: The accuracy. Who never reaches it needs infinitely many.
    """

    arm: str
    than: str
    level: float

    @property
    def arms(self) -> tuple[str, ...]:
        """See `Reading`."""
        return (self.arm, self.than)

    def __call__(self, lived: Arms) -> float:
        """See `Reading`."""
        ours, theirs = (self._episodes(lived[name]) for name in self.arms)
        if math.isinf(ours):
            return -math.inf
        return 1.0 if math.isinf(theirs) else 1.0 - ours / theirs if theirs > 0 else math.nan

    def by_task(self, lived: Arms) -> dict[str, float] | None:
        """Nothing: it is a ratio."""
        del lived
        return None

    def _episodes(self, arm: Lived) -> float:
        """Return how many episodes were played when an evaluation first reached the level."""
        for evaluation in arm.evaluations:
            if evaluation.scores[0].accuracy.value >= self.level:
                return float(sum(row["acquired"] for row in arm.steps if row["step"] <= evaluation.step))
        return math.inf

    def __str__(self) -> str:
        return f"share of episodes that {self.arm} saves on the way to {self.level:.0%}, compared with {self.than}"


@dataclass(frozen=True, slots=True)
class Recovered:
    """Share of the gap between a weak teacher and the ceiling that its pupil closes; nothing where there is no gap.

    Attributes:
        weak: What the teacher can do.
        taught: What its pupil can do.
        ceiling: What the same pupil can do that was taught what is right.
    """

    weak: Reading
    taught: Reading
    ceiling: Reading

    @property
    def arms(self) -> tuple[str, ...]:
        """See `Reading`."""
        return (*self.weak.arms, *self.taught.arms, *self.ceiling.arms)

    def __call__(self, lived: Arms) -> float:
        """See `Reading`."""
        weak, taught, ceiling = (one(lived) for one in (self.weak, self.taught, self.ceiling))
        return gap_recovered(weak, taught, ceiling) if ceiling > weak else math.nan

    def by_task(self, lived: Arms) -> dict[str, float] | None:
        """Nothing: it is a ratio."""
        del lived
        return None

    def __str__(self) -> str:
        return f"share of the gap between {self.weak} and {self.ceiling} that is closed by {self.taught}"


@dataclass(frozen=True, slots=True)
class Negative:
    """A figure with its sign turned, for what shall lie below a number.

    Attributes:
        of: The figure.
    """

    of: Reading

    @property
    def arms(self) -> tuple[str, ...]:
        """See `Reading`."""
        return self.of.arms

    def __call__(self, lived: Arms) -> float:
        """See `Reading`."""
        return -self.of(lived)

    def by_task(self, lived: Arms) -> dict[str, float] | None:
        """See `Reading`."""
        tasks = self.of.by_task(lived)
        return None if tasks is None else {task: -figure for task, figure in tasks.items()}

    def __str__(self) -> str:
        return f"−({self.of})"


@dataclass(frozen=True, slots=True)
class Minus:
    """One figure less another.

    Attributes:
        one: The figure.
        other: What is taken off.
    """

    one: Reading
    other: Reading

    @property
    def arms(self) -> tuple[str, ...]:
        """See `Reading`."""
        return (*self.one.arms, *self.other.arms)

    def __call__(self, lived: Arms) -> float:
        """See `Reading`."""
        return self.one(lived) - self.other(lived)

    def by_task(self, lived: Arms) -> dict[str, float] | None:
        """See `Reading`; of the tasks that both have."""
        one, other = self.one.by_task(lived), self.other.by_task(lived)
        return (
            None if one is None or other is None else {task: one[task] - other[task] for task in one if task in other}
        )

    def __str__(self) -> str:
        other = f"({self.other})" if isinstance(self.other, Minus) else str(self.other)
        return f"{self.one} − {other}"
