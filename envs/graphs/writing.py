"""Puzzles in words: edges one by one, neighbours node by node, or people who know one another."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from palaestra.envs.graphs.puzzle import Puzzle

__all__ = ["ENCODINGS", "names_for", "write"]

_PEOPLE = (
    *("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jana", "Kurt", "Lea", "Max", "Nina"),
    *("Omar", "Pia", "Quin", "Rosa", "Sam", "Tara", "Udo", "Vera", "Will", "Xena", "Yves", "Zoe", "Amy", "Bob"),
    *("Carl", "Dora", "Emil", "Faye", "Greg", "Hugo", "Iris", "Joel", "Kim", "Lars", "Mona", "Nils"),
)


def _edges(puzzle: Puzzle) -> str:
    edges = [f"{a}-{b}{_length(puzzle, n)}" for (a, b), n in zip(puzzle.edges, puzzle.lengths, strict=True)]
    return f"A graph has the nodes {', '.join(puzzle.nodes)} and the edges {', '.join(edges)}."


def _adjacency(puzzle: Puzzle) -> str:
    lines = []
    for node in puzzle.nodes:
        others = [f"{other}{_length(puzzle, d['weight'])}" for other, d in puzzle.graph[node].items()]
        lines.append(f"Node {node} is joined to {_listed(others)}." if others else f"Node {node} is joined to none.")
    return "\n".join(["In a graph:", *lines])


def _friends(puzzle: Puzzle) -> str:
    known = [f"{a} knows {b}{_length(puzzle, n)}." for (a, b), n in zip(puzzle.edges, puzzle.lengths, strict=True)]
    lonely = [node for node in puzzle.nodes if not puzzle.graph[node]]
    alone = [f"{_listed(lonely)} {'knows' if len(lonely) == 1 else 'know'} nobody."] if lonely else []
    return " ".join(["People are nodes, and those who know each other are joined.", *known, *alone])


def _length(puzzle: Puzzle, length: int) -> str:
    return f" (length {length})" if puzzle.weighted else ""


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


ENCODINGS: Mapping[str, Callable[[Puzzle], str]] = MappingProxyType(
    {"edges": _edges, "adjacency": _adjacency, "friends": _friends}
)
"""Ways to put a graph into words."""


def names_for(encoding: str, nodes: int) -> tuple[str, ...]:
    """Return names for so many nodes, at most 40: of people where these are what nodes are, else numbers from 0."""
    return _PEOPLE[:nodes] if encoding == "friends" else tuple(map(str, range(nodes)))


def write(puzzle: Puzzle, encoding: str) -> str:
    """Put a puzzle into words: its graph, its question, and how to answer."""
    return f"{ENCODINGS[encoding](puzzle)}\n{_question(puzzle)}"


def _question(puzzle: Puzzle) -> str:
    or_no = "or `no` if there is none."
    match puzzle.problem:
        case "connectivity":
            start, end = puzzle.ends
            return f"Is there a way from {start} to {end}? Reply with one, its nodes in order from {start} on, {or_no}"
        case "path":
            start, end = puzzle.ends
            shortest = "a shortest way (lengths add up)" if puzzle.weighted else "a way with as few edges as possible"
            return f"Find {shortest} from {start} to {end}. Reply with its nodes in order from {start} on, {or_no}"
        case "cycle":
            return f"Find a cycle. Reply with its nodes in order, each once, {or_no}"
        case "colouring":
            return (
                f"Colour the nodes with the colours 1 to {puzzle.colours} so that joined nodes have different ones. "
                f"Reply with a colour for each node, as in `NODE=1, NODE=2`, {or_no}"
            )
    return (
        "Choose as many edges as possible, of which no two share a node. Reply with them, as in `NODE-NODE, NODE-NODE`."
    )
