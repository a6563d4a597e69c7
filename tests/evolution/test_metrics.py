import json
import math
from pathlib import Path

import pytest
from lived import events
from palaestra.envs.errors import RunError, UsageError
from palaestra.evolution.durable import RowLog
from palaestra.evolution.metrics import Metrics


def test_a_row_a_phase_and_step(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    assert metrics.rows() == []
    metrics.log(1, "train", {"loss": 0.5, "count": 3})
    metrics.log(1, "evaluate/palaestra/Sums-v0", {"accuracy": 0.25})
    metrics.close()
    first, second = metrics.rows()
    assert (first["step"], first["phase"], first["loss"], first["count"]) == (1, "train", 0.5, 3.0)
    assert second["accuracy"] == 0.25
    assert isinstance(first["time"], float)
    assert events(tmp_path, "train/loss") == [(1, 0.5)]
    assert events(tmp_path, "evaluate/palaestra/Sums-v0/accuracy") == [(1, 0.25)]


def test_what_is_no_number_stays_json(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    metrics.log(1, "train", {"nan": math.nan, "inf": -math.inf, "fine": 1.0})
    metrics.close()
    text = (tmp_path / "metrics.jsonl").read_text()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    row = json.loads(text, parse_constant=refuse)
    assert (row["nan"], row["inf"], row["fine"]) == (None, None, 1.0)


def test_own_fields_are_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'step'"):
        Metrics(tmp_path).log(1, "train", {"step": 2.0})
    assert not (tmp_path / "metrics.jsonl").exists()


def test_a_replay_writes_the_same_steps_again(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    for step in (0, 1, 2):
        metrics.log(step, "train", {"loss": float(step)})
    metrics.sync()
    length = metrics.length
    metrics.log(3, "train", {"loss": -1.0})
    metrics.log(4, "train", {"loss": -1.0})
    metrics.close()

    again = Metrics(tmp_path)
    again.cut(length)
    assert [row["step"] for row in again.rows()] == [0, 1, 2]
    again.log(3, "train", {"loss": 3.0})
    again.close()
    assert [row["loss"] for row in again.rows()] == [0.0, 1.0, 2.0, 3.0]
    assert events(tmp_path, "train/loss") == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_replay_from_nothing_doubles_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        metrics = Metrics(tmp_path)
        metrics.cut(0)
        metrics.log(0, "train", {"loss": 0.0})
        metrics.close()
    assert [row["step"] for row in metrics.rows()] == [0]
    assert events(tmp_path, "train/loss") == [(0, 0.0)]


def test_synced_events_are_with_the_system(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    metrics.log(1, "train", {f"figure {n}": 1.0 for n in range(500)})
    metrics.sync()
    assert events(tmp_path, "train/figure 499") == [(1, 1.0)]
    metrics.close()


def test_a_torn_row_is_skipped_and_then_cut(tmp_path: Path) -> None:
    log = RowLog(tmp_path / "log.jsonl")
    log.append({"step": 1})
    log.close()
    with log.path.open("ab") as file:
        file.write(b'{"step": 2, "lo')
    assert log.rows() == [{"step": 1}]
    assert log.length == len(b'{"step": 1}\n')
    log.append({"step": 3})
    assert log.rows() == [{"step": 1}, {"step": 3}]
    log.cut(10**6)  # longer than it is: nothing to drop
    assert log.rows() == [{"step": 1}, {"step": 3}]


def test_a_damaged_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n[]\n{"step": 3}\n')
    with pytest.raises(RunError, match="line 2 is damaged"):
        RowLog(path).rows()
