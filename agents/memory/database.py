"""The file of a memory: its tables, and how it is opened."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from palaestra.agents.memory.entry import Entry, Kind, Provenance
from palaestra.envs.errors import UsageError

__all__ = ["COLUMNS", "entry_of", "open_database"]

_FORMAT = 1
_SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, text TEXT NOT NULL, key TEXT NOT NULL,
    votes INTEGER NOT NULL, tokens INTEGER NOT NULL, run TEXT NOT NULL, step INTEGER NOT NULL, episode TEXT NOT NULL,
    author TEXT NOT NULL, data TEXT NOT NULL, UNIQUE (kind, text));
CREATE TABLE vectors (
    entry INTEGER NOT NULL, encoder TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (entry, encoder));
CREATE VIRTUAL TABLE words USING fts5(text, key);
"""
COLUMNS = "id, kind, text, key, votes, tokens, run, step, episode, author, data"
# Others may be writing; a write takes milliseconds.
_WAIT_SECONDS = 30.0


def entry_of(row: Any) -> Entry:
    """Return the entry of a row of `COLUMNS`."""
    number, kind, text, key, votes, tokens, run, step, episode, author, data = row
    origin = Provenance(run, step, episode, author)
    return Entry(Kind(kind), text, key, votes, tokens, origin, json.loads(data), number)


def open_database(path: Path | None, read_only: bool) -> sqlite3.Connection:
    """Open a database; a new one is given its tables.

    Args:
        path: The file; None is one in this process alone.
        read_only: Whether nothing may be changed.

    Raises:
        UsageError: If the file is no memory, or one of a newer version.
    """
    if path is not None and read_only and not path.is_file():
        raise UsageError(f"There is no memory at {path}.")
    where = ":memory:" if path is None else path.resolve().as_uri() + ("?mode=rw" if read_only else "?mode=rwc")
    try:
        # Transactions are begun by `_change` alone; the lock lets threads take turns.
        database = sqlite3.connect(
            where, uri=path is not None, isolation_level=None, check_same_thread=False, timeout=_WAIT_SECONDS
        )
        database.execute("PRAGMA synchronous = FULL")
        if read_only:  # Not opened so: who reads must be able to take back what a killed writer left half-done.
            database.execute("PRAGMA query_only = ON")
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        if version == 0 and not read_only:
            _founded(database, path)
            version = _FORMAT
    except sqlite3.Error as error:
        raise UsageError(
            f"{path} cannot be used as a memory: {error}. Give the path of one, or of a new file."
        ) from error
    if version != _FORMAT:
        database.close()
        newer = "of a newer version; upgrade Palaestra" if version > _FORMAT else "no memory that Palaestra wrote"
        raise UsageError(f"{path} is {newer}. This version reads format {_FORMAT}, and found {version}.")
    return database


def _founded(database: sqlite3.Connection, path: Path | None) -> None:
    database.execute("BEGIN IMMEDIATE")
    # Another process may have been faster.
    if int(database.execute("PRAGMA user_version").fetchone()[0]) == 0:
        if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            database.execute("ROLLBACK")
            raise UsageError(f"{path} is a database of something else. Give the path of a memory, or of a new file.")
        for statement in filter(str.strip, _SCHEMA.split(";")):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_FORMAT}")
    database.execute("COMMIT")
