"""Random puzzles about graphs, and what is the same about those that differ in names alone."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType

import numpy as np
from palaestra.envs.graphs.answers import NO
from palaestra.envs.graphs.judge import find_answer
from palaestra.envs.graphs.puzzle import Puzzle

__all__ = ["class_of", "draw_puzzle", "renamed"]

_LONGEST = 9
# Share of shortest ways that are not there at all.
_NO_WAY = 0.15
_ROUNDS = 4

_Edges = list[tuple[int, int]]


def draw_puzzle(generator: np.random.Generator, problem: str, nodes: int, *, weighted: bool = False) -> Puzzle:
    """Draw a puzzle; whether there is what it asks for is decided first, so that `no` is right about half the time.

    Of shortest ways 15 % are not there; a matching always is.

    Args:
        generator: Where randomness comes from.
        problem: One of `PROBLEMS`.
        nodes: How many, 5 or more; they are named by number.
        weighted: Whether the edges of a `path` have lengths from 1 to 9.
    """
    possible = bool(generator.random() >= (_NO_WAY if problem == "path" else 0.5)) or problem == "matching"
    while True:
        puzzle = _DRAWN[problem](generator, nodes, possible)
        if puzzle is not None and puzzle.edges and (find_answer(puzzle) != NO) == possible:
            break
    if not weighted or problem != "path":
        return puzzle
    lengths = tuple(int(length) for length in generator.integers(1, _LONGEST + 1, size=len(puzzle.edges)))
    return Puzzle(problem, puzzle.nodes, puzzle.edges, lengths, puzzle.ends)


def _puzzle(
    problem: str, nodes: int, edges: Sequence[tuple[int, int]], ends: Sequence[int] = (), colours: int = 0
) -> Puzzle:
    named = tuple((str(a), str(b)) for a, b in edges)
    return Puzzle(problem, tuple(map(str, range(nodes))), named, (1,) * len(named), tuple(map(str, ends)), colours)


def _sparse(generator: np.random.Generator, nodes: int, degree: float) -> _Edges:
    """Draw edges, each as probable as any other, so many a node on average."""
    drawn = np.triu(generator.random((nodes, nodes)) < degree / (nodes - 1), 1)
    return [(int(a), int(b)) for a, b in zip(*np.nonzero(drawn), strict=True)]


def _way(problem: str) -> Callable[[np.random.Generator, int, bool], Puzzle | None]:
    def drawn(generator: np.random.Generator, nodes: int, possible: bool) -> Puzzle | None:
        edges = _sparse(generator, nodes, float(generator.uniform(1.6, 3.0) if possible else generator.uniform(1, 2)))
        # Neighbours, and nodes without any, would be too easy.
        met = sorted({node for edge in edges for node in edge})
        if len(met) < 2:
            return None
        start, end = (int(node) for node in generator.permutation(met)[:2])
        if (min(start, end), max(start, end)) in edges:
            return None
        return _puzzle(problem, nodes, edges, (start, end))

    return drawn


def _cycle(generator: np.random.Generator, nodes: int, possible: bool) -> Puzzle:
    edges = [(int(generator.integers(node)), node) for node in range(1, nodes)]
    # A tree has no cycle, nor has what is left when edges are taken away; an edge more makes one.
    kept = [edge for edge in edges if generator.random() < 0.85]
    if possible:
        kept = list(dict.fromkeys([*kept, *_sparse(generator, nodes, float(generator.uniform(0.4, 1.2)))]))
    return _puzzle("cycle", nodes, kept)


def _colours(generator: np.random.Generator, nodes: int, possible: bool) -> Puzzle:
    colours = int(generator.integers(2, 4))
    dense = (1.0, 2.2) if colours == 2 else (3.0, 4.2)
    degree = min(0.95 * (nodes - 1), float(generator.uniform(*dense)) + (0.0 if possible else 0.7))
    return _puzzle("colouring", nodes, _sparse(generator, nodes, degree), (), colours)


def _matching(generator: np.random.Generator, nodes: int, possible: bool) -> Puzzle:
    del possible
    return _puzzle("matching", nodes, _sparse(generator, nodes, float(generator.uniform(1.2, 2.6))))


_DRAWN: Mapping[str, Callable[[np.random.Generator, int, bool], Puzzle | None]] = MappingProxyType(
    {
        "connectivity": _way("connectivity"),
        "path": _way("path"),
        "cycle": _cycle,
        "colouring": _colours,
        "matching": _matching,
    }
)


def renamed(puzzle: Puzzle, names: Sequence[str], generator: np.random.Generator) -> Puzzle:
    """Return the puzzle with other names for its nodes, which are listed in the order of the names.

    Edges come in a random order and either way round.
    """
    by_name = dict(zip(puzzle.nodes, (names[int(i)] for i in generator.permutation(len(puzzle.nodes))), strict=True))
    order = [int(i) for i in generator.permutation(len(puzzle.edges))]
    turned = generator.random(len(order)) < 0.5
    edges = [(by_name[a], by_name[b]) for a, b in (puzzle.edges[i] for i in order)]
    edges = [(b, a) if turn else (a, b) for (a, b), turn in zip(edges, turned, strict=True)]
    lengths = tuple(puzzle.lengths[i] for i in order)
    nodes, ends = tuple(names[: len(puzzle.nodes)]), tuple(by_name[node] for node in puzzle.ends)
    return Puzzle(puzzle.problem, nodes, tuple(edges), lengths, ends, puzzle.colours)


def class_of(puzzle: Puzzle) -> str:
    """Return 32 hex digits that are the same for puzzles that differ in the names of nodes alone.

    Puzzles that differ otherwise mostly have others; some share them. Written anew here because networkx may hash
    otherwise from version to version.

    Source: Shervashidze et al. 2011, "Weisfeiler-Lehman graph kernels".
    """
    length = {frozenset(edge): n for edge, n in zip(puzzle.edges, puzzle.lengths, strict=True)}
    look = {node: "end" if node in puzzle.ends else "" for node in puzzle.nodes}
    seen = [puzzle.problem, str(puzzle.colours)]
    for _ in range(_ROUNDS):
        around = {
            node: sorted(f"{length[frozenset((node, other))]}:{look[other]}" for other in puzzle.graph[node])
            for node in puzzle.nodes
        }
        look = {node: _hashed([look[node], *around[node]]) for node in puzzle.nodes}
        seen.append(str(sorted(Counter(look.values()).items())))
    return _hashed(seen)


def _hashed(words: Sequence[str]) -> str:
    return blake2b("\x1f".join(words).encode(), digest_size=16).hexdigest()
