"""`palaestra reproduce`: test published claims in miniature."""

from pathlib import Path
from typing import Annotated

import typer
from palaestra.envs.errors import PalaestraError, RunError, UsageError
from palaestra.evolution.cli.configuration import ConfigFile
from palaestra.evolution.cli.output import check_writable, console_for, hush_libraries, write
from palaestra.evolution.report.live import LiveView
from rich.console import Console

__all__ = ["reproduce"]

_FULL, _QUICK = Path("runs/reproductions"), Path("runs/reproductions-quick")


def reproduce(
    recipe: Annotated[
        list[str] | None,
        typer.Argument(help="Recipes, or names of miniatures.", show_default="every miniature"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Smaller runs, minutes each: shows that it works, and hardly more.")
    ] = False,
    seeds: Annotated[
        int | None, typer.Option(min=2, help="Seeds of each miniature.", show_default="3, or as it says")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all that was found as JSON; - is standard output.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where figures are kept, README.md and a JSON file each, and the runs, under runs/.",
            show_default=f"{_FULL}, or {_QUICK}",
        ),
    ] = None,
    _config: ConfigFile = None,
) -> None:
    """Test published claims in miniature; write one table: claim, figure with interval, holds or not, time, command.

    A claim that does not hold is a result, not an error. Killed or interrupted, the same command goes on: runs that are
    finished are read, the one that was at work is resumed.
    """
    check_writable(json)
    # Imported late: it loads torch, and what is asked for may be wrong.
    from palaestra.evolution.evolve import Interrupted
    from palaestra.evolution.reproduction.catalogue import find_miniatures
    from palaestra.evolution.reproduction.miniature import Profile
    from palaestra.evolution.reproduction.report import keep, kept, refuse_other_profile, table
    from palaestra.evolution.reproduction.reproduce import reproduce as run

    chosen = find_miniatures(recipe or [])
    profile, place = (Profile.QUICK, out or _QUICK) if quick else (Profile.FULL, out or _FULL)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {place} cannot be made: {error.strerror}. Name another place.") from error
    refuse_other_profile(place, profile)
    hush_libraries()
    failures = dict[str, PalaestraError]()
    try:
        for miniature in chosen:
            try:
                keep(run(miniature, place / "runs", profile, lambda title: LiveView(title=title), seeds), place)
            except (Interrupted, RunError):  # a place that holds something else is not to be touched
                raise
            except PalaestraError as error:  # hours of others are not lost with it
                failures[miniature.name] = error
    except (Interrupted, KeyboardInterrupt):
        line = "Interrupted. Nothing committed is lost: the same command goes on where it stood."
        Console(stderr=True).print(line, soft_wrap=True, markup=False, highlight=False)
        raise typer.Exit(130) from None
    names = {miniature.name for miniature in chosen}
    found = [values for values in kept(place) if values["miniature"] in names]
    write(json, {"reproductions": found})
    console = console_for(json)
    console.print(table(found))
    console.print(f"kept in {place}", soft_wrap=True, markup=False, highlight=False)
    for name, reason in failures.items():
        Console(stderr=True).print(f"{name} has no figure: {reason}", soft_wrap=True, markup=False, highlight=False)
    if failures:
        raise typer.Exit(1)
