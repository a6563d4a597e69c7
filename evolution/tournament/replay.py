"""Kept games played again, so that an onlooker sees what there was to see."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.catalogue import make_arena
from palaestra.envs.seeding import derive_seed
from palaestra.evolution.tournament.games import Game

__all__ = ["Frame", "Replay", "choose", "replay", "replays"]

# Colours of a terminal, and other control characters than the end of a line and the tabulator.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_LONGEST = 4_000


@dataclass(frozen=True)
class Frame:
    """What an onlooker sees after a move.

    Attributes:
        seat: Who moved; -1 before the first move.
        said: What it said.
        picture: How things stand.
    """

    seat: int
    said: str
    picture: str


@dataclass(frozen=True)
class Replay:
    """A game to step through.

    Attributes:
        game: The game.
        frames: The picture before the first move and after each.
        faithful: Whether the replay went as the game did; if not, pictures are missing from where it did not.
    """

    game: Game
    frames: tuple[Frame, ...]
    faithful: bool


def replay(game: Game, arena: Arena) -> Replay:
    """Play a kept game again.

    Args:
        game: The game.
        arena: An arena of its spec; it is reset.
    """
    frames: list[Frame] = []
    faithful = True
    try:
        arena.reset(seed=derive_seed(game.seed, "arena"))
        frames.append(Frame(-1, "", _plain(arena.picture())))
    except Exception:  # an arena that cannot show itself costs its pictures, not the page
        frames.append(Frame(-1, "", ""))
        faithful = False
    timed_out = game.fault is not None and game.fault[1] == "timeout"
    for number, (seat, said) in enumerate(game.moves, 1):
        picture = ""
        if timed_out and number == len(game.moves) and not said:
            said, picture = "(no move in time)", frames[-1].picture
        elif faithful:
            try:
                faithful = not arena.over and arena.seat == seat
                if faithful:
                    arena.step(said)
                    picture = _plain(arena.picture())
            except Exception:  # as above
                faithful = False
        frames.append(Frame(seat, _plain(said), picture))
    return Replay(game, tuple(frames), faithful)


def choose(games: Sequence[Game], most: int) -> list[Game]:
    """Pick games evenly: first some that were spoilt, then a set of every table, another of every table, and so on.

    Args:
        games: All games.
        most: Most games to pick.

    Returns:
        Games in the order of `games`.
    """
    if len(games) <= most:
        return list(games)
    spoilt = [game.id for game in games if game.fault is not None or not game.valid]
    # Spread over the whole, so that one player's faults do not crowd out those of others.
    picked = (
        {spoilt[i * len(spoilt) // (most // 5)] for i in range(most // 5)} if len(spoilt) > most // 5 else {*spoilt}
    )

    def rank(game: Game) -> tuple[int, str]:
        table, _, set_ = game.group.rpartition(".s")
        return int(set_), table

    for game in sorted(games, key=rank):
        if len(picked) >= most:
            break
        picked.add(game.id)
    return [game for game in games if game.id in picked]


def replays(games: Sequence[Game], spec: str, make: Callable[[str], Arena] = make_arena) -> list[Replay]:
    """Play kept games again, in one arena."""
    arena = make(spec)
    return [replay(game, arena) for game in games]


def _plain(text: str) -> str:
    shown = _ESCAPES.sub("", text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} … ({len(shown):,} characters)"
