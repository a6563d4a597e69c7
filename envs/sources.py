"""Tasks from files and data sets; a bad row is reported with file, line and field."""

import codecs
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from palaestra.envs.errors import BadRowError, UsageError
from palaestra.envs.math.answers import read_number, shown
from palaestra.envs.math.extraction import How, extract
from palaestra.envs.task import Json, Task, TaskSet

__all__ = ["Loaded", "Row", "load_tasks", "question_task", "read_rows"]

_HUB = "datasets:"
_ID_FIELDS = ("task_id", "id")
_PROMPT_FIELDS = ("prompt", "question", "problem")
_ANSWER_FIELDS = ("answer", "reference")

Row: TypeAlias = Mapping[str, Any]


class Loaded(NamedTuple):
    """What a source held.

    Attributes:
        tasks: The tasks, in the order of the source.
        skipped: The rows that are none; empty unless they were to be skipped.
    """

    tasks: TaskSet
    skipped: tuple[BadRowError, ...]


def load_tasks(source: str | Path, *, skip_bad_rows: bool = False) -> Loaded:
    r"""Read tasks from a JSONL or Parquet file or a data set of the `datasets` library.

    A row has a prompt (`prompt`, `question` or `problem`), an answer (`answer` or `reference`) and perhaps an id
    (`task_id` or `id`; else the line number names it). An answer that is a text with `####` in it, as in GSM8K, is a
    worked solution: the number behind the mark becomes the reference and the text is kept as metadata `solution`.
    Without an answer, what stands in the `\boxed{}` of a `solution` is the reference, as in MATH. Other fields are
    kept as metadata, beside `source` and `line`.

    Args:
        source: A `.jsonl` or `.parquet` file; a folder written by `Dataset.save_to_disk`; or
            `datasets:ID` or `datasets:ID:CONFIGURATION`. A data set of several splits wants `#split` at the end.
        skip_bad_rows: Leave out rows that are no task, and report them in `skipped`, instead of raising.

    Raises:
        BadRowError: At the first row that is no task, unless bad rows are skipped.
        UsageError: If the source cannot be read or holds no task.
    """
    where = str(source)
    tasks: dict[str, Task] = {}
    skipped: list[BadRowError] = []
    for line, row in read_rows(where):
        try:
            if isinstance(row, BadRowError):
                raise row
            task = question_task(where, line, row)
            if task.id in tasks:
                first = tasks[task.id].metadata["line"]
                raise BadRowError(where, line, _present(row, _ID_FIELDS), f"line {first} has the id {task.id!r} too.")
        except BadRowError as error:
            if not skip_bad_rows:
                raise
            skipped.append(error)
        else:
            tasks[task.id] = task
    if not tasks:
        reason = f"all {len(skipped)} rows are bad, the first is {skipped[0]}" if skipped else "it is empty"
        raise UsageError(f"{where} holds no task: {reason}")
    return Loaded(TaskSet(tasks.values(), where), tuple(skipped))


def _present(row: Row, fields: Iterable[str]) -> str:
    """Return the first of the fields that the row gives a value, or `""`."""
    return next((field for field in fields if row.get(field) is not None), "")


def question_task(source: str, line: int, row: Row) -> Task:
    """Turn a row with an answer into a task; `source` and `line` say where it came from.

    Raises:
        BadRowError: If it is none.
    """
    row = _with_boxed_answer(row)
    prompt_field, answer_field, id_field = (_present(row, f) for f in (_PROMPT_FIELDS, _ANSWER_FIELDS, _ID_FIELDS))
    if not prompt_field:
        raise BadRowError(source, line, "prompt", f"missing; name it one of {', '.join(_PROMPT_FIELDS)}.")
    if not answer_field:
        raise BadRowError(source, line, "answer", f"missing; name it one of {', '.join(_ANSWER_FIELDS)}.")
    prompt, answer = row[prompt_field], row[answer_field]
    if not isinstance(prompt, str) or not prompt.strip():
        raise BadRowError(source, line, prompt_field, f"expected text, got {shown(repr(prompt))}.")
    if not _is_json(answer) or answer == "":
        raise BadRowError(source, line, answer_field, f"expected text, a number or a list, got {shown(repr(answer))}.")
    name = row[id_field] if id_field else f"{Path(source).stem}/{line}"
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        raise BadRowError(source, line, id_field, f"expected text or a whole number, got {shown(repr(name))}.")
    used = (prompt_field, answer_field, id_field)
    metadata: dict[str, Json] = {k: v for k, v in row.items() if k not in used and v is not None and _is_json(v)}
    reference: Json = answer
    if isinstance(answer, str) and "####" in answer:
        reference = answer.rpartition("####")[2].strip().replace(",", "")
        if read_number(reference) is None:
            raise BadRowError(source, line, answer_field, f"no number follows ####, but {shown(reference)}.")
        metadata["solution"] = answer
    task = Task(str(name), prompt, reference, {**metadata, "source": source, "line": line})
    _require_unicode(source, line, {prompt_field: prompt, answer_field: answer, id_field: name})
    return task


