"""What several attempts at a task say together: votes, weighed or not. All pure functions."""

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Ballot", "elected"]


class Ballot(NamedTuple):
    """One attempt.

    Attributes:
        answer: What it comes down to; None where it gives no answer.
        correct: Whether the judge called it right.
        weight: How much it counts, not negative.
    """

    answer: str | None
    correct: bool
    weight: float = 1.0


def elected(ballots: Sequence[Ballot], clusters: int = 0) -> float:
    """Return the chance that the answer with the greatest weight is right.

    With equal weights this is the majority (Wang et al. 2023, "Self-consistency improves chain of thought reasoning in
    language models"). With a verifier's scores as weights, among the largest clusters of equal answers, it is solution
    cluster re-ranking (Liu et al. 2023, "Improving large language model fine-tuning for solving math problems").

    Args:
        ballots: The attempts at one task.
        clusters: Only so many of the largest clusters are weighed; 0 weighs all. Of equal size, the earlier counts.

    Returns:
        0 to 1: among answers of equal weight one is drawn, so that ties favour nobody. An answer that the judge called
        right in some attempts only is right as often as that. Without any answer 0.
    """
    members: dict[str, list[Ballot]] = {}
    for ballot in ballots:
        if ballot.answer is not None:
            members.setdefault(ballot.answer, []).append(ballot)
    groups = sorted(members.values(), key=len, reverse=True)[: clusters or None]
    weights = [sum(ballot.weight for ballot in group) for group in groups]
    if not groups:
        return 0.0
    best = [group for group, weight in zip(groups, weights, strict=True) if weight == max(weights)]
    return sum(sum(ballot.correct for ballot in group) / len(group) for group in best) / len(best)
