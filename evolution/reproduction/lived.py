"""What a finished arm left behind, as far as claims read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from palaestra.envs.errors import RunError
from palaestra.evolution.durable import Row
from palaestra.evolution.evaluation.held_out import GREEDY_GROUP
from palaestra.evolution.evaluation.record import Evaluation
from palaestra.evolution.run import Run
from palaestra.evolution.state import evaluation_from_json

__all__ = ["Lived", "read_lived"]


@dataclass(frozen=True, slots=True)
class Lived:
    """One arm of one seed.

    Attributes:
        evaluations: By rising step, the start's first.
        solved: For each of them, whether each held-out task was solved greedily, by the task's fingerprint; invalid
            episodes are left out. Empty in arenas.
        steps: The rows of `metrics.jsonl` that tell of steps, by rising step.
        seconds: Wall-clock of evolving.
        birth_seconds: Wall-clock of the policy's birth.
    """

    evaluations: tuple[Evaluation, ...]
    solved: tuple[Mapping[str, bool], ...]
    steps: tuple[Row, ...]
    seconds: float = 0.0
    birth_seconds: float = 0.0


def read_lived(directory: Path) -> Lived:
    """Read a finished run.

    Raises:
        RunError: If it is no run, or not finished.
    """
    with Run.open(directory, read_only=True) as run:
        result = run.result
        if result is None:
            raise RunError(f"{directory} is not finished. Resume it: palaestra evolve --resume {directory}")
        evaluations = tuple(evaluation_from_json(values) for values in result["evaluations"])
        return Lived(
            evaluations,
            tuple(_solved(run, evaluation) for evaluation in evaluations),
            tuple(row for row in run.metrics.rows() if row["phase"] == "train"),
            result["seconds"],
            result["birth_seconds"],
        )


def _solved(run: Run, evaluation: Evaluation) -> dict[str, bool]:
    env = evaluation.scores[0].env
    return {
        episode.fingerprint: episode.correct
        for episode in run.evaluations.read(f"step-{evaluation.step:06d}")
        if episode.env == env and episode.group == GREEDY_GROUP and episode.valid
    }
