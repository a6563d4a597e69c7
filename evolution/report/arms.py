"""What ways of answering came to, in one table: accuracy by round, what became of first answers, and their cost."""

from collections.abc import Mapping, Sequence
from math import nan

from palaestra.evolution.evaluation.record import Estimate, Score
from palaestra.evolution.evaluation.rounds import TRANSITIONS
from palaestra.evolution.report.words import bounds, share
from palaestra.evolution.result import Result
from rich import box
from rich.table import Table
from rich.text import Text

__all__ = ["arms_table"]


def arms_table(result: Result, names: Sequence[str]) -> Table | None:
    """Return the table of a run that answered in several ways; None of any other.

    Args:
        result: The run's result.
        names: What the ways are called, as the recipe has them, the one that it is about first.
    """
    scores = [score for score in result.after.scores if "round 0" in score.figures and "replies" in score.figures]
    if not scores:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("way of answering", overflow="fold")
    for name in ("accuracy by round", "gain\n95 %", "right→\nright", "right→\nwrong", "wrong→\nright", "wrong→\nwrong"):
        table.add_column(name, justify="right")
    table.add_column("replies\ntokens", justify="right", no_wrap=True)
    several = len({_env(score) for score in scores}) > 1
    for score in scores:
        where = f"\n{_env(score)}" if several else ""
        name = _way(score)
        if not name:
            before = result.before.of(score.env)
            alone = Text.assemble("alone", (where, "dim"))
            table.add_row(alone, share(before.accuracy.value), *[""] * 5, _cost(before.figures))
        # The score of the way that the recipe is about goes by the environment's name alone.
        _add(table, score, Text.assemble(name or names[0], (where, "dim")))
    return table


def _way(score: Score) -> str:
    """Return the way that a score is about; "" of the one that the recipe is about."""
    return score.measure.partition(", ")[2]


def _env(score: Score) -> str:
    return score.env.removesuffix(f" with {_way(score)}")


def _add(table: Table, score: Score, label: Text) -> None:
    figures = score.figures
    rounds = [figures[f"round {number}"] for number in range(len(figures)) if f"round {number}" in figures]
    changed = [share(figures[kind]) if kind in figures else "–" for kind in TRANSITIONS.values()]
    gain = Estimate(*(figures.get(key, nan) for key in ("gain", "gain low", "gain high")))
    points = f"{100 * gain.value:+.1f}\n{bounds(gain)}" if "gain" in figures else "–"
    for key in figures:
        if key.startswith("within tokens of ") and not key.endswith((" low", " high")):
            label.append(f"\n{key}: {share(figures[key])}", "dim")
    table.add_row(label, " → ".join(map(share, rounds)), points, *changed, _cost(figures))


def _cost(figures: Mapping[str, float]) -> str:
    return f"{figures.get('replies', nan):.1f}\n{figures.get('tokens', nan):.0f}"
