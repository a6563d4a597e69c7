"""What a policy is asked to write: a further task of a series, or an evolution of one task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.writing.prompts import OPERATIONS, SERIES
from palaestra.evolution.acquisition.pool import Entry

__all__ = ["Evolutions", "Order", "Orders", "Series"]


@dataclass(frozen=True, slots=True)
class Order:
    """One task that is to be written.

    Attributes:
        operation: How, see `palaestra.envs.writing.prompts`.
        parents: What is shown, in order.
    """

    operation: str
    parents: tuple[Entry, ...]


class Orders(Protocol):
    """A way to ask for tasks."""

    def __call__(self, pool: Sequence[Entry], count: int, generator: np.random.Generator) -> list[Order]:
        """Return what is asked for in a step: `count` orders, or fewer where there is less to ask for."""
        ...


@dataclass(frozen=True)
class Series:
    """Show some tasks and ask for the next.

    Source: Wang et al. 2023, "Self-Instruct": six seeds and two tasks that were written before, in any order.

    Attributes:
        seeds: Seeds that are shown.
        written: Written tasks that are shown; while there are too few, seeds take their places.
    """

    seeds: int = 6
    written: int = 2

    def __post_init__(self) -> None:
        if self.seeds < 1 or self.written < 0:
            raise UsageError(f"seeds must be at least 1 and written at least 0, got {self.seeds} and {self.written}.")

    def __call__(self, pool: Sequence[Entry], count: int, generator: np.random.Generator) -> list[Order]:
        """Return `count` orders, each with examples of its own."""
        seeds = [entry for entry in pool if entry.is_seed]
        written = [entry for entry in pool if not entry.is_seed]
        orders = []
        for _ in range(count):
            later = _some(written, self.written, generator)
            shown = [*_some(seeds, self.seeds + self.written - len(later), generator), *later]
            orders.append(Order(SERIES, tuple(shown[i] for i in generator.permutation(len(shown)))))
        return orders


@dataclass(frozen=True)
class Evolutions:
    """Evolve the newest generation: tasks of which nothing was made yet, each by an operation drawn for it.

    A task whose evolution was eliminated is a leaf still, and is evolved again in the next step.

    Source: Xu et al. 2023, "WizardLM: empowering large language models to follow complex instructions".

    Attributes:
        operations: From which is drawn, all equally often.
    """

    operations: tuple[str, ...] = tuple(OPERATIONS)

    def __post_init__(self) -> None:
        for name in self.operations:
            if name not in OPERATIONS:
                raise UnknownNameError("operation", name, OPERATIONS)
        if not self.operations:
            raise UsageError(f"operations must be some of {', '.join(OPERATIONS)}.")

    def __call__(self, pool: Sequence[Entry], count: int, generator: np.random.Generator) -> list[Order]:
        """Return an order a leaf, in the order of the pool; of more than `count` leaves some are drawn."""
        used = {parent for entry in pool for parent in entry.parents}
        leaves = [entry for entry in pool if entry.task.id not in used]
        chosen = sorted(generator.permutation(len(leaves))[:count])
        draws = generator.integers(len(self.operations), size=len(chosen))
        return [Order(self.operations[draw], (leaves[leaf],)) for leaf, draw in zip(chosen, draws, strict=True)]


def _some(entries: Sequence[Entry], count: int, generator: np.random.Generator) -> list[Entry]:
    return [entries[i] for i in generator.permutation(len(entries))[:count]]
