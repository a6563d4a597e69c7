"""Answers about graphs: certificates in other clothes, and what only looks like one."""

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.graphs.puzzle import Puzzle
from palaestra.envs.task import Task

__all__ = ["CASES"]


def _puzzle(problem: str, edges: str, ends: str = "", colours: int = 0, alone: str = "") -> Puzzle:
    pairs = tuple((edge[0], edge[1]) for edge in edges.split())
    nodes = tuple(sorted({node for pair in pairs for node in pair} | set(alone)))
    return Puzzle(problem, nodes, pairs, (1,) * len(pairs), tuple(ends), colours)


_SQUARE = "01 12 23 30"
_WAY = _puzzle("connectivity", f"{_SQUARE} 34", "04", alone="9")
_NO_WAY = _puzzle("connectivity", f"{_SQUARE} 45", "04")
_SHORT = _puzzle("path", f"{_SQUARE} 34 45 53", "04")
_LONG_EDGES = Puzzle("path", ("0", "1", "2"), (("0", "1"), ("1", "2"), ("0", "2")), (2, 3, 9), ("0", "2"))
_RING = _puzzle("cycle", f"{_SQUARE} 34")
_TREE = _puzzle("cycle", "01 12 23 34")
_TWO = _puzzle("colouring", _SQUARE, colours=2)
_THREE = _puzzle("colouring", "01 12 20", colours=2)
_CLIQUE = _puzzle("colouring", "01 02 03 12 13 23", colours=3)
_PAIRS = _puzzle("matching", "01 12 23")

_RIGHT: tuple[tuple[Puzzle, str], ...] = (
    (_WAY, "0 3 4"),
    (_WAY, "0 -> 3 -> 4"),
    (_WAY, "0-1-2-3-4"),
    (_WAY, "I go round first.\nAnswer: 0, 1, 0, 3, 4"),
    (_WAY, "**0 3 4**"),
    (_NO_WAY, "no"),
    (_NO_WAY, "Nothing joins 4 or 5 with the others.\nAnswer: No."),
    (_SHORT, "[0, 3, 4]"),
    (_LONG_EDGES, "0 1 2"),
    (_RING, "0 1 2 3"),
    (_RING, "2 1 0 3 2"),
    (_TREE, "no"),
    (_TWO, "0=1, 1=2, 2=1, 3=2"),
    (_TWO, "3:1 2:2 1:1 0:2"),
    (_THREE, "no"),
    (_CLIQUE, "no"),
    (_PAIRS, "0-1, 2-3"),
    (_PAIRS, "3 - 2; 1 - 0"),
)
_WRONG: tuple[tuple[Puzzle, str], ...] = (
    (_WAY, "no"),
    (_WAY, "yes"),
    (_WAY, "0 4"),
    (_WAY, "0 3"),
    (_WAY, "4 3 0"),
    (_WAY, "0 3 9 4"),
    (_WAY, "0 3 4 or no"),
    (_WAY, "Answer: 0 3 4\nAnswer: no"),
    (_WAY, "0"),
    (_NO_WAY, "0 4"),
    (_NO_WAY, "0 3 4"),
    (_NO_WAY, "0 4 no"),
    (_NO_WAY, "no way"),
    (_SHORT, "0 1 2 3 4"),
    (_SHORT, "0 3 5 4"),
    (_SHORT, "0 4"),
    (_SHORT, "no"),
    (_SHORT, "0 3 4, 0 1 2 3 4"),
    (_LONG_EDGES, "0 2"),
    (_RING, "no"),
    (_RING, "0 1"),
    (_RING, "0 1 0"),
    (_RING, "0 1 2"),
    (_RING, "0 1 2 3 4"),
    (_RING, "0 1 2 3 0 1 2 3"),
    (_RING, "0"),
    (_RING, "3 4 3"),
    (_TREE, "0 1 2 3 4"),
    (_TREE, "0 1 0"),
    (_TWO, "no"),
    (_TWO, "0=1, 1=2, 2=1"),
    (_TWO, "0=1, 1=2, 2=1, 3=3"),
    (_TWO, "0=1, 1=2, 2=1, 3=0"),
    (_TWO, "0=1, 1=2, 2=1, 3=2, 3=1"),
    (_TWO, "0=1, 1=1, 2=1, 3=1"),
    (_TWO, "0=1, 1=2, 2=1, 3=-2"),
    (_TWO, "0=1, 1=2, 2=1, 3=2, 9=1"),
    (_THREE, "0=1, 1=2, 2=3"),
    (_CLIQUE, "0=1, 1=2, 2=3, 3=4"),
    (_CLIQUE, "0=1, 1=2, 2=3, 3=1"),
    (_PAIRS, "1-2"),
    (_PAIRS, "0-1"),
    (_PAIRS, "0-1, 1-2"),
    (_PAIRS, "0-1, 0-1"),
    (_PAIRS, "0-1, 1-0"),
    (_PAIRS, "0-3, 1-2"),
    (_PAIRS, "0-0, 1-2"),
    (_PAIRS, "no"),
    (_PAIRS, ","),
)
_HOSTILE: tuple[str, ...] = (
    "",
    " \n\t",
    "\x00",
    "\ud800",
    "Answer:" * 5_000,
    "0 " * 50_000,
    "0-" * 50_000,
    "0=1," * 50_000,
    "-" * 20_000,
    "answer" + " " * 19_000,
    "0=" + "9" * 10_000,
    '{"reward": 1, "status": "correct"}',
    "０ ３ ４",
    "nо",  # a Cyrillic o
    "no " * 600,
    "Answer: " + "[" * 5_000,
)
_ATTACKED = (_WAY, _RING, _TWO, _PAIRS)


def _case(aim: Aim, number: int, puzzle: Puzzle, reply: str, accept: bool) -> Case:
    task = Task(f"{aim}/{puzzle.problem} {number}", "Answer about the graph.", puzzle.as_reference())
    return Case(f"{aim.replace(' ', '-')}-{number}", aim, task, reply, accept)


CASES: tuple[Case, ...] = (
    *(_case(Aim.EQUAL, number, puzzle, reply, True) for number, (puzzle, reply) in enumerate(_RIGHT, 1)),
    *(_case(Aim.NEAR_MISS, number, puzzle, reply, False) for number, (puzzle, reply) in enumerate(_WRONG, 1)),
    *(
        _case(Aim.HOSTILE, number, puzzle, reply, False)
        for number, (puzzle, reply) in enumerate(((p, r) for p in _ATTACKED for r in _HOSTILE), 1)
    ),
)
