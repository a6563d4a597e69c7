"""The ending: what a run changed, in one table that a person reads from top to bottom."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from palaestra.evolution.evaluation.record import Estimate, Score
from palaestra.evolution.evaluation.statistics import difference
from palaestra.evolution.report.words import bounds, duration, share
from palaestra.evolution.result import Example, Result
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from palaestra.agents.episode import Episode

__all__ = ["choose_examples", "print_ending"]

_LONGEST_SAMPLE = 200


def print_ending(console: Console, result: Result, picture: Path, commands: Sequence[tuple[str, str]] = ()) -> None:
    """Print what a person reads at the end of a run.

    Args:
        console: Where.
        result: The run's result.
        picture: Where the learning curve lies.
        commands: What to do next: purpose and command line.
    """
    console.print()
    console.print(_scores(result))
    console.print(_facts(result))
    if result.examples:
        console.print()
        console.print(_samples(result.examples))
    lines = [("run", str(result.run)), ("picture", str(picture)), *commands]
    room = max(len(label) for label, _ in lines) + 2
    for label, value in lines:
        # Not wrapped: a command that was broken over lines cannot be copied.
        console.print(Text.assemble((label.ljust(room), "dim"), value), soft_wrap=True)


def choose_examples(before: "Sequence[Episode]", after: "Sequence[Episode]", count: int = 3) -> tuple[Example, ...]:
    """Pick an honest few: first a mended task, then one that is wrong now, then one that stayed right.

    Where a kind is missing its place goes to the others: mended ones, unchanged right ones, newly wrong, still wrong.

    Args:
        before: Episodes before; the first of each task counts (greedy ones come first), invalid ones do not.
        after: Episodes after, of the same ids; those without a counterpart are passed over.
        count: Most examples.
    """
    earlier = {episode.id: episode for episode in before if episode.valid and episode.turns}
    pairs: dict[str, tuple[Episode, Episode]] = {}
    for episode in after:
        if episode.valid and episode.turns and episode.id in earlier:
            pairs.setdefault(episode.fingerprint, (earlier[episode.id], episode))
    kinds: dict[tuple[bool, bool], list[Example]] = {(b, a): [] for b in (False, True) for a in (True, False)}
    for old, new in pairs.values():
        kinds[old.correct, new.correct].append(_example(old, new))
    mended, kept = kinds[False, True], kinds[True, True]
    wrong = kinds[True, False] + kinds[False, False]
    mix = [*mended[:1], *wrong[:1], *kept[:1], *mended[1:], *kept[1:], *wrong[1:]]
    return tuple(mix[:count])


def _example(before: "Episode", after: "Episode") -> Example:
    return Example(
        after.task,
        after.turns[0].observation,
        before.turns[-1].reply,
        after.turns[-1].reply,
        before.correct,
        after.correct,
    )


def _grid() -> Table:
    return Table.grid(padding=(0, 2, 0, 0))


def _scores(result: Result) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title_justify="left")
    table.title = Text(f"{result.recipe} · {result.env} · seed {result.seed}", "bold not italic")
    table.add_column(result.score_after.measure, overflow="fold")
    for name in ("before", "after", "change"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    before = {score.env: score for score in result.before.scores}
    for score in sorted(result.after.scores, key=lambda score: score.env != result.env):
        if score.env in before:
            _add_score(table, before[score.env], score, learned=score.env == result.env)
    return table


def _add_score(table: Table, before: Score, after: Score, *, learned: bool) -> None:
    change = difference(before.accuracy, after.accuracy)
    word, style = _judge(change)
    strong = "bold" if learned else ""
    table.add_row(
        Text(after.env, strong),
        Text(share(before.accuracy.value), strong),
        Text(share(after.accuracy.value), f"{strong} {style}"),
        Text(_change(change), strong),
        Text(word, style),
    )
    table.add_row(
        f"  95 %, {after.tasks:,} tasks", *map(bounds, (before.accuracy, after.accuracy, change)), style="dim"
    )
    for name in (name for name in after.figures if name in before.figures):
        table.add_row(f"  {name.replace('_', ' ')}", f"{before.figures[name]:.3f}", f"{after.figures[name]:.3f}")
    for k in sorted(set(before.pass_at_k) & set(after.pass_at_k)):
        old, new = before.pass_at_k[k], after.pass_at_k[k]
        change = difference(old, new)
        table.add_row(f"  pass@{k}", share(old.value), share(new.value), _change(change))
        table.add_row("  95 %", *map(bounds, (old, new, change)), style="dim")


def _change(change: Estimate) -> str:
    return "–" if isnan(change.value) else f"{100 * change.value:+.1f} points"


def _judge(change: Estimate) -> tuple[str, str]:
    """Say in a word what the interval of a change allows to say."""
    if change.low > 0:
        return "gained", "green"
    if change.high < 0:
        return "forgotten", "red"
    return "unclear", "dim"


def _facts(result: Result) -> Table:
    facts = _grid()
    invalid = f", {result.invalid:,} invalid" if result.invalid else ""
    steps = f"{result.steps:,} step{'' if result.steps == 1 else 's'}"
    learned = f"{result.used:,} of {result.episodes:,} episodes{invalid}, {steps}"
    birth = f", birth {duration(result.birth_seconds)}" if result.birth_seconds >= 1 else ""
    facts.add_row(Text("learned from", "dim"), learned)
    facts.add_row(Text("time", "dim"), f"{duration(result.seconds)} evolving{birth}")
    return facts


def _samples(examples: Sequence[Example]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("held-out task", "before", "after"):
        table.add_column(name, overflow="fold")
    for example in examples:
        table.add_row(
            Text(_head(example.prompt)),
            _marked(example.before, right=example.right_before),
            _marked(example.after, right=example.right_after),
        )
    return table


def _marked(reply: str, *, right: bool) -> Text:
    return Text.assemble(("✓ ", "green") if right else ("✗ ", "red"), _tail(reply) or "(nothing)")


def _legible(text: str) -> str:
    """Return one line without what could move the cursor: a model may have written anything."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _head(text: str) -> str:
    line = _legible(text)
    return line if len(line) <= _LONGEST_SAMPLE else line[: _LONGEST_SAMPLE - 1] + "…"


def _tail(text: str) -> str:
    # Of a long reply the end holds the answer.
    line = _legible(text)
    return line if len(line) <= _LONGEST_SAMPLE else "…" + line[1 - _LONGEST_SAMPLE :]
