"""A view of a run as it happens: a live panel in a terminal, plain lines anywhere else."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from palaestra.evolution.evaluation.record import Evaluation
from palaestra.evolution.report.course import UNIFORM_GROUPS, Course
from palaestra.evolution.report.limits import limits
from palaestra.evolution.report.panel import panel
from palaestra.evolution.report.words import duration, interval, share
from palaestra.evolution.view import Phase, StepRecord
from rich.console import Console, RenderableType
from rich.live import Live

__all__ = ["LiveView"]

# Drawing the panel takes about 2 ms: twice a second that is well below 1 % of one core, and the seconds still tick.
_FRAMES_PER_SECOND = 2
_SECONDS_BETWEEN_LINES = 5.0


class LiveView:
    """A `View` for people; a context manager that leaves the terminal as it found it, whatever happens.

    Args:
        console: Where to show it; by default standard error, so that standard output stays clean.
        title: What is run, such as the recipe and the environment.
        clock: Monotonic seconds.
    """

    def __init__(
        self, console: Console | None = None, title: str = "palaestra", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console or Console(stderr=True)
        self.title = title
        self.course = Course(clock)
        self._clock = clock
        self._last_line = float("-inf")
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Begin to draw."""
        # Braille and bars need a terminal that moves its cursor and speaks Unicode.
        if self.console.is_terminal and not self.console.is_dumb_terminal and self.console.encoding.startswith("utf"):
            self._live = Live(console=self.console, get_renderable=self._panel, refresh_per_second=_FRAMES_PER_SECOND)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw the last frame and give the terminal back."""
        if self._live:
            self._live.stop()
            self._live = None

    def phase(self, phase: Phase, detail: str = "") -> None:
        """See `View`."""
        self.course.phase(phase, detail)
        if phase is Phase.BIRTH:
            self._line(f"getting ready: {detail or 'the policy'}")

    def progress(self, done: int, total: int) -> None:
        """See `View`."""
        self.course.progress(done, total)
        if self.course.current is Phase.BIRTH and total > 0:
            left = f", {duration(self.course.left)} left" if self.course.left is not None else ""
            self._line(f"birth {100 * done / total:.0f} %{left}", patient=True)

    def stepped(self, record: StepRecord) -> None:
        """See `View`."""
        self.course.stepped(record)
        parts = [
            f"step {record.step}/{record.steps}",
            f"reward {record.reward:.3f}",
            f"correct {share(record.correct)}",
        ]
        if self.course.tokens_per_second is not None:
            parts.append(f"{self.course.tokens_per_second:,.0f} tokens/s")
        if UNIFORM_GROUPS in record.metrics:
            parts.append(f"{100 * record.metrics[UNIFORM_GROUPS]:.0f} % groups uniform")
        if limited := limits(record.pace):
            parts.append(limited)
        if self.course.left is not None:
            parts.append(f"{duration(self.course.left)} left")
        self._line("  ".join(parts), patient=record.step < record.steps)

    def evaluated(self, evaluation: Evaluation) -> None:
        """See `View`."""
        self.course.evaluated(evaluation)
        for score in evaluation.scores:
            accuracy = f"{share(score.accuracy.value)} (95 %: {interval(score.accuracy)})"
            self._line(f"evaluation at step {evaluation.step}  {score.env}  {score.measure} {accuracy}")

    def _panel(self) -> RenderableType:
        return panel(self.course, self.title, self.console.width, self.console.height)

    def _line(self, text: str, *, patient: bool = False) -> None:
        """Print a line where no panel is drawn; a patient one only when none came for a while."""
        if self._live or (patient and self._clock() - self._last_line < _SECONDS_BETWEEN_LINES):
            return
        self._last_line = self._clock()
        self.console.print(f"[{duration(self.course.elapsed)}] {text}", markup=False, highlight=False, soft_wrap=True)
