"""Episodes as an Arrow table and back, without loss: one row an episode, its turns a list of structs.

Column by column, so that nothing is converted value by value: the token arrays of all turns are laid end to end with
offsets, which is what Parquet stores, and come back as views of one buffer.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from types import NoneType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import FinishReason
from palaestra.envs.errors import ContractError
from palaestra.envs.verdict import Status, Verdict

__all__ = ["OLDEST_SCHEMA_VERSION", "SCHEMA_VERSION", "from_table", "read_texts", "to_table"]

SCHEMA_VERSION = 3
# 3 has a further reason to finish.
OLDEST_SCHEMA_VERSION = 2

_EPISODE = {
    "id": str,
    "env": str,
    "task": str,
    "fingerprint": str,
    "group": str,
    "attempt": int,
    "seed": int,
    "policy": str,
    "truncated": bool,
    "seconds": float,
}
_TURN = {
    "observation": str,
    "reply": str,
    "action": str,
    "reward": float,
    "continues": bool,
    "policy_seconds": float,
    "env_seconds": float,
}
_TOKENS = {"context_ids": np.int32, "reply_ids": np.int32, "logprobs": np.float32, "versions": np.int32}
_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_STATUSES = {str(status): status for status in Status}
_FINISHES = {str(reason): reason for reason in FinishReason} | {None: None}
# UTF-8 has no lone surrogates, which a server's JSON can smuggle into a reply. They are written as this
# noncharacter and four hex digits, and so is the noncharacter itself.
_ESCAPE = "\ufdd0"


def to_table(episodes: Sequence[Episode]) -> pa.Table:
    """Return one row an episode.

    Raises:
        ContractError: If a field has another type than `Episode` and `Turn` declare, or a float is not finite.
    """
    columns = {name: _scalars(episodes, name, kind) for name, kind in _EPISODE.items()}
    columns["verdict"] = _verdicts([episode.verdict for episode in episodes])
    turns = [turn for episode in episodes for turn in episode.turns]
    columns["turns"] = _lists([len(episode.turns) for episode in episodes], _turns(turns))
    return pa.table(columns)


def _turns(turns: Sequence[Turn]) -> pa.StructArray:
    columns = {name: _scalars(turns, name, kind) for name, kind in _TURN.items()}
    columns["verdict"] = _verdicts([turn.verdict for turn in turns])
    columns["finish"] = _enums(turns, "finish", {FinishReason, NoneType})
    for name, dtype in _TOKENS.items():
        arrays = list(map(attrgetter(name), turns))
        flat = np.concatenate(arrays) if arrays else np.zeros(0, dtype)
        if flat.dtype != dtype or flat.ndim != 1:
            raise ContractError(f"Turn.{name} must be [T] {dtype.__name__}, got {flat.ndim}-d {flat.dtype}.")
        _check_finite(name, flat)
        columns[name] = _lists(list(map(len, arrays)), pa.array(flat))
    return pa.StructArray.from_arrays(list(columns.values()), names=list(columns))


def _lists(lengths: Sequence[int], flat: pa.Array) -> pa.ListArray:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), flat)


def _verdicts(verdicts: Sequence[Verdict | None]) -> pa.StructArray:
    given = [verdict for verdict in verdicts if verdict is not None]
    columns = {
        "reward": _scalars(given, "reward", float),
        "status": _enums(given, "status", {Status}),
        "detail": _scalars(given, "detail", str),
    }
    structs = pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
    if len(given) == len(verdicts):
        return structs
    present = np.array([verdict is not None for verdict in verdicts])
    return structs.take(pa.array(np.cumsum(present) - 1, mask=~present))


def _scalars(records: Sequence[Any], name: str, kind: type) -> pa.Array:
    values = list(map(attrgetter(name), records))
    _check_types(name, values, {kind})
    if kind is str:
        return pa.array(_escaped(values), pa.string())
    if kind is float:
        _check_finite(name, np.array(values, np.float64))
    try:
        return pa.array(values, _ARROW[kind])
    except (OverflowError, pa.ArrowInvalid) as error:
        raise ContractError(f"{name} must fit in 64 bits with a sign: {error}") from error


def _enums(records: Sequence[Any], name: str, kinds: set[type]) -> pa.Array:
    values = list(map(attrgetter(name), records))
    _check_types(name, values, kinds)
    return pa.array([None if value is None else value.value for value in values], pa.string())


def _check_types(name: str, values: Iterable[object], kinds: set[type]) -> None:
    odd = set(map(type, values)) - kinds
    if odd:
        # A NumPy scalar would come back as a Python one: equal, but an episode of another digest.
        raise ContractError(
            f"{name} must be {' or '.join(sorted(kind.__name__ for kind in kinds))}, got "
            f"{', '.join(sorted(f'{kind.__module__}.{kind.__name__}' for kind in odd))}. Convert it where the episode "
            "is made."
        )


def _check_finite(name: str, values: NDArray[Any]) -> None:
    if not np.isfinite(values).all():
        odd = values[~np.isfinite(values)][0]
        raise ContractError(f"{name} must be finite, got {odd}. Nothing can be learned from such an episode.")


def _escaped(texts: list[str]) -> list[str]:
    try:
        whole = "".join(texts)
        whole.encode()
        clean = _ESCAPE not in whole
    except UnicodeEncodeError:
        clean = False
    return texts if clean else ["".join(map(_escape, text)) for text in texts]


def _escape(char: str) -> str:
    return f"{_ESCAPE}{ord(char):04x}" if char == _ESCAPE or "\ud800" <= char <= "\udfff" else char


def read_texts(column: pa.Array | pa.ChunkedArray) -> list[str]:
    """Return the texts of a column as they were before they were written."""
    return [text if _ESCAPE not in text else _unescaped(text) for text in column.to_pylist()]


def _unescaped(text: str) -> str:
    head, *parts = text.split(_ESCAPE)
    return head + "".join(chr(int(part[:4], 16)) + part[4:] for part in parts)


def from_table(table: pa.Table) -> list[Episode]:
    """Return the episodes of a table; their token arrays are read-only views."""
    columns = {name: _read_scalars(table[name], kind) for name, kind in _EPISODE.items()}
    columns["verdict"] = _read_verdicts(table["verdict"].combine_chunks())
    lists = table["turns"].combine_chunks()
    turns = _read_turns(lists.values)
    columns["turns"] = [tuple(turns[begin:end]) for begin, end in _spans(lists)]
    return [Episode(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def _read_turns(structs: pa.StructArray) -> list[Turn]:
    columns: dict[str, list[Any]] = {name: _read_scalars(structs.field(name), kind) for name, kind in _TURN.items()}
    columns["verdict"] = _read_verdicts(structs.field("verdict"))
    columns["finish"] = [_FINISHES[finish] for finish in structs.field("finish").to_pylist()]
    for name in _TOKENS:
        lists = structs.field(name)
        flat = lists.values.to_numpy()
        columns[name] = [flat[begin:end] for begin, end in _spans(lists)]
    return [Turn(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def _read_verdicts(structs: pa.StructArray) -> list[Verdict | None]:
    rewards, statuses, details = (structs.field(name) for name in ("reward", "status", "detail"))
    rows = zip(
        structs.is_valid().to_pylist(), rewards.to_pylist(), statuses.to_pylist(), details.to_pylist(), strict=True
    )
    return [
        Verdict(reward, _STATUSES[status], _unescaped(detail)) if valid else None
        for valid, reward, status, detail in rows
    ]


def _read_scalars(column: pa.Array | pa.ChunkedArray, kind: type) -> list[Any]:
    return read_texts(column) if kind is str else column.to_pylist()


def _spans(lists: pa.ListArray) -> Iterable[tuple[int, int]]:
    offsets = lists.offsets.to_pylist()
    return pairwise(offsets)
