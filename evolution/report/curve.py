"""The learning curve as a picture."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike, NDArray
from palaestra.evolution.durable import RowLog, replacing
from palaestra.evolution.evaluation.record import Evaluation
from palaestra.evolution.report.watching import AUDIT
from palaestra.evolution.report.words import share
from palaestra.evolution.view import Phase, StepRecord

__all__ = ["draw_curve", "read_steps"]

# Okabe and Ito 2008: told apart with any colour vision.
_BLUE, _ORANGE, _OTHERS = "#0072B2", "#D55E00", ("#009E73", "#CC79A7", "#56B4E9", "#999999")
_GREY = "#555555"
# Rewards of single steps are noisy; above this many steps a moving average shows where they go.
_SMOOTH_FROM = 20


def draw_curve(history: Sequence[Evaluation], steps: Sequence[StepRecord] | Path, path: Path) -> None:
    """Draw held-out accuracy with its 95 % band and the training reward over steps, as a PNG.

    Args:
        history: Evaluations by rising step; the objective's environment is the first score of the first one.
        steps: Records by rising step, may be empty; or the `metrics.jsonl` of a run to read them from.
        path: The picture; a present one is replaced whole.
    """
    if isinstance(steps, Path):
        steps = read_steps(RowLog(steps).rows())
    # No pyplot: it keeps figures in a global and may want a display.
    figure = Figure(figsize=(8, 4.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rewards = np.array([record.reward for record in steps])
    audits = np.array([_audited(record) for record in steps])
    drawn = [0.0, 1.0, *rewards, *audits[np.isfinite(audits)]]
    low, high = min(drawn), max(drawn)
    margin = 0.02 * (high - low)

    if steps:
        right = axes.twinx()
        at = np.array([record.step for record in steps])
        _reward(right, at, rewards)
        _audit(right, at, rewards, audits)
        right.set_ylim(low - margin, high + margin)
        _wall_clock(axes, steps)
        # The accuracy is what matters: it lies above the reward.
        axes.set_zorder(right.get_zorder() + 1)
        axes.patch.set_visible(False)
    _accuracy(axes, history)
    axes.set_ylim(low - margin, high + margin)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlim(0, max([1, *(record.step for record in steps), *(evaluation.step for evaluation in history)]))
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def read_steps(rows: Iterable[Mapping[str, Any]]) -> list[StepRecord]:
    """Read step records back from the rows of a run's metrics; rows of other phases are passed over."""
    trained = [row for row in rows if row["phase"] == "train" and row["reward"] is not None]
    return [
        StepRecord(
            step=row["step"],
            steps=trained[-1]["step"],
            reward=row["reward"],
            correct=row["correct"],
            acquired=int(row["acquired"]),
            used=int(row["used"]),
            invalid=int(row["invalid"]),
            tokens=int(row["tokens"]),
            seconds={phase: row[f"seconds/{phase}"] for phase in Phase if f"seconds/{phase}" in row},
            metrics={key.removeprefix("update/"): row[key] for key in row if key.startswith("update/")},
            watched={key.removeprefix("watch/"): row[key] for key in row if key.startswith("watch/")},
        )
        for row in trained
    ]


def _accuracy(axes: Axes, history: Sequence[Evaluation]) -> None:
    if not history:
        return
    first = history[0].scores[0].env
    others = dict.fromkeys(s.env for evaluation in history for s in evaluation.scores if s.env != first)
    for index, env in enumerate([first, *others]):
        color = _BLUE if index == 0 else _OTHERS[(index - 1) % len(_OTHERS)]
        scores = [(e.step, s.accuracy) for e in history for s in e.scores if s.env == env]
        at = [step for step, _ in scores]
        axes.plot(at, [a.value for _, a in scores], "o-", color=color, markersize=4, label=env, zorder=3, clip_on=False)
        axes.fill_between(
            at, [a.low for _, a in scores], [a.high for _, a in scores], color=color, alpha=0.18, linewidth=0
        )
    measure = history[0].scores[0].measure
    before, after = (evaluation.of(first).accuracy.value for evaluation in (history[0], history[-1]))
    axes.set_title(f"{first}: {measure} {share(before)} → {share(after)}", loc="left", fontsize=12, pad=12)
    axes.set_ylabel(f"{measure}, 95 % band", color=_GREY if others else _BLUE)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.tick_params(length=0, colors=_GREY)
    if others:
        axes.legend(frameon=False, loc="best", fontsize=9)


def _reward(axes: Axes, at: NDArray[np.int64], rewards: NDArray[np.float64]) -> None:
    smooth = len(rewards) >= _SMOOTH_FROM
    axes.plot(at, rewards, color=_ORANGE, linewidth=1.0, alpha=0.35 if smooth else 0.9)
    if smooth:
        axes.plot(at, _smoothed(rewards), color=_ORANGE, linewidth=1.6)
    axes.set_ylabel("mean reward in training", color=_ORANGE)
    axes.tick_params(length=0, colors=_GREY)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _audited(record: StepRecord) -> float:
    """Return the mean reward that an auditor paid; nan where none judged."""
    audited = record.watched.get(AUDIT)
    return np.nan if audited is None else audited


def _audit(axes: Axes, at: NDArray[np.int64], rewards: NDArray[np.float64], audits: NDArray[np.float64]) -> None:
    """Draw what an auditor paid, and shade how far the reward lies above it; nothing where there is none."""
    known = np.isfinite(audits)
    if not known.any():
        return
    at, rewards, audits = at[known], _smoothed(rewards)[known], _smoothed(audits[known])
    axes.plot(at, audits, color=_ORANGE, linewidth=1.4, linestyle="--", label="audit")
    axes.fill_between(at, audits, rewards, where=rewards > audits, color=_ORANGE, alpha=0.15, linewidth=0)
    axes.set_ylabel("mean reward in training, and audited (dashed)", color=_ORANGE)


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the moving average of many values, and few as they are."""
    if len(values) < _SMOOTH_FROM:
        return values
    half = max(2, len(values) // 25)
    return np.array([values[max(0, i - half) : i + half + 1].mean() for i in range(len(values))])


def _wall_clock(axes: Axes, steps: Sequence[StepRecord]) -> None:
    """Label the top with the time that steps took, evaluations not counted."""
    at = np.array([0, *(record.step for record in steps)], float)
    minutes = np.cumsum([0.0, *(max(1e-9, sum(record.seconds.values())) for record in steps)]) / 60
    in_seconds = minutes[-1] < 2
    clock = minutes * 60 if in_seconds else minutes
    top = axes.secondary_xaxis("top", functions=(partial(_along, xs=at, ys=clock), partial(_along, xs=clock, ys=at)))
    top.set_xlabel(f"time in acquiring and updating ({'s' if in_seconds else 'min'})", color=_GREY, fontsize=9)
    top.tick_params(length=0, colors=_GREY, labelsize=9)
    top.spines["top"].set_visible(False)


def _along(x: ArrayLike, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate, and go on at the mean slope outside, so that the axis stays invertible."""
    slope = ys[-1] / xs[-1]
    x = np.asarray(x, float)
    inside = np.interp(x, xs, ys)
    return np.asarray(inside + slope * (np.minimum(x, 0.0) + np.maximum(x - xs[-1], 0.0)))
