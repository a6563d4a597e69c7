"""What is remembered, and where it came from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from palaestra.envs.errors import UsageError
from palaestra.envs.task import Json

__all__ = ["Entry", "Kind", "Provenance"]


class Kind(StrEnum):
    """What an entry is."""

    EPISODE = "episode"
    """A try worth remembering: the task and how it was solved."""
    INSIGHT = "insight"
    """A lesson that may hold for other tasks."""
    SKILL = "skill"
    """A program that was run and works."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an entry came from.

    Attributes:
        run: Directory or name of the run; nothing outside of one.
        step: The run's step; 0 outside of one.
        episode: Id of the episode it was drawn from; nothing where there was none.
        author: Who wrote it: the name of an agent, or of a person.
    """

    run: str = ""
    step: int = 0
    episode: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing remembered.

    Attributes:
        kind: What it is.
        text: What is told of it.
        key: What it is found by besides its text, such as the task it comes from.
        votes: How much speaks for it.
        tokens: Length of its text, as it was counted when it was written.
        provenance: Where it came from.
        data: Anything else worth keeping, plain JSON; never told.
        id: Number in its memory, rising; 0 in none.
    """

    kind: Kind
    text: str
    key: str = ""
    votes: int = 1
    tokens: int = 0
    provenance: Provenance = Provenance()
    data: Mapping[str, Json] = field(default_factory=dict)
    id: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values, without the number."""
        values = asdict(self)
        del values["id"]
        return {**values, "kind": self.kind.value}

    @classmethod
    def from_json(cls, values: Any) -> "Entry":
        """Return the entry that `as_json` wrote.

        Raises:
            UsageError: If it is none.
        """
        try:
            known = {**values, "kind": Kind(values["kind"]), "provenance": Provenance(**values.get("provenance", {}))}
            entry = cls(**known)
        except (TypeError, KeyError, ValueError) as error:
            raise UsageError(f"This is no entry of a memory: {error}. It needs at least `kind` and `text`.") from error
        if not isinstance(entry.text, str) or not entry.text.strip() or not isinstance(entry.key, str):
            raise UsageError("An entry's text and key are texts, and the text says something.")
        if type(entry.votes) is not int or entry.votes < 1 or not isinstance(entry.data, dict):
            raise UsageError("An entry's votes are a whole number from 1, and its data an object.")
        origin = entry.provenance
        names = (origin.run, origin.episode, origin.author)
        if type(origin.step) is not int or not all(isinstance(name, str) for name in names):
            raise UsageError(
                "An entry comes from a run, an episode and an author, which are texts, and a step, a number."
            )
        return entry
