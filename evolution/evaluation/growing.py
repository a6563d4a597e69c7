"""Evaluate on held-out tasks, and tell how the pool of tasks has grown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.envs.writing.language import words_of
from palaestra.evolution.acquisition.grow import is_writing
from palaestra.evolution.acquisition.pool import Entry, pool_path, read_pool
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.evaluation.record import Played, Score
from palaestra.evolution.refinement.novelty import most_alike
from palaestra.evolution.yard import Yard

__all__ = ["Growing", "pool_figures"]

_COMPARED = 100


@dataclass(frozen=True)
class Growing:
    """Measure held-out tasks, and how the pool of tasks has grown.

    Told of the pool are, from the first step on: `pool` (tasks, seeds among them); `taken` (new ones of the step);
    `refused` (share of what was written in the step) and the same for each reason, such as `refused: alike`; `solved`
    (mean share of right attempts at the new ones, by the policy that wrote the step's experience). And of the first 100
    tasks that were written in the run, as soon as there are so many: `spread` (1 less ROUGE-L with the most alike of
    the others, on average) and `distinct` (share of different runs of three words).

    Attributes:
        tasks: How held-out tasks are measured.
    """

    tasks: HeldOut = HeldOut()  # noqa: RUF009 (frozen and without state)

    def play(self, yard: Yard, env: str, step: int) -> Played:
        """Play all episodes of one evaluation; the same tasks at every step."""
        played = self.tasks.play(yard, env, step)
        if step == 0 or not pool_path(yard.directory, step).exists():
            return played
        written = [episode for episode in yard.recorded(step) if is_writing(episode) and episode.valid]
        return Played(played.episodes, played.figures | pool_figures(read_pool(yard.directory, step), written, step))

    def scores(self, env: str, episodes: Sequence[Episode], figures: Mapping[str, float]) -> tuple[Score, ...]:
        """Return the score in one environment."""
        return self.tasks.scores(env, episodes, figures)

    def settle(self, yard: Yard, env: str, episodes: Sequence[Episode], step: int) -> None:
        """Nothing follows from a measurement."""


def pool_figures(pool: Sequence[Entry], written: Sequence[Episode], step: int) -> dict[str, float]:
    """Return what is told of a pool, see `Growing`.

    Args:
        pool: As it is after the step.
        written: What was written in the step, validly.
        step: The step.
    """
    new = [entry for entry in pool if entry.step == step]
    figures = {"pool": float(len(pool)), "taken": float(len(new))}
    if written:
        reasons = Counter(e.verdict.detail.partition(":")[0] for e in written if not e.correct)
        figures["refused"] = reasons.total() / len(written)
        figures |= {f"refused: {reason}": count / len(written) for reason, count in sorted(reasons.items())}
    if solved := [entry.measure.solved for entry in new if entry.measure is not None]:
        figures["solved"] = float(np.mean(solved))
    first = [entry.text for entry in pool if not entry.is_seed][:_COMPARED]
    if len(first) == _COMPARED:
        runs = [words[i : i + 3] for words in map(words_of, first) for i in range(len(words) - 2)]
        figures["spread"] = 1.0 - float(np.mean(most_alike(first)))
        figures["distinct"] = len(set(runs)) / max(1, len(runs))
    return figures
