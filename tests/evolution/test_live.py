import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from palaestra.evolution.evaluation.record import Estimate, Evaluation, Score
from palaestra.evolution.report.chart import chart
from palaestra.evolution.report.course import UNIFORM_GROUPS, Course
from palaestra.evolution.report.limits import limits
from palaestra.evolution.report.live import LiveView
from palaestra.evolution.report.panel import panel
from palaestra.evolution.view import Phase, StepRecord, View
from rich.console import Console

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Clock:
    """Time that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def step(number: int, steps: int = 10, **changes: float) -> StepRecord:
    seconds = {Phase.ACQUIRE: 2.0, Phase.UPDATE: 1.0}
    return StepRecord(number, steps, 0.1 * number, 0.5, 256, 200, 3, 4000, seconds, {UNIFORM_GROUPS: 0.25} | changes)


def evaluation(number: int, accuracy: float) -> Evaluation:
    estimate = Estimate(accuracy, accuracy - 0.04, accuracy + 0.04)
    return Evaluation(number, number, (Score("palaestra/Arithmetic-v0", 500, estimate, {}, 0.5, {}, 0, 100, 1.0),))


def console(width: int = 80, *, terminal: bool) -> Console:
    # A UTF-8 file, as a terminal would be.
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    return Console(file=file, width=width, height=30, force_terminal=terminal, color_system=None)


def shown(on: Console) -> str:
    buffer = on.file.buffer  # type: ignore[attr-defined]
    return str(buffer.getvalue().decode())


def live_once(view: View, clock: Clock) -> None:
    view.phase(Phase.EVALUATE)
    clock.now += 4
    view.evaluated(evaluation(0, 0.4))
    for number in (1, 2, 3, 4):
        view.phase(Phase.ACQUIRE)
        view.progress(128, 256)
        clock.now += 3
        view.stepped(step(number))
    view.phase(Phase.EVALUATE)
    clock.now += 4
    view.evaluated(evaluation(4, 0.68))


def test_time_left_counts_steps_and_evaluations() -> None:
    clock = Clock()
    course = Course(clock)
    course.phase(Phase.EVALUATE)
    clock.now += 4
    course.evaluated(evaluation(0, 0.4))
    assert course.left is None, "nobody has said how many steps there are"
    clock.now += 3
    course.stepped(step(1))
    assert course.left == 9 * 3 + 4, "nine steps, and the evaluation at the end"
    clock.now += 3
    assert course.left == 28
    for number in (2, 3, 4):
        course.stepped(step(number))
    course.phase(Phase.EVALUATE)
    clock.now += 5
    course.evaluated(evaluation(4, 0.5))
    assert course.left == 6 * 3 + 2 * 5, "six steps, and evaluations at 8 and at the end"
    clock.now += 1000
    assert course.left == 0
    assert course.tokens_per_second == 2000


def test_time_left_of_a_birth_follows_its_progress() -> None:
    clock = Clock()
    course = Course(clock)
    course.phase(Phase.BIRTH, "nursery:arithmetic")
    assert course.left is None
    clock.now += 10
    course.progress(1, 4)
    assert course.left == 30


@pytest.mark.parametrize("width", [80, 120])
def test_the_panel_says_everything_and_fits(width: int) -> None:
    clock, on = Clock(), console(width, terminal=True)
    course = Course(clock)
    live_once(course, clock)
    course.phase(Phase.ACQUIRE)
    course.progress(128, 256)
    on.print(panel(course, "palaestra evolve grpo", width, 30))
    text = shown(on)
    for word in (
        "palaestra evolve grpo",
        "acquire › refine › update › evaluate",
        "128 of 256",
        "step 4 of 10",
        "0:26 left",
        "68.0 %",
        "95 %: 64.0 to 72.0 %",
        "before: 40.0 %",
        "0.400",
        "2,000 tokens/s",
        "256 episodes, 200 used",
        "25 % groups uniform",
        "3 invalid",
        "●",
        "━",
    ):
        assert word in text, f"{word!r} is missing in\n{text}"
    assert {len(line) for line in text.splitlines()} == {width}
    assert re.search("[\u2801-\u28ff]", text), "the reward curve is missing"


def test_birth_has_a_panel_of_its_own() -> None:
    clock, on = Clock(), console(terminal=True)
    course = Course(clock)
    course.phase(Phase.BIRTH, "nursery:arithmetic")
    clock.now += 10
    on.print(panel(course, "palaestra", 80, 30))
    assert re.search("Getting ready: nursery:arithmetic +0:10", shown(on))
    course.progress(1, 4)
    on.print(panel(course, "palaestra", 80, 30))
    text = shown(on)
    assert "Giving birth" in text
    assert "nursery:arithmetic" in text
    assert "25 %" in text
    assert "0:30 left" in text


@pytest.mark.parametrize("height", [5, 10, 16, 60])
def test_the_panel_survives_terminals_of_any_height(height: int) -> None:
    clock, on = Clock(), console(40, terminal=True)
    course = Course(clock)
    live_once(course, clock)
    on.print(panel(course, "x" * 200, 40, height))
    assert max(map(len, shown(on).splitlines())) == 40


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_the_terminal_is_given_back_whatever_happens(error: type[BaseException]) -> None:
    clock, on = Clock(), console(terminal=True)

    def break_off() -> None:
        with LiveView(on, clock=clock) as view:
            live_once(view, clock)
            raise error

    with pytest.raises(error):
        break_off()
    text = shown(on)
    assert text.count(HIDE) == text.count(SHOW) == 1
    assert text.index(HIDE) < text.index(SHOW)
    assert "68.0 %" in text, "the last frame stays on screen"


def plain(act: Callable[[LiveView, Clock], None]) -> list[str]:
    clock, on = Clock(), console(terminal=False)
    with LiveView(on, clock=clock) as view:
        act(view, clock)
    text = shown(on)
    assert "\x1b" not in text
    return text.splitlines()


def test_plain_lines_elsewhere() -> None:
    assert plain(live_once) == [
        "[0:04] evaluation at step 0  palaestra/Arithmetic-v0  held-out accuracy 40.0 % (95 %: 36.0 to 44.0 %)",
        "[0:10] step 2/10  reward 0.200  correct 50.0 %  2,000 tokens/s  25 % groups uniform  0:28 left",
        "[0:16] step 4/10  reward 0.400  correct 50.0 %  2,000 tokens/s  25 % groups uniform  0:22 left",
        "[0:20] evaluation at step 4  palaestra/Arithmetic-v0  held-out accuracy 68.0 % (95 %: 64.0 to 72.0 %)",
    ]


def test_one_line_says_what_limits_the_run() -> None:
    pace = {
        **{"share_of_seconds/sampling": 0.5, "share_of_seconds/judging": 0.001, "share_of_seconds/held": 0.1},
        **{"share_of_seconds/learning": 0.63, "share_of_seconds/waiting": 0.37},
        **{"lag/mean": 1.25, "lag/max": 2.0, "lag/0": 0.1, "queue": 9.0, "dropped": 0.0},
    }
    shown = "sampling 50 % · held 10 % · learning 63 % · waiting 37 % · 1.2 versions behind (most 2) · 9 groups ready"
    assert limits(pace) == shown
    assert limits({**pace, "dropped": 3.0}) == shown + " · 3 too old"
    assert limits({}) == ""
    clock, on = Clock(), console(120, terminal=True)
    course = Course(clock)
    course.stepped(replace(step(1), pace=pace))
    on.print(panel(course, "palaestra", 120, 30))
    assert shown in on.file.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert course.tokens_per_second == pytest.approx(4000 / 3), "of the whole step: sampling goes on all the time"


def test_plain_lines_come_seldom_but_the_last_step_always() -> None:
    def quick(view: LiveView, clock: Clock) -> None:
        for number in range(1, 1001):
            clock.now += 0.01
            view.stepped(step(number, 1000))

    lines = plain(quick)
    assert len(lines) == 3
    assert "step 1000/1000" in lines[-1]


def test_a_terminal_without_unicode_gets_plain_lines() -> None:
    clock = Clock()
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    on = Console(file=file, force_terminal=True, width=80, color_system=None)
    with LiveView(on, clock=clock) as view:
        live_once(view, clock)
    assert "held-out accuracy 68.0 %" in file.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]


def test_the_chart_puts_points_where_they_belong() -> None:
    rows = [row.plain for row in chart([(0, 0.0), (10, 1.0)], [(0, 1.0), (10, 0.0)], x_end=10, width=15, height=5)]
    assert len(rows) == 6
    assert {len(row) for row in rows} == {15}
    assert rows[0].startswith("  1 ┤●")
    assert rows[4].startswith("  0 ┤")
    assert rows[4].endswith("●")
    assert rows[2].startswith("0.5 ┤")
    # The line runs from the bottom left to the top right.
    assert ["\u2801" <= rows[r][c] <= "\u28ff" for r, c in ((4, 5), (0, -1), (4, -3), (0, 7))] == [
        True,
        True,
        False,
        False,
    ]
    assert rows[5].endswith("step 10")


def test_the_chart_makes_room_for_rewards_beyond_the_usual() -> None:
    rows = [row.plain for row in chart([(1, -2.0), (2, 3.0)], [], x_end=2, width=20, height=3)]
    assert rows[0].lstrip().startswith("3 ┤")
    assert rows[2].lstrip().startswith("-2 ┤")
