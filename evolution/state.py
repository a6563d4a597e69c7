"""What the loop must remember between steps, besides weights: little, and plain JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from palaestra.agents.episode import Episode
from palaestra.evolution.evaluation.record import Estimate, Evaluation, Score
from palaestra.evolution.objective import Direction, Objective

__all__ = ["LoopState", "evaluation_from_json", "objective_from_json"]


@dataclass
class LoopState:
    """Where a run stands.

    Attributes:
        objective: The present objective.
        step: Steps committed.
        episodes: Episodes acquired.
        used: Episodes that reached an update.
        invalid: Episodes that were no experience.
        seconds: Wall-clock spent on what is committed, birth not included.
        birth_seconds: Wall-clock of making or loading the policy.
        version: Version of the weights.
        start_length: Mean tokens of a reply in the first step that sampled any; 0 before.
        history: Evaluations in order.
    """

    objective: Objective
    step: int = 0
    episodes: int = 0
    used: int = 0
    invalid: int = 0
    seconds: float = 0.0
    birth_seconds: float = 0.0
    version: int = 0
    start_length: float = 0.0
    history: list[Evaluation] = field(default_factory=list)

    def count(self, acquired: Sequence[Episode], refined: Sequence[Episode], seconds: float, version: int) -> None:
        """Count one committed step."""
        self.step += 1
        self.episodes += len(acquired)
        self.used += len(refined)
        self.invalid += sum(not episode.valid for episode in acquired)
        self.seconds += seconds
        self.version = version

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "LoopState":
        """Return the state that `as_json` wrote."""
        state = dict(values)
        state["objective"] = objective_from_json(state["objective"])
        state["history"] = [evaluation_from_json(evaluation) for evaluation in state["history"]]
        return cls(**state)


def objective_from_json(values: Mapping[str, Any]) -> Objective:
    """Return the objective that was written as JSON."""
    objective = Objective(values["ability"], tuple(values["ladder"]))
    return replace(
        objective,
        direction=Direction(values["direction"]),
        rung=values["rung"],
        watched=tuple(values["watched"]),
        mastery=values["mastery"],
    )


def evaluation_from_json(values: Mapping[str, Any]) -> Evaluation:
    """Return the evaluation that was written as JSON."""
    return Evaluation(values["step"], values["version"], tuple(_score(score) for score in values["scores"]))


def _score(values: Mapping[str, Any]) -> Score:
    # JSON knows only text as keys.
    pass_at_k = {int(k): Estimate(**estimate) for k, estimate in values["pass_at_k"].items()}
    return Score(**{**values, "accuracy": Estimate(**values["accuracy"]), "pass_at_k": pass_at_k})
