"""Broken programs, their traces, and the list of faults that are none."""

import json
from pathlib import Path

import pytest
from palaestra.envs.catalogue import make
from palaestra.envs.code.judge import CodeJudge
from palaestra.envs.code.mutations import mutants
from palaestra.envs.code.problems import shipped_problems
from palaestra.envs.code.repair import UNUSED, Repair, repair_task, repair_tasks
from palaestra.envs.errors import UsageError
from palaestra.envs.sandbox import Limits
from palaestra.envs.task import TaskSet
from palaestra.envs.verdict import Status

CASES = [{"arguments": [n], "expected": n * (n + 1) // 2} for n in (0, 3, 10)]
BROKEN = "def total(n):\n    s = 0\n    for i in range(n):\n        s += i\n    return s"
TASK = repair_task("total", "Add 1 to n.", BROKEN, {"format": "calls", "entry_point": "total", "cases": CASES})


def test_faults_are_single_tokens() -> None:
    program = "def f(a, b):\n    if a < b and not a == 2:\n        return a + b\n    return max(a, 1)\n"
    found = {(m.line, m.fault) for m in mutants(program)}
    for fault in (
        (2, "< became <="),
        (2, "and became or"),
        (2, "not was left out"),
        (2, "== became !="),
        (2, "2 became 3"),
        (2, "2 became 1"),
        (3, "+ became -"),
        (3, "a became b"),
        (4, "max became min"),
        (4, "1 became 0"),
    ):
        assert fault in found
    for mutant in mutants(program):
        changed = [
            i for i, (x, y) in enumerate(zip(program.split("\n"), mutant.program.split("\n"), strict=True)) if x != y
        ]
        assert changed == [mutant.line - 1]
        compile(mutant.program, "mutant", "exec")


def test_every_broken_program_fails_a_test_and_every_unused_fault_does_not_or_never_ends() -> None:
    judge = CodeJudge(limits=Limits(cpu_seconds=1.0, wall_seconds=4.0))
    used = [(task, str(task.metadata["broken"])) for task in repair_tasks()]
    assert len(used) >= 200
    statuses = {task.id: v.status for (task, _), v in zip(used, judge.judge_many(used), strict=True)}
    assert set(statuses.values()) <= {Status.WRONG, Status.PARTIAL, Status.CRASHED}, statuses
    unused = [
        (task, mutants(str(task.metadata["solution"]))[number].program)
        for name, numbers in UNUSED.items()
        for task in (shipped_problems().by_id(name),)
        for number in numbers
    ]
    for (task, _), verdict in zip(unused, judge.judge_many(unused), strict=True):
        assert verdict.status in (Status.CORRECT, Status.TIMEOUT), (task.id, verdict)


def test_every_solution_mends_its_program() -> None:
    env = Repair(size=15, seed=3)
    for task in env.tasks:
        shown, _ = env.reset(options={"task": task})
        assert str(task.metadata["broken"]) in shown
        (solution,) = env.solution(task) or ("",)
        assert env.step(solution)[1] == 1.0
        env.reset(options={"task": task})
        assert env.step(str(task.metadata["broken"]))[1] == 0.0


def test_the_trace_is_that_of_the_first_failing_test() -> None:
    env = Repair(tasks=TaskSet([TASK]), trace=True)
    shown, _ = env.reset()
    assert (
        "def total(n):  # (0) n=3\n    s = 0  # (1) s=0\n    for i in range(n):  # (2) i=0; (4) i=1; …; (8)\n" in shown
    )
    assert "expected: 6" in shown
    assert "actual: 3" in shown
    assert "55" not in shown.replace(TASK.prompt, "").partition("It fails")[2]
    assert env.step(BROKEN.replace("range(n)", "range(n + 1)"))[1] == 1.0


@pytest.mark.parametrize(
    ("broken", "reference", "seen"),
    [
        (
            "n = int(input())\nm = n - 1\nprint(m)",
            {"format": "stdio", "cases": [{"input": "4\n", "output": "5\n"}]},
            "m = n - 1  # (1) m=3",
        ),
        (
            "def inc(n):\n    m = n - 1\n    return m",
            {"format": "mbpp", "asserts": ["assert inc(1) in (0, 2)", "assert inc(4) == 5"], "setup": ""},
            "m = n - 1  # (1) m=3",
        ),
        (
            "def inc(n):\n    m = n - 1\n    return m",
            {
                "format": "humaneval",
                "test": "def check(candidate):\n    assert candidate(4) == 5\n",
                "entry_point": "inc",
            },
            "m = n - 1  # (1) m=3",
        ),
    ],
    ids=["stdio", "mbpp", "humaneval"],
)
def test_every_format_is_traced(broken: str, reference: dict[str, object], seen: str) -> None:
    task = repair_task("inc", "Add 1.", broken, reference)  # type: ignore[arg-type]
    env = Repair(tasks=TaskSet([task]), trace=True)
    assert seen in env.reset()[0]
    assert env.step(broken.replace("n - 1", "n + 1"))[1] == 1.0


@pytest.mark.parametrize(
    "broken", ["def total(n:\n", "import os\nos._exit(0)", "x = 1", "def total(n):\n    while True:\n        n += 1"]
)
def test_programs_that_cannot_be_traced_are_still_asked_about(broken: str) -> None:
    task = repair_task("total", "Add.", broken, {"format": "calls", "entry_point": "total", "cases": CASES})
    env = Repair(tasks=TaskSet([task]), trace=True)
    env.judge = CodeJudge(limits=Limits(cpu_seconds=0.5, wall_seconds=4.0))
    shown, _ = env.reset()
    assert broken.split("\n")[0] in shown


def test_files_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "broken.jsonl"
    row = {"id": "t", "prompt": "Add 1 to n.", "broken": BROKEN, "reference": TASK.reference}
    file.write_text(json.dumps(row))
    env = make(f"repair?path={file}&trace=true&tries=2")
    shown, _ = env.reset()
    assert "Add 1 to n." in shown
    assert "# (0) n=3" in shown
    del row["broken"]
    file.write_text(json.dumps(row))
    with pytest.raises(UsageError, match="'t' has no field 'broken'"):
        make(f"repair?path={file}")


def test_the_seed_decides() -> None:
    first, again, other = (repair_tasks(size=20, seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest
    with pytest.raises(UsageError, match="size"):
        repair_tasks(size=0)


def test_tasks_of_one_fault_never_share_a_fingerprint() -> None:
    tasks = repair_tasks()
    assert len({task.fingerprint for task in tasks}) == len(tasks)
    assert all(int(str(task.metadata["line"])) > 0 for task in tasks)
