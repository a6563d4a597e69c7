"""How far the players are from an order: cycles, the cyclic share, and weights that repetition cannot inflate.

The payoff of a player against another is its mean score less that of the other, from -1 to 1: an antisymmetric matrix.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from palaestra.evolution.tournament.rating import ELO, Chances, Ratings
from palaestra.evolution.tournament.standings import Cell
from scipy.optimize import linprog, minimize
from scipy.special import logsumexp, softmax

__all__ = ["Cycle", "count_cycles", "cyclic_by_chance", "cyclic_share", "find_cycles", "nash_weights", "payoffs"]

Matrix = NDArray[np.float64]
_NOTHING: Final = 1e-9


@dataclass(frozen=True)
class Cycle:
    """Three players of whom each beats the next, and the last the first.

    Attributes:
        players: By number, the lowest first.
        strength: The least payoff along the cycle, in (0, 1].
        sure: Whether every one of the three scores has a 95 % interval above one half.
    """

    players: tuple[int, int, int]
    strength: float
    sure: bool


def payoffs(cells: Sequence[Sequence[Cell]]) -> Matrix:
    """Return `[P, P]` payoffs; nan where two never met, 0 on the diagonal."""
    found = np.array([[2 * cell.score.value - 1 for cell in row] for row in cells], np.float64)
    np.fill_diagonal(found, 0.0)
    return found


def find_cycles(cells: Sequence[Sequence[Cell]], most: int = 100) -> list[Cycle]:
    """Return cycles of three, the strongest first.

    Where everybody met everybody without a level score, players that are in no cycle of three are in no longer one.

    Args:
        cells: The cross table.
        most: Most cycles to return.
    """
    payoff = np.nan_to_num(payoffs(cells), nan=0.0)
    found: list[tuple[float, tuple[int, int, int]]] = []
    for i in range(len(payoff)):
        # Least payoff along i -> j -> k -> i; every cycle is seen once, from its lowest player.
        strength = np.minimum(np.minimum(payoff[i, :, None], payoff), payoff[:, i][None, :])
        strength[: i + 1], strength[:, : i + 1] = 0.0, 0.0
        for j, k in np.argwhere(strength > _NOTHING).tolist():
            found.append((float(strength[j, k]), (i, j, k)))
        found = sorted(found, key=lambda one: (-one[0], one[1]))[:most]

    def sure(cycle: tuple[int, int, int]) -> bool:
        return all(cells[a][b].score.low > 0.5 for a, b in zip(cycle, (*cycle[1:], cycle[0]), strict=True))

    return [Cycle(players, strength, sure(players)) for strength, players in found]


def count_cycles(payoff: Matrix) -> int:
    """Return how many cycles of three there are."""
    beats = (np.nan_to_num(payoff, nan=0.0) > _NOTHING).astype(np.int64)
    return int(np.trace(beats @ beats @ beats)) // 3


def cyclic_share(payoff: Matrix) -> float:
    """Return the share of the payoffs' squares that no order explains: 0 for equal steps, 1 for pure cycles.

    The payoffs are split into differences of one number a player (least squares over those who met) and the rest.
    Payoffs are bounded, so that a wide field has a share above 0 without any cycle: compare it with that of fields
    without cycles.

    Returns:
        From 0 to 1; 0 where all payoffs are 0.

    Source: Jiang et al. 2011, "Statistical ranking and combinatorial Hodge theory"; Balduzzi et al. 2018,
    "Re-evaluating evaluation".
    """
    size = len(payoff)
    i, j = np.triu_indices(size, 1)
    met = ~np.isnan(payoff[i, j])
    i, j = i[met], j[met]
    seen = payoff[i, j]
    whole = float(seen @ seen)
    if whole < _NOTHING:
        return 0.0
    # Normal equations of the graph: degrees less neighbours. Components are free to shift, hence the pseudo-inverse.
    laplacian, flow = np.zeros((size, size)), np.zeros(size)
    for a, b, sign in ((i, j, 1.0), (j, i, -1.0)):
        np.add.at(laplacian, (a, a), 1.0)
        np.add.at(laplacian, (a, b), -1.0)
        np.add.at(flow, a, sign * seen)
    level = np.linalg.pinv(laplacian, hermitian=True) @ flow
    rest = seen - (level[i] - level[j])
    return float(np.clip(rest @ rest / whole, 0.0, 1.0))


def nash_weights(payoff: Matrix) -> Matrix | None:
    """Return the most even mixture of players that no player does better than even against.

    Of all equilibria of the symmetric zero-sum game it is the one with the greatest entropy. A copy of a player shares
    its weight and changes nobody else's.

    Args:
        payoff: `[P, P]` antisymmetric.

    Returns:
        `[P]` weights that sum to 1; None where two never met, because then it is not known.

    Source: Balduzzi et al. 2018, "Re-evaluating evaluation" (Nash averaging).
    """
    if np.isnan(payoff).any():
        return None
    size = len(payoff)
    support = _support(payoff)
    # Who is in some equilibrium is exactly level with all of them (complementary slackness), so inside the support
    # the conditions are equalities and the entropy's maximum has finite multipliers: its dual is smooth and small.
    inside = payoff[support]

    def dual(multipliers: Matrix) -> tuple[float, Matrix]:
        logits = inside @ multipliers
        return float(logsumexp(logits)), inside.T @ softmax(logits)

    bounds = [(None, None) if player in set(support.tolist()) else (0.0, None) for player in range(size)]
    found = minimize(
        dual, np.zeros(size), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-10}
    )
    weights = np.zeros(size)
    weights[support] = softmax(inside @ found.x)
    return weights


def _support(payoff: Matrix) -> NDArray[np.int64]:
    """Return the players that have weight in at least one equilibrium."""
    size = len(payoff)
    known = np.zeros(size, dtype=bool)
    for player in range(size):
        if known[player]:
            continue
        # Greatest weight of this player in mixtures p with p A >= 0.
        answer = linprog(
            -np.eye(size)[player], A_ub=-payoff.T, b_ub=np.full(size, 1e-12), A_eq=np.ones((1, size)), b_eq=[1.0]
        )
        if answer.x is not None:  # there always is one; a solver may give up
            known |= np.asarray(answer.x) > 1e-7
    return np.flatnonzero(known)


def cyclic_by_chance(
    ratings: Ratings, cells: Sequence[Sequence[Cell]], generator: np.random.Generator, fields: int = 200
) -> float:
    """Return the cyclic share that 95 of 100 fields stay below whose players are in order.

    Their players have the ratings that were found, no cycles, and meet as often as they did here.

    Args:
        ratings: The fitted model.
        cells: The cross table: how often which two met.
        generator: Draws the results.
        fields: How many fields are drawn.
    """
    levels = np.array([rating.value for rating in ratings.players]) / ELO
    seats = np.array([seat.value for seat in ratings.seats]) / ELO
    i, j = np.triu_indices(len(cells), 1)
    games = np.array([[cell.games for cell in row] for row in cells])[i, j]
    met = games > 0
    i, j, games = i[met], j[met], games[met]
    here, there = np.nonzero(~np.eye(len(seats), dtype=bool))
    # As often in each seat as in any other, whatever sits in between: the mean over pairs of seats.
    difference = (levels[i] - levels[j])[:, None] + (seats[here] - seats[there])[None, :]
    chance = Chances.of(difference, math.log(ratings.draw))
    outcomes = np.stack([chance.win.mean(axis=1), chance.draw.mean(axis=1), chance.loss.mean(axis=1)], axis=1)
    shares = []
    for _ in range(fields):
        drawn = generator.multinomial(games, outcomes / outcomes.sum(axis=1, keepdims=True))
        payoff = np.full((len(cells), len(cells)), np.nan)
        payoff[i, j] = (drawn[:, 0] - drawn[:, 2]) / games
        payoff[j, i] = -payoff[i, j]
        shares.append(cyclic_share(payoff))
    return float(np.quantile(shares, 0.95))
