import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from palaestra.agents.episode import Episode, Turn
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation.record import Evaluation, Score
from palaestra.evolution.evaluation.statistics import wilson
from palaestra.evolution.metrics import Metrics
from palaestra.evolution.report.curve import draw_curve, read_steps
from palaestra.evolution.report.table import choose_examples, print_ending
from palaestra.evolution.report.words import duration
from palaestra.evolution.result import Example, Result
from palaestra.evolution.view import Phase, StepRecord
from rich.console import Console

ENV = "palaestra/Arithmetic-v0"


def episode(task: str, reply: str, status: Status) -> Episode:
    verdict = Verdict(float(status is Status.CORRECT), status)
    turn = Turn(f"What is {task}?", reply, reply, verdict.reward, verdict)
    return Episode(f"greedy/{task}", ENV, task, task, "greedy", 0, 0, "local:x", (turn,), verdict)


def played(outcomes: str, reply: str) -> list[Episode]:
    """One episode a letter: r(ight), w(rong), i(nvalid)."""
    kinds = {"r": Status.CORRECT, "w": Status.WRONG, "i": Status.INFRASTRUCTURE}
    return [episode(f"{index}+1", f"{reply} {index}", kinds[kind]) for index, kind in enumerate(outcomes)]


@pytest.mark.parametrize(
    ("before", "after", "chosen"),
    [
        # A mended one, one that is wrong now (newly wrong rather than still wrong), one that stayed right.
        ("wwrrw", "wrrwr", [1, 3, 2]),
        ("wrw", "wrr", [2, 0, 1]),
        ("www", "rrr", [0, 1, 2]),
        ("rrrr", "rrrr", [0, 1, 2]),
        ("ww", "ww", [0, 1]),
        # Invalid before or after: no example.
        ("iwwr", "rirr", [2, 3]),
        ("", "", []),
    ],
)
def test_examples_are_an_honest_mix(before: str, after: str, chosen: list[int]) -> None:
    examples = choose_examples(played(before, "old"), played(after, "new"))
    assert [example.task for example in examples] == [f"{index}+1" for index in chosen]
    for example, index in zip(examples, chosen, strict=True):
        assert example == Example(
            f"{index}+1",
            f"What is {index}+1?",
            f"old {index}",
            f"new {index}",
            before[index] == "r",
            after[index] == "r",
        )


def test_examples_pair_by_id_and_take_the_first_episode_of_a_task() -> None:
    old, new = played("ww", "old"), played("rw", "new")
    sampled = [replace(e, id=f"sampled/{e.task}", group=e.task) for e in played("rr", "sampled")]
    stranger = episode("9+9", "18", Status.CORRECT)
    examples = choose_examples([*reversed(old), *sampled], [*new, stranger, *sampled])
    assert [(e.task, e.before, e.after) for e in examples] == [("0+1", "old 0", "new 0"), ("1+1", "old 1", "new 1")]


def test_examples_of_several_turns_show_the_first_question_and_the_last_reply() -> None:
    one = episode("1+1", "3", Status.CORRECT)
    two = replace(one, turns=(one.turns[0], replace(one.turns[0], observation="No. Again?", reply="2")))
    (example,) = choose_examples([one], [two], count=1)
    assert (example.prompt, example.before, example.after) == ("What is 1+1?", "3", "2")


def score(env: str, right: int, tasks: int = 500) -> Score:
    return Score(env, tasks, wilson(right, tasks), {}, right / max(1, tasks), {"correct": right}, 0, 3000, 1.0)


def evaluation(step: int, **right: int) -> Evaluation:
    return Evaluation(step, step, tuple(score(f"palaestra/{name}-v0", count) for name, count in right.items()))


