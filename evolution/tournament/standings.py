"""Plain counts: who won how often, against whom, in which seat, at what cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Final

import numpy as np
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.evaluation.statistics import CONFIDENCE
from palaestra.evolution.tournament.games import Comparisons, Game, scores

__all__ = ["Cell", "Standing", "Tallied", "cross_table", "names_of", "score_interval", "standings"]

_Z: Final = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


def score_interval(points: float, games: int) -> Estimate:
    """Estimate a mean score with Wilson's interval.

    A draw counts as half a success. A score varies less than a share of the same mean, so draws make this interval
    wider than it had to be.

    Args:
        points: Wins and half the draws.
        games: How many were played; of none nothing is known: nan, anywhere between 0 and 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if games == 0:
        return Estimate(math.nan, 0.0, 1.0)
    z2 = _Z**2
    share = points / games
    middle = (points + z2 / 2) / (games + z2)
    reach = math.sqrt(z2 * (share * (1 - share) * games + z2 / 4)) / (games + z2)
    return Estimate(share, max(0.0, middle - reach), min(1.0, middle + reach))


@dataclass
class Tallied:
    """Games of one player: all, or those in one seat.

    Attributes:
        games: Valid ones.
        wins: In which it got more than all others.
        draws: In which it got as much as the best other.
        losses: In which somebody got more.
        points: Sum of the shares of others that it left behind, half for ties.
        paid: Sum of what it got, in the game's units.
    """

    games: int = 0
    wins: int = 0
    draws: int = 0
    losses: int = 0
    points: float = 0.0
    paid: float = 0.0

    def add(self, mine: float, best_other: float, score: float) -> None:
        """Count a valid game."""
        self.games += 1
        self.wins += mine > best_other
        self.draws += mine == best_other
        self.losses += mine < best_other
        self.points += score
        self.paid += mine

    @property
    def mean_return(self) -> float:
        """What it got a game."""
        return self.paid / self.games if self.games else math.nan

    @property
    def score(self) -> Estimate:
        """Its mean score, with its interval."""
        return score_interval(self.points, self.games)


@dataclass
class Standing:
    """What is counted of one player.

    Attributes:
        player: Its spec, numbered where it is named more than once.
        total: All its games.
        by_seat: Those in each seat.
        moves: What it said, in valid games and others.
        illegal: Illegal moves it made.
        faults: Valid games it lost by an illegal move, by what is no move or by the clock.
        invalid: Games it was in that count for nobody.
        crashes: Those of them that it is to blame for.
        tokens: Tokens it sampled.
        thinking_seconds: Wall-clock it took.
    """

    player: str
    total: Tallied = field(default_factory=Tallied)
    by_seat: list[Tallied] = field(default_factory=list)
    moves: int = 0
    illegal: int = 0
    faults: int = 0
    invalid: int = 0
    crashes: int = 0
    tokens: int = 0
    thinking_seconds: float = 0.0

    @property
    def sat(self) -> int:
        """Games it was in, valid or not."""
        return self.total.games + self.invalid


@dataclass(frozen=True)
class Cell:
    """How one player did against another.

    Attributes:
        games: Comparisons of the two.
        wins: In which the first got more.
        draws: In which both got the same.
        losses: In which the second got more.
        score: Wins and half the draws over games, with its interval.
    """

    games: int
    wins: int
    draws: int
    losses: int
    score: Estimate


def names_of(specs: Sequence[str]) -> tuple[str, ...]:
    """Return one name a player: its spec, with `#1`, `#2`, ... where one is named more than once."""
    names = []
    for place, spec in enumerate(specs):
        number = specs[: place + 1].count(spec)
        names.append(f"{spec} #{number}" if specs.count(spec) > 1 else spec)
    return tuple(names)


def standings(specs: Sequence[str], seats: int, games: Sequence[Game]) -> tuple[Standing, ...]:
    """Count what became of each player."""
    found = [Standing(name, by_seat=[Tallied() for _ in range(seats)]) for name in names_of(specs)]
    for game in games:
        said = [0] * seats
        for seat, _ in game.moves:
            said[seat] += 1
        shares = scores(game.returns)
        for seat, player in enumerate(game.players):
            one = found[player]
            one.moves += said[seat]
            one.illegal += game.illegal[seat] if game.illegal else 0
            one.tokens += game.tokens[seat] if game.tokens else 0
            one.thinking_seconds += game.thinking[seat] if game.thinking else 0.0
            if not game.valid:
                one.invalid += 1
                one.crashes += game.blame == seat
                continue
            one.faults += game.fault is not None and game.fault[0] == seat
            best_other = max(paid for other, paid in enumerate(game.returns) if other != seat)
            for tallied in (one.total, one.by_seat[seat]):
                tallied.add(game.returns[seat], best_other, shares[seat])
    return tuple(found)


def cross_table(games: Comparisons) -> tuple[tuple[Cell, ...], ...]:
    """Return `[P][P]` how each player (row) did against each other (column)."""
    size = games.players
    wins, draws = np.zeros((size, size), np.int64), np.zeros((size, size), np.int64)
    for first, second, sign in ((games.first, games.second, 1), (games.second, games.first, -1)):
        np.add.at(wins, (first, second), games.outcome == sign)
        np.add.at(draws, (first, second), games.outcome == 0)

    def cell(i: int, j: int) -> Cell:
        won, drawn, lost = int(wins[i, j]), int(draws[i, j]), int(wins[j, i])
        count = won + drawn + lost
        return Cell(count, won, drawn, lost, score_interval(won + drawn / 2, count))

    return tuple(tuple(cell(i, j) for j in range(size)) for i in range(size))
