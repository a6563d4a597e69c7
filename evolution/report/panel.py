"""The live panel: what a course looks like at this moment."""

from palaestra.evolution.report.chart import chart
from palaestra.evolution.report.course import UNIFORM_GROUPS, Course
from palaestra.evolution.report.limits import limits
from palaestra.evolution.report.words import duration, interval, share
from palaestra.evolution.view import Phase
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

__all__ = ["panel"]

REWARD, ACCURACY = "cyan", "bold magenta"
_WIDEST = 120
# Rows of the panel that are not the plot's.
_AROUND = 14


def panel(course: Course, title: str, width: int, height: int) -> RenderableType:
    """Return the panel.

    Args:
        course: What is shown.
        title: What is run, such as the recipe and the environment.
        width: Columns of the terminal.
        height: Rows of the terminal.
    """
    width = min(width, _WIDEST)
    inner = width - 6
    if course.current is Phase.BIRTH and not course.evaluations:
        body = _birth(course, inner)
    else:
        body = Group(
            _phases(course, inner),
            _steps(course, inner),
            Text(),
            *_plot(course, inner, min(9, height - _AROUND)),
            _figures(course),
            Text(),
            _footnote(course),
            Text(limits(course.steps[-1].pace) if course.steps else "", "dim", overflow="ellipsis", no_wrap=True),
        )
    return Panel(body, title=Text(title, "bold"), title_align="left", border_style="dim", padding=(1, 2), width=width)


def _birth(course: Course, width: int) -> RenderableType:
    name = course.detail or "the policy"
    if course.total <= 0:  # loaded from the cache, a folder or a checkpoint: nobody counts that
        return _apart(Text(f"Getting ready: {name}", "bold"), Text(duration(course.phase_elapsed), "dim"), width)
    done = course.done / course.total
    left = "" if course.left is None else f"{duration(course.left)} left"
    return Group(
        Text.assemble(("Giving birth to ", "bold"), (name, "bold cyan")),
        Text("once; the next run finds it in the cache", "dim"),
        Text(),
        _row(Text(f"{100 * done:3.0f} %"), done, Text(left), width),
    )


def _row(label: Text, done: float, tail: Text, width: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1, 0, 0))
    room = max(4, width - label.cell_len - tail.cell_len - 2)
    bar = ProgressBar(
        total=1.0,
        completed=min(1.0, done),
        width=room,
        complete_style=REWARD,
        finished_style=REWARD,
        style="bright_black",
    )
    grid.add_row(label, bar, tail)
    return grid


def _apart(left: Text, right: Text, width: int) -> Text:
    gap = max(1, width - left.cell_len - right.cell_len)
    return Text.assemble(left, " " * gap, right)


def _phases(course: Course, width: int) -> Text:
    words = Text()
    for phase in (Phase.ACQUIRE, Phase.REFINE, Phase.UPDATE, Phase.EVALUATE):
        words.append(" › " if words else "", "dim")
        words.append(phase, "bold reverse" if phase is course.current else "dim")
    if course.total > 0:
        words.append(f"  {course.done:,} of {course.total:,}", "dim")
    elif course.detail:
        words.append(f"  {course.detail}", "dim")
    elapsed = Text(f"{duration(course.elapsed)} elapsed", "dim")
    words.truncate(width - elapsed.cell_len - 2, overflow="ellipsis")
    return _apart(words, elapsed, width)


def _steps(course: Course, width: int) -> RenderableType:
    if not course.steps:
        before = course.current is Phase.EVALUATE
        return Text("measuring the policy before it learns" if before else "first step", "dim")
    last = course.steps[-1]
    left = "" if course.left is None else f"{duration(course.left):>5} left"
    return _row(Text(f"step {last.step} of {last.steps}", "bold"), last.step / last.steps, Text(left), width)


def _plot(course: Course, width: int, height: int) -> list[Text]:
    if height < 3 or not course.steps:
        return []
    env = course.score.env if course.score else ""
    found = [(e.step, s.accuracy.value) for e in course.evaluations for s in e.scores if s.env == env]
    rewards = [(record.step, record.reward) for record in course.steps]
    x_end = course.steps[-1].steps
    rows = chart(rewards, found, x_end=x_end, width=width, height=height, line_style=REWARD, marker_style=ACCURACY)
    return [*rows, Text()]


def _figures(course: Course) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    score, first = course.score, course.first_score
    if score and first:
        spread = Text(f"95 %: {interval(score.accuracy)}", "dim")
        start = Text(f"before: {share(first.accuracy.value)}" if score is not first else "", "dim")
        grid.add_row(Text(f"● {score.measure}", ACCURACY), Text(share(score.accuracy.value), "bold"), spread, start)
    if course.steps:
        last = course.steps[-1]
        right = Text(f"{share(last.correct)} of attempts correct", "dim")
        grid.add_row(Text("━ reward in training", REWARD), Text(f"{last.reward:.3f}", "bold"), right)
    return grid


def _footnote(course: Course) -> Text:
    parts = []
    if course.tokens_per_second is not None:
        parts.append(f"{course.tokens_per_second:,.0f} tokens/s")
    if course.steps:
        last = course.steps[-1]
        parts.append(f"{last.acquired:,} episodes, {last.used:,} used")
        if UNIFORM_GROUPS in last.metrics:
            parts.append(f"{100 * last.metrics[UNIFORM_GROUPS]:.0f} % groups uniform")
        if last.invalid:
            parts.append(f"{last.invalid:,} invalid")
    return Text(" · ".join(parts), "dim")
