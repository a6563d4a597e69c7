"""What a program is worth: what it extracts from pages that nobody has seen who wrote it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.math.answers import shown
from palaestra.envs.reading.crawl.program import Crawlers, TooLongError, refusal, shared_crawlers
from palaestra.envs.reading.crawl.shelf import shared_shelf
from palaestra.envs.reading.crawl.site import Page, Site
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict

__all__ = ["CrawlJudge", "Credit", "Executed", "Execution", "Said", "execution", "read_reply", "same_values"]

Credit = Literal["all", "share"]
_READ_CHARS, _MOST_LINES = 20_000, 40
_LINE = re.compile(r"^[ \t]*(?:[-*][ \t]+)?(value|xpath)[ \t]*:[ \t]*(\S.*)$", re.IGNORECASE | re.MULTILINE)


class Said(NamedTuple):
    """What a reply holds.

    Attributes:
        values: Behind `value:`, a line each: what should be found on the page that is shown.
        program: Behind `xpath:`, a line each.
    """

    values: tuple[str, ...]
    program: tuple[str, ...]


def read_reply(reply: str) -> Said:
    """Read the lines of a reply that begin with `value:` or `xpath:`; all other lines say nothing."""
    found: dict[str, list[str]] = {"value": [], "xpath": []}
    for kind, text in _LINE.findall(reply[-_READ_CHARS:]):
        if len(found[kind.lower()]) < _MOST_LINES:
            found[kind.lower()].append(text.strip().strip("`").strip())
    return Said(*(tuple(text for text in found[kind] if text) for kind in ("value", "xpath")))


class Executed(StrEnum):
    """How a program does on unseen pages, where precision and recall are over all of them together."""

    CORRECT = "correct"
    """It extracts what it should and nothing else."""
    PRECISION = "precision"
    """What it extracts is right, and not all there is."""
    RECALL = "recall"
    """It extracts all there is, and more."""
    UNEXECUTABLE = "un-executable"
    """It extracts nothing at all."""
    UNRELATED = "unrelated"
    """It extracts something, and nothing of it is right."""
    ELSE = "else"
    """Some of what it extracts is right, and some of what there is."""


class Execution(NamedTuple):
    """What came of a program on unseen pages.

    Attributes:
        kind: In one word.
        precision: Share of what was extracted that is right.
        recall: Share of what there is that was extracted.
    """

    kind: Executed
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def same_values(found: tuple[str, ...] | str, values: Sequence[str]) -> bool:
    """Whether what was found is what is expected, white space, order and repetition aside."""
    return not isinstance(found, str) and _set(found) == _set(values)


def execution(found: Sequence[tuple[str, ...] | str], pages: Sequence[Page]) -> Execution:
    """Compare what a program found on each page (a text says why nothing) with what these hold, as sets.

    Source: Huang et al. 2024, "AutoCrawler", and its evaluation of SWDE; there `unrelated` counts as `un-executable`.
    """
    right = wrong = missing = 0
    for one, page in zip(found, pages, strict=True):
        given, expected = _set(() if isinstance(one, str) else one), _set(page.values)
        right += len(given & expected)
        wrong += len(given - expected)
        missing += len(expected - given)
    if not right:
        return Execution(Executed.UNRELATED if wrong else Executed.UNEXECUTABLE, 0.0, 0.0)
    precision, recall = right / (right + wrong), right / (right + missing)
    kinds = {(True, True): Executed.CORRECT, (True, False): Executed.PRECISION, (False, True): Executed.RECALL}
    return Execution(kinds.get((not wrong, not missing), Executed.ELSE), precision, recall)


def _set(values: Sequence[str]) -> set[str]:
    return {packed for value in values if (packed := re.sub(r"\s+", "", value))}


@dataclass(frozen=True)
class CrawlJudge:
    """Run the XPaths of a reply on the unseen pages of a task's site.

    Reward 1 where all is extracted and nothing else. With `credit="share"` anything else earns the F1 of what is
    extracted, over all pages together: a program that is right on half of the pages is worth more than none.

    Status WRONG or PARTIAL: see `Executed`, which the detail begins with. CRASHED: no XPath that can be run. TIMEOUT:
    too long. ILLEGAL: XPaths that are refused (`refusal`). UNPARSED: no `xpath:` line.

    Attributes:
        credit: `"all"` or `"share"`.
    """

    credit: Credit = "all"

    def __post_init__(self) -> None:
        if self.credit not in ("all", "share"):
            raise UnknownNameError("credit", self.credit, ("all", "share"))

    def answer_of(self, reply: str) -> str | None:
        """Return the program of a reply."""
        return "\n".join(read_reply(reply).program) or None

    def __call__(self, task: Task, reply: str) -> Verdict:
        """Judge a reply; the reference names a site (`palaestra.envs.reading.crawl.shelf`)."""
        try:
            site = shared_shelf().of(task)
        except UsageError as error:
            return Verdict(0.0, Status.BROKEN_TASK, str(error))
        program = read_reply(reply).program
        if not program:
            return Verdict(0.0, Status.UNPARSED, f"no line that begins with `xpath:` in {shown(reply[-60:])}")
        if why := refusal(program):
            return Verdict(0.0, Status.ILLEGAL, why)
        return self.executed(site, program)

    def executed(self, site: Site, program: Sequence[str], crawlers: Crawlers | None = None) -> Verdict:
        """Judge a program that `refusal` has nothing against."""
        try:
            ((*found,),) = (crawlers or shared_crawlers()).run([program], [page.html for page in site.unseen])
        except TooLongError as error:
            return Verdict(0.0, Status.TIMEOUT, str(error))
        came = execution(found, site.unseen)
        if came.kind is Executed.CORRECT:
            return Verdict(1.0, Status.CORRECT, f"{came.kind} on {len(site.unseen)} unseen pages")
        faults = [one for one in found if isinstance(one, str)]
        if len(faults) == len(found):
            return Verdict(0.0, Status.CRASHED, f"{came.kind}: {faults[0]}")
        detail = (
            f"{came.kind}: precision {came.precision:.2f}, recall {came.recall:.2f} on {len(site.unseen)} unseen pages"
        )
        if self.credit == "share" and came.f1 > 0:
            return Verdict(came.f1, Status.PARTIAL, detail)
        return Verdict(0.0, Status.WRONG, detail)
