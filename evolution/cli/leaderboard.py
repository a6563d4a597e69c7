"""`palaestra leaderboard`: many results on one page."""

from pathlib import Path
from typing import Annotated

import typer
from palaestra.envs.errors import UsageError
from palaestra.evolution.cli.configuration import ConfigFile
from palaestra.evolution.cli.output import check_writable
from rich.console import Console

__all__ = ["leaderboard"]


def leaderboard(
    results: Annotated[list[Path], typer.Argument(metavar="RESULT...", help="Folders that `palaestra bench` wrote.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page, one HTML file.")] = Path("leaderboard.html"),
    _config: ConfigFile = None,
) -> None:
    """Put results of suites on one page: accuracies with intervals, ranks as ranges from paired tests, costs.

    Results stand side by side where world, settings, judge, split, tasks and the suite's sampling are the same.
    """
    if str(out) == "-":
        raise UsageError("--out - came, expected a file: the page is one HTML file.")
    check_writable(out, "--out")
    from palaestra.evolution.benchmark.leaderboard import board_of
    from palaestra.evolution.benchmark.page import write_board
    from palaestra.evolution.benchmark.result import ResultFolder

    folders = {path.resolve(): path for path in results}
    board = board_of([ResultFolder.open(path) for path in folders.values()])
    write_board(out, board)
    words = f"{len(board.rows)} policies, {len(board.columns)} environments, {len(board.results)} results: {out}"
    Console().print(words, soft_wrap=True, markup=False, highlight=False)
