"""What a check for overlap found, as a person reads it."""

from palaestra.evolution.benchmark.contamination import KINDS, Found
from palaestra.evolution.benchmark.tables import Table, on_terminal
from rich.table import Table as RichTable

__all__ = ["overlap_lines", "overlap_table"]

_SHOWN = 3


def overlap_table(found: Found) -> RichTable:
    """Return a row for each environment."""
    rows = [
        (one.env, one.split, f"{one.tasks:,}", *(f"{len(one.found[kind]):,}" for kind in KINDS), f"{one.short:,}")
        for one in found.fields
    ]
    head = ("environment", "split", "tasks", *KINDS, "too short for near")
    title = f"Tasks of {found.suite} in the {found.episodes:,} episodes that {', '.join(found.runs)} learned from"
    return on_terminal(Table(title, head, rows, 2))


def overlap_lines(found: Found) -> list[str]:
    """Return examples, and what follows, a line each."""
    lines = []
    for one in found.fields:
        for kind in KINDS:
            for overlap in one.found[kind][:_SHOWN]:
                lines.append(f"{kind}, {one.env}, task {overlap.task}: {_short(overlap.prompt)}")
                if kind in ("near", "template"):
                    lines.append(f"  {overlap.likeness:.2f} alike: {_short(overlap.text)}")
                lines.append(f"  in {overlap.where}")
    if found.overlaps:
        return [
            *lines,
            f"{found.overlaps:,} tasks of the suite were learned from: what it measures there is no longer new.",
        ]
    return [*lines, "No task of the suite was learned from, as far as words can tell."]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:160] + "..."
