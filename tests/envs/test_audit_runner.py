import dataclasses
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from palaestra.envs.audit import Aim, Case, Finding, Findings, Kind, audit
from palaestra.envs.audit.corpora import corpus
from palaestra.envs.audit.findings import compared
from palaestra.envs.audit.processes import family
from palaestra.envs.audit.surroundings import Surroundings
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict

TASK = Task("t", "1 + 1?", "2")
RIGHT = Case("right", Aim.EQUAL, TASK, "2", accept=True)
WRONG = Case("wrong", Aim.NEAR_MISS, TASK, "3")
# What a judge without a sandbox must be caught with, aim by aim.
CAUGHT = {
    "equal-to-everything": Kind.FALSE_ACCEPT,
    "close-to-everything": Kind.FALSE_ACCEPT,
    "stop-iteration": Kind.FALSE_ACCEPT,
    "builtins-defined-by-the-program": Kind.FALSE_ACCEPT,
    "read-a-file": Kind.FALSE_ACCEPT,
    "environment": Kind.FALSE_ACCEPT,
    "frames-of-the-caller": Kind.FALSE_ACCEPT,
    "comparisons-replaced": Kind.FALSE_ACCEPT,
    "write-a-file": Kind.EFFECT,
    "change-the-mode-of-a-file": Kind.EFFECT,
    "run-a-command": Kind.EFFECT,
    "tcp": Kind.EFFECT,
    "unix-socket-with-a-path": Kind.EFFECT,
    "kill-a-bystander": Kind.EFFECT,
    "kill-the-parent": Kind.NOT_JUDGED,
    "write-a-large-file": Kind.FALSE_ACCEPT,
    "daemon": Kind.EFFECT,
}


@pytest.fixture(autouse=True)
def beside_the_naive_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent)


def kinds(findings: Findings) -> dict[str, Kind]:
    return {finding.case: finding.kind for finding in findings.found}


def exact(task: Task, reply: str) -> Verdict:
    return Verdict(1.0, Status.CORRECT) if reply == task.reference else Verdict(0.0, Status.WRONG)


def test_a_good_judge_has_no_finding() -> None:
    findings = audit(exact, [RIGHT, WRONG])
    assert findings.found == ()
    assert (findings.judge, findings.cases, findings.counts) == ("exact", 2, {Aim.EQUAL: 1, Aim.NEAR_MISS: 1})


def test_each_way_to_fail_is_told_apart() -> None:
    def contrary(task: Task, reply: str) -> Verdict:
        return Verdict(1.0, Status.CORRECT) if reply != task.reference else Verdict(0.0, Status.WRONG, "no")

    findings = audit(contrary, [RIGHT, WRONG], name="contrary")
    assert findings.found == (
        Finding("right", Aim.EQUAL, Kind.FALSE_REJECT, "correct", "wrong, reward 0: no", "t"),
        Finding("wrong", Aim.NEAR_MISS, Kind.FALSE_ACCEPT, "not correct, reward 0", "correct, reward 1: ", "t"),
    )
    told = findings.as_json()
    assert (told["false_accept"], told["false_reject"], told["effect_outside"], told["not_judged"]) == (1, 1, 0, 0)
    assert told["aims"]["equal"] == {"cases": 1, **dict.fromkeys(map(str, Kind), 0), "false reject": 1}


@pytest.mark.parametrize(
    ("verdict", "most", "expected"),
    [
        (Verdict(0.5, Status.PARTIAL), 0.5, None),
        (Verdict(0.6, Status.PARTIAL), 0.5, Kind.FALSE_ACCEPT),
        (Verdict(0.1, Status.WRONG), 0.0, Kind.FALSE_ACCEPT),
        (Verdict(0.5, Status.CORRECT), 1.0, Kind.FALSE_ACCEPT),
        (Verdict(0.0, Status.BROKEN_TASK), 0.0, Kind.NOT_JUDGED),
        (Verdict(0.0, Status.INFRASTRUCTURE), 0.0, Kind.NOT_JUDGED),
        (Verdict(0.0, Status.TIMEOUT), 0.0, None),
        ("raised ValueError: x", 0.0, Kind.NOT_JUDGED),
    ],
)
def test_more_than_was_earned_is_a_false_accept(verdict: Verdict | str, most: float, expected: Kind | None) -> None:
    finding = compared(dataclasses.replace(WRONG, most=most), verdict)
    assert (finding.kind if finding else None) is expected


