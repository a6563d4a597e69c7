"""`palaestra evolve`: make a policy better and show what changed."""

import re
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from palaestra.envs.catalogue import world
from palaestra.envs.errors import PeerError, UnknownNameError, UsageError
from palaestra.evolution.cli.configuration import ConfigFile, settings_of
from palaestra.evolution.cli.output import check_writable, console_for, hush_libraries, write
from palaestra.evolution.cli.task_files import SkipBadRows, build_each, skipping
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.recipes.own import is_own, own_recipe, read_own
from palaestra.evolution.report.live import LiveView
from palaestra.evolution.result import Result
from palaestra.evolution.view import Silent
from rich.console import Console

__all__ = ["evolve"]

DEFAULT_ENV = "palaestra/Arithmetic-v0"


def evolve(
    context: typer.Context,
    recipe: Annotated[
        str,
        typer.Argument(help="How to learn; `palaestra recipes` lists them. Or a file of your own, such as ./mine.py."),
    ] = "grpo",
    env: Annotated[
        list[str],
        typer.Option(metavar="SPEC", help="Environment to learn in; several, from easy to hard, are a ladder."),
    ] = [DEFAULT_ENV],  # noqa: B006 (typer copies it)
    watch: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="Environment to measure too, to see what is forgotten; may be repeated."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Who learns: nursery:SKILL, or local:PATH-or-id; in context any, http:MODEL@ADDRESS too.",
            show_default="a nursery policy born to the environment, or else to arithmetic",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Names all randomness of the run.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Turns of the loop.", show_default="as the recipe says")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the run shall lie.", show_default="a new folder under runs/"),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Continue this run; what it was begun with stays as it is.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the result as JSON; - is standard output.")
    ] = None,
    report_to: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Tracker besides the run's own files, such as wandb; may be repeated."),
    ] = None,
    staleness: Annotated[
        int,
        typer.Option(
            min=0,
            help="Play while learning, from experience at most so many versions old: 1 is one step off, more is fully "
            "asynchronous; 0 plays and learns in turn.",
        ),
    ] = 0,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC", help="Who samples: vllm, or vllm?dtype=float32.", show_default="the policy that learns"
        ),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Where episodes are played: ray, or ray?address=HOST:PORT&actors=8&cpus=2&gpus=1.",
            show_default="this process",
        ),
    ] = None,
    auditor: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Environment whose stricter judge judges the same replies again and is never learned from; the gap is "
            "logged and plotted.",
        ),
    ] = None,
    skip_bad_rows: SkipBadRows = False,
    _config: ConfigFile = None,
    set: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH=VALUE", help="Change an option of the recipe; `palaestra recipes NAME` lists them."),
    ] = None,
) -> None:
    """Make a policy better: acquire experience, refine it, update the weights, evaluate; again and again.

    Times are in seconds, shares and accuracies from 0 to 1 in files and in per cent on screen. Ctrl-C leaves a run
    that --resume continues.
    """
    check_writable(json)
    settings = settings_of(context, set or []) | ({} if steps is None else {"steps": steps})
    try:
        if resume is not None:
            _refuse_changes(context, settings)
            result = _resume(resume)
        else:
            ladder, watched = skipping(env, skip_bad_rows), watch or []
            if policy is None:
                ladder = [_without_words(spec) for spec in ladder]
                watched = [_without_words(spec) for spec in watched]
            objective = Objective(_ability(env[0]), tuple(ladder), watched=tuple(watched))
            begin = partial(_begin, seed=seed, directory=run, report_to=report_to or [])
            learner = policy or _newborn(ladder[0])
            work = {
                "staleness": staleness,
                "engine": engine or "",
                "executor": executor or "",
                "auditor": auditor or "",
            }
            result = begin(recipe, settings, objective, learner, work)
    except KeyboardInterrupt:  # before there was a run
        raise typer.Exit(130) from None
    if result is not None:
        write(json, result.as_json())
        _show(console_for(json), result)


def _without_words(env: str) -> str:
    """Return the spec of an arena that explains nothing: a newborn policy cannot read rules, only pay for them."""
    from palaestra.envs.arena.catalogue import is_arena, make_arena

    if not is_arena(env) or "explain=" in env:
        return env
    silent = f"{env}{'&' if '?' in env else '?'}explain=false"
    try:
        make_arena(silent)
    except UsageError:  # some have nothing to explain; what else is wrong is said later
        return env
    return silent


def _newborn(env: str) -> str:
    """Return the spec of the nursery policy that suits an environment."""
    from palaestra.envs.arena.catalogue import is_arena

    if is_arena(env):
        return f"nursery:{env}"
    try:
        entry = world(env.partition("?")[0])
    except UnknownNameError:  # another's environment
        return "nursery:arithmetic"
    return f"nursery:{entry.short if entry.cradle else 'arithmetic'}"


