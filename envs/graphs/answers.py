"""What a reply answers to a question about a graph, read strictly: every word of the answer counts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from palaestra.envs.graphs.puzzle import Puzzle

__all__ = ["NO", "Answer", "Colouring", "Matching", "No", "Walk", "answer_line", "read_answer", "written"]

# An answer stands at the end; what is before this many characters is not read.
_READ_CHARS = 20_000
_ANSWER_CHARS = 2_000
_MARK = re.compile(r"answer[ \t]{0,9}:", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;]+")
_ARROW = re.compile(r"->|→|–|—|-")
_JOINS = re.compile(r"[ \t]*(?:–|—|-)[ \t]*")
_EQUALS = re.compile(r"[ \t]*[=:][ \t]*")


@dataclass(frozen=True)
class No:
    """There is none."""


NO = No()


@dataclass(frozen=True)
class Walk:
    """Nodes one after another."""

    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Colouring:
    """A colour, from 1, of each node."""

    colours: Mapping[str, int]


@dataclass(frozen=True)
class Matching:
    """Edges."""

    edges: tuple[tuple[str, str], ...]


Answer: TypeAlias = No | Walk | Colouring | Matching


def answer_line(reply: str) -> str:
    """Return the part of a reply that is its answer: behind the last `Answer:`, else the last line that holds text."""
    text = reply[-_READ_CHARS:]
    marks = list(_MARK.finditer(text))
    lines = text[marks[-1].end() :].splitlines() if marks else [line for line in text.splitlines() if line.strip()][-1:]
    line = lines[0].strip().strip("*`").strip() if lines else ""
    return line.removesuffix(".").strip("[](){}").strip()


def read_answer(puzzle: Puzzle, reply: str) -> Answer | None:
    """Read the answer of a reply; None where its answer holds anything that is no part of one."""
    line = answer_line(reply)
    if not line or len(line) > _ANSWER_CHARS:
        return None
    if line.lower() == "no":
        return NO
    if puzzle.problem == "colouring":
        return _colouring(puzzle, _EQUALS.sub("=", line))
    if puzzle.problem == "matching":
        return _matching(puzzle, _JOINS.sub("-", line))
    nodes = tuple(_words(_ARROW.sub(" ", line)))
    return Walk(nodes) if nodes and set(puzzle.nodes).issuperset(nodes) else None


def _colouring(puzzle: Puzzle, line: str) -> Colouring | None:
    colours: dict[str, int] = {}
    for word in _words(line):
        name, equals, colour = word.partition("=")
        if not equals or name not in puzzle.nodes or name in colours or not re.fullmatch("[0-9]{1,4}", colour):
            return None
        colours[name] = int(colour)
    return Colouring(colours) if colours else None


def _matching(puzzle: Puzzle, line: str) -> Matching | None:
    edges = []
    for word in _words(line):
        a, joins, b = word.partition("-")
        if not joins or a not in puzzle.nodes or b not in puzzle.nodes:
            return None
        edges.append((a, b))
    return Matching(tuple(edges)) if edges else None


def _words(line: str) -> Sequence[str]:
    return [word for word in _BETWEEN.split(line) if word]


def written(answer: Answer) -> str:
    """Write an answer as it is to be given."""
    match answer:
        case Walk(nodes):
            return " ".join(nodes)
        case Colouring(colours):
            return ", ".join(f"{name}={colour}" for name, colour in colours.items())
        case Matching(edges):
            return ", ".join(f"{a}-{b}" for a, b in edges)
    return "no"
