"""What a run has told so far, and what follows from it: elapsed, left, tokens per second."""

import math
import time
from collections.abc import Callable

from palaestra.evolution.evaluation.record import Evaluation, Score
from palaestra.evolution.view import Phase, StepRecord

__all__ = ["UNIFORM_GROUPS", "Course"]

UNIFORM_GROUPS = "uniform_acquired"
"""Key in a step's metrics: share of the acquired groups whose members all earned the same."""

# Steps that rates are averaged over: long enough to be steady, short enough to be true.
_RECENT = 5


class Course:
    """A `View` that keeps what it is told.

    Args:
        clock: Monotonic seconds.

    Attributes:
        current: The present phase; None before the first.
        detail: What the phase said of itself.
        done: Progress of the phase in units of its own.
        total: What `done` runs up to; 0 when the phase does not say.
        steps: Records of the steps seen, in order.
        evaluations: Evaluations seen, in order.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.current: Phase | None = None
        self.detail = ""
        self.done, self.total = 0, 0
        self.steps: list[StepRecord] = []
        self.evaluations: list[Evaluation] = []
        self._clock = clock
        self._began = self._phase_began = clock()
        self._evaluation_seconds = 0.0
        self._ends: float | None = None

    def phase(self, phase: Phase, detail: str = "") -> None:
        """See `View`."""
        self._phase_began = self._clock()
        self.current, self.detail, self.done, self.total = phase, detail, 0, 0

    def progress(self, done: int, total: int) -> None:
        """See `View`."""
        self.done, self.total = done, total

    def stepped(self, record: StepRecord) -> None:
        """See `View`."""
        self.steps.append(record)
        self._look_ahead()

    def evaluated(self, evaluation: Evaluation) -> None:
        """See `View`."""
        self.evaluations.append(evaluation)
        self._evaluation_seconds = self._clock() - self._phase_began
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Foresee the end: the steps left at the recent pace, and evaluations as often and as long as so far."""
        if not self.steps:
            return
        last, recent = self.steps[-1], self.steps[-_RECENT:]
        per_step = sum(sum(record.seconds.values()) for record in recent) / len(recent)
        at = [evaluation.step for evaluation in self.evaluations][-2:]
        if len(at) == 2 and at[1] > at[0]:
            evaluations = math.ceil((last.steps - at[1]) / (at[1] - at[0]))
        else:
            evaluations = int(last.step < last.steps)
        left = per_step * (last.steps - last.step) + self._evaluation_seconds * evaluations
        self._ends = self._clock() + left

    @property
    def elapsed(self) -> float:
        """Seconds since this course began."""
        return self._clock() - self._began

    @property
    def phase_elapsed(self) -> float:
        """Seconds since the present phase began."""
        return self._clock() - self._phase_began

    @property
    def left(self) -> float | None:
        """Seconds to the end as the steps so far promise; in birth, to its end. None when nothing is known yet."""
        if self.current is Phase.BIRTH:
            return self.phase_elapsed * (self.total - self.done) / self.done if 0 < self.done <= self.total else None
        return None if self._ends is None else max(0.0, self._ends - self._clock())

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens sampled per second of acquisition over the last steps; of the whole step where both go on at once."""
        recent = self.steps[-_RECENT:]
        seconds = sum(
            sum(record.seconds.values()) if "queue" in record.pace else record.seconds.get(Phase.ACQUIRE, 0.0)
            for record in recent
        )
        return sum(record.tokens for record in recent) / seconds if seconds > 0 else None

    @property
    def score(self) -> Score | None:
        """The latest score in the environment of the objective."""
        return self.evaluations[-1].scores[0] if self.evaluations else None

    @property
    def first_score(self) -> Score | None:
        """The first score in the environment that `score` is of."""
        latest = self.score
        scores = (s for evaluation in self.evaluations for s in evaluation.scores if latest and s.env == latest.env)
        return next(scores, None)
