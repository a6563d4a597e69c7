"""Refine by agreement: where no label says what is right, several attempts may agree on it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError
from palaestra.evolution.refinement.groups import by_group
from palaestra.evolution.yard import Yard

__all__ = ["KeepMajority", "answer_in", "majority"]


def majority(answers: Sequence[str | None], margin: float = 0.0) -> str | None:
    """Return the answer that most attempts give.

    Args:
        answers: One an attempt; None where it gives none.
        margin: By how much it must lead before the next, as a share of all attempts.

    Returns:
        The answer; None where there is none, the first two are even, or the lead is too small.

    Source: Wang et al. 2023, "Self-consistency improves chain of thought reasoning in language models".
    """
    most = Counter(answer for answer in answers if answer is not None).most_common(2)
    if not most:
        return None
    lead = most[0][1] - (most[1][1] if len(most) > 1 else 0)
    return most[0][0] if lead > 0 and lead >= margin * len(answers) else None


def answer_in(yard: Yard) -> Callable[[Episode], str | None]:
    """Return what reads the final answer of an episode, as its world reads it (`TextEnv.answer`)."""
    return lambda episode: yard.rollout.env(episode.env).answer(episode.turns[-1].action) if episode.turns else None


@dataclass(frozen=True)
class KeepMajority:
    """Keep the members of each group that give the answer most of it gives; verdicts are not looked at.

    Source: Huang et al. 2023, "Large language models can self-improve".

    Attributes:
        margin: By how much the answer must lead before the next, as a share of the group.
    """

    margin: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.margin <= 1.0:
            raise UsageError(f"margin is a share, 0 to 1; got {self.margin}.")

    def at(self, yard: Yard, step: int) -> "_Agreeing":
        """Return the part that reads answers as the worlds of a run do."""
        del step
        return _Agreeing(answer_in(yard), self.margin)


@dataclass(frozen=True)
class _Agreeing:
    answer: Callable[[Episode], str | None]
    margin: float

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the episodes that agree, group by group."""
        kept: list[Episode] = []
        for group in by_group(episodes).values():
            answers = [self.answer(episode) for episode in group]
            agreed = majority(answers, self.margin)
            kept += [e for e, a in zip(group, answers, strict=True) if a is not None and a == agreed]
        return kept
