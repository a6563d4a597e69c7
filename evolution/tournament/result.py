"""What a tournament found, worked out from its games."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.tournament.cycles import (
    Cycle,
    count_cycles,
    cyclic_by_chance,
    cyclic_share,
    find_cycles,
    nash_weights,
    payoffs,
)
from palaestra.evolution.tournament.games import Game, compare
from palaestra.evolution.tournament.rating import Ratings, rate
from palaestra.evolution.tournament.schedule import champion
from palaestra.evolution.tournament.skill import Skill, skills
from palaestra.evolution.tournament.standings import (
    Cell,
    Standing,
    Tallied,
    cross_table,
    standings,
)
from palaestra.evolution.tournament.tournament import Played

__all__ = ["SCALE", "Intransitivity", "Result", "conclude"]

SCALE = "Elo points, mean 1500; 400 points more are ten wins for every loss"


@dataclass(frozen=True)
class Intransitivity:
    """How far the players are from an order.

    Attributes:
        cycles: The strongest cycles of three.
        count: How many there are.
        share: Share of the payoffs' squares that no order explains.
        by_chance: What 95 of 100 fields in order stay below, with as many games.
        nash: `[P]` weights of the most even equilibrium; None where two never met.
    """

    cycles: tuple[Cycle, ...]
    count: int
    share: float
    by_chance: float
    nash: tuple[float, ...] | None


@dataclass(frozen=True)
class Result:
    """What a tournament found.

    Attributes:
        played: The games.
        standings: Counts of each player, in the order in which they were named, as all that follows.
        ratings: Strengths by maximum likelihood.
        skills: Strengths by openskill.
        cells: The cross table.
        by_seat: Counts of each seat, whoever sat there.
        intransitivity: How far the players are from an order.
    """

    played: Played
    standings: tuple[Standing, ...]
    ratings: Ratings
    skills: tuple[Skill, ...]
    cells: tuple[tuple[Cell, ...], ...]
    by_seat: tuple[Tallied, ...]
    intransitivity: Intransitivity

    @property
    def ranking(self) -> list[int]:
        """Numbers of the players, the strongest first."""
        return sorted(range(len(self.standings)), key=lambda player: -self.ratings.players[player].value)

    @property
    def champion(self) -> str | None:
        """Who won a knock-out."""
        player = champion(self.played.plan, self.played.rounds)
        return None if player is None else self.standings[player].player

    @property
    def invalid(self) -> int:
        """How many games count for nobody."""
        return sum(not game.valid for game in self.played.games)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values: ratings in Elo points, scores and shares from 0 to 1, times in seconds."""
        plan, games = self.played.plan, self.played.games
        names = [standing.player for standing in self.standings]
        return {
            "arena": plan.arena,
            "schedule": str(plan.schedule),
            "seed": plan.seed,
            "seats": plan.seats,
            "games_per_pairing": plan.games_per_table,
            "games": len(games),
            "invalid": self.invalid,
            "over": self.played.over,
            "champion": self.champion,
            "scale": SCALE,
            "draw_parameter": self.ratings.draw,
            "players": [self._player(player) for player in self.ranking],
            "seat_results": [
                _tallied(tallied) | _bounds("advantage", worth)
                for tallied, worth in zip(self.by_seat, self.ratings.seats, strict=True)
            ],
            "cross_table": self._cross_table(names),
            "intransitivity": self._intransitivity(names),
            "rounds": self._rounds(names),
            "faults": _faults(games, names),
        }

    def _player(self, player: int) -> dict[str, Any]:
        standing, rating, skill = self.standings[player], self.ratings.players[player], self.skills[player]
        nash, sat = self.intransitivity.nash, standing.sat
        return {
            "player": standing.player,
            "rating": rating.value,
            "low": rating.low,
            "high": rating.high,
            **_tallied(standing.total),
            "illegal": standing.illegal,
            "illegal_rate": standing.illegal / standing.moves if standing.moves else None,
            "faults": standing.faults,
            "invalid": standing.invalid,
            "invalid_rate": standing.invalid / sat if sat else None,
            "crashes": standing.crashes,
            "nash": nash[player] if nash else None,
            "openskill": {"mu": skill.mu, "sigma": skill.sigma, "ordinal": skill.ordinal},
            "tokens": standing.tokens,
            "tokens_per_game": standing.tokens / sat if sat else None,
            "seconds": standing.thinking_seconds,
            "seconds_per_game": standing.thinking_seconds / sat if sat else None,
            "by_seat": [_tallied(tallied) for tallied in standing.by_seat],
        }

    def _cross_table(self, names: Sequence[str]) -> list[dict[str, Any]]:
        ratings = self.ratings
        return [
            {
                "player": names[i],
                "opponent": names[j],
                "games": cell.games,
                "wins": cell.wins,
                "draws": cell.draws,
                "losses": cell.losses,
                "score": cell.score.value,
                "low": cell.score.low,
                "high": cell.score.high,
                "rating_difference": ratings.players[i].value - ratings.players[j].value,
                "rating_difference_error": float(ratings.differences[i, j]),
            }
            for i in self.ranking
            for j in self.ranking
            if (cell := self.cells[i][j]).games
        ]

    def _intransitivity(self, names: Sequence[str]) -> dict[str, Any]:
        found = self.intransitivity
        return {
            "cyclic_share": found.share,
            "cyclic_share_by_chance": found.by_chance,
            "cycles": found.count,
            "strongest": [
                {"players": [names[i] for i in one.players], "strength": one.strength, "sure": one.sure}
                for one in found.cycles
            ],
        }

    def _rounds(self, names: Sequence[str]) -> list[dict[str, Any]]:
        if len(self.played.rounds) == 1:  # The cross table says it all.
            return []
        return [
            {
                "round": round_.number,
                "tables": [
                    {
                        "players": [names[player] for player in tally.table],
                        "points": list(tally.points),
                        "games": tally.games,
                    }
                    for tally in tallies
                ],
                "byes": [names[player] for player in round_.byes],
            }
            for round_, tallies in self.played.rounds
        ]


