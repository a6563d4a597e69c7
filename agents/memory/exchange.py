"""Memories as JSONL: one entry a line, in the order in which they were written."""

import json
from pathlib import Path

from palaestra.agents.memory.entry import Entry
from palaestra.agents.memory.memory import Memory
from palaestra.envs.errors import BadRowError, UsageError

__all__ = ["export_entries", "import_entries"]


def export_entries(memory: Memory, path: Path) -> int:
    """Write all entries with their provenance; return how many. Killed meanwhile, a file that was there stays.

    Raises:
        UsageError: If the file cannot be written.
    """
    entries = memory.entries()
    text = "".join(json.dumps(entry.as_json(), ensure_ascii=False) + "\n" for entry in entries)
    try:
        place = path.resolve()  # a link goes on to lead to the file
        if place.exists() and not place.is_file():  # a terminal or a pipe
            place.write_text(text, encoding="utf-8")
        else:
            whole = place.with_name(f".{place.name}.tmp")
            whole.write_text(text, encoding="utf-8")
            whole.replace(place)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    return len(entries)


def import_entries(memory: Memory, path: Path) -> int:
    """Take up the entries of a file, all or none; return how many were new.

    What is there already gets the votes of its copy; what is over the budgets is evicted, as always.

    Raises:
        BadRowError: If a line is no entry.
        UsageError: If the file cannot be read.
    """
    try:
        # Not `splitlines`: a text may hold other signs that end a line.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    entries: list[Entry] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entries.append(Entry.from_json(json.loads(line)))
        except (UsageError, json.JSONDecodeError) as error:
            raise BadRowError(path, number, "", str(error)) from error
    return memory.take(entries)
