"""Unit costs of one device, and the work that is asked of it; both measured here or written by hand, kept as TOML."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["UnitCosts", "Workload", "read_plan", "write_plan"]


@dataclass(frozen=True)
class UnitCosts:
    """What one device takes for one unit of each kind of work, in seconds unless the name says bytes.

    Attributes:
        name: Of the device and the model.
        decode_step: One more token for every row of a batch, the part that does not depend on how many rows there are.
        decode_token: The same, for each row.
        cache_token: The same, for each token that stands before a row's.
        crowded: Rows whose reply has ended stay in the batch until at most this share goes on; 1: they leave at once.
        prefill: Reading a batch of contexts, whatever is in it.
        prefill_token: Reading one token of a context.
        caches_prefixes: Whether later turns of an episode read only what is new.
        episode: Everything else about an episode but judging: prompts, records, grouping.
        step: Everything else about a turn of the loop: shard, lineage, figures.
        train_step: One optimiser step, whatever is in it.
        train_token: One token through the model and back.
        train_pair: The same, for each token that stands in its row: what every token is compared with.
        sync_byte: Giving a sampler one byte of new weights.
        reduce_byte: Adding up one byte of gradients between two trainers.
        overlap: Share of the shorter of sampling and learning that goes on beside the longer where one device does
            both: 0 one after the other, 1 as if each had a device.
        weight_bytes: Of the weights that sample.
        trained: Weights that are trained.
        cache_bytes: Of the cache, for each token of a context.
        memory_bytes: Of the device; 0 where it is not known.
    """

    name: str
    decode_step: float
    decode_token: float
    prefill: float
    prefill_token: float
    train_step: float
    train_token: float
    train_pair: float = 0.0
    cache_token: float = 0.0
    crowded: float = 1.0
    caches_prefixes: bool = False
    episode: float = 0.0
    step: float = 0.0
    sync_byte: float = 0.0
    reduce_byte: float = 0.0
    overlap: float = 0.0
    weight_bytes: float = 0.0
    trained: float = 0.0
    cache_bytes: float = 0.0
    memory_bytes: float = 0.0

    def __post_init__(self) -> None:
        _refuse_negative(self)
        if self.overlap > 1:
            raise UsageError(f"overlap must be a share from 0 to 1, got {self.overlap}.")


@dataclass(frozen=True)
class Workload:
    """What one step of a recipe asks for.

    Attributes:
        groups: Groups that are wanted.
        attempts: Episodes of a group.
        rounds: Most rounds of sampling, see `SampleGroups`.
        uniform: Share of the groups whose attempts all earn the same and teach nothing.
        prompt: Tokens before the first reply, mean.
        reply: Tokens of a reply, mean.
        reply_sigma: Standard deviation of the logarithm of a reply's length: 0 all alike, 1 a long tail.
        reply_limit: Most tokens of a reply.
        turns: Replies of an episode, mean.
        observation: Tokens of what a world answers between two replies, mean.
        judge: Seconds a world takes for a reply, mean.
        judge_sigma: Standard deviation of their logarithm.
        judge_inline: Whether worlds answer on the sampler's own thread (instant ones do), or beside it.
        judge_workers: How many replies may be judged at a time, on one host.
        in_flight: Most episodes alive at a time on one sampler.
        optimiser_steps: Optimiser steps of an update.
        epochs: Passes over its rows.
    """

    groups: int = 32
    attempts: int = 8
    rounds: int = 1
    uniform: float = 0.0
    prompt: float = 100.0
    reply: float = 64.0
    reply_sigma: float = 0.5
    reply_limit: int = 64
    turns: float = 1.0
    observation: float = 0.0
    judge: float = 0.0
    judge_sigma: float = 0.0
    judge_inline: bool = True
    judge_workers: int = 32
    in_flight: int = 512
    optimiser_steps: int = 1
    epochs: int = 1

    def __post_init__(self) -> None:
        _refuse_negative(self)
        for name in ("groups", "attempts", "rounds", "judge_workers", "in_flight", "turns", "reply"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} of a workload must be at least 1, got {getattr(self, name)}.")
        if self.uniform >= 1:
            raise UsageError(f"uniform must be a share below 1, got {self.uniform}: nothing would ever be learned.")


def _refuse_negative(part: UnitCosts | Workload) -> None:
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, (int, float)) and not 0 <= value < float("inf"):
            raise UsageError(f"{field.name} must be finite and not negative, got {value}.")


def write_plan(path: Path, costs: UnitCosts, work: Workload) -> None:
    """Write both as TOML, to be read again, and to be changed by hand."""
    tables = (("costs", costs), ("workload", work))
    lines = [f"[{name}]\n" + "\n".join(_line(k, v) for k, v in asdict(part).items()) for name, part in tables]
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def _line(key: str, value: object) -> str:
    return f"{key} = {json.dumps(value)}"  # which TOML reads alike


def read_plan(path: Path) -> tuple[UnitCosts, Workload]:
    """Read what `write_plan` wrote.

    Raises:
        UsageError: If the file cannot be read, something is missing, or of another type.
        UnknownNameError: If it says more than there is.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}. `palaestra plan --save {path}` writes it."
        ) from error
    except ValueError as error:
        raise UsageError(f"{path} is no TOML: {error}.") from error
    return _built(UnitCosts, "costs", said, path), _built(Workload, "workload", said, path)


def _built(kind: type[Any], table: str, said: Mapping[str, Any], path: Path) -> Any:
    known, values = get_type_hints(kind), said.get(table, {})
    if not isinstance(values, Mapping):
        raise UsageError(f"{path}: [{table}] must be a table, got {values!r}.")
    for key, value in values.items():
        if key not in known:
            raise UnknownNameError(f"{kind.__name__} entry", key, known, f"It stands in {path}.")
        if type(value) is not known[key] and (known[key], type(value)) != (float, int):
            came, wanted = type(value).__name__, known[key].__name__
            raise UsageError(f"{path}: {key} must be {wanted}, got {came} {value!r}.")
    try:
        return kind(**values)
    except TypeError as error:
        raise UsageError(f"{path}: {error}. Expected {', '.join(known)}.") from error
