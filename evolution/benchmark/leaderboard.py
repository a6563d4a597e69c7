"""Many results on one board: policies by what they did on the very same tasks. Ranks are ranges, ties are ties.

A column is a world with its settings, the code of its judge, a split, a set of tasks and the sampling that is asked for
there; results that differ in any of these are not put side by side. A row is a policy by content with the sampling that
is its own: measured again, the newest figure counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.benchmark.comparing import ALPHA, Paired, compare, holm, rank_ranges
from palaestra.evolution.benchmark.contrasts import overall, paired
from palaestra.evolution.benchmark.identity import key_of
from palaestra.evolution.benchmark.result import ResultFolder
from palaestra.evolution.benchmark.suite import usual_sampling

__all__ = ["Board", "Column", "Place", "Row", "board_of"]

Cell = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """Where policies were measured.

    Attributes:
        key: What makes it this column.
        name: For people; unique on the board.
        about: What a result says of the environment, and the sampling that is asked for there.
    """

    key: str
    name: str
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a policy stands in a column, or over all.

    Attributes:
        accuracy: `value`, `low` and `high`.
        best: Best rank that it may have.
        worst: Worst rank that it may have; equal to the best only where everybody else is surely ahead or behind.
    """

    accuracy: Mapping[str, float]
    best: int
    worst: int

    @property
    def ranks(self) -> str:
        """The range in words."""
        return f"{self.best}" if self.best == self.worst else f"{self.best}–{self.worst}"


@dataclass
class Row:
    """A policy on the board.

    Attributes:
        key: What makes it this policy.
        name: For people; unique on the board.
        spec: How it was named.
        sampling: What it is sampled with wherever it plays.
        cells: Its newest cells, by column.
        places: Where it stands, by column.
        total: Where it stands over all columns; None where it lacks one, or there is but one.
        missing: Why it has no figure in a column, by column.
        results: Which results it was in.
    """

    key: str
    name: str
    spec: str
    sampling: Mapping[str, Any] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    total: Place | None = None
    missing: dict[str, str] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)

    def cost(self, what: str) -> float:
        """Return a cost over all columns."""
        return sum(float(cell["cost"][what] or 0.0) for cell in self.cells.values())

    @property
    def spend(self) -> float | None:
        """What was spent over all columns; None where nobody knows."""
        found = [cell["cost"]["spend"] for cell in self.cells.values() if cell["cost"]["spend"] is not None]
        return sum(found) if found else None


@dataclass(frozen=True)
class Board:
    """A leaderboard.

    Attributes:
        columns: Where.
        rows: Who, the best first: by rank, and among ties by accuracy.
        results: The results it is made of, oldest first.
        superseded: How many figures gave way to newer ones of the same policy in the same column.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    results: tuple[ResultFolder, ...]
    superseded: int


def board_of(results: Sequence[ResultFolder]) -> Board:
    """Put results on one board.

    Raises:
        UsageError: If none of them has a figure.
    """
    results = sorted(results, key=lambda result: str(result.about["created"]))
    columns: dict[str, Column] = {}
    rows: dict[str, Row] = {}
    superseded = 0
    for result in results:
        asked = {course["name"]: course for course in result.about["suite"].get("courses", ())}
        own = {entrant["name"]: entrant["sampling"] for entrant in result.about["suite"].get("entrants", ())}
        mine = {env["name"]: _column(env, asked.get(env["name"]), columns) for env in result.about["environments"]}
        players = {one["name"]: _row(one, own.get(one["name"]), rows) for one in result.about["policies"]}
        for row in players.values():
            row.results.append(result.name)
        figures = result.cells()
        for cell in result.about["cells"]:
            row, column = players[cell["policy"]], mine[cell["env"]]
            if (cell["policy"], cell["env"]) in figures:
                superseded += column in row.cells
                row.cells[column] = cell
                row.missing.pop(column, None)
            elif column not in row.cells:
                row.missing[column] = str(cell.get("refused") or cell.get("marked") or "no attempt counts")
    used = [column for key, column in columns.items() if any(key in row.cells for row in rows.values())]
    if not used:
        raise UsageError("None of these results has a figure: every cell was refused or marked.")
    ranked = [row for row in rows.values() if row.cells or row.missing]
    for one in used:
        _rank_in(one.key, ranked)
    _rank_over_all([column.key for column in used], ranked)
    alone = used[0].key if len(used) == 1 else ""
    return Board(tuple(used), tuple(sorted(ranked, key=partial(_order, alone))), tuple(results), superseded)


def _order(alone: str, row: Row) -> tuple[float, float, str]:
    """Return what rows are sorted by: their rank over all, or in the column that is alone."""
    place = row.places.get(alone) if alone else row.total
    return (place.best, -place.accuracy["value"], row.name) if place else (float("inf"), 0.0, row.name)


def _column(env: Mapping[str, Any], course: Mapping[str, Any] | None, columns: dict[str, Column]) -> str:
    """Return the key of an environment's column, which is made if it is new."""
    sampling = {} if course is None else usual_sampling(course["attempts"]) | course["sampling"]
    of = {"world": env["identity"], "split": env["split"], "tasks": env["tasks_digest"], "sampling": sampling}
    key = key_of(of)
    if key not in columns:
        taken = {column.name for column in columns.values()}
        columns[key] = Column(key, _free(env["name"], taken), {**env, "sampling": sampling})
    return key


