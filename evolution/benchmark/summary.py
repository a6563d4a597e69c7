"""What one policy did in one environment, as plain figures; what broke is counted apart and is in none of them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.envs.question import QuestionEnv
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Json, Task
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import ReadsAnswers
from palaestra.evolution.benchmark.estimates import (
    Figure,
    Tally,
    ks_of,
    majority_figure,
    mean_accuracy,
    pass_figure,
)
from palaestra.evolution.benchmark.suite import Course
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.evaluation.voting import Ballot
from palaestra.evolution.report.words import whole_share

__all__ = ["MOST_INVALID", "compares_answers", "estimate_json", "summarise_cell"]

MOST_INVALID: Final = 0.05
"""With a greater share of invalid episodes a cell is marked and has no figures: what is left may be no fair sample."""

_USUAL_TAGS: Final = ("difficulty", "level", "topic", "subject", "kind", "type", "category", "tags")
# A tag of more values divides tasks into crumbs.
_MOST_VALUES: Final = 20


def summarise_cell(
    course: Course, tasks: Sequence[Task], keys: Sequence[str], env: TextEnv, episodes: Sequence[Episode]
) -> dict[str, Any]:
    """Return the figures of a cell.

    Args:
        course: What was asked for.
        tasks: `[T]` what was played.
        keys: `[T]` their contents.
        env: Reads answers.
        episodes: All attempts, task by task.

    Returns:
        Plain JSON values; `outcomes` has by the task's key the right attempts, those that count, and their mean reward.
    """
    by_task: dict[str, list[Episode]] = {task.id: [] for task in tasks}
    for episode in episodes:
        by_task[episode.task].append(episode)
    valid = {name: [e for e in mine if e.valid] for name, mine in by_task.items()}
    invalid = [episode for episode in episodes if not episode.valid]
    reasons = Counter(f"{e.verdict.status.value}: {e.verdict.detail}"[:300] for e in invalid)
    counted = [episode for mine in valid.values() for episode in mine]
    cell: dict[str, Any] = {
        "tasks": sum(bool(mine) for mine in valid.values()),
        "episodes": len(episodes),
        "invalid": len(invalid),
        "invalid_reasons": [{"reason": reason, "count": count} for reason, count in reasons.most_common(5)],
        "statuses": dict(Counter(str(e.verdict.status) for e in counted).most_common()),
        "truncated": sum(e.truncated for e in counted),
        "marked": _mark(len(invalid), len(episodes)),
    }
    if cell["marked"]:
        return cell
    answer = env.answer if compares_answers(env) else None
    cell |= _figures(course, [valid[task.id] for task in tasks], answer)
    cell["by"] = _by_tag(course, tasks, valid)
    cell["outcomes"] = {
        key: [sum(e.correct for e in mine), len(mine), sum(e.reward for e in mine) / len(mine)]
        for task, key in zip(tasks, keys, strict=True)
        if (mine := valid[task.id])
    }
    return cell


def compares_answers(env: TextEnv) -> bool:
    """Whether equal answers of a world are equal text, so that attempts can vote."""
    if type(env).answer not in (TextEnv.answer, QuestionEnv.answer):
        return True
    return isinstance(env, QuestionEnv) and env.tries == 1 and isinstance(env.judge, ReadsAnswers)


def estimate_json(estimate: Estimate) -> dict[str, float]:
    """Return plain JSON values."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _mark(invalid: int, episodes: int) -> str:
    if invalid <= MOST_INVALID * episodes:
        return ""
    return (
        f"{invalid:,} of {episodes:,} episodes ({whole_share(invalid / episodes)}) are invalid, more than "
        f"{whole_share(MOST_INVALID)}: no "
        "figure is given. Mend the cause and give the same command again; what counted is not played again."
    )


def _figures(course: Course, attempts: Sequence[list[Episode]], answer: Callable[[str], str | None] | None) -> Any:
    present = [mine for mine in attempts if mine]
    tallies = [Tally(sum(e.correct for e in mine), len(mine)) for mine in present]
    # The same resamples for all, so that figures differ for no other reason than what was played.
    passed = {k: pass_figure(tallies, k, _generator("pass", k)) for k in ks_of(course.tries)}
    rewards = [float(np.mean([e.reward for e in mine])) for mine in present]
    figures: dict[str, Any] = {
        "accuracy": _figure_json(mean_accuracy(tallies, _generator("accuracy"))),
        "mean_reward": float(np.mean(rewards)),
        "pass_at_k": {str(k): _figure_json(figure) for k, figure in passed.items() if figure is not None},
    }
    if answer is not None and course.tries > 1:
        ballots = [[_ballot(e, answer) for e in mine] for mine in present]
        voted = {k: majority_figure(ballots, k, _generator("majority")) for k in ks_of(course.tries)}
        figures["majority_at_k"] = {str(k): _figure_json(figure) for k, figure in voted.items() if figure is not None}
    return figures


def _ballot(episode: Episode, answer: Callable[[str], str | None]) -> Ballot:
    said = answer(episode.turns[-1].action) if episode.turns else None
    return Ballot(said, episode.correct)


def _generator(*keys: str | int) -> np.random.Generator:
    return derive_generator(0, "bench", "resample", *keys)


def _figure_json(figure: Figure) -> dict[str, Any]:
    again = None if figure.again is None else [figure.again.low, figure.again.high]
    return {**estimate_json(figure.over_tasks), "again": again, "tasks": figure.tasks}


def _by_tag(course: Course, tasks: Sequence[Task], valid: Mapping[str, list[Episode]]) -> dict[str, Any]:
    """Return accuracy by the values of each tag that divides the tasks."""
    found: dict[str, Any] = {}
    for tag in course.tags or _USUAL_TAGS:
        groups: dict[str, list[Tally]] = {}
        for task in tasks:
            if mine := valid[task.id]:
                for value in _values(task.metadata.get(tag)):
                    groups.setdefault(value, []).append(Tally(sum(e.correct for e in mine), len(mine)))
        if 1 < len(groups) <= _MOST_VALUES:
            found[tag] = {
                value: _figure_json(mean_accuracy(groups[value], _generator("accuracy")))
                for value in sorted(groups, key=_natural)
            }
    return found


def _values(value: Json) -> list[str]:
    if isinstance(value, list | tuple):
        return [text for one in value for text in _values(one)]
    return [str(value)] if isinstance(value, str | int | float) and value != "" else []


def _natural(text: str) -> tuple[float, str]:
    try:
        number = float(text)
    except ValueError:
        number = float("inf")
    return (number if isfinite(number) else float("inf"), text)
