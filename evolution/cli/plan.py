"""`palaestra plan`: what a run will take, by unit costs measured here, kept in a file, or assumed of other devices."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from palaestra.envs.errors import UsageError
from palaestra.evolution.cli.configuration import ConfigFile, settings_of
from palaestra.evolution.cli.output import check_writable, console_for, hush_libraries, write
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.report.words import whole_share
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from palaestra.evolution.planning.costs import UnitCosts, Workload
    from palaestra.evolution.planning.forecast import Forecast
    from palaestra.evolution.recipe import Recipe

__all__ = ["plan"]


def plan(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="How it would learn; one that samples groups.")] = "grpo",
    env: Annotated[str, typer.Option(metavar="SPEC", help="Environment to learn in.")] = "palaestra/Arithmetic-v0",
    policy: Annotated[str, typer.Option(metavar="SPEC", help="Who would learn.")] = "nursery:arithmetic",
    devices: Annotated[int, typer.Option(min=1, help="Devices of a host: GPUs, or 1 for a machine without.")] = 1,
    hosts: Annotated[int, typer.Option(min=1, help="Hosts.")] = 1,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Take unit costs and workload from here; measure nothing.")
    ] = None,
    assume: Annotated[
        str | None,
        typer.Option(metavar="DEVICE:PARAMETERS", help="Take unit costs from published figures, such as h100:1.5e9."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Write unit costs and workload, for --file and your hand.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the plan as JSON; - is standard output.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Names the tasks that are played to measure.")] = 0,
    _config: ConfigFile = None,
    set: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH=VALUE", help="Change an option of the recipe, or what was measured: workload.reply=2000."
        ),
    ] = None,
) -> None:
    """Predict rollouts a second, where the time goes and how many samplers a trainer needs.

    Without --file and --assume it plays and learns a little on this machine first (seconds to a minute) and measures.
    """
    for option, path in (("--json", json), ("--save", save)):
        check_writable(path, option)
    settings = settings_of(context, set or [])
    own = {path: value for path, value in settings.items() if path.partition(".")[0] in ("costs", "workload")}
    chosen = find_recipe(recipe, {path: value for path, value in settings.items() if path not in own})
    costs, work = _known(chosen, env, policy, seed, file, assume, hosts, own)
    if save is not None:
        from palaestra.evolution.planning.costs import write_plan

        write_plan(save, costs, work)
    from palaestra.evolution.planning.forecast import STALENESS, divide

    fleets = [(1, 1)] + [(devices * hosts, hosts)] * (devices * hosts > 1)
    found = [divide(costs, work, count, spread, mode) for count, spread in fleets for mode in STALENESS]
    value = {"costs": asdict(costs), "workload": asdict(work), "plans": [_as_json(one) for one in found]}
    write(json, value)
    _show(console_for(json), costs, work, found)


def _known(
    recipe: "Recipe",
    env: str,
    policy: str,
    seed: int,
    file: Path | None,
    assume: str | None,
    hosts: int,
    changes: dict[str, object],
) -> "tuple[UnitCosts, Workload]":
    from palaestra.evolution.acquisition.groups import SampleGroups
    from palaestra.evolution.planning.costs import Workload, read_plan
    from palaestra.evolution.recipe import configure

    def changed(part: object, name: str) -> object:
        return configure(part, {k.partition(".")[2]: v for k, v in changes.items() if k.startswith(name + ".")})

    if file is None and assume is None:
        from palaestra.evolution.planning.calibrate import calibrate

        hush_libraries()
        costs, work = calibrate(recipe, env, policy, seed)
    elif file is not None:
        costs, work = read_plan(file)
    else:
        acquire = recipe.acquire
        if not isinstance(acquire, SampleGroups):
            raise UsageError(f"A plan knows recipes that sample groups; {recipe.name} does not. Take grpo.")
        work = Workload(acquire.groups, acquire.attempts, acquire.rounds, reply_limit=acquire.sampling.max_tokens)
    work = changed(work, "workload")  # type: ignore[assignment]
    if assume is not None:
        from palaestra.evolution.planning.assumed import assumed_costs

        costs = assumed_costs(assume, hosts=hosts)
    return changed(costs, "costs"), work  # type: ignore[return-value]


def _as_json(one: "Forecast") -> dict[str, object]:
    return asdict(one) | {"rollouts_a_second": one.rollouts_a_second, "shares": _shares(one)}


def _shares(one: "Forecast") -> dict[str, float]:
    """Return what share of a step each part is at work; parts of a run that plays ahead go on side by side."""
    busy = {"sampling": one.sampling, "judging": one.judging, "learning": one.learning, "other": one.other}
    shares = {name: min(1.0, seconds / one.seconds) for name, seconds in busy.items()}
    return shares | {"trainers waiting": max(0.0, 1 - shares["learning"]), "samplers waiting": 1 - shares["sampling"]}


def _show(console: Console, costs: "UnitCosts", work: "Workload", found: "list[Forecast]") -> None:
    console.print(Text(f"\n{costs.name}", "bold"))
    console.print(
        f"a step: {work.groups} groups of {work.attempts}, {work.prompt:.0f} + {work.turns:.1f} x {work.reply:.0f} "
        f"tokens, {whole_share(work.uniform)} of the groups uniform, {1000 * work.judge:.2g} ms a judgement\n",
        highlight=False,
        soft_wrap=True,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("devices", "mode", "rollouts/s", "s/step", "sample", "judge", "learn", "limited by"):
        table.add_column(name, justify="left" if name in ("devices", "mode", "limited by") else "right", no_wrap=True)
    for one in found:
        shares, fleet = _shares(one), one.fleet
        told = f"{fleet.devices}" if fleet.shared else f"{fleet.samplers}+{fleet.trainers}"
        cells = [told, one.mode, f"{one.rollouts_a_second:,.4g}", f"{one.seconds:.3g}"]
        cells += [whole_share(shares[name]) for name in ("sampling", "judging", "learning")]
        table.add_row(
            *cells, one.bottleneck + (f", {whole_share(one.dropped)} too old" if one.dropped >= 0.005 else "")
        )
    console.print(table)
    last = found[-1]
    room = f" of {costs.memory_bytes / 1e9:.0f}" if costs.memory_bytes else ""
    console.print(
        "devices: one that does both in turn, or samplers + trainers; shares of a step in which each is at work\n"
        f"{last.samplers_a_trainer:.2g} samplers keep one trainer busy\n"
        f"memory: {last.sampler_bytes / 1e9:.2g}{room} GB a sampler, {last.trainer_bytes / 1e9:.2g}{room} GB a trainer "
        "before activations",
        highlight=False,
        soft_wrap=True,
    )
    if costs.memory_bytes and max(last.sampler_bytes, last.trainer_bytes) > costs.memory_bytes:
        console.print(Text("this does not fit: take adapters, a smaller model, or fewer episodes alive", "red"))