def conclude(played: Played) -> Result:
    """Work out what a tournament found."""
    plan, games = played.plan, played.games
    comparisons = compare(games, len(plan.players), plan.seats)
    ratings, cells = rate(comparisons), cross_table(comparisons)
    counted = standings(plan.players, plan.seats, games)
    payoff = payoffs(cells)
    nash = nash_weights(payoff)
    intransitivity = Intransitivity(
        tuple(find_cycles(cells)),
        count_cycles(payoff),
        cyclic_share(payoff),
        cyclic_by_chance(ratings, cells, derive_generator(plan.seed, "fields")),
        None if nash is None else tuple(np.round(nash, 9).tolist()),
    )
    return Result(
        played,
        counted,
        ratings,
        skills(games, len(plan.players)),
        cells,
        tuple(_sum([one.by_seat[seat] for one in counted]) for seat in range(plan.seats)),
        intransitivity,
    )


def _sum(parts: Sequence[Tallied]) -> Tallied:
    return Tallied(
        sum(part.games for part in parts),
        sum(part.wins for part in parts),
        sum(part.draws for part in parts),
        sum(part.losses for part in parts),
        math.fsum(part.points for part in parts),
        math.fsum(part.paid for part in parts),
    )


def _tallied(tallied: Tallied) -> dict[str, Any]:
    return {
        "games": tallied.games,
        "wins": tallied.wins,
        "draws": tallied.draws,
        "losses": tallied.losses,
        **_bounds("score", tallied.score),
        "mean_return": tallied.mean_return,
    }


def _bounds(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _faults(games: Sequence[Game], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the first hundred games that somebody spoilt or that crashed."""
    found: list[dict[str, Any]] = []
    for game in games:
        if game.fault is not None:
            seat, status, detail = game.fault
            found.append({"game": game.id, "player": names[game.players[seat]], "status": status, "detail": detail})
        elif not game.valid:
            player = None if game.blame is None else names[game.players[game.blame]]
            found.append({"game": game.id, "player": player, "status": "invalid", "detail": game.detail})
    return found[:100]
