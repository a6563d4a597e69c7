"""Accuracy by round, the four transitions, and what an answer cost: all pure functions of judged episodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from palaestra.agents.drafting import drafts_in
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.panel import Panels, elect, votes_in
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.evaluation.statistics import mean_over_tasks, wilson
from palaestra.evolution.evaluation.voting import Ballot, elected

__all__ = ["TRANSITIONS", "Course", "course_of_drafts", "course_of_votes", "figures_of", "share_right", "votes_within"]

TRANSITIONS: Final = {
    (True, True): "right to right",
    (True, False): "right to wrong",
    (False, True): "wrong to right",
    (False, False): "wrong to wrong",
}
"""Names of what became of first answers, by whether the first and the last one were right (Huang et al. 2023)."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one task went under one way of answering.

    Attributes:
        task: Fingerprint of the task.
        right: Whether what would have been answered was right, after the first answer and after every round.
        replies: How many replies were sampled.
        tokens: How many tokens were; 0 of a served model whose server does not say.
        ballots: What the members of a panel answered at first, in order; empty of one who answers alone.
        spent: Tokens of each of these.
    """

    task: str
    right: tuple[bool, ...]
    replies: int
    tokens: int
    ballots: tuple[Ballot, ...] = ()
    spent: tuple[int, ...] = ()


def course_of_drafts(episode: Episode, rounds: int) -> Course:
    """Return how an episode of drafts went; a draft that stood before the last round stands in those after it."""
    right = [_right(turn) for turn in drafts_in(episode.turns)][: rounds + 1]
    right[-1] = episode.correct
    right += [right[-1]] * (rounds + 1 - len(right))
    return Course(episode.fingerprint, tuple(right), _replies(episode), episode.tokens)


def course_of_votes(episode: Episode, panels: Panels, world: TextEnv) -> Course:
    """Return how an episode of a panel went; `world` reads what members answered.

    Where a debate had no room to go on, its last vote stands in the rounds after it.
    """
    rounds = votes_in(episode.turns, panels)
    answers = [[world.answer(turn.action) for turn in members] for members in rounds]
    right = [_right(members[elect(said)]) for members, said in zip(rounds, answers, strict=True)]
    right += [right[-1]] * (panels.rounds + 1 - len(right))
    ballots = tuple(Ballot(said, _right(turn)) for said, turn in zip(answers[0], rounds[0], strict=True))
    spent = tuple(len(turn.reply_ids) for turn in rounds[0])
    return Course(episode.fingerprint, tuple(right), _replies(episode), episode.tokens, ballots, spent)


def share_right(courses: Sequence[Course], right: Sequence[float]) -> Estimate:
    """Estimate a share over tasks, some of which may have been tried several times.

    Args:
        courses: `[N]` whose tasks they are.
        right: `[N]` shares, 0 to 1.

    Returns:
        With Wilson's interval where every task was tried once and was right or wrong, else by bootstrap over tasks.
    """
    by_task: dict[str, list[float]] = {}
    for course, value in zip(courses, right, strict=True):
        by_task.setdefault(course.task, []).append(float(value))
    if len(by_task) == len(courses) and set(map(float, right)) <= {0.0, 1.0}:
        return wilson(int(sum(right)), len(courses))
    return mean_over_tasks([float(np.mean(values)) for values in by_task.values()], np.random.default_rng(0))


def figures_of(courses: Sequence[Course]) -> dict[str, float]:
    """Return what one way of answering came to, of at least one course.

    Returns:
        `round N`, the share right after so many further rounds, with ` low` and ` high`; where there were any, the
        shares of the four transitions from the first answer to the last, and `gain`, the difference, with its interval
        (paired, over tasks); of a panel `majority@k`, the chance that the first k members are right by vote, with its
        interval; `replies` and `tokens`, means over tasks.
    """
    figures: dict[str, float] = {}
    rounds = min(len(course.right) for course in courses)
    for number in range(rounds):
        found = share_right(courses, [course.right[number] for course in courses])
        figures |= _bounded(f"round {number}", found)
    if rounds > 1:
        changes = [(course.right[0], course.right[-1]) for course in courses]
        figures |= {name: changes.count(change) / len(changes) for change, name in TRANSITIONS.items()}
        figures |= _bounded("gain", _gain(courses))
    members = min(len(course.ballots) for course in courses)
    for k in sorted({1, members, *(2**i for i in range(members.bit_length()) if 2**i <= members)} - {0}):
        if members:
            shares = [elected(course.ballots[:k]) for course in courses]
            figures |= _bounded(f"majority@{k}", share_right(courses, shares))
    for name in ("replies", "tokens"):
        figures[name] = float(np.mean([getattr(course, name) for course in courses]))
    return figures


def votes_within(courses: Sequence[Course], tokens: Mapping[str, float]) -> list[float]:
    """Return `[N]` the chance that a vote is right of the members who could speak within so many tokens, at least one.

    Args:
        courses: Of a panel without further rounds.
        tokens: By task, how many; of a task that is not there all members vote.
    """
    shares = []
    for course in courses:
        allowed = tokens.get(course.task, np.inf)
        heard = max(1, int(np.searchsorted(np.cumsum(course.spent), allowed, side="right")))
        shares.append(elected(course.ballots[:heard]))
    return shares


def _gain(courses: Sequence[Course]) -> Estimate:
    by_task: dict[str, list[float]] = {}
    for course in courses:
        by_task.setdefault(course.task, []).append(float(course.right[-1]) - float(course.right[0]))
    return mean_over_tasks([float(np.mean(values)) for values in by_task.values()], np.random.default_rng(0))


def _bounded(name: str, found: Estimate) -> dict[str, float]:
    return {name: found.value, f"{name} low": found.low, f"{name} high": found.high}


def _right(turn: Turn) -> bool:
    return turn.verdict is not None and turn.verdict.status is Status.CORRECT


def _replies(episode: Episode) -> int:
    # A vote is said by nobody; replies of a server that tells no tokens still say why they ended.
    return sum(turn.finish is not None for turn in episode.turns)
