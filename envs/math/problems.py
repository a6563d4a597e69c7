"""A seeded set of problems of algebra, number theory and everyday life, with exact answers."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.math import algebra, number_theory, word_problems
from palaestra.envs.math.kinds import Kind, choose
from palaestra.envs.task import Json, Task, TaskSet

__all__ = ["LEVELS", "TOPICS", "problem_tasks"]

TOPICS: Mapping[str, Sequence[Kind]] = MappingProxyType(
    {"algebra": algebra.KINDS, "number-theory": number_theory.KINDS, "words": word_problems.KINDS}
)
"""Every topic has problems of every level."""

LEVELS = (1, 2, 3, 4, 5)
"""From one step with small numbers (1) to several with fractions (5)."""


def problem_tasks(topics: Sequence[str] = (), level: int | None = None, *, size: int = 2_000, seed: int = 0) -> TaskSet:
    r"""Make up to `size` distinct problems, all topics, levels and kinds equally often.

    A reference is the answer in LaTeX: a whole number, `\frac{3}{4}`, an ordered pair `(1, -2)`, a set `\{1, 2\}`,
    or digits in another base.

    Args:
        topics: Some of `TOPICS`; all when empty.
        level: One of `LEVELS`; all when None.
        size: Most problems; fewer come where fewer exist.
        seed: Seed of the problems.

    Raises:
        UnknownNameError: If a topic is not known.
        UsageError: If the level or size is outside its range.
    """
    for topic in topics:
        if topic not in TOPICS:
            raise UnknownNameError("topic", topic, TOPICS)
    if level is not None and level not in LEVELS:
        raise UsageError(f"level must be from {LEVELS[0]} to {LEVELS[-1]}, got {level}.")
    if size < 1:
        raise UsageError(f"size must be at least 1, got {size}.")
    chosen = sorted(set(topics)) or sorted(TOPICS)
    levels = LEVELS if level is None else (level,)

    def make(generator: np.random.Generator) -> Task:
        topic, at = choose(generator, chosen), choose(generator, levels)
        kind = choose(generator, [kind for kind in TOPICS[topic] if at in kind.levels])
        problem = kind.make(generator, at)
        metadata: dict[str, Json] = {"topic": topic, "kind": kind.name, "level": at}
        return Task("", problem.prompt, problem.answer, metadata)

    name = f"math({', '.join(chosen)}; {'all levels' if level is None else f'level {level}'})"
    return TaskSet.generated(make, size=size, seed=seed, name=name)
