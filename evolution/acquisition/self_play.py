"""Acquire by self-play: the policy in every seat, against an ancestor of the league, or against a rival run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.agents.matches import Match, Matches, MatchRecord
from palaestra.agents.policy import Sampling
from palaestra.envs.arena.catalogue import is_arena
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.evolution.league import Choice
from palaestra.evolution.yard import Yard

__all__ = ["SelfPlay", "refuse_seats"]

_MIRROR = "mirror"


@dataclass(frozen=True)
class SelfPlay:
    """Play games of the present policy against itself and its ancestors.

    Attributes:
        games: How many a step.
        against_league: Share of the games in which one seat is the policy's and all others are an ancestor's; in the
            others it has every seat.
        choice: How the ancestor is drawn.
        seats: Which seats are the policy's, by number, where the others are a rival's; empty for all.
        rival: Who sits in the others: a spec, such as `run:PATH` of a run that learns those seats against this one. Of
            a run it is the last checkpoint, looked for again as often as the policy is frozen.
        freeze_every: Steps between two times that the policy is frozen into the league; the first is the first step.
        sampling: How all of them sample.
    """

    games: int = 128
    against_league: float = 0.0
    choice: Choice = "uniform"
    seats: tuple[int, ...] = ()
    rival: str = ""
    freeze_every: int = 10
    sampling: Sampling = Sampling(max_tokens=16)

    def __post_init__(self) -> None:
        if self.games < 1 or self.freeze_every < 1:
            raise UsageError(f"games and freeze_every must be at least 1, got {self.games} and {self.freeze_every}.")
        if not 0.0 <= self.against_league <= 1.0:
            raise UsageError(f"against_league is a share, 0 to 1; got {self.against_league}.")

    def require(self, env: str) -> None:
        """Refuse what is no arena.

        Raises:
            UsageError: If there are no other seats to play against, or nobody is named to sit in them.
        """
        # Not when it is made: options are set one after another.
        if bool(self.seats) != bool(self.rival) or (self.rival and self.against_league > 0):
            raise UsageError(
                f"seats ({list(self.seats)}) and rival ({self.rival!r}) go together, and without against_league "
                f"({self.against_league}): name the seats that are the policy's and who sits in the others, or neither."
            )
        if not is_arena(env):
            raise UsageError(f"Self-play needs an arena, and {env!r} is none: `palaestra arenas` lists them.")

    def prepare(self, yard: Yard, step: int) -> None:
        """Freeze the policy into the league, if it is time."""
        if (step - 1) % self.freeze_every == 0:
            yard.league.freeze(yard.policy, step - 1)
            yard.forget_rivals()

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the policy's own episodes of step `step`, in order; those of the ancestors are nobody's to learn.

        Raises:
            InfrastructureError: If not one game was valid.
        """
        draw = derive_generator(yard.seed, "self-play", env, step)
        faced = draw.random(self.games) < self.against_league
        opponents = yard.league.draw(draw, self.choice, int(faced.sum()))
        agents, matches = self._matches(yard, env, step, faced, opponents)
        records = Matches(agents, make=yard.make_arena).play(matches)
        if not any(record.valid for record in records):
            raise InfrastructureError(f"None of {len(records)} games of {env} was valid: {records[0].detail}")
        return [episode for record in records for episode in _own(record)]

    def _matches(
        self, yard: Yard, env: str, step: int, faced: "np.ndarray[tuple[int], np.dtype[np.bool_]]", opponents: list[str]
    ) -> tuple[list[Agent], list[Match]]:
        names = sorted(set(opponents))
        learner = yard.rollout.agent.with_sampling(self.sampling)
        agents = [learner, *(yard.league.agent(name, self.sampling) for name in names)]
        seats = len(yard.arena(env).possible_agents)
        mirror = (0,) * seats
        if self.rival:
            refuse_seats(self.seats, env, seats)
            agents.append(yard.rival(self.rival, self.sampling))
            mirror = tuple(0 if seat in self.seats else len(agents) - 1 for seat in range(seats))
        drawn, matches = iter(opponents), []
        for game in range(self.games):
            players, group = mirror, _MIRROR
            if faced[game]:
                group = next(drawn)
                players = tuple(0 if seat == game % seats else 1 + names.index(group) for seat in range(seats))
            seed = derive_seed(yard.seed, "self-play", env, step, game)
            matches.append(Match(f"s{step}/g{game}", env, players, seed, f"s{step}/{group}", game))
        return agents, matches


def refuse_seats(chosen: Sequence[int], env: str, seats: int) -> None:
    """Raise `UsageError` if an arena has not the seats that were chosen."""
    if len(set(chosen)) != len(chosen) or not set(chosen) <= set(range(seats)):
        raise UsageError(f"{env} has the seats 0 to {seats - 1}; {list(chosen)} are not some of them, each once.")


def _own(record: MatchRecord) -> list[Episode]:
    return [e for e, player in zip(record.episodes, record.match.players, strict=False) if player == 0]
