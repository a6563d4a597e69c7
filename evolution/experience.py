"""Experience that lasts: shards of episodes as Parquet files, each written once and whole.

The files open as they are with `datasets.load_dataset("parquet", data_files=...)`, DuckDB and pandas.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from palaestra.agents.episode import Episode
from palaestra.envs.errors import ContractError, RunError, UsageError
from palaestra.envs.task import Json
from palaestra.evolution.durable import dump_json, replacing, sweep
from palaestra.evolution.experience_schema import (
    OLDEST_SCHEMA_VERSION,
    SCHEMA_VERSION,
    from_table,
    read_texts,
    to_table,
)

__all__ = ["ExperienceStore", "Outcomes", "digest_of"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Rows in memory at a time where a shard is streamed.
_BATCH = 256
_VERSION, _DIGEST, _LINEAGE = b"palaestra.schema_version", b"palaestra.digest", b"palaestra.lineage"


def digest_of(episodes: Sequence[Episode]) -> str:
    """32 hex digits over the episodes' digests, in order; wall-clock times are not part of it."""
    return blake2b("".join(episode.digest() for episode in episodes).encode(), digest_size=16).hexdigest()


class Outcomes(NamedTuple):
    """How a shard's episodes ended, without what was said in them; `[N]` each, in the shard's order.

    Attributes:
        ids: Ids of the episodes.
        envs: Specs of their environments.
        tasks: Ids of their tasks.
        groups: Their groups.
        statuses: How they were judged.
        rewards: What each turn was paid.
    """

    ids: list[str]
    envs: list[str]
    tasks: list[str]
    groups: list[str]
    statuses: list[str]
    rewards: list[list[float]]


