"""Evaluate one policy on both sides of the proposer–solver arena, and on held-out tasks elsewhere."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.agents.matches import Match, Matches
from palaestra.agents.policy import Sampling
from palaestra.envs.arena.catalogue import is_arena
from palaestra.envs.seeding import derive_seed
from palaestra.envs.verdict import Status
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.evaluation.record import Played, Score
from palaestra.evolution.evaluation.statistics import mean_share
from palaestra.evolution.refinement.proposals import games_of
from palaestra.evolution.yard import Yard

__all__ = ["Proposing"]


@dataclass(frozen=True)
class Proposing:
    """In an arena, play games of the policy with itself; elsewhere, measure it on held-out tasks.

    Of the arena is told how often the policy solves its own proposals, which of itself is neither good nor bad, and
    figures of the proposals: the share that is `valid`; of the valid ones the share of `middle` difficulty (from 0.3 to
    0.7 of the answers right), those `solved by all` and `by none`, and the share of `distinct` ones.

    Attributes:
        games: Games in the arena.
        sampling: How proposers and solvers are sampled.
        tasks: What is done in worlds that have tasks.
    """

    games: int = 128
    sampling: Sampling = Sampling(max_tokens=16)
    tasks: HeldOut = HeldOut()  # noqa: RUF009 (frozen and without state)

    def play(self, yard: Yard, env: str, step: int) -> Played:
        """Play all episodes of one evaluation."""
        if not is_arena(env):
            return self.tasks.play(yard, env, step)
        seats = (0,) * len(yard.arena(env).possible_agents)
        seeds = [derive_seed(yard.seed, "proposing", env, game) for game in range(self.games)]
        matches = [Match(f"{env}/own/{game}", env, seats, seed) for game, seed in enumerate(seeds)]
        agent = yard.rollout.agent.with_sampling(self.sampling)
        records = Matches([agent], make=yard.make_arena).play(matches)
        episodes = [episode for record in records for episode in record.episodes]
        return Played(episodes, _figures(episodes))

    def scores(self, env: str, episodes: Sequence[Episode], figures: Mapping[str, float]) -> tuple[Score, ...]:
        """Return the score in one environment."""
        if not is_arena(env):
            return self.tasks.scores(env, episodes, figures)
        mine = [episode for episode in episodes if episode.env == env]
        valid = [episode for episode in mine if episode.valid]
        posed = [game for game in games_of(valid).values() if game.solvers]
        proposers = [game.proposer for game in games_of(valid).values() if game.proposer]
        return (
            Score(
                env=env,
                tasks=len(posed),
                accuracy=mean_share([game.success for game in posed]),
                pass_at_k={},
                mean_reward=float(np.mean([e.reward for e in proposers])) if proposers else math.nan,
                statuses=dict(Counter(str(e.verdict.status) for e in proposers)),
                # Who found no task to solve has not failed; a player or an arena that broke has.
                invalid=sum(e.verdict.status is Status.INFRASTRUCTURE for e in mine),
                tokens=sum(episode.tokens for episode in mine),
                seconds=0.0,
                measure="share of own tasks solved",
                figures=figures,
            ),
        )

    def settle(self, yard: Yard, env: str, episodes: Sequence[Episode], step: int) -> None:
        """Nothing follows from a measurement."""


def _figures(episodes: Sequence[Episode]) -> dict[str, float]:
    games = games_of([episode for episode in episodes if episode.valid]).values()
    posed = [game for game in games if game.solvers]
    found = {"valid": len(posed) / max(1, len(games))}
    if not posed:
        return found
    return found | {
        "middle": float(np.mean([0.3 <= game.success <= 0.7 for game in posed])),
        "solved by all": float(np.mean([game.success == 1.0 for game in posed])),
        "solved by none": float(np.mean([game.success == 0.0 for game in posed])),
        "distinct": len({game.solvers[0].fingerprint for game in posed}) / len(posed),
    }
