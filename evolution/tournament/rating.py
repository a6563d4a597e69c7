"""Strengths by maximum likelihood: Bradley and Terry's model with draws and an effect of the seat.

With `d` the strength and seat effect of one player less those of the other, in natural units, it wins, draws and loses
in the proportion `exp(d / 2) : exp(delta) : exp(-d / 2)`. (Bradley & Terry 1952; draws: Davidson 1970; an effect of
order beside draws: Davidson & Beaver 1977, whose model this is in other parameters.) A ranking of N players counts as
N (N - 1) / 2 comparisons.

Every parameter has a normal prior of 1,000 Elo around 0. It is weak, about one part in 130 of what one even game says,
and it is what keeps a player that won everything finite.

Intervals are from the observed information. Comparisons of one set of games (the same seed, seats swapped) are not
independent, so what was seen of their covariance is added: the model's own variance for each comparison, the empirical
covariance between those of one set. (A plain sandwich estimate would claim near certainty about a player that won
everything, because such a player leaves no residuals.)
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.evaluation.statistics import CONFIDENCE
from palaestra.evolution.tournament.games import Comparisons
from scipy import sparse
from scipy.stats import t as student_t

__all__ = ["ELO", "MEAN", "Chances", "Ratings", "rate"]

ELO: Final = 400.0 / math.log(10.0)
"""Elo points of one natural unit of strength: 400 points are odds of 10 to 1 of winning against losing."""
MEAN: Final = 1500.0
"""What the players' ratings average."""
_PRIOR_SD: Final = 1000.0 / ELO
# Sets less parameters are the degrees of freedom of Student's quantile; of next to none it would say nothing at all.
_LEAST_FREEDOM: Final = 5
_MOST_STEPS: Final = 100
_SMALL: Final = 1e-9

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ratings:
    """The fitted model.

    Attributes:
        players: Rating of each player in Elo points, mean `MEAN`, with 95 % intervals.
        seats: What each seat is worth in Elo points, mean 0, with 95 % intervals.
        draw: `exp(delta)`: how often equals draw, for every time that one of the two wins.
        differences: `[P, P]` standard errors of the differences between two ratings, in Elo points.
    """

    players: tuple[Estimate, ...]
    seats: tuple[Estimate, ...]
    draw: float
    differences: Array


@dataclass(frozen=True)
class Chances:
    """Probabilities of the outcomes of comparisons, `[K]` each.

    Attributes:
        win: That the first wins.
        draw: That nobody does.
        loss: That the second wins.
    """

    win: Array
    draw: Array
    loss: Array

    @staticmethod
    def of(difference: Array, delta: float) -> "Chances":
        """Return them for differences in strength and seat, in natural units."""
        logits = np.stack([difference / 2, np.full_like(difference, delta), -difference / 2])
        weights = np.exp(logits - logits.max(axis=0))
        win, draw, loss = weights / weights.sum(axis=0)
        return Chances(win, draw, loss)


def rate(games: Comparisons) -> Ratings:
    """Fit the model.

    Args:
        games: Who came out before whom; without any, the prior is what is known.
    """
    features = _features(games)
    beta, information, slopes = _fit(features, games)
    clusters = sparse.csr_array(
        (np.ones(len(games.cluster)), (games.cluster, np.arange(len(games.cluster)))),
        shape=(int(games.cluster.max()) + 1 if len(games.cluster) else 1, len(games.cluster)),
    )
    sums = clusters @ slopes
    shared = (sums.T @ sums - slopes.T @ slopes).toarray()
    inverse = np.linalg.inv(information)
    covariance = inverse @ _positive(information + shared) @ inverse
    quantile = float(student_t.ppf(0.5 + CONFIDENCE / 2, max(_LEAST_FREEDOM, clusters.shape[0] - len(beta))))
    p, s = games.players, games.seats
    players, spread = _centred(beta[:p], covariance[:p, :p])
    seats, seat_spread = _centred(beta[p : p + s], covariance[p : p + s, p : p + s])
    variances = np.diag(spread)
    between = variances[:, None] + variances[None, :] - 2 * spread
    return Ratings(
        _intervals(players, quantile * np.sqrt(variances), MEAN),
        _intervals(seats, quantile * np.sqrt(np.diag(seat_spread)), 0.0),
        float(np.exp(beta[-1])),
        ELO * np.sqrt(np.maximum(between, 0.0)),
    )


