"""A tournament: rounds follow from results, results from games, and no game is played twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from palaestra.agents.agent import Agent
from palaestra.agents.matches import Match, Matches, MatchRecord
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.catalogue import make_arena
from palaestra.envs.errors import RunError
from palaestra.evolution.tournament.games import Game, tallies
from palaestra.evolution.tournament.schedule import Plan, Round, Tally, matches_of, next_round
from palaestra.evolution.tournament.store import Store

__all__ = ["Played", "play", "played"]

# What is asked for at once: records with their tokens are held until it is done.
_GAMES_AT_ONCE = 2_000


@dataclass(frozen=True)
class Played:
    """All of a tournament that was played.

    Attributes:
        plan: What was asked for.
        rounds: Its rounds with the tallies of their tables; only complete ones.
        games: All finished games in the order of the schedule.
        over: Whether no round is missing.
    """

    plan: Plan
    rounds: tuple[tuple[Round, tuple[Tally, ...]], ...]
    games: tuple[Game, ...]
    over: bool


def played(store: Store) -> Played:
    """Return what a tournament's directory holds.

    Raises:
        RunError: If a game in it is not of its schedule.
    """
    past, order, _ = _stand(store)
    return Played(store.plan, tuple(past), tuple(store.found(order)), next_round(store.plan, past) is None)


def play(
    store: Store,
    agents: Sequence[Agent],
    *,
    in_flight: int = 128,
    progress: Callable[[int, int, int], None] | None = None,
    make: Callable[[str], Arena] = make_arena,
) -> Played:
    """Play what is missing of a tournament.

    Args:
        store: Its directory, open for writing; every game is kept there as it ends.
        agents: Who plays, as `store.plan.players` names them.
        in_flight: Most games alive at a time.
        progress: Called with the number of the round, and of its games those that are over and all.
        make: Builds the arena of a spec.
    """
    matches = Matches(agents, in_flight=in_flight, move_seconds=store.plan.move_seconds, make=make)
    while True:
        past, _, missing = _stand(store)
        round_ = next_round(store.plan, past)
        if round_ is None:
            break
        total = len(matches_of(store.plan, round_))
        done = total - len(missing)

        def keep(record: MatchRecord, number: int = round_.number, total: int = total) -> None:
            nonlocal done
            store.add(Game.of(record))
            done += 1
            if progress:
                progress(number, done, total)

        if progress:
            progress(round_.number, done, total)
        for begin in range(0, len(missing), _GAMES_AT_ONCE):
            matches.play(missing[begin : begin + _GAMES_AT_ONCE], keep)
        store.sync()
    return played(store)


def _stand(store: Store) -> tuple[list[tuple[Round, tuple[Tally, ...]]], list[str], list[Match]]:
    """Return the complete rounds, the ids of all games known so far, and the missing games of the round under way."""
    past: list[tuple[Round, tuple[Tally, ...]]] = []
    order: list[str] = []
    missing: list[Match] = []
    while not missing:
        round_ = next_round(store.plan, past)
        if round_ is None:
            break
        matches = matches_of(store.plan, round_)
        for match in matches:
            game = store.games.get(match.id)
            if game is not None and not game.fits(match):
                raise RunError(
                    f"{store.directory} is damaged: its game {match.id} has players {game.players} and seed "
                    f"{game.seed}, the schedule {match.players} and {match.seed}. Delete that line of games.jsonl."
                )
        order += [match.id for match in matches]
        missing = [match for match in matches if match.id not in store.games]
        if not missing:
            past.append((round_, tuple(tallies(round_, store.games) or ())))
    return past, order, missing
