"""`palaestra report` and `palaestra watch`: read a run in a browser."""

from pathlib import Path
from typing import Annotated

import typer
from palaestra.envs.errors import UsageError
from palaestra.evolution.cli.configuration import ConfigFile
from palaestra.evolution.cli.output import check_writable
from rich.console import Console

__all__ = ["report", "watch"]

_DEFAULT = Path("report.html")
Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Directories of runs.", show_default=False)]


def report(
    runs: Runs,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the page is written.")] = _DEFAULT,
    _config: ConfigFile = None,
) -> None:
    """Write one page about a run, or several side by side: a file of less than 5 MB that needs no network.

    It tells what was done, draws the curves, compares the same tasks before and after, and holds as many episodes as
    fit, to be filtered, searched and read token by token.
    """
    if str(out) == "-":
        raise UsageError("--out - came, expected a file: the page is one HTML file.")
    check_writable(out, "--out")
    from palaestra.evolution.report.account.account import refuse_tournament
    from palaestra.evolution.report.report import write_report

    for run in runs:
        refuse_tournament(run)
    console = Console(stderr=True)
    with console.status("reading"):
        write_report(runs, out)
    line = f"{out}  ({out.stat().st_size / 1e6:.1f} MB)"
    Console().print(line, soft_wrap=True, markup=False, highlight=False)


def watch(
    runs: Runs,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where to listen; 0 takes a free port.")] = 0,
    _config: ConfigFile = None,
) -> None:
    """Serve the page of `palaestra report` while a run goes on, to this machine alone; Ctrl-C ends it.

    The run is only read: it may be started, killed and resumed meanwhile.
    """
    from palaestra.evolution.report.account.account import refuse_tournament
    from palaestra.evolution.report.serving import Watch

    for run in runs:
        refuse_tournament(run)
    with Console(stderr=True).status("reading"):
        server = Watch(runs, port)
    try:
        Console().print(f"{server.url}  (Ctrl-C ends it)", soft_wrap=True, markup=False, highlight=False)
        server.serve()
    except KeyboardInterrupt:
        Console().print("ended")
