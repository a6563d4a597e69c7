"""What an agent was told, version by version: where each came from, what it was measured at, and what it says.

Versions are facts: each is read once, whatever comes after it. What two of them share is written once.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Entry, Kind
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Json
from palaestra.evolution.report.account.encode import cut
from palaestra.evolution.report.page import compact_json

__all__ = ["Told", "context_facts", "versions_of"]

# Of the 95 % interval of a mean.
_DEVIATIONS = 1.96
_MOST_VERSIONS = 64
# What an entry takes besides its words.
_ENTRY_BYTES = 40
# In the order of importance in which they are told.
_KINDS = (Kind.INSIGHT, Kind.SKILL, Kind.EPISODE)


def context_facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page tells of one step's lineage of contexts.

    Args:
        row: As the learner recorded it.

    Returns:
        `before` and `after`, digests; where something was proposed `proposed`, `accepted` and `measured`; where the run
        looked back `looked_back` with `to`, `rolled_back` and `measured`. What was measured is `tasks`, mean rewards
        `before` and `after`, and `gain`, `[value, low, high]`.
    """
    facts: dict[str, Any] = {"before": row.get("before"), "after": row.get("after")}
    if "proposed" in row:
        facts |= {"proposed": row["proposed"], "accepted": bool(row.get("accepted"))}
        facts["measured"] = _measured(row.get("validation") or {})
    if back := row.get("looked_back"):
        facts["looked_back"] = {"to": back.get("to"), "rolled_back": bool(back.get("rolled_back"))}
        facts["looked_back"]["measured"] = _measured(back)
    return facts


def _measured(found: Mapping[str, Any]) -> dict[str, Any]:
    before, after, deviation = (found.get(name) for name in ("before", "after", "deviation"))
    gain: list[float | None] = [None, None, None]
    if before is not None and after is not None:
        # Of a single task nothing is known of the spread.
        half = None if deviation is None or deviation == float("inf") else _DEVIATIONS * deviation
        change = after - before
        gain = [change, None if half is None else change - half, None if half is None else change + half]
    return {"tasks": found.get("tasks", 0), "before": before, "after": after, "gain": gain}


def versions_of(steps: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the versions that were told, in order.

    Args:
        steps: Of the lineage, in order, with `context` as `context_facts` tells it.

    Returns:
        For each `digest`, `number`, the `step` at which it was accepted (0 for the first), `parent`, the digest it was
        proposed against, what was `measured` then, and `rolled_back`, the step at which it gave way, both None where
        that never was.
    """
    found: dict[str, dict[str, Any]] = {}
    for step in steps:
        context = step.get("context")
        if context is None:
            continue
        parent = context["before"]
        if not found:
            found[parent] = _version(parent, step["before"], 0, None, None)
        if (back := context.get("looked_back")) and back["rolled_back"]:
            if parent in found:
                found[parent]["rolled_back"] = step["step"]
            parent = back["to"]
        if context.get("accepted") and context["proposed"] not in found:
            digest = context["proposed"]
            found[digest] = _version(digest, step["after"], step["step"], parent, context["measured"])
    return list(found.values())


def _size(value: Json) -> int:
    """Return the bytes that a value takes in a page, where a "<" takes six."""
    text = compact_json(value)
    return len(text.encode()) + 5 * text.count("<")


def _version(digest: str, number: int, step: int, parent: str | None, measured: Any) -> dict[str, Any]:
    origin = {"digest": digest, "number": number, "step": step, "parent": parent}
    return {**origin, "measured": measured, "rolled_back": None}


class _Text(NamedTuple):
    """What one version says: its instructions, how much is recalled, its entries, and how many of them are left out."""

    instructions: str
    recall: dict[str, int]
    entries: tuple[Entry, ...]
    left_out: int


class Told:
    """The versions of one run that a page holds: the first, and every k-th counted back from the last.

    Args:
        budget: Most bytes of what they say.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._read: dict[str, _Text | None] = {}

    def told(self, steps: Sequence[Mapping[str, Any]], place: Path) -> dict[str, Any] | None:
        """Return the versions; None where nobody learned in context.

        Args:
            steps: See `versions_of`.
            place: Where the versions lie, each by its digest.

        Returns:
            `of`, how many there were; `every`, the k; `texts`, and `versions`, each as `versions_of` tells it and with
            `instructions` (a place in `texts`), `recall`, `entries` (`[id, kind, text, key, votes, step]`, where text
            and key are places in `texts` and kind is `insight`, `skill` or `episode`) and `left_out`, how many more
            entries there are; without these where its files are gone.
        """
        versions = versions_of(steps)
        if not versions:
            return None
        every = 1
        while len(versions) > every * _MOST_VERSIONS:
            every *= 2
        while True:
            held = self._held(versions, every, place)
            if _size(held) <= self._budget or every >= len(versions):
                return held
            every *= 2

    def _held(self, versions: Sequence[dict[str, Any]], every: int, place: Path) -> dict[str, Any]:
        chosen = sorted({*range(len(versions))[::-1][::every], 0})
        texts: dict[str, int] = {}
        held = [versions[at] | self._says(versions[at]["digest"], place, texts) for at in chosen]
        return {"of": len(versions), "every": every, "texts": list(texts), "versions": held}

    def _says(self, digest: str, place: Path, texts: dict[str, int]) -> dict[str, Any]:
        if digest not in self._read:
            self._read[digest] = self._load(place / digest)
        text = self._read[digest]
        if text is None:
            return {}

        def put(said: str) -> int:
            return texts.setdefault(said, len(texts))

        return {
            "instructions": put(text.instructions),
            "recall": text.recall,
            "entries": [
                [e.id, e.kind.value, put(cut(e.text)), put(cut(e.key)), e.votes, e.provenance.step]
                for e in text.entries
            ],
            "left_out": text.left_out,
        }

    def _load(self, place: Path) -> _Text | None:
        try:
            context = Context.load(place)
        except UsageError:  # somebody has put it away, or it is damaged; its lineage is told all the same
            return None
        with context.memory as memory:
            entries = [entry for kind in _KINDS for entry in memory.entries(kind)]
        # Two versions have room whatever they hold: the first and the last.
        kept, room = list[Entry](), self._budget // 2 - _size(cut(context.instructions))
        for entry in entries:
            room -= _size([cut(entry.text), cut(entry.key)]) + _ENTRY_BYTES
            if room < 0:
                break
            kept.append(entry)
        recall = {name: getattr(context.recall, name) for name in ("tokens", "insights", "skills", "episodes")}
        return _Text(cut(context.instructions), recall, tuple(kept), len(entries) - len(kept))