class ExperienceStore:
    """Shards of episodes in a directory, append-only.

    Any number of processes may read while one writes; that there is but one is up to the caller (a run's lock).

    Args:
        directory: Where the shards lie; made on the first write.
        distinct: Whether no two shards may hold an episode of the same id. Costs about 100 bytes of memory an
            episode. Within a shard ids are always distinct.
    """

    def __init__(self, directory: Path, *, distinct: bool = True) -> None:
        self.directory = directory
        self.distinct = distinct
        self._shard_of: dict[str, str] | None = None

    def write(self, shard: str, episodes: Sequence[Episode], lineage: Mapping[str, Json]) -> Path:
        """Commit episodes; when this returns they outlive the process and the machine's power.

        Writing the same episodes under the same name again changes nothing.

        Args:
            shard: Letters, digits, `.`, `_` and `-`; shards are ordered by name, numbers in it by value.
            episodes: The rows, in order.
            lineage: Where they came from, kept in the file's metadata.

        Returns:
            The file.

        Raises:
            RunError: If the shard exists with other episodes, or another shard holds one of these.
            ContractError: If an episode breaks the types it declares, or two share an id.
            UsageError: If the name is none.
        """
        path, digest = self.path(shard), digest_of(episodes)
        if path.exists():
            if (present := self.digest(shard)) != digest:
                raise RunError(
                    f"{path} already holds other episodes (digest {present}, to be written {digest}); experience is "
                    "never overwritten. Read the shard that is there, or write under another name."
                )
            return path
        self._refuse_known(shard, [episode.id for episode in episodes])
        about = {_VERSION: str(SCHEMA_VERSION), _DIGEST: digest, _LINEAGE: dump_json(lineage)}
        table = to_table(episodes).replace_schema_metadata(about)
        self.directory.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        if self._shard_of is not None:
            self._shard_of.update(dict.fromkeys((episode.id for episode in episodes), shard))
        return path

    def read(self, shard: str) -> list[Episode]:
        """Return a shard's episodes as they were written, digest for digest.

        Raises:
            RunError: If there is no such shard, it is damaged, or a newer version wrote it.
        """
        with self._open(shard) as file:
            about = self._about(file, shard)
            try:
                episodes = from_table(file.read(use_threads=False))
            except (pa.ArrowException, OSError, ValueError, KeyError, ContractError) as error:
                raise self._damaged(shard, str(error)) from error
        if digest_of(episodes) != about[_DIGEST].decode():
            raise self._damaged(shard, "its episodes are not the ones that were written")
        return episodes

    def episodes(self) -> Iterator[Episode]:
        """Iterate over all episodes, shard by shard; one shard at a time is in memory."""
        for shard in self.shards():
            yield from self.read(shard)

    def outcomes(self, shard: str) -> Outcomes:
        """Return how a shard's episodes ended; nothing else of them is read.

        Raises:
            RunError: As `read`.
        """
        columns = ["id", "env", "task", "group", "verdict.status", "turns.list.element.reward"]
        found = Outcomes([], [], [], [], [], [])
        for batch in self._batches(shard, columns):
            found.ids.extend(read_texts(batch["id"]))
            found.envs.extend(read_texts(batch["env"]))
            found.tasks.extend(read_texts(batch["task"]))
            found.groups.extend(read_texts(batch["group"]))
            found.statuses.extend(batch["verdict"].field("status").to_pylist())
            found.rewards.extend([turn["reward"] for turn in turns] for turns in batch["turns"].to_pylist())
        return found

    def stream(self, shard: str, wanted: Callable[[int], bool]) -> Iterator[tuple[int, Episode]]:
        """Yield some of a shard's episodes and where each stands; few are in memory, and the digest is not checked.

        Args:
            shard: Its name.
            wanted: Whether the episode at a place, from 0, is to be read; asked in order, a few hundred places ahead.

        Raises:
            RunError: As `read`.
        """
        begin = 0
        for batch in self._batches(shard, None):
            rows = [row for row in range(begin, begin + batch.num_rows) if wanted(row)]
            if rows:
                chosen = batch.take(pa.array([row - begin for row in rows]))
                yield from zip(rows, from_table(pa.Table.from_batches([chosen])), strict=True)
            begin += batch.num_rows

    def _batches(self, shard: str, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        with self._open(shard) as file:
            self._about(file, shard)
            try:
                yield from file.iter_batches(_BATCH, columns=columns, use_threads=False)
            except (pa.ArrowException, OSError) as error:
                raise self._damaged(shard, str(error)) from error

    def shards(self) -> list[str]:
        """Return the names of all committed shards, in order."""
        names = (path.stem for path in self.directory.glob("*.parquet"))
        return sorted((name for name in names if _NAME.fullmatch(name)), key=_natural)

    def __contains__(self, shard: str) -> bool:
        return self.path(shard).exists()

    def path(self, shard: str) -> Path:
        """Return where a shard lies or would lie."""
        if not _NAME.fullmatch(shard):
            raise UsageError(f"A shard's name is made of letters, digits, '.', '_' and '-', got {shard!r}.")
        return self.directory / f"{shard}.parquet"

    def digest(self, shard: str) -> str:
        """Return the digest that `digest_of` gave when the shard was written."""
        with self._open(shard) as file:
            return self._about(file, shard)[_DIGEST].decode()

    def lineage(self, shard: str) -> dict[str, Any]:
        """Return the lineage that the shard was written with."""
        with self._open(shard) as file:
            lineage: dict[str, Any] = json.loads(self._about(file, shard)[_LINEAGE])
            return lineage

    def sweep(self) -> None:
        """Remove what a kill left half-written; only for the one process that writes."""
        sweep(self.directory)

    def check_ids(self) -> None:
        """Raise `RunError` if two shards of a distinct store hold the same episode."""
        self._shard_of = None
        self._refuse_known("", [])

    def _refuse_known(self, shard: str, ids: list[str]) -> None:
        if len(set(ids)) != len(ids):
            twice = next(id_ for n, id_ in enumerate(ids) if id_ in ids[:n])
            raise ContractError(f"Shard {shard!r}: two episodes have the id {twice!r}; ids must be unique in a run.")
        if not self.distinct:
            return
        if self._shard_of is None:
            shard_of: dict[str, str] = {}
            for name in self.shards():
                with self._open(name) as file:
                    present = read_texts(file.read(columns=["id"], use_threads=False)["id"])
                self._refuse(shard_of, name, present)
                shard_of.update(dict.fromkeys(present, name))
            self._shard_of = shard_of
        self._refuse(self._shard_of, shard, ids)

    def _refuse(self, shard_of: Mapping[str, str], shard: str, ids: list[str]) -> None:
        twice = next((id_ for id_ in ids if id_ in shard_of), None)
        if twice is not None:
            raise RunError(
                f"Episode {twice!r} of shard {shard!r} is already in shard {shard_of[twice]!r} of {self.directory}; "
                "an episode counts once. Give new episodes new ids."
            )

    def _open(self, shard: str) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path(shard))
        except FileNotFoundError:
            raise RunError(
                f"{self.directory} has no shard {shard!r}; it has {len(self.shards())}, see `shards()`."
            ) from None
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(shard, str(error)) from error

    def _about(self, file: pq.ParquetFile, shard: str) -> dict[bytes, bytes]:
        about: dict[bytes, bytes] = file.schema_arrow.metadata or {}
        if not {_VERSION, _DIGEST, _LINEAGE} <= set(about):
            raise RunError(f"{self.path(shard)} was not written by an experience store. Keep other files elsewhere.")
        if not OLDEST_SCHEMA_VERSION <= (version := int(about[_VERSION])) <= SCHEMA_VERSION:
            newer = version > SCHEMA_VERSION
            raise RunError(
                f"{self.path(shard)} has schema version {version} and this version of Palaestra reads "
                f"{OLDEST_SCHEMA_VERSION} to {SCHEMA_VERSION}. "
                f"{'Upgrade Palaestra.' if newer else 'Read it with the Palaestra that wrote it.'}"
            )
        return about

    def _damaged(self, shard: str, problem: str) -> RunError:
        return RunError(
            f"{self.path(shard)} is damaged: {problem}. Shards are only ever written whole, so something else changed "
            "it; restore it from a copy."
        )


def _natural(name: str) -> list[int | str]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
