"""Working memory: what an agent is told before a task, within a budget of tokens.

A context is instructions and a memory, and says how much of that is told. It is text in the messages, so it reaches a
policy on a server as it reaches one in this process, and stands in the ids that an episode records.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from palaestra.agents.memory.budgets import Budgets, rough_tokens
from palaestra.agents.memory.entry import Entry, Kind
from palaestra.agents.memory.memory import Memory
from palaestra.agents.memory.search import load_encoder
from palaestra.envs.errors import UsageError
from palaestra.envs.telling import told

__all__ = ["Context", "Recall"]

_ABOUT, _MEMORY = "context.json", "memory.sqlite"


@dataclass(frozen=True)
class Recall:
    """How much of a context is told before a task.

    What is recalled is told in this order of importance, as long as it fits: insights, skills, episodes, and of each
    kind the first found first. Instructions are always told.

    Attributes:
        tokens: Most tokens of all that is recalled, without the line that heads each kind.
        insights: Most insights; those found for the task, then those with the most votes.
        skills: Most programs found for the task.
        episodes: Most solved tasks found for the task.
        by: Whether they are found by words, or by meaning with an encoder.
        encoder: Name of a sentence-transformers model, for `by="meaning"`.
    """

    tokens: int = 512
    insights: int = 16
    skills: int = 0
    episodes: int = 0
    by: Literal["words", "meaning"] = "words"
    encoder: str = ""

    def __post_init__(self) -> None:
        if min(self.tokens, self.insights, self.skills, self.episodes) < 0:
            raise UsageError("tokens, insights, skills and episodes must not be negative.")
        if (self.by == "meaning") != bool(self.encoder):
            raise UsageError("An encoder is named where things are found by meaning, and only there.")


@dataclass(frozen=True, eq=False)
class Context:
    """What an agent is told besides a task; once somebody has played with it, `draft` comes before every change.

    Attributes:
        instructions: Told first, whatever the task; nothing when empty.
        memory: What is recalled for a task.
        recall: How much.
    """

    instructions: str = ""
    memory: Memory = field(default_factory=Memory)
    recall: Recall = Recall()

    def draft(self) -> "Context":
        """Return the same with a memory of its own, to be changed."""
        return replace(self, memory=self.memory.copy())

    @property
    def digest(self) -> str:
        """16 hex digits over all of it; equal digests tell the same."""
        content = json.dumps([self.instructions, self.memory.digest, asdict(self.recall)], sort_keys=True)
        return blake2b(content.encode(errors="surrogatepass"), digest_size=8).hexdigest()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not self.instructions and len(self.memory) == 0

    def tell(self, observation: str, count: Callable[[str], int] = rough_tokens, notes: Sequence[str] = ()) -> str:
        """Return an observation behind what is told before it; always the same for the same.

        Args:
            observation: What the world says first; what is recalled is found for it.
            count: Counts tokens.
            notes: Further lessons, told before those recalled and counted with them.
        """
        left = self.recall.tokens
        chosen: dict[Kind, list[str]] = {kind: [] for kind in Kind}
        found = [(Kind.INSIGHT, text) for text in notes]
        found += [(entry.kind, _line(entry)) for entry in self._found(observation)]
        for kind, text in found:
            if text in chosen[kind] or (cost := count(text) + 1) > left:  # one for the line's end
                continue
            chosen[kind].append(text)
            left -= cost
        return told(
            observation,
            instructions=self.instructions,
            notes=chosen[Kind.INSIGHT],
            skills=chosen[Kind.SKILL],
            solved=chosen[Kind.EPISODE],
        )

    def _found(self, query: str) -> list[Entry]:
        """Return what may be told, the most important first."""
        found: list[Entry] = []
        most = {Kind.INSIGHT: self.recall.insights, Kind.SKILL: self.recall.skills, Kind.EPISODE: self.recall.episodes}
        if self.recall.encoder and self.memory.encoder is None:
            self.memory.encoder = load_encoder(self.recall.encoder)
        for kind, limit in most.items():
            nearest = self.memory.search(query, kind, limit, by=self.recall.by) if limit else []
            if kind is Kind.INSIGHT and len(nearest) < limit:
                known = {entry.id for entry in nearest}
                others = sorted(self.memory.entries(kind), key=lambda entry: (-entry.votes, entry.id))
                nearest += [entry for entry in others if entry.id not in known][: limit - len(nearest)]
            found += nearest
        return found

    def save(self, directory: Path) -> None:
        """Write `context.json` and `memory.sqlite` into a directory that has neither."""
        about = {"instructions": self.instructions, "recall": asdict(self.recall)}
        about |= {"budgets": asdict(self.memory.budgets), "digest": self.digest}
        (directory / _ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        self.memory.save(directory / _MEMORY)

    @classmethod
    def load(cls, directory: Path, count: Callable[[str], int] = rough_tokens) -> "Context":
        """Return the context that `save` wrote.

        Raises:
            UsageError: If there is none, or it is damaged.
        """
        try:
            about = json.loads((directory / _ABOUT).read_text(encoding="utf-8"))
            memory = Memory.load(directory / _MEMORY, budgets=Budgets(**about["budgets"]), count=count)
            context = cls(about["instructions"], memory, Recall(**about["recall"]))
            whole = context.digest == about.get("digest")
        except (OSError, ValueError, KeyError, TypeError, sqlite3.Error) as error:
            raise UsageError(f"{directory} holds no context: {error}. Name a folder that one was saved in.") from error
        if not whole:
            raise UsageError(f"{directory} is damaged: what it holds is not what was saved. Restore it from a copy.")
        return context

    @staticmethod
    def lies_in(directory: Path) -> bool:
        """Whether a directory holds a context."""
        return (directory / _ABOUT).is_file()


def _line(entry: Entry) -> str:
    """Return what is told of an entry."""
    return f"{entry.key}\n{entry.text}" if entry.kind is not Kind.INSIGHT and entry.key else entry.text
