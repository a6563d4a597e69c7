"""Questions about graphs, as an environment."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.graphs.answers import NO, written
from palaestra.envs.graphs.drawing import class_of, draw_puzzle, renamed
from palaestra.envs.graphs.judge import Credit, GraphJudge, find_answer
from palaestra.envs.graphs.puzzle import PROBLEMS, Puzzle
from palaestra.envs.graphs.writing import ENCODINGS, names_for, write
from palaestra.envs.question import QuestionEnv
from palaestra.envs.task import HELD_OUT_SHARE, Json, Task, TaskSet, held_out

__all__ = ["Graph"]

_FEWEST, _MOST = 5, 40
# Sizes that come up where none is chosen.
_FROM, _TO = 5, 12


class Graph(QuestionEnv):
    """Reason about a graph that is told in words, and answer with a certificate.

    Problems: `connectivity` (a way from one node to another), `path` (a shortest one), `cycle` (any), `colouring` (with
    2 or 3 colours), `matching` (a largest one). Where there is none, `no` is the answer; it is right about half the
    time (of `path` 15 %, of `matching` never). The answer is what stands behind the last `Answer:` of a reply, or its
    last line; it is read strictly, so a word too many makes it none (see `palaestra.envs.graphs.answers`).

    Reward 1 if it is right, else 0; see `GraphJudge` for statuses, and for the parts that `credit="share"` pays.

    Tasks tell in their metadata `problem`, `nodes`, `edges`, `encoding`, `possible` (whether `no` is wrong) and
    `difficulty`, the number of nodes. What is held out differs from all else in more than the names of nodes: puzzles
    of isomorphic graphs with the same marked ends are all held out, or none is.

    Args:
        problem: Some of `connectivity,path,cycle,colouring,matching`; all when empty.
        nodes: How many, 5 to 40; 0 is from 5 to 12.
        encoding: Some of `edges` (`0-1, 0-3`), `adjacency` (`Node 0 is joined to 1 and 3.`) and `friends`
            (`Ada knows Ben.`); all when empty.
        weighted: Whether edges have lengths in `path`.
        size: Most tasks; fewer come where fewer exist.
        seed: Seed of the tasks.
        tries: How many replies an episode allows.
        credit: `"all"` or `"share"`.
        tasks: Takes the place of generated tasks.
        render_mode: None or `"ansi"`.

    Versions: v0.

    Source: Wang et al. 2023, "Can language models solve graph problems in natural language?", and Fatemi et al. 2024,
    "Talk like a graph" (encodings).
    """

    def __init__(
        self,
        *,
        problem: str = "",
        nodes: int = 0,
        encoding: str = "",
        weighted: bool = False,
        size: int = 1_000,
        seed: int = 0,
        tries: int = 1,
        credit: str = "all",
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if tasks is None:
            problems = _chosen("problem", problem, PROBLEMS)
            writer = _Writer(problems, nodes, _chosen("encoding", encoding, tuple(ENCODINGS)), weighted)
            name = f"graph({', '.join((*problems, *writer.encodings))}; {nodes or 'some'}{' weighted' * weighted})"
            tasks = TaskSet.generated(writer, size=size, seed=seed, name=name)
        super().__init__(tasks, GraphJudge(cast(Credit, credit)), tries=tries, render_mode=render_mode)

    def solution(self, task: Task) -> tuple[str]:
        """Return an answer that networkx finds."""
        return (written(find_answer(Puzzle.from_reference(task.reference))),)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw `no`, or some nodes."""
        nodes = Puzzle.from_reference(self.task.reference).nodes if self.task else ("0",)
        if generator.random() < 0.3:
            return written(NO)
        return " ".join(
            str(node) for node in generator.permutation(nodes)[: int(generator.integers(1, len(nodes) + 1))]
        )


def _chosen(what: str, listed: str, known: tuple[str, ...]) -> tuple[str, ...]:
    chosen = [name.strip() for name in listed.split(",") if name.strip()]
    for name in chosen:
        if name not in known:
            raise UnknownNameError(what, name, known)
    return tuple(name for name in known if name in chosen) or known


@dataclass(frozen=True)
class _Writer:
    """Draws tasks; settings as in `Graph`."""

    problems: tuple[str, ...]
    nodes: int
    encodings: tuple[str, ...]
    weighted: bool

    def __post_init__(self) -> None:
        if self.nodes and not _FEWEST <= self.nodes <= _MOST:
            raise UsageError(f"nodes must be from {_FEWEST} to {_MOST}, or 0 for {_FROM} to {_TO}; got {self.nodes}.")

    def __call__(self, generator: np.random.Generator) -> Task:
        problem = str(generator.choice(self.problems))
        nodes = self.nodes or int(generator.integers(_FROM, _TO + 1))
        puzzle = draw_puzzle(generator, problem, nodes, weighted=self.weighted)
        apart = held_out(class_of(puzzle), HELD_OUT_SHARE)
        # Named anew until the task is on the side of its class: what is held out is not known by other names.
        possible = find_answer(puzzle) != NO
        while (task := self._written(generator, puzzle, possible)).held_out(HELD_OUT_SHARE) is not apart:
            pass
        return task

    def _written(self, generator: np.random.Generator, puzzle: Puzzle, possible: bool) -> Task:
        encoding = str(generator.choice(self.encodings))
        told = renamed(puzzle, names_for(encoding, len(puzzle.nodes)), generator)
        metadata: dict[str, Json] = {
            "problem": puzzle.problem,
            "nodes": len(puzzle.nodes),
            "edges": len(puzzle.edges),
            "encoding": encoding,
            "possible": possible,
            "difficulty": len(puzzle.nodes),
        }
        return Task("", write(told, encoding), told.as_reference(), metadata)
