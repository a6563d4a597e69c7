"""A question about a graph, as a record that a reference holds and a judge reads."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Json

__all__ = ["FORMAT", "PROBLEMS", "Puzzle"]

FORMAT = "graph"
PROBLEMS = ("connectivity", "path", "cycle", "colouring", "matching")
"""`connectivity`: a way between two nodes, or none. `path`: a shortest one. `cycle`: a cycle, or none. `colouring`:
with so many colours, or none. `matching`: as many edges as possible, of which no two meet."""

_NODES, _EDGES, _COLOURS = 100, 2_000, 10
_LABEL = re.compile(r"[A-Za-z0-9]{1,20}")


@dataclass(frozen=True)
class Puzzle:
    """A question about an undirected graph.

    Attributes:
        problem: One of `PROBLEMS`.
        nodes: Their names: letters and digits.
        edges: Pairs of names, each edge once.
        lengths: Positive length of each edge.
        ends: Where a way begins and ends; empty where none is asked for.
        colours: How many colours there are; 0 where none are asked for.
    """

    problem: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    lengths: tuple[int, ...]
    ends: tuple[str, ...] = ()
    colours: int = 0

    @cached_property
    def graph(self) -> "nx.Graph[str]":
        """The graph as networkx has it; edges have a `weight`."""
        graph: nx.Graph[str] = nx.Graph()
        graph.add_nodes_from(self.nodes)
        graph.add_weighted_edges_from((a, b, length) for (a, b), length in zip(self.edges, self.lengths, strict=True))
        return graph

    @property
    def weighted(self) -> bool:
        """Whether edges differ in length from 1."""
        return any(length != 1 for length in self.lengths)

    def as_reference(self) -> dict[str, Json]:
        """Return the puzzle as a task's reference."""
        rows: list[Json] = [
            [a, b, length] if self.weighted else [a, b] for (a, b), length in zip(self.edges, self.lengths, strict=True)
        ]
        reference: dict[str, Json] = {
            "format": FORMAT,
            "problem": self.problem,
            "nodes": list(self.nodes),
            "edges": rows,
        }
        if self.ends:
            reference["ends"] = list(self.ends)
        if self.colours:
            reference["colours"] = self.colours
        return reference

    @classmethod
    def from_reference(cls, reference: Json) -> "Puzzle":
        """Read a reference, which may come from a file of anyone's.

        Raises:
            UsageError: If it is no such puzzle.
        """
        given: Mapping[str, Any] = reference if isinstance(reference, Mapping) else {}
        problem = given.get("problem")
        if problem not in PROBLEMS:
            raise UsageError(f"a reference's problem is one of {', '.join(PROBLEMS)}, got {str(problem)[:60]!r}")
        nodes = _list(given, "nodes", _NODES)
        if not nodes or len(set(map(str, nodes))) < len(nodes) or not all(map(_is_label, nodes)):
            raise UsageError("nodes are different names of letters and digits")
        rows = [_list({"edge": row}, "edge", 3) for row in _list(given, "edges", _EDGES)]
        edges = tuple((row[0], row[1]) for row in rows if len(row) > 1)
        lengths = tuple(row[2] if len(row) > 2 else 1 for row in rows)
        known = set(nodes)
        joined = {frozenset(edge) for edge in edges if known.issuperset(map(str, edge))}
        if len(edges) < len(rows) or len(joined) < len(rows) or any(len(edge) < 2 for edge in joined):
            raise UsageError("edges join two different nodes each, and no two edges the same nodes")
        if not all(isinstance(length, int) and not isinstance(length, bool) and length > 0 for length in lengths):
            raise UsageError("lengths of edges are whole numbers above 0")
        ends, colours = tuple(_list(given, "ends", 2)) if "ends" in given else (), given.get("colours", 0)
        wanted = 2 if problem in ("connectivity", "path") else 0
        if len(ends) != wanted or len(set(map(str, ends))) != wanted or not known.issuperset(map(str, ends)):
            raise UsageError(f"{problem} has {wanted or 'no'} ends, which are different nodes")
        fewest = 1 if problem == "colouring" else 0
        if not isinstance(colours, int) or isinstance(colours, bool) or not fewest <= colours <= _COLOURS:
            raise UsageError(f"{problem} has from {fewest} to {_COLOURS} colours, got {str(colours)[:60]!r}")
        return cls(problem, tuple(nodes), edges, lengths, ends, colours)


def _list(given: Mapping[str, Any], key: str, most: int) -> Sequence[Any]:
    value = given.get(key)
    if not isinstance(value, list | tuple) or len(value) > most:
        raise UsageError(f"{key} is a list of at most {most}, got {str(value)[:60]!r}")
    return value


def _is_label(name: object) -> bool:
    return isinstance(name, str) and _LABEL.fullmatch(name) is not None
