"""Evaluate what is done untold, and beside it what is done told: the ceiling of what may be engraved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from palaestra.agents.episode import Episode
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.told import with_context
from palaestra.evolution.evaluation.held_out import GREEDY_GROUP, HeldOut, summarise
from palaestra.evolution.evaluation.record import Played, Score
from palaestra.evolution.yard import Yard

__all__ = ["MEASURE", "Untold"]

MEASURE = "held-out accuracy, told"
_GROUP = "told"


@dataclass(frozen=True)
class Untold(HeldOut):
    """Play held-out tasks as `HeldOut` does; then the same tasks greedily, told something.

    The first is the score of the environment, the other one beside it. Nothing is learned from either.

    Attributes:
        principles: What is told, without white space at its ends; nothing leaves the second out.
    """

    principles: str = ""

    def play(self, yard: Yard, env: str, step: int) -> Played:
        """Play all episodes of one evaluation; the same tasks at every step, with the same seeds told and untold."""
        plain = super().play(yard, env, step)
        if not self.principles.strip():
            return plain
        rollout = yard.rollout.played_by(with_context(yard.rollout.agent, Context(self.principles.strip())))
        told = replace(self, attempts=1, also=()).sample(rollout, env, yard.seed)
        marked = [replace(episode, id=f"{episode.id}/{_GROUP}", group=_GROUP) for episode in told]
        return Played(plain.episodes + marked, plain.figures)

    def scores(self, env: str, episodes: Sequence[Episode], figures: Mapping[str, float]) -> tuple[Score, ...]:
        """Return the score in one environment untold, and the one told where that was played."""
        mine = [episode for episode in episodes if episode.env == env]
        untold = [episode for episode in mine if episode.group != _GROUP]
        told = [replace(episode, group=GREEDY_GROUP) for episode in mine if episode.group == _GROUP]
        plain = super().scores(env, untold, figures)
        if not told:
            return plain
        return (*plain, replace(summarise(env, told, 0.0), env=f"{env} with principles", measure=MEASURE))
