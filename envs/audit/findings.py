"""What an audit found."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Finding", "Findings", "Kind", "compared"]

_SLACK = 1e-9


class Kind(StrEnum):
    """In which way a judge failed."""

    FALSE_ACCEPT = "false accept"
    """It paid more than was earned."""
    FALSE_REJECT = "false reject"
    """It did not accept what is right."""
    EFFECT = "effect outside"
    """What it judged did something to the machine."""
    NOT_JUDGED = "not judged"
    """There is no valid verdict: it raised, hung, died, or said `broken_task` or `infrastructure`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One failure of a judge.

    Attributes:
        case: The case's name.
        aim: What the case is about.
        kind: In which way the judge failed.
        expected: What should have come, in words.
        came: What came instead.
        task: The task's id.
    """

    case: str
    aim: Aim
    kind: Kind
    expected: str
    came: str
    task: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of an audit.

    Attributes:
        judge: Whose.
        counts: Cases of each aim.
        found: All failures, in the order of the cases.
        seconds: Wall-clock of the whole.
        notes: What the audit could not look at, and why.
    """

    judge: str
    counts: Mapping[Aim, int]
    found: tuple[Finding, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def cases(self) -> int:
        """How many cases there were."""
        return sum(self.counts.values())

    def count(self, kind: Kind, aim: Aim | None = None) -> int:
        """Return how many failures are of a kind, and of an aim where one is given."""
        return sum(finding.kind is kind and aim in (None, finding.aim) for finding in self.found)

    def by_aim(self) -> Mapping[Aim, Mapping[Kind, int]]:
        """Return the failures of each kind for each aim that was audited."""
        return MappingProxyType({aim: {kind: self.count(kind, aim) for kind in Kind} for aim in self.counts})

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; `seconds` is wall-clock."""
        return {
            "judge": self.judge,
            "cases": self.cases,
            **{kind.replace(" ", "_"): self.count(kind) for kind in Kind},
            "seconds": self.seconds,
            "aims": {str(aim): {"cases": self.counts[aim], **kinds} for aim, kinds in self.by_aim().items()},
            "findings": [{name: str(getattr(f, name)) for name in f.__slots__} for f in self.found],
            "notes": list(self.notes),
        }


def compared(case: Case, judged: Verdict | str) -> Finding | None:
    """Compare a judgement with what it should have been.

    Args:
        case: What was asked.
        judged: The verdict, or in words why there is none.

    Returns:
        The failure, or None where there is none.
    """
    said = judged if isinstance(judged, str) else f"{judged.status}, reward {judged.reward:g}: {judged.detail}"[:300]
    if case.accept is None:
        expected = "any valid verdict"
    elif case.accept:
        expected = "correct"
    else:
        expected = "not correct" + (f", reward at most {case.most:.2f}" if case.most else ", reward 0")

    def finding(kind: Kind) -> Finding:
        return Finding(case.name, case.aim, kind, expected, said, case.task.id)

    if isinstance(judged, str) or not judged.valid:
        return finding(Kind.NOT_JUDGED)
    if case.accept and judged.status is not Status.CORRECT:
        return finding(Kind.FALSE_REJECT)
    if case.accept is False and (judged.status is Status.CORRECT or judged.reward > case.most + _SLACK):
        return finding(Kind.FALSE_ACCEPT)
    return None
