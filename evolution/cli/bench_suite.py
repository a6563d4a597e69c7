"""What `palaestra bench` does with suites and their results, and `palaestra suites`."""

import shlex
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from palaestra.envs.errors import UsageError
from palaestra.evolution.cli.configuration import ConfigFile
from palaestra.evolution.cli.output import (
    check_writable,
    console_for,
    hush_libraries,
    usage_json,
    usage_lines,
    write,
)
from palaestra.evolution.durable import replacing
from rich.console import Console
from rich.status import Status
from rich.text import Text

if TYPE_CHECKING:
    from palaestra.evolution.benchmark.result import ResultFolder
    from palaestra.evolution.benchmark.suite import Entrant, Suite

__all__ = ["OVERLAP", "check", "named", "refuse", "rejudge", "run", "suites"]

OVERLAP = 3
"""Exit code when a run learned from tasks of a suite."""


def named(words: Sequence[str]) -> "Suite | None":
    """Return the suite that is named; None where environments are."""
    from palaestra.evolution.benchmark.suite_file import find_suite

    found = [find_suite(word) for word in words]
    if len(words) > 1 and any(found):
        raise UsageError(f"A suite is measured by itself, and {len(words)} words came: {', '.join(words)}.")
    return found[0]


def refuse(said: Collection[str], known: Collection[str], what: str) -> None:
    """Raise an error if an option came that has no meaning here."""
    if strange := [f"--{name.replace('_', '-')}" for name in said if name not in known]:
        raise UsageError(f"{', '.join(strange)} came, which has no meaning with {what}. Leave it out.")


def run(
    suite: "Suite", policies: Sequence[str], out: Path | None, cache: Path | None, json: Path | None, page: Path | None
) -> None:
    """Measure a suite."""
    if policies:
        suite = suite.measuring(_entrants(policies))
    if not suite.entrants:
        raise UsageError(f"The suite {suite.name} names no policies: add --policy SPEC, as often as you like.")
    with Console(stderr=True).status("loading") as status:
        from palaestra.agents.nursery import cache_folder
        from palaestra.evolution.benchmark.cache import Cache
        from palaestra.evolution.benchmark.measuring import measure
        from palaestra.evolution.benchmark.tables import markdown

        hush_libraries()
        place = out or _free_place(f"bench-{suite.name}")
        try:
            result, usages = measure(suite, Cache(cache or cache_folder() / "bench"), place, status.update)
        except KeyboardInterrupt:
            _interrupted(status)
    write(json, result.about | {"result": str(result.directory)} | usage_json(usages))
    if page is not None:
        with replacing(page) as temporary:
            temporary.write_text(markdown(result.about), encoding="utf-8")
    console = console_for(json)
    _show(console, result)
    for line in usage_lines(usages):
        _line(console, line)
    if not result.about["complete"]:
        raise typer.Exit(1)


def _entrants(specs: Sequence[str]) -> "tuple[Entrant, ...]":
    from palaestra.evolution.benchmark.suite import Entrant

    if len(set(specs)) != len(specs):
        raise UsageError("A policy is named twice; in a suite's file the same spec may stand under two names.")
    return tuple(Entrant(spec, spec) for spec in specs)


def _free_place(name: str) -> Path:
    """Return a free place under runs/."""
    path = Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    number, first = 1, path
    while path.exists():
        number += 1
        path = first.with_name(f"{first.name}-{number}")
    return path


def _interrupted(status: Status) -> None:
    status.stop()
    words = shlex.join(["palaestra", *sys.argv[1:]])
    console = Console(stderr=True)
    console.print("Interrupted. Episodes that ended are kept. The same command goes on:", highlight=False)
    _line(console, f"  {words}")
    raise typer.Exit(130) from None


def _line(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)


def _show(console: Console, result: "ResultFolder") -> None:
    from palaestra.evolution.benchmark.tables import notes, on_terminal, tables

    for table in tables(result.about):
        console.print(on_terminal(table))
    for line in notes(result.about):
        console.print(Text(line, "yellow"), soft_wrap=True)
    _line(console, f"result   {result.directory}")


def check(suite: "Suite", runs: Sequence[Path], json: Path | None) -> None:
    """Look for a suite's tasks in what runs learned from."""
    from palaestra.evolution.benchmark.contamination import look
    from palaestra.evolution.benchmark.overlap_table import overlap_lines, overlap_table

    with Console(stderr=True).status("reading") as status:
        found = look(suite, runs, status.update)
    write(json, found.as_json())
    console = console_for(json)
    console.print(overlap_table(found))
    for line in overlap_lines(found):
        _line(console, line)
    if found.overlaps:
        raise typer.Exit(OVERLAP)


def rejudge(results: Sequence[str], out: Path | None, json: Path | None) -> None:
    """Judge the replies of results again."""
    from palaestra.evolution.benchmark.rejudging import rejudge as judge_again

    if out is not None and len(results) > 1:
        raise UsageError("--out names one folder, and several results came: judge them one after another.")
    reports: list[dict[str, Any]] = []
    console = console_for(json)
    for name in results:
        folder = Path(name)
        place = out or _beside(folder)
        with Console(stderr=True).status("judging") as status:
            report = judge_again(folder, place, status.update)
        reports.append(report.as_json())
        for line in report.lines():
            _line(console, line)
    write(json, {"rejudged": reports})


def _beside(folder: Path) -> Path:
    """Return a free place beside a result."""
    folder = (folder.parent if folder.name == "result.json" else folder).resolve()
    number = 1
    while (place := folder.with_name(f"{folder.name}-rejudged-{number}")).exists():
        number += 1
    return place


def suites(
    name: Annotated[
        str | None, typer.Argument(help="Show this suite, ours or a file, whole.", show_default="list ours")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the list as JSON; - is standard output.")
    ] = None,
    _config: ConfigFile = None,
) -> None:
    """List the suites that come with the package, for `palaestra bench`."""
    from palaestra.evolution.benchmark.suite_file import find_suite, own_suites
    from palaestra.evolution.benchmark.tables import Table, on_terminal

    check_writable(json)
    if name is None:
        found = own_suites()
    else:
        one = find_suite(name)
        if one is None:
            raise UsageError(f"There is no suite {name!r}. Ours: {', '.join(own_suites())}; or name a TOML file.")
        found = {name: one}
    write(json, {"suites": [replace(one, source="").as_json() | {"digest": one.digest} for one in found.values()]})
    head = ("suite", "about", "environments", "tasks", "attempts")
    rows: list[tuple[str, ...]] = [
        (key, s.comment, "\n".join(c.spec for c in s.courses), _each(s, "tasks"), _each(s, "tries"))
        for key, s in found.items()
    ]
    console_for(json).print(on_terminal(Table("", head, rows, 3)))


def _each(suite: "Suite", what: str) -> str:
    return "\n".join(str(getattr(course, what)) for course in suite.courses)
