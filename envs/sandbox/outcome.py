"""From a worker's report and a program's own writing to an `Outcome`; what the program wrote counts as values only."""

import json
import signal
from collections.abc import Iterator, Mapping
from typing import Any

from palaestra.envs.sandbox.inside.orders import Report
from palaestra.envs.sandbox.inside.program import OUTPUT_FULL
from palaestra.envs.sandbox.inside.values import unpack
from palaestra.envs.sandbox.job import CallJob, Check, Ended, Job, Limits, Outcome, Raised, Returned, RunJob

__all__ = ["outcome_of"]

_MEMORY = "MemoryError"
_AT_ONCE = 10_000


def outcome_of(job: Job, report: Report, wrote: bytes, printed: bytes, tester: bytes) -> Outcome:
    """Put together what became of a job.

    Args:
        job: What was asked for.
        report: The worker's word; the only one that decides how the process ended.
        wrote: The program's results.
        printed: Its standard output.
        tester: The test script's results.
    """
    used: dict[str, Any] = {"cpu_seconds": report.cpu, "wall_seconds": report.wall, "memory_mb": report.memory}
    last = _last(wrote)
    ended, error = _ended(report, job.limits, last)
    if isinstance(job, CallJob):
        results = tuple(_results(wrote, len(job.calls)))
        if ended is Ended.FINISHED and len(results) < len(job.calls):
            ended, error = Ended.EXITED, "it ended before it had done what it was asked to"
        return Outcome(ended, error, results, **used)
    if isinstance(job, RunJob):
        if len(printed) >= job.limits.output_mb * (1 << 20):
            ended, error = Ended.OUTPUT_LIMIT, f"it printed more than {job.limits.output_mb} MiB"
        elif ended is Ended.EXITED and report.code == 0 and not last:
            ended, error = Ended.FINISHED, ""
        return Outcome(ended, error, stdout=printed.decode("utf-8", "replace"), **used)
    return _script_outcome(ended, error, tester, used)


def _ended(report: Report, limits: Limits, last: Mapping[str, Any]) -> tuple[Ended, str]:
    xcpu = report.code == -signal.SIGXCPU or (report.code == -signal.SIGKILL and report.cpu >= limits.cpu_seconds)
    if report.limit == "cpu" or (xcpu and not report.limit):
        return Ended.CPU_LIMIT, f"it ran for more than {limits.cpu_seconds:g} s of processor time"
    if report.limit:
        return Ended.WALL_LIMIT, f"it was still running after {limits.wall_seconds:g} s"
    if report.code == OUTPUT_FULL:
        return Ended.OUTPUT_LIMIT, f"it returned more than {limits.output_mb:g} MiB"
    said = last.get("end")
    error = str(last.get("error", ""))[:500]
    if error.startswith(_MEMORY):
        return Ended.MEMORY_LIMIT, f"it needed more than {limits.memory_mb:g} MiB of memory"
    if said in ("raised", "exited"):
        return Ended(said), error
    if report.code < 0 and said != "finished":
        return Ended.KILLED, f"it was ended by {_signal(-report.code)}"
    if said == "finished":
        return Ended.FINISHED, ""
    return Ended.EXITED, f"it ended its process with code {report.code}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _entries(text: bytes) -> Iterator[dict[str, Any]]:
    """Read lines up to the first that nothing of ours can have written: a program may fill the rest with anything."""
    whole = text[: text.rfind(b"\n")] if text else text
    lines = whole.count(b"\n") + 1
    try:  # all lines at once, which is several times as quick, where all are ours
        entries = json.loads(b"[" + whole.replace(b"\n", b",") + b"]") if lines < _AT_ONCE else []
    except (ValueError, RecursionError):
        entries = []
    if len(entries) == lines and all(type(entry) is dict for entry in entries):
        yield from entries
        return
    start = 0
    while (end := text.find(b"\n", start)) >= 0:
        try:
            entry = json.loads(text[start:end])
        except (ValueError, RecursionError):
            return
        if not isinstance(entry, dict):
            return
        yield entry
        start = end + 1


def _last(text: bytes) -> dict[str, Any]:
    """Return the closing entry of results, empty where there is none."""
    start = text.rstrip(b"\n").rfind(b"\n") + 1
    return next(_entries(text[start : start + 4096].rstrip(b"\n") + b"\n"), {})


def _results(text: bytes, count: int) -> Iterator[Returned | Raised]:
    """Read results in order, up to the first that is missing or out of order."""
    entries = _entries(text)
    for index in range(count):
        entry = next(entries, {})
        if entry.get("i") != index:
            return
        seconds = entry.get("s")
        seconds = float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1e6 else 0.0
        if "e" in entry:
            yield Raised(str(entry["e"])[:500], seconds)
            continue
        try:
            yield Returned(unpack(entry.get("v")), seconds)
        except ValueError as error:
            yield Raised(f"its value could not be read: {error}", seconds)


def _script_outcome(ended: Ended, error: str, tester: bytes, used: dict[str, Any]) -> Outcome:
    entries = list(_entries(tester))
    checks = tuple(
        Check(entry["ok"], entry["line"], *(str(entry.get(k, "")) for k in ("source", "called", "expected", "actual")))
        for entry in entries
        if "ok" in entry
    )
    last = entries[-1] if entries and "end" in entries[-1] else {}
    planned, called = max(int(last.get("planned", 0)), len(checks) + 1), str(last.get("called", ""))
    said = last.get("end")
    if said == "fault":
        return Outcome(Ended.FINISHED, checks=checks, fault=str(last["error"]), **used)
    if said == "finished":
        return Outcome(Ended.FINISHED, checks=checks, planned=len(checks), **used)
    if said == "aborted":
        return Outcome(Ended.FINISHED, str(last["error"]), checks=checks, planned=planned, called=called, **used)
    if ended is Ended.FINISHED or (ended is Ended.EXITED and not said):
        ended, error = Ended.EXITED, error or "its process ended while it was tested"
    return Outcome(ended, error, checks=checks, planned=planned, called=called, **used)
