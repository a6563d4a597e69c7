"""The commands, under one name."""

from collections.abc import Callable

import typer
from palaestra.evolution.cli.audit import audit
from palaestra.evolution.cli.average import average
from palaestra.evolution.cli.bench import bench
from palaestra.evolution.cli.bench_suite import suites
from palaestra.evolution.cli.doctor import doctor
from palaestra.evolution.cli.evolve import evolve
from palaestra.evolution.cli.judge import judge
from palaestra.evolution.cli.leaderboard import leaderboard
from palaestra.evolution.cli.listing import arenas, envs, recipes
from palaestra.evolution.cli.plan import plan
from palaestra.evolution.cli.play import play
from palaestra.evolution.cli.report import report, watch
from palaestra.evolution.cli.reproduce import reproduce
from palaestra.evolution.cli.tournament import SeveralPlayers, tournament

__all__ = ["app"]

app = typer.Typer(
    name="palaestra",
    help="Language-model agents play in environments, learn from what they lived through, and are measured.",
    no_args_is_help=True,
    add_completion=False,
    # A defect of ours should show its plain traceback; errors meant for people never get that far.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS: tuple[Callable[..., None], ...] = (
    *(evolve, report, watch, reproduce, bench, suites, leaderboard, play, envs, arenas, recipes),
    *(average, judge, audit, plan, doctor),
)
for command in _COMMANDS:
    app.command()(command)
app.command(cls=SeveralPlayers)(tournament)
