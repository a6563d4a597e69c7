"""Judging on a real cluster: the verdicts of one process, in the same order, whoever is lost meanwhile."""

import json
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from local_cluster import local_cluster
from palaestra.agents.spread.cluster import connect, load_ray
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.cli import main
from palaestra.evolution.evaluation import spread_judging
from palaestra.evolution.evaluation.judging import Judged, Judgement, Reply

TASKS: list[dict[str, Any]] = [
    {"task_id": 7, "text": "Write double.", "test_list": ["assert double(1) == 2", "assert double(2) == 4"]},
    {"task_id": "sum", "prompt": "1/4 + 1/4?", "answer": "1/2"},
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with local_cluster(2) as cluster:
        connect(cluster.address)
        yield cluster


def judge(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["judge", *map(str, arguments)])
    return end.value.code if isinstance(end.value.code, int) else 0


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def verdicts(path: Path) -> list[dict[str, Any]]:
    return [{**json.loads(line), "seconds": 0} for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_verdicts_are_those_of_one_process_though_whoever_judges_is_killed(
    tmp_path: Path, cluster: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    tasks, said = written(tmp_path / "tasks.jsonl", TASKS), []
    for number in range(200):
        wait = "    import time\n    time.sleep(0.02)\n"
        said.append({"task_id": 7, "completion": f"def double(x):\n{wait}    return x * {1 + number % 3}"})
        said.append({"task_id": "sum", "completion": f"It is {1 + number % 2}/2."})
    replies = written(tmp_path / "replies.jsonl", said)
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    common = ("--tasks", tasks, "--replies", replies, "--json")
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            judging = [p for p in psutil.process_iter(["name", "cmdline"]) if "_judge_chunk" in str(p.info["cmdline"])]
            if judging and there.exists() and len(there.read_text().splitlines()) > 40:
                os.kill(judging[0].pid, signal.SIGKILL)
                killed.append(judging[0].pid)
            time.sleep(0.01)

    threading.Thread(target=kill, daemon=True).start()
    assert judge(*common, there, "--executor", f"ray?address={cluster.address}") == 0
    assert killed
    assert judge(*common, here) == 0
    assert verdicts(there) == verdicts(here)
    assert len(verdicts(there)) == 400
    assert {row["status"] for row in verdicts(there)} == {"correct", "wrong"}


@pytest.mark.slow
def test_a_reply_that_kills_whoever_judges_it_is_no_reward_and_takes_no_other_with_it(cluster: Any) -> None:
    def deadly(chunk: list[Reply]) -> bytes:
        if any(reply.text == "deadly" for reply in chunk):
            os.kill(os.getpid(), signal.SIGKILL)
        right = Judgement(Verdict(1.0, Status.CORRECT), 0.0)
        return pickle.dumps([Judged(reply.line, reply.task.id, right) for reply in chunk])

    task = load_ray().remote(deadly).options(num_cpus=0.5, max_retries=1)
    said = [Reply(line, Task("t", "?"), "deadly" if line == 40 else "fine") for line in range(1, 101)]
    found = list(spread_judging._in_order(iter(said), task.remote, 4))
    assert [judged.line for judged in found] == list(range(1, 101))
    (lost,) = [judged for judged in found if not judged.judgement.verdict.valid]
    assert lost.line == 40
    assert lost.judgement.verdict.status is Status.INFRASTRUCTURE
    assert "was lost" in lost.judgement.verdict.detail


def test_replies_are_cut_into_chunks_that_are_neither_long_nor_heavy() -> None:
    said = [Reply(line, Task("t", "?"), "x" * (3_000_000 if line == 5 else 1)) for line in range(1, 101)]
    chunks = list(spread_judging._chunks(iter(said)))
    assert [reply for chunk in chunks for reply in chunk] == said
    assert max(map(len, chunks)) == 32
    heavy = [Reply(line, Task("t", "?"), "x" * 3_000_000) for line in range(4)]
    assert [len(chunk) for chunk in spread_judging._chunks(iter(heavy))] == [2, 2]


def test_options_that_mean_nothing_to_judges(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tasks, replies = written(tmp_path / "t.jsonl", TASKS), written(tmp_path / "r.jsonl", [])
    for spec, told in [("ray?batch=3", "Known: address, cpus"), ("roy", "Did you mean 'ray'")]:
        assert judge("--tasks", tasks, "--replies", replies, "--executor", spec) == 2
        assert told in capfd.readouterr().err
