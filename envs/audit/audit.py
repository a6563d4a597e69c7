"""Put a corpus to a judge and say where it failed."""

import dataclasses
import os
import queue
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from palaestra.envs.audit.asking import Asked, Called, Hosted
from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.findings import Finding, Findings, Kind, compared
from palaestra.envs.audit.surroundings import Surroundings
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Judge

__all__ = ["audit"]

# What a program left behind is given so long to go, or to show itself.
_LATE_SECONDS = 2.5
_MOST_AT_ONCE = 4


def audit(
    judge: Judge | str,
    cases: Sequence[Case],
    *,
    name: str = "",
    at_once: int | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Findings:
    """Put every case to a judge and compare what it says, and what happened meanwhile, with what should be.

    A judge given by name lives in processes of its own: an attack that kills or blocks it is a finding, not the end of
    the audit. One given as an object is called here, one case after the other, and shares this process' fate.

    Args:
        judge: `module:attribute`, or the judge itself.
        cases: The corpus; names must differ.
        name: What the judge is called in the findings.
        at_once: How many processes a judge given by name gets; by default one for every processor, 4 at most.
        progress: Called after every case.

    Raises:
        UsageError: If two cases share a name or the judge cannot be loaded.
    """
    names = Counter(case.name for case in cases)
    if twice := [each for each, count in names.items() if count > 1]:
        raise UsageError(f"Names of cases must differ, but {twice[0]!r} came {names[twice[0]]} times.")
    began = time.monotonic()
    with Surroundings() as around:
        if isinstance(judge, str):
            count = at_once or min(os.cpu_count() or 1, _MOST_AT_ONCE)
            askers: list[Asked] = [Hosted(judge, around) for _ in range(count)]
        else:
            askers = [Called(judge)]
        try:
            found, notes = _Audit(around, askers, progress).run(cases)
        finally:
            for asker in askers:
                asker.close()
    label = name or (judge if isinstance(judge, str) else getattr(judge, "__name__", type(judge).__name__))
    counts = Counter(case.aim for case in cases)
    order = {case.name: place for place, case in enumerate(cases)}
    found.sort(key=lambda finding: order[finding.case])
    return Findings(
        label, {aim: counts[aim] for aim in Aim if counts[aim]}, tuple(found), time.monotonic() - began, tuple(notes)
    )


class _Audit:
    """One judge, its surroundings, and those who ask it."""

    def __init__(self, around: Surroundings, askers: Sequence[Asked], progress: Callable[[], None]) -> None:
        self._around = around
        self._askers = askers
        self._progress = progress

    def run(self, cases: Sequence[Case]) -> tuple[list[Finding], list[str]]:
        """Return the findings, in no order, and notes."""
        # What is left behind can only be seen while nothing else is going on.
        leaving = [case for case in cases if case.aim is Aim.SURVIVE]
        others = [case for case in cases if case.aim is not Aim.SURVIVE]
        free: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        for asker in self._askers:
            free.put(asker)

        def asked(case: Case) -> list[Finding]:
            asker = free.get()
            try:
                return self._asked(asker, case)
            finally:
                free.put(asker)

        with ThreadPoolExecutor(len(self._askers)) as pool:
            pending = [pool.submit(asked, case) for case in others]
            try:
                found = [finding for each in pending for finding in each.result()]
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        found += [finding for case in leaving for finding in self._watched(self._askers[0], case)]
        if leaving:
            time.sleep(_LATE_SECONDS)
            known = {(finding.case, finding.came) for finding in found}
            late = [_outside(case, effect) for case in leaving for effect in self._around.effects(case)]
            found += [finding for finding in late if (finding.case, finding.came) not in known]
        blind = leaving and self._askers[0].family() is None
        return found, ["this system does not tell which processes are left behind"] if blind else []

    def _asked(self, asker: Asked, case: Case) -> list[Finding]:
        finding = compared(case, asker.ask(self._around.filled(case)))
        effects = [_outside(case, effect) for effect in self._around.effects(case)]
        self._progress()
        return [*([finding] if finding else []), *effects]

    def _watched(self, asker: Asked, case: Case) -> list[Finding]:
        """Ask, and wait for what the case started to be gone."""
        # An idle question first, so that the judge has all processes of its own.
        asker.ask(dataclasses.replace(self._around.filled(case), reply=""))
        before = asker.family()
        found = self._asked(asker, case)
        deadline = time.monotonic() + _LATE_SECONDS
        while (left := _more(before, asker.family())) and time.monotonic() < deadline:
            time.sleep(0.02)
        return [*found, *([_outside(case, f"left {left} processes behind")] if left else [])]


def _more(before: set[int] | None, after: set[int] | None) -> int:
    """Count the processes that are too many: a judge may well have replaced one of its own by a fresh one."""
    return 0 if before is None or after is None else max(0, len(after) - len(before))


def _outside(case: Case, effect: str) -> Finding:
    return Finding(case.name, case.aim, Kind.EFFECT, "nothing happens outside of the program", effect, case.task.id)
