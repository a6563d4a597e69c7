"""The audit of Palaestra's own judges."""

from collections.abc import Iterator
from dataclasses import dataclass

from palaestra.envs.audit.case import Case
from palaestra.envs.audit.corpora import corpus, golden_worlds
from palaestra.envs.code.judge import CodeJudge
from palaestra.envs.math.judge import MathJudge
from palaestra.envs.sandbox.job import Limits
from palaestra.envs.verdict import Judge

__all__ = ["BriskCodeJudge", "BriskMathJudge", "Subject", "subjects"]


class BriskCodeJudge(CodeJudge):
    """The code judge with short limits on time: the corpus holds many programs that use up whatever they get."""

    def __init__(self) -> None:
        super().__init__(limits=Limits(cpu_seconds=1.0, wall_seconds=2.5))


class BriskMathJudge(MathJudge):
    """The math judge with a short limit on algebra: hostile text uses up whatever it gets."""

    def __init__(self) -> None:
        super().__init__(seconds=1.0)


@dataclass(frozen=True)
class Subject:
    """One judge of ours and what is put to it.

    Attributes:
        name: For people.
        judge: The judge, or its name as `module:attribute`.
        cases: The corpus.
    """

    name: str
    judge: Judge | str
    cases: tuple[Case, ...]


_CODE = "palaestra.envs.audit.ours:BriskCodeJudge"
_MATH = "palaestra.envs.math.judge:MathJudge"
_BRISK_MATH = "palaestra.envs.audit.ours:BriskMathJudge"
_GRAPH = "palaestra.envs.graphs.judge:GraphJudge"
_CRAWL = "palaestra.envs.reading.crawl.judge:CrawlJudge"


def subjects(names: tuple[str, ...] = ("code", "math", "extraction", "graph", "crawl", "gold")) -> Iterator[Subject]:
    """Return our judges with the corpora of these names."""
    for name in names:
        cases = corpus(name)
        if name == "math":
            yield Subject("math judge, equality", _MATH, cases)
        elif name == "extraction":
            yield Subject("math judge, extraction", _BRISK_MATH, cases)
        elif name == "graph":
            yield Subject("graph judge", _GRAPH, cases)
        elif name == "crawl":
            yield Subject("judge of crawlers", _CRAWL, cases)
        elif name == "code":
            yield Subject("code judge", _CODE, cases)
        else:
            if cases:
                yield Subject("code judge, HumanEval", _CODE, cases)
            for world, (judge, played) in golden_worlds().items():
                yield Subject(world, judge, played)