def _begin(
    recipe: str,
    settings: dict[str, object],
    objective: Objective,
    policy: str,
    work: dict[str, Any],
    *,
    seed: int,
    directory: Path | None,
    report_to: list[str],
) -> Result | None:
    # What can be wrong is said before the minutes begin, and what can be said without torch before it loads.
    build_each(objective.evaluated)
    file = (recipe, read_own(recipe)) if is_own(recipe) else None
    chosen = find_recipe(recipe, settings) if file is None else own_recipe(file[1], recipe, settings)
    from palaestra.evolution.evolve import evolve

    begun = partial(
        evolve,
        chosen,
        objective=objective,
        policy=policy,
        seed=seed,
        directory=directory,
        command=("palaestra", *sys.argv[1:]),
        settings=settings,
        report_to=report_to,
        file=file,
        **work,
    )
    return _watched(begun, f"palaestra evolve {recipe} · {objective.env}")


def _resume(directory: Path) -> Result | None:
    from palaestra.evolution.evolve import resume

    return _watched(partial(resume, directory), f"palaestra evolve --resume {directory}")


def _watched(work: Callable[..., Result], title: str) -> Result | None:
    """Do the work under a live view; when a person stops it, say how to go on.

    Of several processes that train together only the first one shows anything, and returns the result.
    """
    from palaestra.evolution.evolve import Interrupted
    from palaestra.evolution.updating.peers import leads

    hush_libraries()
    if not leads():
        try:
            work(view=Silent())
        except PeerError:  # whoever failed says it, and so does the first process
            raise typer.Exit(1) from None
        return None
    try:
        with LiveView(title=title) as view:
            return work(view=view)
    except Interrupted as interrupted:
        lines = (
            f"Interrupted. The run lies in {interrupted.run}; nothing committed is lost. Continue with:",
            f"  palaestra evolve --resume {shlex.quote(str(interrupted.run))}",
        )
        for line in lines:
            Console(stderr=True).print(line, soft_wrap=True, markup=False, highlight=False)
        raise typer.Exit(130) from None


def _refuse_changes(context: typer.Context, settings: dict[str, object]) -> None:
    """A resumed run stays the experiment it was begun as; `resume` and `json` are all that may be said."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    said = [name for name, source in sources.items() if source is not None and source.name != "DEFAULT"]
    changes = sorted({*said, *settings} - {"resume", "json", "_config"})
    if changes:
        raise UsageError(
            f"--resume continues a run as it was begun, but {', '.join(changes)} came too. Leave that out, or leave "
            "out --resume to begin a new run."
        )


def _ability(env: str) -> str:
    """Name the ability as people would: `palaestra/Arithmetic-v0` trains arithmetic."""
    identity = env.partition("?")[0]
    return re.sub(r"-v\d+$", "", re.split("[/:]", identity)[-1]).lower()


def _show(console: Console, result: Result) -> None:
    # Imported late: the ending needs scipy, and the half second is better spent when there is something to end.
    from palaestra.envs.arena.catalogue import is_arena
    from palaestra.evolution.report.account.arms import arm_names
    from palaestra.evolution.report.arms import arms_table
    from palaestra.evolution.report.table import print_ending
    from palaestra.evolution.run import Run

    with Run.open(result.run, read_only=True) as run:
        parts = run.config.get("parts", {})
    if is_arena(result.env):
        again = ["palaestra", "tournament", result.env, "--players", f"run:{result.run}", f"run:{result.run}@0"]
        again += ["scripted:random", "--games", "1000"]
    elif (ways := arms_table(result, arm_names(parts))) is not None:
        print_ending(console, result, result.run / "curve.png")
        console.print(ways)
        return
    else:
        weights = result.run / "checkpoints" / f"step-{result.steps:06d}"
        in_context = (result.run / "contexts").is_dir()
        policy = f"run:{quote(str(result.run))}" if in_context else f"local:{quote(str(weights))}"
        # A score of another measure goes by a name that is no spec.
        usual = result.after.scores[0].measure
        specs = (score.env for score in result.after.scores if score.measure == usual)
        again = ["palaestra", "bench", *specs, "--policy", policy, "--attempts", "8", *_sampled_alike(parts)]
    print_ending(console, result, result.run / "curve.png", [("measure further", shlex.join(again))])


def _sampled_alike(parts: Mapping[str, Any]) -> list[str]:
    """Return the options with which `palaestra bench` samples as a run's evaluation did, where it would not by itself.

    Args:
        parts: The recipe as `describe` tells it.
    """
    from palaestra.evolution.cli.bench import MAX_TOKENS, TEMPERATURE

    evaluate = parts.get("evaluate") or {}
    # What measures more than held-out tasks holds how these are measured.
    held_out = evaluate["tasks"] if isinstance(evaluate.get("tasks"), Mapping) else evaluate
    sampling = held_out.get("sampling") or {}
    most, temperature = sampling.get("max_tokens", MAX_TOKENS), sampling.get("temperature", TEMPERATURE)
    words = [] if most == MAX_TOKENS else ["--max-tokens", str(most)]
    # Several attempts at 0 would be one.
    return words if temperature in (0, TEMPERATURE) else [*words, "--temperature", str(temperature)]
