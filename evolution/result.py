"""What a finished run says of itself."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from palaestra.evolution.evaluation.record import Evaluation, Score
from palaestra.evolution.evaluation.transfer import transfer

__all__ = ["Example", "Result"]


@dataclass(frozen=True, slots=True)
class Example:
    """One held-out task before and after.

    Attributes:
        task: Id of the task.
        prompt: What was asked first.
        before: Reply before, last of the episode.
        after: Reply after.
        right_before: Whether the episode was correct before.
        right_after: Whether it is now.
    """

    task: str
    prompt: str
    before: str
    after: str
    right_before: bool
    right_after: bool


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a run.

    Attributes:
        recipe: Name of the recipe.
        seed: Seed of the run.
        env: Spec of the environment the objective began with.
        before: Evaluation before the first update.
        after: Evaluation after the last.
        history: All evaluations in order, the first and the last included.
        episodes: Episodes acquired.
        used: Episodes that reached an update.
        invalid: Episodes that were no experience.
        steps: Updates made.
        seconds: Wall-clock of evolving (first acquisition to last evaluation, over all resumptions), without birth.
        birth_seconds: Wall-clock of the policy's birth; 0 when it was cached or loaded.
        examples: A few held-out episodes before and after.
        run: The run directory.
    """

    recipe: str
    seed: int
    env: str
    before: Evaluation
    after: Evaluation
    history: tuple[Evaluation, ...]
    episodes: int
    used: int
    invalid: int
    steps: int
    seconds: float
    birth_seconds: float
    examples: tuple[Example, ...]
    run: Path

    @property
    def score_before(self) -> Score:
        """Score before, in the environment of the objective."""
        return self.before.of(self.env)

    @property
    def score_after(self) -> Score:
        """Score after, in the environment of the objective."""
        return self.after.of(self.env)

    def _transfer(self) -> dict[str, object] | None:
        """Return what learning did to each of several environments; None where one was measured, or not always."""
        measured = {frozenset(score.env for score in evaluation.scores) for evaluation in self.history}
        if len(measured) > 1 or len(self.history) < 2 or len({score.env for score in self.before.scores}) < 2:
            return None
        return transfer(self.history).as_json()

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values: what `--json` writes (`before`, `after`: held-out greedy accuracy)."""
        before, after = self.score_before.accuracy, self.score_after.accuracy
        return {
            "recipe": self.recipe,
            "seed": self.seed,
            "env": self.env,
            "before": before.value,
            "after": after.value,
            "interval": [after.low, after.high],
            "interval_before": [before.low, before.high],
            "episodes": self.episodes,
            "episodes_used": self.used,
            "episodes_invalid": self.invalid,
            "steps": self.steps,
            "seconds": self.seconds,
            "birth_seconds": self.birth_seconds,
            "run": str(self.run),
            "evaluations": [e.as_json() for e in self.history],
            "transfer": self._transfer(),
            "examples": [asdict(e) for e in self.examples],
        }
