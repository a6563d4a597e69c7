"""Skill by openskill's Plackett-Luce model, which rates game by game.

Frozen players do not change, so their uncertainty only shrinks (`tau` is 0). The order in which games are rated
matters a little: it is the schedule's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.evolution.tournament.games import Game

__all__ = ["Skill", "skills"]


@dataclass(frozen=True)
class Skill:
    """What openskill believes of one player.

    Attributes:
        mu: Its mean, 25 at the beginning.
        sigma: Its standard deviation, 25 / 3 at the beginning.
        ordinal: `mu - 3 sigma`, what is safe to say.
    """

    mu: float
    sigma: float
    ordinal: float


def skills(games: Sequence[Game], players: int) -> tuple[Skill, ...]:
    """Rate the players by valid games.

    Source: Joshy 2024, "OpenSkill: a faster asymmetric multi-team, multiplayer rating system"; Weng & Lin 2011.
    """
    from openskill.models import PlackettLuce  # late: only who rates waits for it

    model = PlackettLuce(tau=0.0)
    ratings = [model.rating() for _ in range(players)]
    for game in games:
        if game.valid:
            teams = model.rate([[ratings[player]] for player in game.players], scores=list(game.returns))
            for player, (rating,) in zip(game.players, teams, strict=True):
                ratings[player] = rating
    return tuple(Skill(r.mu, r.sigma, r.ordinal()) for r in ratings)
