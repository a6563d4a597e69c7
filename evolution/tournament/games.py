"""Finished games as they are kept, and what they say of who beat whom."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from palaestra.agents.matches import Match, MatchRecord
from palaestra.evolution.tournament.schedule import Round, Tally, game_id

__all__ = ["Comparisons", "Game", "compare", "scores", "tallies"]


@dataclass(frozen=True, slots=True)
class Game:
    """A finished game without its token records; made of plain values, to be kept as JSON.

    Attributes:
        id: From the schedule.
        group: Games of one set: the same seed, everybody in every seat.
        players: For each seat, the player's number.
        seed: Seed of the game.
        returns: What each seat got, in the game's units.
        valid: Whether it counts; one that crashed counts for nobody.
        blame: The seat whose player crashed.
        fault: The seat that lost by what is no move or by the clock, and which: seat, status, detail.
        illegal: Illegal moves by seat.
        moves: Seat and what it said, in order.
        detail: Why it is not valid.
        tokens: Sampled tokens by seat.
        thinking: Wall-clock seconds by seat.
        seconds: Wall-clock.
    """

    id: str
    group: str
    players: tuple[int, ...]
    seed: int
    returns: tuple[float, ...]
    valid: bool = True
    blame: int | None = None
    fault: tuple[int, str, str] | None = None
    illegal: tuple[int, ...] = ()
    moves: tuple[tuple[int, str], ...] = ()
    detail: str = ""
    tokens: tuple[int, ...] = ()
    thinking: tuple[float, ...] = ()
    seconds: float = 0.0

    @staticmethod
    def of(record: MatchRecord) -> "Game":
        """Return what is kept of a record."""
        match, fault = record.match, record.fault
        thinking = [0.0] * len(match.players)
        for seat, episode in enumerate(record.episodes):
            thinking[seat] = round(sum(turn.policy_seconds for turn in episode.turns), 6)
        return Game(
            match.id,
            match.group,
            match.players,
            match.seed,
            record.returns,
            record.valid,
            record.blame,
            (fault.seat, str(fault.status), fault.detail) if fault else None,
            record.illegal,
            record.moves,
            record.detail,
            record.tokens,
            tuple(thinking),
            round(record.seconds, 6),
        )

    @staticmethod
    def read(row: Mapping[str, Any]) -> "Game":
        """Return the game of a row.

        Raises:
            KeyError, TypeError, ValueError: If the row is none.
        """
        fault = row["fault"]
        return Game(
            id=str(row["id"]),
            group=str(row["group"]),
            players=tuple(map(int, row["players"])),
            seed=int(row["seed"]),
            returns=tuple(map(float, row["returns"])),
            valid=bool(row["valid"]),
            blame=None if row["blame"] is None else int(row["blame"]),
            fault=None if fault is None else (int(fault[0]), str(fault[1]), str(fault[2])),
            illegal=tuple(map(int, row["illegal"])),
            moves=tuple((int(seat), str(said)) for seat, said in row["moves"]),
            detail=str(row["detail"]),
            tokens=tuple(map(int, row["tokens"])),
            thinking=tuple(map(float, row["thinking"])),
            seconds=float(row["seconds"]),
        )

    def row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def fits(self, match: Match) -> bool:
        """Whether this is the game of a match."""
        return (self.id, self.players, self.seed) == (match.id, match.players, match.seed)


def scores(returns: Sequence[float]) -> list[float]:
    """Return for each seat the share of the others that got less than it; half of those that got the same."""
    others = len(returns) - 1
    return [(sum(0.5 * (mine >= yours) + 0.5 * (mine > yours) for yours in returns) - 0.5) / others for mine in returns]


def tallies(round_: Round, games: Mapping[str, Game]) -> list[Tally] | None:
    """Return what came of the tables of a round, None while games of it are missing.

    Args:
        round_: The round.
        games: Finished games by id, of any rounds.
    """
    found = []
    for index, table in enumerate(round_.tables, 1):
        points, crashes, valid = dict.fromkeys(table, 0.0), dict.fromkeys(table, 0), 0
        for number in range(1, round_.sets + 1):
            for shift in range(1, len(table) + 1):
                game = games.get(game_id(round_.number, index, number, shift))
                if game is None:
                    return None
                if game.blame is not None:
                    crashes[game.players[game.blame]] += 1
                if game.valid:
                    valid += 1
                    for player, score in zip(game.players, scores(game.returns), strict=True):
                        points[player] += score
        found.append(Tally(table, tuple(points.values()), valid, tuple(crashes.values())))
    return found


@dataclass(frozen=True)
class Comparisons:
    """Who came out before whom: all pairs of seats of all valid games, `[K]` each.

    A game of two is one comparison. A ranking of N is taken apart into its N (N - 1) / 2 pairs.

    Attributes:
        first: Number of a player.
        second: Number of another.
        first_seat: Where the first sat.
        second_seat: Where the second sat.
        outcome: 1 where the first got more, 0 where both got the same, -1 where it got less.
        cluster: Number of the set; comparisons of one set are not independent.
        players: How many players there are.
        seats: How many seats there are.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    first_seat: NDArray[np.int64]
    second_seat: NDArray[np.int64]
    outcome: NDArray[np.int64]
    cluster: NDArray[np.int64]
    players: int
    seats: int


def compare(games: Sequence[Game], players: int, seats: int) -> Comparisons:
    """Take the rankings of valid games apart into comparisons of two."""
    valid = [game for game in games if game.valid]
    groups = {group: number for number, group in enumerate(dict.fromkeys(game.group for game in valid))}
    who = np.array([game.players for game in valid], np.int64).reshape(-1, seats)
    paid = np.array([game.returns for game in valid], np.float64).reshape(-1, seats)
    cluster = np.array([groups[game.group] for game in valid], np.int64)
    one, other = np.triu_indices(seats, 1)
    count = len(valid)
    return Comparisons(
        who[:, one].ravel(),
        who[:, other].ravel(),
        np.tile(one, count),
        np.tile(other, count),
        np.sign(paid[:, one] - paid[:, other]).astype(np.int64).ravel(),
        np.repeat(cluster, len(one)),
        players,
        seats,
    )
