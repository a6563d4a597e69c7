"""What learning in one environment does to others: a matrix of accuracies, and what is read off it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.errors import ShapeError
from palaestra.evolution.evaluation.record import Evaluation

__all__ = ["Transfer", "transfer"]


@dataclass(frozen=True)
class Transfer:
    """Accuracies after each stage of learning.

    Attributes:
        envs: `[E]` specs that were measured.
        stages: `[S]` spec that was learned in at each stage, in order.
        accuracy: `[S + 1, E]` accuracy in each environment, before the first stage and after each.
    """

    envs: tuple[str, ...]
    stages: tuple[str, ...]
    accuracy: NDArray[np.float64]

    @property
    def change(self) -> NDArray[np.float64]:
        """`[S, E]` what each stage added in each environment, -1 to 1: off its own column, what it transferred."""
        return self.accuracy[1:] - self.accuracy[:-1]

    @property
    def forgotten(self) -> NDArray[np.float64]:
        """`[E]` how far the end is below the best that any earlier stage, or the start, had reached; 0 if it is not.

        Source: Chaudhry et al. 2018, "Riemannian walk for incremental learning", equation 3.
        """
        lost: NDArray[np.float64] = np.maximum(0.0, self.accuracy[:-1].max(axis=0) - self.accuracy[-1])
        return lost

    @property
    def backward(self) -> float:
        """What later stages added to what earlier ones had learned, on average; nan with fewer than two stages.

        Source: Lopez-Paz and Ranzato 2017, "Gradient episodic memory for continual learning", equation 3.
        """
        after = {env: self.accuracy[stage + 1, self.envs.index(env)] for stage, env in enumerate(self.stages[:-1])}
        gains = [self.accuracy[-1, self.envs.index(env)] - then for env, then in after.items()]
        return float(np.mean(gains)) if gains else float("nan")

    def as_json(self) -> dict[str, object]:
        """Return plain JSON values."""
        return {
            "envs": list(self.envs),
            "stages": list(self.stages),
            "accuracy": self.accuracy.tolist(),
            "forgotten": dict(zip(self.envs, self.forgotten.tolist(), strict=True)),
        }


def transfer(history: Sequence[Evaluation]) -> Transfer:
    """Read the matrix off a run's evaluations, whose first score is of the environment that was learned in.

    Args:
        history: Evaluations in order, the first of them before any learning.

    Raises:
        ShapeError: If there is no evaluation after the start, or they do not measure the same environments.
    """
    if len(history) < 2:
        raise ShapeError(f"A matrix of transfer needs evaluations before and after, got {len(history)}.")
    envs = tuple(dict.fromkeys(score.env for score in history[0].scores))  # of one there may be several measures
    rows, stages = [history[0]], list[str]()
    for evaluation in history[1:]:
        learned = evaluation.scores[0].env
        if {score.env for score in evaluation.scores} != set(envs):
            raise ShapeError(f"The evaluation of step {evaluation.step} measures other environments than {envs}.")
        if stages and stages[-1] == learned:
            rows[-1] = evaluation
        else:
            stages.append(learned)
            rows.append(evaluation)
    accuracy = np.array([[row.of(env).accuracy.value for env in envs] for row in rows])
    return Transfer(envs, tuple(stages), accuracy)