def _features(games: Comparisons) -> Any:
    """Return `[K, P + S]`: what each comparison's difference is made of."""
    count, p = len(games.first), games.players
    columns = np.stack([games.first, games.second, p + games.first_seat, p + games.second_seat], axis=1)
    values = np.tile([1.0, -1.0, 1.0, -1.0], count)
    rows = np.repeat(np.arange(count), 4)
    return sparse.csr_array((values, (rows, columns.ravel())), shape=(count, p + games.seats))


def _fit(features: Any, games: Comparisons) -> tuple[Array, Array, Any]:
    """Climb to the maximum by Newton's steps; it is the only one, the likelihood being log-concave.

    Returns:
        The parameters, the information there (the prior's included), and `[K, P + S + 1]` each comparison's slope.
    """
    size = features.shape[1] + 1
    outcome, drawn = games.outcome.astype(np.float64), (games.outcome == 0).astype(np.float64)
    prior = 1.0 / _PRIOR_SD**2

    def height(beta: Array) -> float:
        chance = Chances.of(features @ beta[:-1], beta[-1])
        seen = np.where(outcome > 0, chance.win, np.where(outcome < 0, chance.loss, chance.draw))
        return float(np.log(np.maximum(seen, 1e-300)).sum() - 0.5 * prior * (beta @ beta))

    beta = np.zeros(size)
    now = height(beta)
    for _ in range(_MOST_STEPS):
        gradient, information, slopes = _derivatives(features, beta, outcome, drawn, prior)
        step = np.linalg.solve(information, gradient)
        if float(gradient @ step) < _SMALL:
            break
        scale = 1.0
        while (new := height(beta + scale * step)) < now and scale > _SMALL:
            scale /= 2
        beta, now = beta + scale * step, new
    return beta, information, slopes


def _derivatives(features: Any, beta: Array, outcome: Array, drawn: Array, prior: float) -> tuple[Array, Array, Any]:
    chance = Chances.of(features @ beta[:-1], beta[-1])
    expected = chance.win - chance.loss
    variance = chance.win + chance.loss - expected**2
    slope, slope_drawn = (outcome - expected) / 2, drawn - chance.draw
    slopes = sparse.hstack([sparse.diags_array(slope) @ features, sparse.csr_array(slope_drawn[:, None])], format="csr")
    gradient = np.append(features.T @ slope, slope_drawn.sum()) - prior * beta
    information = np.empty((len(beta), len(beta)))
    information[:-1, :-1] = (features.T @ (sparse.diags_array(variance / 4) @ features)).toarray()
    information[:-1, -1] = information[-1, :-1] = features.T @ (-expected * chance.draw / 2)
    information[-1, -1] = (chance.draw * (1 - chance.draw)).sum()
    information[np.diag_indices_from(information)] += prior
    return gradient, information, slopes


def _positive(matrix: Array) -> Array:
    """Return the nearest symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    positive: Array = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return positive


def _centred(values: Array, covariance: Array) -> tuple[Array, Array]:
    """Return values and covariance of what is left when their mean is taken away."""
    centre = np.eye(len(values)) - 1.0 / len(values)
    spread = centre @ covariance @ centre
    spread[np.diag_indices_from(spread)] = np.maximum(np.diag(spread), 0.0)  # of one alone it is a rounding error
    return centre @ values, spread


def _intervals(values: Array, reaches: Array, mean: float) -> tuple[Estimate, ...]:
    middles, reaches = mean + ELO * values, ELO * reaches
    return tuple(Estimate(float(m), float(m - r), float(m + r)) for m, r in zip(middles, reaches, strict=True))
