"""What reproductions found, as a table for a person, as Markdown and as files that are kept."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from palaestra.envs.errors import UsageError
from palaestra.evolution.durable import dump_json, read_json, replacing, write_json
from palaestra.evolution.provenance import commit, machine
from palaestra.evolution.report.words import duration
from palaestra.evolution.reproduction.reproduce import Reproduction
from rich import box
from rich.table import Table
from rich.text import Text

__all__ = ["PAGE", "keep", "kept", "markdown", "refuse_other_profile", "table"]

PAGE = "README.md"
_COLUMNS = (
    "miniature",
    "claim",
    "inequality",
    "figure, 95 % over seeds",
    "95 % over tasks",
    "holds",
    "time",
    "command",
)
# A terminal is narrow; the page has all of them.
_SHOWN = ("claim", "figure, 95 % over seeds", "holds", "time", "command")
_HEAD = """# Reproductions

Published claims in miniature, each stated beforehand as an inequality: the lower bound of the 95 % t interval over
seeds must lie above the number. Whether it holds or not, it is kept. Time is that of evolving, over all runs, and of
births. How: `docs/reproductions.md`. The runs behind a row, their settings and figures are in the file of its name.
"""


def refuse_other_profile(directory: Path, profile: str) -> None:
    """Raise `UsageError` if figures of another profile are kept in a directory: one table holds one kind."""
    for found in kept(directory):
        if found["profile"] != profile:
            raise UsageError(
                f"{directory} keeps figures of the {found['profile']} profile ({found['miniature']}.json), and these "
                f"would be of the {profile} one. Name another place by --out."
            )


def keep(found: Reproduction, directory: Path) -> None:
    """Write `NAME.json`, and `README.md` anew from all that is kept there.

    What was only read again keeps the commit and the machine that it was measured with.
    """
    path = directory / f"{found.name}.json"
    values = json.loads(dump_json(found.as_json()))
    before = read_json(path) if path.exists() else {}
    if {name: before.get(name) for name in values} != values:
        head = {"date": datetime.now(UTC).date().isoformat(), "commit": commit(), "machine": machine()}
        write_json(path, head | values)
    with replacing(directory / PAGE) as temporary:
        temporary.write_text(markdown(kept(directory)), encoding="utf-8")


def kept(directory: Path) -> list[dict[str, Any]]:
    """Return what is kept in a directory, by name."""
    found = [read_json(path) for path in sorted(directory.glob("*.json"))]
    return [values for values in found if "miniature" in values]


def markdown(reproductions: Iterable[Mapping[str, Any]]) -> str:
    """Return the page of what `kept` returns."""
    all_of_them = list(reproductions)
    lines = [_HEAD, f"| {' | '.join(_COLUMNS)} | commit |", "|" + "---|" * (len(_COLUMNS) + 1)]
    for found in all_of_them:
        for row in _rows(found):
            command = f"`{row['command']}`" if row["command"] else ""
            cells = [*(row[name] for name in _COLUMNS[:-1]), command, found["commit"] or "–"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", _totals(all_of_them)]) + "\n"


def _totals(reproductions: Sequence[Mapping[str, Any]]) -> str:
    """Say how many claims hold and what all of it took."""
    findings = [finding for found in reproductions for finding in found["findings"]]
    evolving, births = (math.fsum(found[part] for found in reproductions) for part in ("seconds", "birth_seconds"))
    return (
        f"{sum(finding['holds'] for finding in findings)} of {len(findings)} claims of {len(reproductions)} miniatures "
        f"hold. Time in all, one run after another: {duration(evolving)} of evolving, {duration(births)} of births."
    )


def table(reproductions: Iterable[Mapping[str, Any]]) -> Table:
    """Return the same for a terminal, without the inequalities and the intervals over tasks."""
    whole = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in _SHOWN:
        whole.add_column(name, overflow="fold", no_wrap=name == "holds", min_width=18 if name == "claim" else None)
    for found in reproductions:
        for row in _rows(found):
            style = "green" if row["holds"] == "yes" else "yellow"
            whole.add_row(*(Text(row[name], style if name == "holds" else "") for name in _SHOWN))
    return whole


def _rows(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row a claim; what is the same for all of a miniature stands in the first."""
    rows = []
    for number, finding in enumerate(found["findings"]):
        first, birth = number == 0, found["birth_seconds"]
        time = duration(found["seconds"]) + (f" + {duration(birth)} birth" if birth >= 1 else "")
        values = (
            found["miniature"] if first else "",
            finding["claim"],
            finding["inequality"],
            f"{_interval(finding['estimate'])}, {len(finding['figures'])} seeds",
            _interval(finding["over_tasks"]) if finding["over_tasks"] else "–",
            "yes" if finding["holds"] else "no",
            time if first else "",
            found["command"] if first else "",
        )
        rows.append(dict(zip(_COLUMNS, values, strict=True)))
    return rows


def _interval(estimate: Mapping[str, float | None]) -> str:
    """Write a figure with its bounds; what is not known, or without bound, is a dash."""
    low, value, high = (_number(estimate[name]) for name in ("low", "value", "high"))
    return f"{value} ({low} to {high})"


def _number(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}"