def _row(policy: Mapping[str, Any], sampling: Mapping[str, Any] | None, rows: dict[str, Row]) -> Row:
    key = key_of({"policy": policy["identity"], "sampling": dict(sampling or {})})
    if key not in rows:
        name = _free(policy["name"], {row.name for row in rows.values()})
        rows[key] = Row(key, name, policy["spec"], dict(sampling or {}))
    return rows[key]


def _free(name: str, taken: set[str]) -> str:
    """Return a name that nobody has: several of one name are numbered."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} #{number}"
    return free


def _rank_in(column: str, rows: Sequence[Row]) -> None:
    present = [row for row in rows if column in row.cells]
    pairs = {
        (i, j): [paired(present[i].cells[column], present[j].cells[column])]
        for i, j in combinations(range(len(present)), 2)
    }
    for row, (best, worst) in zip(present, _ranges(len(present), pairs), strict=True):
        row.places[column] = Place(row.cells[column]["accuracy"], best, worst)


def _rank_over_all(columns: Sequence[str], rows: Sequence[Row]) -> None:
    whole = [row for row in rows if all(column in row.cells for column in columns)]
    if len(columns) < 2 or not whole:
        return
    pairs = {
        (i, j): [paired(whole[i].cells[column], whole[j].cells[column]) for column in columns]
        for i, j in combinations(range(len(whole)), 2)
    }
    means = overall([row.key for row in whole], columns, {(r.key, c): r.cells[c] for r in whole for c in columns})
    for row, mean, (best, worst) in zip(whole, means, _ranges(len(whole), pairs), strict=True):
        row.total = Place(mean["accuracy"], best, worst)


def _ranges(count: int, pairs: Mapping[tuple[int, int], list[Paired]]) -> list[tuple[int, int]]:
    """Return ranges of ranks from paired tests, corrected over all pairs of one column."""
    usable = {key: pair for key, pair in pairs.items() if all(one.one for one in pair)}
    found = {key: compare(pair, _generator()) for key, pair in usable.items()}
    corrected = dict(zip(found, holm([one.p for one in found.values()]), strict=True))
    better: dict[tuple[int, int], bool] = {}
    for (i, j), one in found.items():
        if corrected[i, j] <= ALPHA and one.difference.value != 0:
            better[(i, j) if one.difference.value > 0 else (j, i)] = True
    return rank_ranges(count, better)


def _generator() -> np.random.Generator:
    return derive_generator(0, "bench", "leaderboard")