def test_a_case_without_an_expected_verdict_must_still_be_judged() -> None:
    either = dataclasses.replace(WRONG, accept=None)
    assert compared(either, Verdict(1.0, Status.CORRECT)) is None
    assert compared(either, "raised") is not None


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ("raises", "raised SystemExit: no"),
        ("says_true", "returned a bool, expected a Verdict"),
        ("says_nonsense", "no file can hold"),
        ("Broken", "infrastructure"),
    ],
)
def test_a_judge_that_gives_no_verdict_is_found_out(judge: str, said: str) -> None:
    (finding,) = audit(f"audit_naive:{judge}", [RIGHT], at_once=1).found
    assert finding.kind is Kind.NOT_JUDGED
    assert said in finding.came


def test_partial_credit_for_nothing_is_a_false_accept() -> None:
    assert kinds(audit("audit_naive:Generous", [WRONG], at_once=1)) == {"wrong": Kind.FALSE_ACCEPT}


@pytest.mark.parametrize(("judge", "reply"), [("dies", "die"), ("hangs", "hang")])
def test_a_judge_that_dies_or_hangs_is_started_again(judge: str, reply: str) -> None:
    cases = [
        dataclasses.replace(RIGHT, name=f"case-{n}", reply=reply if n == 1 else "2", seconds=1.0) for n in range(3)
    ]
    began = time.monotonic()
    findings = audit(f"audit_naive:{judge}", cases, at_once=1)
    assert kinds(findings) == {"case-1": Kind.NOT_JUDGED}
    assert time.monotonic() - began < 20


def test_a_judge_that_hangs_here_costs_its_thread_alone() -> None:
    def hangs(task: Task, reply: str) -> Verdict:
        time.sleep(1.0 if reply == "3" else 0.0)
        return exact(task, reply)

    cases = [dataclasses.replace(WRONG, seconds=0.2), RIGHT]
    (finding,) = audit(hangs, cases).found
    assert (finding.kind, finding.case) == (Kind.NOT_JUDGED, "wrong")
    assert "cannot be stopped" in finding.came


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("audit_naive", "module:attribute"),
        ("no_such_module:judge", "cannot be loaded"),
        ("audit_naive:nobody", "cannot be loaded"),
        ("audit_naive:NeedsMore", "cannot be loaded"),
        ("audit_naive:number", "is a int"),
    ],
)
def test_a_judge_that_is_none_is_refused(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        audit(spec, [RIGHT], at_once=1)


def test_cases_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="'right' came 2 times"):
        audit(exact, [RIGHT, RIGHT])


def test_progress_is_told_of_every_case() -> None:
    told: list[None] = []
    audit(exact, [RIGHT, WRONG], progress=lambda: told.append(None))
    assert len(told) == 2


def test_a_judge_without_a_sandbox_is_caught() -> None:
    cases = [case for case in corpus("code") if case.name in CAUGHT and case.format == "humaneval"]
    assert {case.name for case in cases} == set(CAUGHT)
    honest = [case for case in corpus("code") if case.name in ("whole-function", "recursion", "threads-joined")]
    findings = audit("audit_naive:naive", [*cases, *(c for c in honest if c.format == "humaneval")], at_once=2)
    found = {(finding.case, finding.kind) for finding in findings.found}
    assert not set(CAUGHT.items()) - found
    assert not {name for name, kind in found if kind is Kind.FALSE_REJECT}


def test_nothing_is_left_of_an_audit() -> None:
    case = next(case for case in corpus("code") if case.name == "kill-a-bystander")
    with Surroundings() as around:
        around.filled(next(case for case in corpus("code") if case.name == "starve-a-bystander"))
        folder = around.folder
        filled = around.filled(case)
        assert "@" not in filled.reply
        bystander = int(re.findall(r"kill\((\d+)", filled.reply)[0])
        os.kill(bystander, 0)
        assert around.effects(case) == []
        children = family(os.getpid())
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(bystander, 0)
    assert children is None or len(children - (family(os.getpid()) or set())) == 1


@pytest.mark.parametrize(
    ("name", "act", "effect"),
    [
        ("write-a-file", lambda around: (around.folder / "out-write-a-file").touch(), "wrote"),
        ("truncate-a-file", lambda around: (around.folder / "victim-truncate-a-file").write_text(""), "changed"),
        ("change-the-mode-of-a-file", lambda a: (a.folder / "victim-change-the-mode-of-a-file").chmod(0), "changed"),
    ],
)
def test_traces_are_seen(name: str, act: Callable[[Surroundings], object], effect: str) -> None:
    case = next(case for case in corpus("code") if case.name == name)
    with Surroundings() as around:
        around.filled(case)
        assert around.effects(case) == []
        act(around)
        (seen,) = around.effects(case)
    assert effect in seen
