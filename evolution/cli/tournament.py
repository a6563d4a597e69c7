"""`palaestra tournament`: let players meet in an arena and rate them."""

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.cli.output import check_writable, console_for, usage_json, usage_lines, write
from rich.console import Console
from rich.status import Status
from typer.core import TyperCommand

# All that plays and rates is imported late: the command line must answer at once.
if TYPE_CHECKING:
    from palaestra.agents.agent import Agent
    from palaestra.agents.http.meter import Usage
    from palaestra.evolution.tournament.result import Result
    from palaestra.evolution.tournament.schedule import Plan
    from palaestra.evolution.tournament.store import Store

__all__ = ["SeveralPlayers", "tournament"]

DEFAULT_GAMES: Final = 20


class SeveralPlayers(TyperCommand):
    """A command whose `--players` takes all words up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write `--players A B` as `--players A --players B`."""
        spread: list[str] = []
        listing = False
        for number, word in enumerate(args):
            if word == "--":
                spread += args[number:]
                break
            if word.startswith("-") and word != "-":
                listing = word.partition("=")[0] == "--players"
                spread += [] if word == "--players" else [word]
            else:
                spread += ["--players", word] if listing else [word]
        return super().parse_args(ctx, spread)


def tournament(
    arena: Annotated[
        str | None, typer.Argument(metavar="ARENA", help="Where they play, such as 'kuhn_poker?players=3'.")
    ] = None,
    players: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC...", help="Who plays, one word after the other; a spec named twice is two players."),
    ] = None,
    games: Annotated[
        int | None,
        typer.Option(
            min=1, help="Games of each pairing, rounded up to full sets of seats.", show_default=str(DEFAULT_GAMES)
        ),
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME", help="round-robin, swiss or knockout.", show_default="round-robin")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds of a Swiss tournament.", show_default="log2 of the players")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Names all randomness.", show_default="0")] = None,
    move_seconds: Annotated[
        float | None,
        typer.Option(min=0.001, help="Longest time of one move of a player without a policy.", show_default="none"),
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of one reply.", show_default="64")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help="Of the players' sampling.", show_default="1.0")
    ] = None,
    in_flight: Annotated[int, typer.Option(min=1, help="Most games under way at a time.")] = 128,
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where games are kept.", show_default="a new folder under runs/"),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with the tournament that is kept there.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the result as JSON; - is standard output.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with cross table, ratings and games to replay.")
    ] = None,
) -> None:
    """Let players meet in an arena, and rate them with intervals.

    Every pairing is played in sets: the same seed with everybody in every seat. Every finished game is kept; Ctrl-C, a
    crash or a kill leaves a tournament that --resume goes on with.
    """
    check_writable(json)
    check_writable(page, "--page")
    said = {
        "arena": arena,
        "players": tuple(players) if players else None,
        "games": games,
        "schedule": schedule,
        "rounds": rounds,
        "seed": seed,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "move_seconds": move_seconds,
    }
    with ExitStack() as stack:
        status = stack.enter_context(Console(stderr=True).status("loading"))
        store, agents = _resumed(resume, run, said) if resume is not None else _begun(run, said)
        stack.enter_context(store)
        result = _played(store, agents, in_flight, status)
        usages = _usages(store.plan, agents)
        value = result.as_json() | {"run": str(store.directory)} | usage_json(usages)
        store.finish(value)
        write(json, value)
        if page is not None:
            from palaestra.evolution.tournament.page import write_page

            status.update("writing the page")
            write_page(page, result)
    console = console_for(json)
    _show(console, result, store.directory, page)
    for line in usage_lines(usages):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _resumed(directory: Path, run: Path | None, said: dict[str, Any]) -> "tuple[Store, list[Agent]]":
    from palaestra.evolution.tournament.store import Store

    if run is not None:
        raise UsageError("--run begins a tournament and --resume goes on with one: leave one of them out.")
    store = Store.open(directory)
    try:
        store.refuse_changes(**said)
        return store, _agents(store.plan)
    except BaseException:
        store.close()
        raise


def _begun(directory: Path | None, said: dict[str, Any]) -> "tuple[Store, list[Agent]]":
    from palaestra.envs.arena.catalogue import make_arena
    from palaestra.evolution.run import Run
    from palaestra.evolution.tournament.schedule import Plan, Schedule
    from palaestra.evolution.tournament.store import Store

    if said["arena"] is None or said["players"] is None:
        raise UsageError(
            "A tournament needs an arena and players: palaestra tournament ARENA --players SPEC SPEC. To go on with "
            "one, name its folder after --resume."
        )
    name = said["schedule"] or str(Schedule.ROUND_ROBIN)
    if name not in Schedule.__members__.values():
        raise UnknownNameError("schedule", name, [str(schedule) for schedule in Schedule])
    given = {key: value for key, value in said.items() if value is not None}
    seats = len(make_arena(said["arena"]).possible_agents)
    plan = Plan(**({"games": DEFAULT_GAMES} | given | {"schedule": Schedule(name), "seats": seats}))
    agents = _agents(plan)  # A misspelt player is told of before there is a folder.
    return Store.create(directory or Run.default_directory("tournament", plan.seed), plan), agents


def _agents(plan: "Plan") -> "list[Agent]":
    """Return the players; one that is named twice is loaded once."""
    from palaestra.agents.policy import Sampling
    from palaestra.agents.specs import load_agent

    sampling = Sampling(max_tokens=plan.max_tokens, temperature=plan.temperature)
    agents = {spec: load_agent(spec, sampling=sampling, seed=plan.seed) for spec in dict.fromkeys(plan.players)}
    return [agents[spec] for spec in plan.players]


def _usages(plan: "Plan", agents: "list[Agent]") -> "dict[str, Usage]":
    """Return what players cost in this process, for those that count it."""
    from palaestra.agents.http.meter import Metered

    return {spec: agent.usage for spec, agent in zip(plan.players, agents, strict=True) if isinstance(agent, Metered)}


def _played(store: "Store", agents: "list[Agent]", in_flight: int, status: Status) -> "Result":
    from palaestra.evolution.tournament.result import conclude
    from palaestra.evolution.tournament.tournament import play

    def progress(number: int, done: int, total: int) -> None:
        status.update(f"round {number}: {done:,} of {total:,} games")

    try:
        played = play(store, agents, in_flight=in_flight, progress=progress)
    except KeyboardInterrupt:
        store.sync()
        status.stop()
        Console(stderr=True).print(
            "Interrupted. Finished games are kept. Go on with:\n"
            f"  palaestra tournament --resume {shlex.quote(str(store.directory))}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
        raise typer.Exit(130) from None
    status.update("rating")
    return conclude(played)


def _show(console: Console, result: "Result", directory: Path, page: Path | None) -> None:
    from palaestra.evolution.tournament.table import print_result

    print_result(console, result)
    for label, path in (("run", directory), ("page", page)):
        if path is not None:
            console.print(f"{label:<9}{path}", soft_wrap=True, markup=False, highlight=False)
