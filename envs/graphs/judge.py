"""The judge of graph questions: certificates are checked edge by edge, and everything else is asked of networkx."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import networkx as nx
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.graphs.answers import NO, Answer, Colouring, Matching, No, Walk, answer_line, read_answer
from palaestra.envs.graphs.puzzle import Puzzle
from palaestra.envs.math.answers import shown
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Credit", "GraphJudge", "UndecidedError", "find_answer"]

Credit = Literal["all", "share"]
# Colours that are tried before a graph counts as one that cannot be decided; the hardest generated ones need hundreds.
_MOST_TRIED = 5_000


class UndecidedError(UsageError):
    """A graph that is too large to say whether it has a colouring."""


def find_answer(puzzle: Puzzle) -> Answer:
    """Return an answer that is right.

    Raises:
        UndecidedError: If it is about a colouring that is too hard to find.
    """
    graph = puzzle.graph
    match puzzle.problem:
        case "connectivity" | "path":
            start, end = puzzle.ends
            if not nx.has_path(graph, start, end):
                return NO
            return Walk(tuple(nx.shortest_path(graph, start, end, weight="weight")))
        case "cycle":
            cycles = nx.cycle_basis(graph)
            return Walk(tuple(cycles[0])) if cycles else NO
        case "colouring":
            colours = _colouring(puzzle)
            return NO if colours is None else Colouring(colours)
    # Of edges that all weigh the same, or the largest matching might not be the heaviest.
    found = nx.max_weight_matching(graph, maxcardinality=True, weight="")
    return Matching(tuple(sorted((min(edge), max(edge)) for edge in found)))


@dataclass(frozen=True)
class GraphJudge:
    """Judge answers to `palaestra.envs.graphs.puzzle.Puzzle`s.

    A walk is checked edge by edge and its length against networkx; a cycle, a colouring and a matching are checked as
    they stand, a matching's size against networkx; that there is none (`no`) is checked too. Reward 1 for what is
    right. With `credit="share"` a way that is too long earns the shortest length over its own, and a matching that is
    too small its size over the largest; nothing else is worth a part, since chance alone colours most edges well.

    WRONG: `no` where there is one; or, without partial credit, too long or too small. ILLEGAL: an edge that is not
    there, a node that comes twice, a wrong end, neighbours of one colour. UNPARSED: anything else.

    Attributes:
        credit: `"all"` or `"share"`.
    """

    credit: Credit = "all"

    def __post_init__(self) -> None:
        if self.credit not in ("all", "share"):
            raise UnknownNameError("credit", self.credit, ("all", "share"))

    def answer_of(self, reply: str) -> str | None:
        """Return the part of a reply that is its answer."""
        return answer_line(reply) or None

    def __call__(self, task: Task, reply: str) -> Verdict:
        """Judge a reply; the reference is a puzzle (`Puzzle.as_reference`)."""
        try:
            puzzle = Puzzle.from_reference(task.reference)
        except UsageError as error:
            return Verdict(0.0, Status.BROKEN_TASK, str(error))
        answer = read_answer(puzzle, reply)
        if answer is None:
            return Verdict(0.0, Status.UNPARSED, f"no answer about this graph in {shown(answer_line(reply))}")
        try:
            if isinstance(answer, No):
                return self._denied(puzzle)
            return self._checked(puzzle, answer)
        except UndecidedError as error:
            return Verdict(0.0, Status.BROKEN_TASK, str(error))

    def _denied(self, puzzle: Puzzle) -> Verdict:
        known = _known(puzzle)
        if known in (NO, Matching(())):
            return Verdict(1.0, Status.CORRECT)
        return Verdict(0.0, Status.WRONG, "there is one")

    def _checked(self, puzzle: Puzzle, answer: Answer) -> Verdict:
        fault = _fault(puzzle, answer)
        if fault:
            return Verdict(0.0, Status.ILLEGAL, fault)
        if puzzle.problem == "path" and isinstance(answer, Walk):
            best, length = _length(puzzle, _known(puzzle)), _length(puzzle, answer)
            return self._graded(best / length, f"its length is {length}, the shortest is {best}")
        if isinstance(answer, Matching):
            known = _known(puzzle)
            size, best = len(answer.edges), len(known.edges) if isinstance(known, Matching) else 0
            return self._graded(size / best, f"it has {size} edges, the largest has {best}")
        return Verdict(1.0, Status.CORRECT)

    def _graded(self, share: float, detail: str) -> Verdict:
        if share >= 1.0:
            return Verdict(1.0, Status.CORRECT)
        return Verdict(share, Status.PARTIAL, detail) if self.credit == "share" else Verdict(0.0, Status.WRONG, detail)


@lru_cache(maxsize=1_024)
def _known(puzzle: Puzzle) -> Answer:
    return find_answer(puzzle)


def _fault(puzzle: Puzzle, answer: Answer) -> str:
    """Return why an answer is no certificate at all; nothing where it is one."""
    match answer:
        case Walk(nodes) if puzzle.problem == "cycle":
            ring = nodes[:-1] if len(nodes) > 1 and nodes[0] == nodes[-1] else nodes
            if len(ring) < 3 or len(set(ring)) < len(ring):
                return "a cycle has three nodes or more, each once"
            return _missing(puzzle, (*ring, ring[0]))
        case Walk(nodes):
            if (nodes[0], nodes[-1]) != puzzle.ends:
                return f"the way leads from {nodes[0]} to {nodes[-1]}"
            return _missing(puzzle, nodes)
        case Colouring(colours):
            return _miscoloured(puzzle, colours)
        case Matching(edges):
            met = [node for edge in edges for node in edge]
            twice = next((node for node in met if met.count(node) > 1), None)
            return f"{twice} comes twice" if twice else next(filter(None, (_missing(puzzle, e) for e in edges)), "")
    return ""


def _missing(puzzle: Puzzle, nodes: tuple[str, ...]) -> str:
    gap = next((step for step in pairwise(nodes) if not puzzle.graph.has_edge(*step)), None)
    return f"there is no edge {gap[0]}-{gap[1]}" if gap else ""


def _miscoloured(puzzle: Puzzle, colours: Mapping[str, int]) -> str:
    without = next((node for node in puzzle.nodes if node not in colours), None)
    if without is not None:
        return f"{without} has no colour"
    other = next((c for c in colours.values() if not 1 <= c <= puzzle.colours), None)
    if other is not None:
        return f"there is no colour {other}"
    clash = next((edge for edge in puzzle.edges if colours[edge[0]] == colours[edge[1]]), None)
    return f"{clash[0]} and {clash[1]} are joined and have one colour" if clash else ""


def _length(puzzle: Puzzle, answer: Answer) -> int:
    nodes = answer.nodes if isinstance(answer, Walk) else ()
    return sum(puzzle.graph.edges[step]["weight"] for step in pairwise(nodes))


def _colouring(puzzle: Puzzle) -> dict[str, int] | None:
    """Colour a graph, the node with the fewest colours left first; None where that cannot be done.

    networkx colours greedily, which finds colourings and never says that there is none.
    """
    graph, tried = puzzle.graph, 0
    colours: dict[str, int] = {}

    def free(node: str) -> list[int]:
        taken = {colours[other] for other in graph[node] if other in colours}
        # A colour that nobody has yet is like any other such one.
        highest = min(puzzle.colours, max(colours.values(), default=0) + 1)
        return [colour for colour in range(1, highest + 1) if colour not in taken]

    def coloured() -> bool:
        nonlocal tried
        left = [node for node in puzzle.nodes if node not in colours]
        if not left:
            return True
        node = min(left, key=lambda one: (len(free(one)), -graph.degree[one]))
        for colour in free(node):
            tried += 1
            if tried > _MOST_TRIED:
                raise UndecidedError(f"it is too hard to say whether this graph has {puzzle.colours} colours")
            colours[node] = colour
            if coloured():
                return True
            del colours[node]
        return False

    return {node: colours[node] for node in puzzle.nodes} if coloured() else None
