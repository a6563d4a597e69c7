"""Evaluate in an arena: games against yardsticks, ancestors and the champion, and what the best answer would win."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.agents.matches import Match, Matches
from palaestra.agents.policy import Sampling
from palaestra.agents.search.best_response import exploitability
from palaestra.agents.search.tree import GameTree
from palaestra.agents.specs import load_agent
from palaestra.agents.tabulate import tabulate
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.catalogue import is_arena
from palaestra.envs.arena.game import GameArena
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_seed
from palaestra.envs.verdict import Status
from palaestra.evolution.acquisition.self_play import refuse_seats
from palaestra.evolution.evaluation.record import Played, Score
from palaestra.evolution.evaluation.statistics import mean_share
from palaestra.evolution.yard import Yard

__all__ = ["CHAMPION", "START", "Sparring"]

START = "start"
"""The policy as it was before the first update."""
CHAMPION = "champion"
"""The ancestor that none has surely beaten yet."""
_UNBEATEN = (Status.CORRECT, Status.PARTIAL)


@dataclass(frozen=True)
class Sparring:
    """Play against opponents, each in every seat with the same cards.

    Attributes:
        opponents: Specs of agents, or `"start"` or `"champion"`; the first gives the figure that objectives read.
        games: Games against each.
        sampling: How the policy and its ancestors sample: as they play, not greedily, for a good player may have to
            mix its moves.
        promote_above: The policy becomes champion when the lower bound of the share that it won against the one that is
            exceeds this; 1/2 is what equals win.
        seats: Which seats the policy sits in, in turn, by number; empty for all. Exploitability is that of a policy
            for all seats, and left out where it has some.
        samples: Moves sampled in every situation to find what the policy does there; 0 leaves exploitability out.
        most_situations: Games with more situations are not asked for their exploitability.
    """

    opponents: tuple[str, ...] = ("scripted:random", START, CHAMPION)
    games: int = 400
    sampling: Sampling = Sampling(max_tokens=16)
    promote_above: float = 0.5
    seats: tuple[int, ...] = ()
    samples: int = 200
    most_situations: int = 1_000

    def __post_init__(self) -> None:
        if not self.opponents or self.games < 1:
            raise UsageError(f"Sparring needs opponents and games, got {self.opponents} and {self.games}.")

    def require(self, env: str) -> None:
        """Refuse what is no arena.

        Raises:
            UsageError: If there is nobody to play against.
        """
        if not is_arena(env):
            raise UsageError(f"Sparring needs an arena, and {env!r} is none: `palaestra arenas` lists them.")

    def play(self, yard: Yard, env: str, step: int) -> Played:
        """Play all games of one evaluation."""
        league, present = yard.league, f"step-{step:06d}"
        league.freeze(yard.policy, step)
        agents = [yard.rollout.agent.with_sampling(self.sampling)]
        seats, matches = len(yard.arena(env).possible_agents), list[Match]()
        refuse_seats(self.seats, env, seats)
        own = self.seats or tuple(range(seats))
        for number, opponent in enumerate(self.opponents, start=1):
            named = {START: league.members[0], CHAMPION: league.champion}.get(opponent)
            agents.append(league.agent(named, self.sampling) if named else load_agent(opponent))
            for game in range(self.games if named != present or opponent == START else 0):
                sits = own[game % len(own)]
                players = tuple(0 if seat == sits else number for seat in range(seats))
                seed = derive_seed(yard.seed, "sparring", env, opponent, game // len(own))
                matches.append(Match(f"{env}/{opponent}/{game}", env, players, seed, opponent, sits))
        records = Matches(agents, make=yard.make_arena).play(matches)
        # A game that broke before the policy sat down is nobody's.
        seated = [(record.episodes, record.match.players.index(0)) for record in records]
        episodes = [lived[own] for lived, own in seated if own < len(lived)]
        return Played(episodes, self._figures(yard, env))

    def _figures(self, yard: Yard, env: str) -> dict[str, float]:
        arena = yard.arena(env)
        lowest, highest = _range(arena)
        figures = {"lowest": lowest, "highest": highest}
        if not self.samples or self.seats or not isinstance(arena, GameArena):
            return figures
        try:
            tree = GameTree(arena.rules, most_states=100_000)
        except UsageError:  # too large to be asked
            return figures
        if len(tree.keys) > self.most_situations:
            return figures
        agent = yard.rollout.agent.with_sampling(self.sampling)
        found = tabulate(agent, arena, self.samples, yard.seed, tree=tree)
        figures["illegal"] = found.illegal
        if arena.rules.seats == 2 and arena.rules.zero_sum:
            figures["exploitability"] = exploitability(tree, found.policy)
        return figures

    def scores(self, env: str, episodes: Sequence[Episode], figures: Mapping[str, float]) -> tuple[Score, ...]:
        """Return a score against each opponent that was played, the first under the name of the arena itself."""
        mine = [episode for episode in episodes if episode.env == env]
        played = [opponent for opponent in self.opponents if any(e.group == opponent for e in mine)]
        range_ = figures["lowest"], figures["highest"]
        further = {name: value for name, value in figures.items() if name not in ("lowest", "highest")}
        return tuple(
            _score(env, opponent, [e for e in mine if e.group == opponent], range_, further if index == 0 else None)
            for index, opponent in enumerate(played)
        )

    def settle(self, yard: Yard, env: str, episodes: Sequence[Episode], step: int) -> None:
        """Let the policy of now become champion, if it has surely beaten the one that is."""
        games = [e for e in episodes if e.env == env and e.group == CHAMPION and e.valid]
        arena = yard.arena(env)
        share = mean_share(_shares(games, _range(arena)))
        yard.league.gate(yard.league.freeze(yard.policy, step), share, self.promote_above)


def _range(arena: Arena) -> tuple[float, float]:
    """Return the least and the most that a seat can get; of a dialogue, whose pay is its own, 0 and 1."""
    return (arena.rules.lowest, arena.rules.highest) if isinstance(arena, GameArena) else (0.0, 1.0)


def _shares(episodes: Sequence[Episode], of: tuple[float, float]) -> list[float]:
    """Return how much of what could be won was won: 1 for a game won, 1/2 for one drawn, and chips in proportion."""
    lowest, highest = of
    return [min(1.0, max(0.0, (e.reward - lowest) / (highest - lowest))) for e in episodes]


def _score(
    env: str,
    opponent: str,
    episodes: Sequence[Episode],
    of: tuple[float, float],
    figures: Mapping[str, float] | None,
) -> Score:
    valid = [episode for episode in episodes if episode.valid]
    kept = {"not_lost": float(np.mean([e.verdict.status in _UNBEATEN for e in valid]))} if valid else {}
    return Score(
        env=env if figures is not None else f"{env} against {opponent}",
        tasks=len(valid),
        accuracy=mean_share(_shares(valid, of)),
        pass_at_k={},
        mean_reward=float(np.mean([episode.reward for episode in valid])) if valid else math.nan,
        statuses=dict(Counter(str(episode.verdict.status) for episode in valid)),
        invalid=len(episodes) - len(valid),
        tokens=sum(episode.tokens for episode in episodes),
        seconds=0.0,
        measure=f"share won against {opponent}",
        figures={**kept, **(figures or {})},
    )