def _with_boxed_answer(row: Row) -> Row:
    """Give a row that has only a worked solution the answer in its box."""
    solution = row.get("solution")
    if _present(row, _ANSWER_FIELDS) or not isinstance(solution, str):
        return row
    found = extract(solution)
    return {**row, "answer": found.text} if found and found.how is How.BOXED else row


def _require_unicode(source: str, line: int, fields: Row) -> None:
    """Refuse half a surrogate pair, which JSON can spell and no file can store."""
    for field, value in fields.items():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise BadRowError(source, line, field, f"not valid Unicode ({error.reason}).") from None


def _is_json(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _is_json(v) for k, v in value.items())
    if isinstance(value, list):
        return all(_is_json(v) for v in value)
    return value is None or isinstance(value, bool | int | float | str)


_Rows: TypeAlias = Iterator[tuple[int, Row | BadRowError]]


def read_rows(source: str) -> _Rows:
    """Yield every row with its one-based line or row number; a line that is no JSON object comes as an error.

    Args:
        source: See `load_tasks`.

    Raises:
        UsageError: If the source cannot be read.
    """
    if source.startswith(_HUB):
        return _hub_rows(source)
    if Path(source).is_file():
        readers = {
            ".jsonl": _jsonl_rows,
            ".jsonl.gz": _jsonl_rows,
            ".ndjson": _jsonl_rows,
            ".parquet": _parquet_rows,
        }
        reader = next((read for end, read in readers.items() if source.lower().endswith(end)), None)
        if reader is None:
            raise UsageError(
                f"{source}: expected a file named .jsonl or .parquet, or .jsonl.gz. Convert it, or rename it."
            )
        return reader(source)
    folder, _, split = source.partition("#")
    if Path(folder).is_dir():
        return _saved_rows(folder, split)
    raise UsageError(
        f"There is no file or folder {source!r} (from {Path.cwd()}). Correct the path; for a data set of the Hugging "
        f"Face hub write {_HUB}ID."
    )


def _jsonl_rows(source: str) -> _Rows:
    with gzip.open(source) if source.lower().endswith(".gz") else Path(source).open("rb") as file:
        try:
            for line, raw in enumerate(file, start=1):
                text = raw.removeprefix(codecs.BOM_UTF8) if line == 1 else raw
                if text.strip():
                    yield line, _parsed(source, line, text)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UsageError(f"{source} cannot be read as a gzip file: {error}") from error


def _parsed(source: str, line: int, raw: bytes) -> Row | BadRowError:
    try:
        row = json.loads(raw.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        return BadRowError(source, line, "", f"byte {error.start + 1} is not UTF-8. Save the file as UTF-8.")
    except json.JSONDecodeError as error:
        return BadRowError(source, line, "", f"not JSON at column {error.colno}: {error.msg}. Write one object a line.")
    except (ValueError, RecursionError) as error:
        return BadRowError(source, line, "", f"not usable JSON ({str(error)[:100]}).")
    if not isinstance(row, dict):
        return BadRowError(source, line, "", f"expected a JSON object, got {shown(repr(row))}.")
    return row


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _parquet_rows(source: str) -> _Rows:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(source) as file:
            line = 0
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    line += 1
                    yield line, row
    except (ArrowException, OSError) as error:
        raise UsageError(f"{source} cannot be read as Parquet: {error}") from error


def _saved_rows(folder: str, split: str) -> _Rows:
    from datasets import load_from_disk

    try:
        data = load_from_disk(folder)
    except FileNotFoundError as error:
        raise UsageError(f"{folder} holds no data set: expected what Dataset.save_to_disk writes.") from error
    return _split_rows(folder, data, split)


def _hub_rows(source: str) -> _Rows:
    from datasets import load_dataset

    name, _, split = source.removeprefix(_HUB).partition("#")
    if Path(name).is_dir():
        return _saved_rows(name, split)
    identifier, _, configuration = name.partition(":")
    try:
        data = load_dataset(identifier, configuration or None)
    except Exception as error:  # the library raises errors of half a dozen libraries below it
        raise UsageError(
            f"The data set {name!r} could not be loaded ({type(error).__name__}: {str(error)[:300]}). "
            f"Check its id, its configuration ({_HUB}ID:CONFIGURATION) and the network."
        ) from error
    return _split_rows(source, data, split)


def _split_rows(source: str, data: Any, split: str) -> _Rows:
    """Yield the rows of a data set, which is a mapping when it has several splits."""
    if isinstance(data, Mapping):
        if not split and len(data) == 1:
            split = next(iter(data))
        if split not in data:
            came = f"no split {split!r}" if split else "several splits"
            raise UsageError(f"{source} has {came}; write {source.partition('#')[0]}#SPLIT with one of {sorted(data)}.")
        data = data[split]
    elif split:
        raise UsageError(f"{source} has no splits; leave out #{split}.")
    return ((line, row) for line, row in enumerate(data, start=1))
