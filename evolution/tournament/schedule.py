"""Who plays whom: pure functions of the plan and of what was played.

A *table* is a handful of players, one for each seat. It plays *sets* of games: in the games of one set everybody sits
in every seat once, and all of them have the same seed, so that neither the first move nor the cards favour anybody.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final, TypeAlias

from palaestra.agents.matches import Match
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator, derive_seed

__all__ = ["Plan", "Round", "Schedule", "Table", "Tally", "champion", "game_id", "matches_of", "next_round"]

MOST_TABLES: Final = 5_000
"""A round robin of more tables is sampled: everybody equally often, up to one table."""
TIE_BREAKS: Final = 3
"""Sets that tied players of a knock-out play on; then the one named first goes through."""
# Finding a round of Swiss in which nobody meets again is a search; past this it takes what comes nearest.
_SEARCH_STEPS: Final = 20_000
_SEARCHED_PLAYERS: Final = 500

Table: TypeAlias = tuple[int, ...]
"""Players by number, one for each seat."""


class Schedule(StrEnum):
    """How it is decided who meets."""

    ROUND_ROBIN = "round-robin"
    """Everybody meets everybody."""
    SWISS = "swiss"
    """In each round, those with like scores meet who have not met."""
    KNOCKOUT = "knockout"
    """Who wins a table goes on."""


@dataclass(frozen=True)
class Plan:
    """All that is asked of a tournament, and that its games depend on.

    Attributes:
        arena: Spec of the arena.
        players: Specs of the players; one named twice is two players.
        seats: Seats of the arena.
        games: Games asked for of every table.
        seed: Names all randomness.
        schedule: How it is decided who meets.
        rounds: Rounds of a Swiss tournament; 0 for the fewest that single out a winner, `log2` of the players.
        max_tokens: Most tokens of one reply of a player with a policy.
        temperature: Of its sampling.
        move_seconds: Longest time of one move of a player without a policy; None sets no limit.

    Raises:
        UsageError: If no tournament can be made of it.
    """

    arena: str
    players: tuple[str, ...]
    seats: int
    games: int
    seed: int = 0
    schedule: Schedule = Schedule.ROUND_ROBIN
    rounds: int = 0
    max_tokens: int = 64
    temperature: float = 1.0
    move_seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        count = len(self.players)
        if count < self.seats:
            raise UsageError(
                f"{self.arena} has {self.seats} seats and {count} players were named. Name at least {self.seats}; one "
                "may be named more than once."
            )
        if self.games < 1 or self.rounds < 0:
            raise UsageError(f"A tournament needs at least 1 game a pairing, got {self.games}, rounds {self.rounds}.")
        if self.schedule is Schedule.KNOCKOUT and (count - 1) % (self.seats - 1):
            fitting = count - (count - 1) % (self.seats - 1)
            raise UsageError(
                f"A knock-out with {self.seats} seats loses {self.seats - 1} players at every table, which {count} "
                f"players do not come out at. Name {fitting} or {fitting + self.seats - 1}, or take another schedule."
            )
        if self.rounds and self.schedule is not Schedule.SWISS:
            raise UsageError(
                f"Only a Swiss tournament takes a number of rounds, this is {self.schedule}. Leave it out."
            )

    @property
    def sets(self) -> int:
        """Sets of games that a table plays: as many as hold the games asked for."""
        return math.ceil(self.games / self.seats)

    @property
    def games_per_table(self) -> int:
        """Games that a table plays, rounded up to full sets."""
        return self.sets * self.seats


@dataclass(frozen=True)
class Round:
    """Tables that are known at once.

    Attributes:
        number: From 1.
        tables: Who sits together.
        sets: Sets that each table plays.
        byes: Who sits out.
    """

    number: int
    tables: tuple[Table, ...]
    sets: int
    byes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tally:
    """What came of one table of one round.

    Attributes:
        table: The players.
        points: For each of them, the sum over valid games of the share of others that it left behind (half for a tie).
        games: Valid games.
        crashes: For each of them, games that it voided.
    """

    table: Table
    points: tuple[float, ...]
    games: int
    crashes: tuple[int, ...]

    def share(self, place: int) -> float:
        """Return the points a game; half where no game counts."""
        return self.points[place] / self.games if self.games else 0.5


def game_id(round_: int, table: int, set_: int, rotation: int) -> str:
    """Return the id of a game; all numbers are from 1."""
    return f"r{round_}.t{table}.s{set_}.g{rotation}"


def matches_of(plan: Plan, round_: Round) -> list[Match]:
    """Return the games of a round, one set of every table after the other."""
    matches = []
    for number in range(1, round_.sets + 1):
        for index, table in enumerate(round_.tables, 1):
            group = game_id(round_.number, index, number, 0).rpartition(".")[0]
            seed = derive_seed(plan.seed, "tournament", group)
            order = table
            if plan.seats > 2:  # Two can sit in two ways, and do; of more, other neighbours in every set.
                order = tuple(table[i] for i in derive_generator(seed, "order").permutation(plan.seats))
            for shift in range(plan.seats):
                seated = order[shift:] + order[:shift]
                name = game_id(round_.number, index, number, shift + 1)
                matches.append(Match(name, plan.arena, seated, seed, group, shift))
    return matches


def next_round(plan: Plan, past: Sequence[tuple[Round, Sequence[Tally]]]) -> Round | None:
    """Return the round after those that were played, None when it is over.

    Args:
        plan: What is played.
        past: All rounds so far, complete, with the tallies of their tables.
    """
    match plan.schedule:
        case Schedule.ROUND_ROBIN:
            return None if past else Round(1, _everybody(plan), plan.sets)
        case Schedule.SWISS:
            return _swiss(plan, past)
        case Schedule.KNOCKOUT:
            return _knockout(plan, past)[0]


def champion(plan: Plan, past: Sequence[tuple[Round, Sequence[Tally]]]) -> int | None:
    """Return who is left of a knock-out, None while more than one are or of another schedule."""
    alive = _knockout(plan, past)[1] if plan.schedule is Schedule.KNOCKOUT else ()
    return alive[0] if len(alive) == 1 else None


def _everybody(plan: Plan) -> tuple[Table, ...]:
    count = len(plan.players)
    if math.comb(count, plan.seats) <= MOST_TABLES:
        return tuple(combinations(range(count), plan.seats))
    generator = derive_generator(plan.seed, "tables")
    sat = [0] * count
    tables = []
    for _ in range(MOST_TABLES):
        lots = generator.permutation(count).tolist()
        table = tuple(sorted(sorted(lots, key=lambda player: sat[player])[: plan.seats]))
        for player in table:
            sat[player] += 1
        tables.append(table)
    return tuple(tables)


# Swiss.


def _swiss(plan: Plan, past: Sequence[tuple[Round, Sequence[Tally]]]) -> Round | None:
    count = len(plan.players)
    if len(past) >= (plan.rounds or max(1, math.ceil(math.log2(count)))):
        return None
    points, byes, met = [0.0] * count, [0] * count, Counter[tuple[int, int]]()
    for round_, tallies in past:
        for player in round_.byes:
            points[player] += 1.0
            byes[player] += 1
        for tally in tallies:
            met.update(combinations(sorted(tally.table), 2))
            for place, player in enumerate(tally.table):
                points[player] += tally.share(place)
    lots = derive_generator(plan.seed, "lots").permutation(count).tolist()
    # Sums of thirds in another order differ in the last digit; what is equal to people is equal.
    ranked = sorted(range(count), key=lambda player: (-round(points[player], 9), lots[player]))
    out = sorted(ranked, key=lambda player: (byes[player], -ranked.index(player)))[: count % plan.seats]
    playing = [player for player in ranked if player not in out]
    tables = _strangers(playing, plan.seats, met) or _least_met(playing, plan.seats, met)
    return Round(len(past) + 1, tuple(tables), plan.sets, tuple(sorted(out)))


def _strangers(ranked: Sequence[int], seats: int, met: Counter[tuple[int, int]]) -> list[Table] | None:
    """Seat neighbours in rank together such that nobody meets again; None where that is not found."""
    steps = _SEARCH_STEPS if len(ranked) <= _SEARCHED_PLAYERS else 0

    def seat(left: tuple[int, ...]) -> list[Table] | None:
        nonlocal steps
        if not left:
            return []
        for others in combinations(left[1:], seats - 1):
            steps -= 1
            if steps < 0:
                return None
            table = (left[0], *others)
            if any(met[pair] for pair in combinations(sorted(table), 2)):
                continue
            rest = seat(tuple(player for player in left if player not in table))
            if rest is not None:
                return [table, *rest]
        return None

    return seat(tuple(ranked))


def _least_met(ranked: Sequence[int], seats: int, met: Counter[tuple[int, int]]) -> list[Table]:
    """Seat the best with those it met least, then the best of the rest, and so on."""
    left, tables = list(ranked), []
    while left:
        table = [left.pop(0)]
        while len(table) < seats:
            met_at = [sum(met[min(a, b), max(a, b)] for a in table) for b in left]
            table.append(left.pop(met_at.index(min(met_at))))
        tables.append(tuple(table))
    return tables


# Knock-out.


def _knockout(plan: Plan, past: Sequence[tuple[Round, Sequence[Tally]]]) -> tuple[Round | None, tuple[int, ...]]:
    """Return the next round, and who is left."""
    alive = tuple(range(len(plan.players)))
    played = iter(past)
    while len(alive) > 1:
        tables, byes = _bracket(alive, plan.seats)
        sums = dict.fromkeys(tables, Tally((), (), 0, ()))
        open_ = tables
        for extra in range(1 + TIE_BREAKS):
            before = next(played, None)
            if before is None:
                return Round(len(past) + 1, open_, 1 if extra else plan.sets, () if extra else byes), alive
            for tally in before[1]:
                sums[tally.table] = _added(sums[tally.table], tally)
            open_ = tuple(table for table in open_ if _tied(sums[table]))
            if not open_:
                break
        alive = tuple(sorted((*byes, *(_winner(tally) for tally in sums.values()))))
    return None, alive


def _bracket(alive: Sequence[int], seats: int) -> tuple[tuple[Table, ...], tuple[int, ...]]:
    """Seat the best with the worst; in the first round so many sit out that full tables remain to the end."""
    left = 1
    while left * seats <= len(alive):
        left *= seats
    if left == len(alive):
        left //= seats
    count = (len(alive) - left) // (seats - 1)
    byes, playing = alive[: len(alive) - count * seats], alive[len(alive) - count * seats :]
    tables: list[list[int]] = [[] for _ in range(count)]
    for row in range(seats):
        for place, player in enumerate(playing[row * count : (row + 1) * count]):
            tables[place if row % 2 == 0 else count - 1 - place].append(player)
    return tuple(map(tuple, tables)), tuple(byes)


def _added(sum_: Tally, tally: Tally) -> Tally:
    if not sum_.table:
        return tally
    return Tally(
        tally.table,
        tuple(a + b for a, b in zip(sum_.points, tally.points, strict=True)),
        sum_.games + tally.games,
        tuple(a + b for a, b in zip(sum_.crashes, tally.crashes, strict=True)),
    )


def _merits(tally: Tally) -> list[tuple[float, int]]:
    """Points first, then who voided fewer games."""
    return [(round(p, 9), -crashes) for p, crashes in zip(tally.points, tally.crashes, strict=True)]


def _tied(tally: Tally) -> bool:
    best = sorted(_merits(tally), reverse=True)
    return best[0] == best[1]


def _winner(tally: Tally) -> int:
    merits = _merits(tally)
    return min(player for player, merit in zip(tally.table, merits, strict=True) if merit == max(merits))