def result(**changes: object) -> Result:
    before = evaluation(0, Arithmetic=220, Countdown=150, GuessNumber=250, FrozenLake=100)
    after = evaluation(20, Arithmetic=470, Countdown=90, GuessNumber=255, FrozenLake=200)
    examples = (
        Example("t1", "What is 37 + 85?", "112", "122", right_before=False, right_after=True),
        Example("t2", "What is 9 * 9?", "\x1b[2J[red]80", "x" * 900 + " so 80", right_before=False, right_after=False),
        Example("t3", "What is 3 + 5?", "", "8", right_before=False, right_after=True),
    )
    whole = Result(
        "grpo", 3, ENV, before, after, (before, after), 25600, 18432, 12, 20, 192.4, 61.0, examples, Path("runs/x")
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def ending(of: Result, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_ending(console, of, of.run / "curve.png", [("measure further", "palaestra bench " + "long " * 40 + "end")])
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def line_with(text: str, word: str) -> str:
    (line,) = [line for line in text.splitlines() if word in line]
    return line


@pytest.mark.parametrize("width", [80, 120])
def test_the_ending_says_what_changed(width: int) -> None:
    text = ending(result(), width)
    assert line_with(text, ENV + "  ").split() == [ENV, "44.0", "%", "94.0", "%", "+50.0", "points", "gained"]
    assert line_with(text, "39.7 to 48.4").split()[-6:] == ["91.6", "to", "95.8", "45.0", "to", "54.6"]
    assert line_with(text, "Countdown").endswith("forgotten ")
    assert line_with(text, "GuessNumber").endswith("unclear   ")
    assert line_with(text, "FrozenLake").endswith("gained    ")
    assert "18,432 of 25,600 episodes, 12 invalid, 20 steps" in text
    assert "3:12 evolving, birth 1:01" in text
    assert "runs/x/curve.png" in text


def test_the_ending_shows_replies_as_they_are_but_lets_them_move_no_cursor() -> None:
    text = ending(result())
    assert "\x1b" not in text
    assert "✗ [2J[red]80" in text
    assert "✗ (nothing)" in text
    assert "✓ 122" in text
    assert "so 80" in text, "of a long reply the end is shown"


def test_the_ending_breaks_no_command() -> None:
    assert line_with(ending(result()), "palaestra bench").endswith("long long end")


def test_the_ending_of_a_run_without_examples_birth_or_watched_environments() -> None:
    alone = evaluation(0, Arithmetic=220)
    text = ending(result(before=alone, after=alone, examples=(), birth_seconds=0.0, invalid=0))
    assert "birth" not in text
    assert "invalid" not in text
    assert "unclear" in text


def test_the_ending_where_nothing_valid_was_played() -> None:
    empty = evaluation(0, Arithmetic=220)
    empty = replace(empty, scores=(*empty.scores, score("palaestra/Countdown-v0", 0, tasks=0)))
    line = line_with(ending(result(before=empty, after=empty)), "Countdown")
    assert line.split() == ["palaestra/Countdown-v0", "–", "–", "–", "unclear"]


def steps(count: int, sign: float = 1.0) -> list[StepRecord]:
    times = {Phase.ACQUIRE: 1.0, Phase.UPDATE: 0.5}
    return [
        StepRecord(k, count, sign * k / count, 0.5, 256, 200, 0, 10, times, {"loss": 0.1}) for k in range(1, count + 1)
    ]


def blue(picture: Path) -> int:
    pixels = imread(picture)[:, :, :3]
    return int((np.abs(pixels - np.array([0x00, 0x72, 0xB2]) / 255).max(axis=2) < 0.02).sum())


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "curve.png"
    history = [evaluation(0, Arithmetic=220, Countdown=150), evaluation(30, Arithmetic=470, Countdown=90)]
    draw_curve(history, steps(30), path)
    assert blue(path) > 1000, "the accuracy is missing"
    assert [p.name for p in tmp_path.iterdir()] == ["curve.png"]


@pytest.mark.parametrize(
    ("history", "records"),
    [
        ([], []),
        ([evaluation(0, Arithmetic=1)], []),
        ([], steps(1)),
        ([evaluation(0, Arithmetic=1)], steps(3, sign=-4.0)),
    ],
)
def test_the_curve_of_little(tmp_path: Path, history: list[Evaluation], records: list[StepRecord]) -> None:
    draw_curve(history, records, tmp_path / "curve.png")
    assert imread(tmp_path / "curve.png").shape[:2] == (690, 1200)


def test_the_curve_from_the_metrics_of_a_run(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    for record in steps(25):
        times = {f"seconds/{phase}": seconds for phase, seconds in record.seconds.items()}
        counts = {key: getattr(record, key) for key in ("reward", "correct", "acquired", "used", "invalid", "tokens")}
        metrics.log(record.step, "train", counts | times | {"update/loss": 0.1})
        metrics.log(record.step, f"evaluate/{ENV}", {"accuracy": 0.5, "reward": 0.1})
    metrics.close()
    assert read_steps(metrics.rows()) == steps(25)
    history = [evaluation(0, Arithmetic=220), evaluation(25, Arithmetic=470)]
    draw_curve(history, tmp_path / "metrics.jsonl", tmp_path / "read.png")
    draw_curve(history, steps(25), tmp_path / "told.png")
    assert np.array_equal(imread(tmp_path / "read.png"), imread(tmp_path / "told.png"))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (-1, "0:00"), (59.6, "1:00"), (754, "12:34"), (3725, "1:02:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
