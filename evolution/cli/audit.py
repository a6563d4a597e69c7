"""`palaestra audit`: attack the judges, and see whether they let honest work pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from palaestra.envs.audit.audit import audit as run_audit
from palaestra.envs.audit.corpora import CORPORA, corpus
from palaestra.envs.audit.findings import Findings, Kind
from palaestra.envs.audit.ours import Subject, subjects
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.cli.configuration import ConfigFile
from palaestra.evolution.cli.output import check_writable, console_for, write
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

__all__ = ["audit"]

_FORMATS = ("humaneval", "mbpp", "stdio", "calls", "answer", "graph", "crawl")


def audit(
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:ATTRIBUTE",
            help="A judge of your own: a callable judge(task, reply) -> Verdict, or a class of such.",
            show_default="Palaestra's own",
        ),
    ] = None,
    which: Annotated[
        list[str] | None,
        typer.Option(
            "--corpus",
            metavar="NAME",
            help=f"What to put to it: {', '.join(CORPORA)}; may be repeated.",
            show_default="all, for Palaestra's own",
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help=f"Leave out tasks of other formats than {', '.join(_FORMATS)}; may be repeated.",
            show_default="all",
        ),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the findings as JSON; - is standard output.")
    ] = None,
    _config: ConfigFile = None,
) -> None:
    """Attack the judges, and see whether they let honest work pass.

    The exit code is 1 when something was found: a false accept, a false reject, an effect outside of the program that
    was judged, or no verdict. The attacks are bounded, but they are attacks: a judge without a sandbox lets them write
    files and start processes for some seconds.
    """
    check_writable(json)
    names = tuple(which or CORPORA)
    if judge is not None and not which:
        raise UsageError(f"--judge needs to know what to put to it: --corpus {', --corpus '.join(CORPORA)}.")
    for name in names:
        corpus(name)
    for name in formats or ():
        if name not in _FORMATS:
            raise UnknownNameError("format", name, _FORMATS)
    rows = []
    for subject in _filtered(_subjects(judge, names), formats):
        with _progress(subject) as advance:
            rows.append(run_audit(subject.judge, subject.cases, name=subject.name, progress=advance))
    if not rows:
        raise UsageError("There is nothing to audit: no case of these corpora has these formats.")
    write(json, {"audits": [row.as_json() for row in rows]})
    _show(console_for(json), rows)
    if any(row.found for row in rows):
        raise typer.Exit(1)


def _subjects(judge: str | None, names: tuple[str, ...]) -> Iterator[Subject]:
    if judge is None:
        return subjects(names)
    return (Subject(f"{judge}, {name}", judge, corpus(name)) for name in names)


def _filtered(all_subjects: Iterator[Subject], formats: list[str] | None) -> Iterator[Subject]:
    for subject in all_subjects:
        cases = tuple(case for case in subject.cases if not formats or case.format in formats)
        if cases:
            yield Subject(subject.name, subject.judge, cases)


@contextmanager
def _progress(subject: Subject) -> Iterator[Callable[[], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(subject.name, total=len(subject.cases))
        yield lambda: bar.advance(task)


def _show(console: Console, rows: list[Findings]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("judge", overflow="fold")
    for name in ("cases", "false\naccepts", "false\nrejects", "effects\noutside", "not\njudged", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        counts = [row.count(kind) for kind in (Kind.FALSE_ACCEPT, Kind.FALSE_REJECT, Kind.EFFECT, Kind.NOT_JUDGED)]
        cells = (Text(str(count), "bold red" if count else "") for count in counts)
        table.add_row(row.judge, f"{row.cases:,}", *cells, f"{row.seconds:.1f}")
    console.print(table)
    for row in rows:
        for finding in row.found:
            console.print(
                Text.assemble(
                    (f"{finding.kind}: ", "red"),
                    f"{row.judge}: {finding.case} ({finding.aim}; {finding.task})\n",
                    (f"  expected {finding.expected}; came {' '.join(finding.came.split())}", "dim"),
                ),
                soft_wrap=True,
            )
        for note in row.notes:
            console.print(f"{row.judge}: {note}", markup=False, highlight=False)
