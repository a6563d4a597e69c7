"""Task files and data sets, good and bad."""

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from palaestra.envs.errors import BadRowError, UsageError
from palaestra.envs.sources import load_tasks
from palaestra.envs.task import Task
from pyarrow import parquet

GOOD = {"id": "a", "prompt": "2 + 3?", "answer": 5, "level": 1}


def jsonl(folder: Path, *lines: object) -> Path:
    path = folder / "tasks.jsonl"
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(raw))
    return path


def only(path: Path | str) -> Task:
    loaded = load_tasks(path)
    assert len(loaded.tasks) == 1
    assert loaded.skipped == ()
    return next(iter(loaded.tasks))


def test_a_row_becomes_a_task(tmp_path: Path) -> None:
    path = jsonl(tmp_path, GOOD)
    assert only(path) == Task("a", "2 + 3?", 5, {"level": 1, "source": str(path), "line": 1})


@pytest.mark.parametrize("prompt", ["prompt", "question", "problem"])
@pytest.mark.parametrize("answer", ["answer", "reference"])
@pytest.mark.parametrize("name", ["task_id", "id"])
def test_fields_have_several_names(tmp_path: Path, prompt: str, answer: str, name: str) -> None:
    task = only(jsonl(tmp_path, {name: 7, prompt: "p", answer: [1, 2]}))
    assert (task.id, task.prompt, task.reference) == ("7", "p", [1, 2])


def test_gsm8k_rows(tmp_path: Path) -> None:
    worked = "She sold 48/2 = 24.\nTogether 48+24 = 72.\n#### 1,072"
    task = only(jsonl(tmp_path, {"question": "How many?", "answer": worked}))
    assert (task.id, task.reference) == ("tasks/1", "1072")
    assert task.metadata["solution"] == worked


def test_math_rows(tmp_path: Path) -> None:
    worked = r"First \boxed{2}, no: \[x = \boxed{\frac{1}{2}}.\]"
    task = only(jsonl(tmp_path, {"problem": "Find $x$.", "solution": worked, "level": "Level 2"}))
    assert task.reference == r"\frac{1}{2}"
    assert task.metadata["solution"] == worked
    assert only(jsonl(tmp_path, {"problem": "p", "solution": worked, "answer": "7"})).reference == "7"


def test_a_byte_order_mark_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    path = jsonl(tmp_path, b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), b"", b"  ", {**GOOD, "id": "b"})
    assert [task.metadata["line"] for task in load_tasks(path).tasks] == [1, 4]


BAD: list[tuple[object, str, str]] = [
    (b"{", "", "not JSON at column"),
    (b"[1]", "", "JSON object"),
    (b'{"prompt": "caf\xe9", "answer": 1}', "", "byte 16 is not UTF-8"),
    (b'{"prompt": "p", "answer": NaN}', "", "NaN"),
    (b'{"prompt": "p", "answer": ' + b"9" * 5_000 + b"}", "", "not usable"),
    (b"[" * 100_000, "", "not usable"),
    ({"answer": 1}, "prompt", "prompt, question, problem"),
    ({"prompt": None, "answer": 1}, "prompt", "missing"),
    ({"prompt": 5, "answer": 1}, "prompt", "expected text, got '5'"),
    ({"question": " ", "answer": 1}, "question", "expected text"),
    ({"prompt": "p"}, "answer", "answer, reference"),
    ({"prompt": "p", "reference": ""}, "reference", "expected text"),
    ({"prompt": "p", "answer": "so\n#### many"}, "answer", "no number follows ####"),
    ({"prompt": "p", "answer": 1, "id": [1]}, "id", "whole number"),
    ({"prompt": "p", "answer": 1, "task_id": ""}, "task_id", "whole number"),
    ({"prompt": "\ud800", "answer": 1}, "prompt", "Unicode"),
    ({"prompt": "p", "answer": {"x": "\ud800"}}, "answer", "Unicode"),
    ({"prompt": "other", "answer": 1, "id": "a"}, "id", "line 1 has the id 'a'"),
]


@pytest.mark.parametrize(("row", "field", "words"), BAD)
def test_a_bad_row_is_named_or_skipped(tmp_path: Path, row: object, field: str, words: str) -> None:
    path = jsonl(tmp_path, GOOD, row, {**GOOD, "id": "c"})
    with pytest.raises(BadRowError, match="line 2") as caught:
        load_tasks(path)
    assert (caught.value.source, caught.value.line, caught.value.field) == (str(path), 2, field)
    assert words in str(caught.value)
    tasks, skipped = load_tasks(path, skip_bad_rows=True)
    assert [task.id for task in tasks] == ["a", "c"]
    assert [(error.line, error.field) for error in skipped] == [(2, field)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = jsonl(tmp_path, content)
    with pytest.raises(UsageError):
        load_tasks(path)


def test_nothing_to_load_is_an_error(tmp_path: Path) -> None:
    empty = jsonl(tmp_path)
    with pytest.raises(UsageError, match="holds no task: it is empty"):
        load_tasks(empty)
    with pytest.raises(UsageError, match=r"all 2 rows are bad, the first is .*line 1"):
        load_tasks(jsonl(tmp_path, b"{", b"{"), skip_bad_rows=True)
    with pytest.raises(UsageError, match=r"no file or folder '.*absent\.jsonl'"):
        load_tasks(tmp_path / "absent.jsonl")
    other = tmp_path / "tasks.csv"
    other.write_text("a,b")
    with pytest.raises(UsageError, match=r"\.jsonl or \.parquet"):
        load_tasks(other)


def test_parquet(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"question": "p", "answer": "1 #### 5", "raw": b"\x00"},
        {"question": None, "answer": "6", "raw": None},
    ]
    path = tmp_path / "tasks.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(BadRowError, match="line 2, field 'prompt'"):
        load_tasks(path)
    tasks, skipped = load_tasks(path, skip_bad_rows=True)
    assert [(t.id, t.reference) for t in tasks] == [("tasks/1", "5")]
    # Bytes are no JSON, so they are not kept.
    assert "raw" not in next(iter(tasks)).metadata
    assert len(skipped) == 1
    path.write_bytes(b"PAR1 no")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        load_tasks(path)


def test_saved_data_sets(tmp_path: Path) -> None:
    train = datasets.Dataset.from_list([{"question": f"{i}?", "answer": f"#### {i}"} for i in range(3)])
    train.save_to_disk(tmp_path / "one")
    assert [t.reference for t in load_tasks(tmp_path / "one").tasks] == ["0", "1", "2"]
    assert load_tasks(f"datasets:{tmp_path / 'one'}").tasks[0].prompt == "0?"
    with pytest.raises(UsageError, match="no splits"):
        load_tasks(f"{tmp_path / 'one'}#test")
    datasets.DatasetDict({"train": train, "test": train.select([2])}).save_to_disk(tmp_path / "two")
    assert [t.reference for t in load_tasks(f"{tmp_path / 'two'}#test").tasks] == ["2"]
    with pytest.raises(UsageError, match=r"several splits; .*#SPLIT .*\['test', 'train'\]"):
        load_tasks(tmp_path / "two")
    with pytest.raises(UsageError, match="no split 'dev'"):
        load_tasks(f"{tmp_path / 'two'}#dev")
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="save_to_disk"):
        load_tasks(tmp_path / "none")


def test_a_data_set_that_cannot_be_loaded_says_what_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="Check its id"):
        load_tasks("datasets:palaestra-tests/no-such-set:main#test")
