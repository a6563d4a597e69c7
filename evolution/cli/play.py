"""`palaestra play`: a person plays in the terminal."""

from typing import Annotated

import typer
from palaestra.envs.errors import UsageError
from rich.console import Console
from rich.text import Text

__all__ = ["play"]


def play(
    arena: Annotated[str, typer.Argument(metavar="ARENA", help="Where to play, such as tic_tac_toe.")],
    against: Annotated[
        list[str], typer.Option(metavar="SPEC", help="Who sits in the other seats; one for all of them, or one each.")
    ] = ["scripted:random"],  # noqa: B006 (typer copies it)
    seat: Annotated[int, typer.Option(min=0, help="Your seat, from 0.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Names all chance of the game.")] = 0,
) -> None:
    """Play a game against agents. A move that is not legal may be tried again; Ctrl-D gives up, Ctrl-C leaves."""
    from palaestra.agents.matches import Match, Matches
    from palaestra.agents.person import Person
    from palaestra.agents.specs import load_agent
    from palaestra.envs.arena.catalogue import make_arena

    console = Console()
    spec = arena if "illegal=" in arena else f"{arena}{'&' if '?' in arena else '?'}illegal=retry&tries=1000"
    world = make_arena(spec)
    names = world.possible_agents
    if not 0 <= seat < len(names):
        raise UsageError(f"{arena} has seats 0 to {len(names) - 1}, got {seat}.")
    if len(against) not in (1, len(names) - 1):
        raise UsageError(
            f"{arena} has {len(names) - 1} other seats, got {len(against)} agents: name one for all, or each."
        )
    others = against * (len(names) - 1) if len(against) == 1 else against

    def ask(observation: str) -> str:
        console.print()
        console.print(Text(observation))
        return console.input(f"[bold]{names[seat]}>[/] ")

    agents = [Person(ask), *(load_agent(other, seed=seed) for other in others)]
    waiting = iter(range(1, len(agents)))
    players = tuple(0 if number == seat else next(waiting) for number in range(len(names)))
    try:
        (record,) = Matches(agents).play([Match("play", spec, players, seed)])
    except KeyboardInterrupt:
        console.print("\nLeft.")
        raise typer.Exit(130) from None
    console.print()
    for number, said in record.moves:
        who = "you" if number == seat else agents[players[number]].name
        console.print(Text(f"{names[number]} ({who}): {said}"), highlight=False)
    if not record.valid:
        console.print(Text(f"The game does not count: {record.detail or 'you gave it up'}"))
        raise typer.Exit(1)
    word = {"correct": "You won", "partial": "Drawn"}.get(str(record.episodes[seat].verdict.status), "You lost")
    fault = f" ({record.fault.detail})" if record.fault else ""
    console.print(Text(f"{word}{fault}: {', '.join(f'{n} {r:g}' for n, r in zip(names, record.returns, strict=True))}"))
