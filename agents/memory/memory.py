"""External memory: episodes, insights and skills in one SQLite file, found by words or by meaning.

Every change is a transaction: whoever is killed leaves the memory as it was before or after it, and other processes
read the same file meanwhile. Without a file the memory lives in this process, until it is saved or copied.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from threading import RLock
from types import MappingProxyType
from typing import Any, Literal

from palaestra.agents.memory.budgets import Budgets, rough_tokens
from palaestra.agents.memory.database import COLUMNS, entry_of, open_database
from palaestra.agents.memory.entry import Entry, Kind, Provenance
from palaestra.agents.memory.search import Encoder, lexical_query, named, nearest, packed
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["Added", "Memory"]

_UNLIMITED = Budgets()


@dataclass(frozen=True, slots=True)
class Added:
    """What became of something that was to be remembered.

    Attributes:
        entry: The entry as it stands now; None where it alone is longer than the budget.
        new: Whether it was not there before.
        evicted: What had to go for it.
    """

    entry: Entry | None
    new: bool = False
    evicted: tuple[Entry, ...] = ()


@dataclass(eq=False)
class Memory:
    """Entries in one SQLite file; a context manager that closes it.

    What is over the budget of its kind is evicted: first what has the fewest votes, and of these what is oldest. An
    entry that was just written goes last, so that a memory full of old votes can still learn.

    Args:
        path: The file, made where there is none; None keeps the memory in this process alone.
        budgets: How much may be remembered.
        count: Counts the tokens of a text: the tokenizer's, where there is one.
        encoder: Finds by meaning: any object with `encode(list of texts) -> [N, D]` numbers, such as a
            `sentence_transformers.SentenceTransformer` (`pip install 'palaestra[memory]'`).
        read_only: Whether nothing may be changed.

    Raises:
        UsageError: If the file is no memory, or one of a newer version.
    """

    path: Path | None = None
    budgets: Budgets = _UNLIMITED
    count: Callable[[str], int] = rough_tokens
    encoder: Encoder | None = None
    read_only: bool = False
    _lock: Any = field(default_factory=RLock, repr=False)
    _digest: tuple[int, str] = field(default=(-1, ""), repr=False)
    _named: tuple[Encoder | None, str] = field(default=(None, ""), repr=False)

    def __post_init__(self) -> None:
        self._database = open_database(self.path, self.read_only)

    def add(
        self,
        kind: Kind,
        text: str,
        *,
        key: str = "",
        votes: int = 1,
        provenance: Provenance = Provenance(),  # noqa: B008 (frozen)
        data: Mapping[str, Any] = MappingProxyType({}),
    ) -> Added:
        """Remember something; a text of the same kind that is there already gets the votes instead.

        Raises:
            UsageError: If the text is empty.
        """
        if not text.strip():
            raise UsageError("There is nothing to remember in an empty text.")
        return self._put(Entry(kind, text, key, votes, provenance=provenance, data=dict(data)))

    def _put(self, entry: Entry) -> Added:
        text = _storable(entry.text)
        entry = replace(entry, text=text, key=_storable(entry.key), tokens=self.count(text))
        budget = self.budgets.of(entry.kind)
        if budget and entry.tokens > budget:
            return Added(None)
        with self._change() as database:
            sql = f"SELECT {COLUMNS} FROM entries WHERE kind = ? AND text = ?"
            known = database.execute(sql, (entry.kind.value, entry.text)).fetchone()
            if known is not None:
                database.execute("UPDATE entries SET votes = votes + ? WHERE id = ?", (entry.votes, known[0]))
                return Added(self[int(known[0])])
            origin = entry.provenance
            row = (entry.kind.value, entry.text, entry.key, entry.votes, entry.tokens, origin.run, origin.step)
            data = json.dumps(dict(entry.data), sort_keys=True)
            sql = f"INSERT INTO entries ({COLUMNS.removeprefix('id, ')}) VALUES (?,?,?,?,?,?,?,?,?,?)"
            number = database.execute(sql, (*row, origin.episode, origin.author, data)).lastrowid or 0
            self._index(number, entry)
            return Added(replace(entry, id=number), True, tuple(self._evict(entry.kind, keep=number)))

    def edit(self, number: int, text: str, provenance: Provenance | None = None, votes: int = 0) -> Entry:
        """Let an entry say something else, with so many votes more; its place among the others stays.

        What already says the same takes its votes and its place. A text longer than the budget changes nothing.

        Raises:
            UsageError: If there is no such entry, or the text is empty.
        """
        entry, text = self[number], _storable(text)
        if not text.strip():
            raise UsageError("An entry cannot say nothing; remove it instead.")
        origin, budget = provenance or entry.provenance, self.budgets.of(entry.kind)
        if budget and self.count(text) > budget:
            return entry
        with self._change() as database:
            sql = "SELECT id FROM entries WHERE kind = ? AND text = ? AND id <> ?"
            same = database.execute(sql, (entry.kind.value, text, number)).fetchone()
            if same is not None:
                self.remove(number)
                return self.vote(int(same[0]), entry.votes + votes) or entry
            changed = replace(entry, text=text, tokens=self.count(text), provenance=origin, votes=entry.votes + votes)
            database.execute(
                "UPDATE entries SET text=?, tokens=?, votes=?, run=?, step=?, episode=?, author=? WHERE id=?",
                (text, changed.tokens, changed.votes, origin.run, origin.step, origin.episode, origin.author, number),
            )
            self._forget_index(number)
            self._index(number, changed)
            self._evict(entry.kind, keep=number)
        return changed

    def vote(self, number: int, votes: int = 1) -> Entry | None:
        """Add votes, or take them with a negative number; an entry that has none left is removed.

        Returns:
            The entry as it stands now; None once it is gone.

        Raises:
            UsageError: If there is no such entry.
        """
        entry = self[number]
        with self._change() as database:
            if entry.votes + votes <= 0:
                self.remove(number)
                return None
            database.execute("UPDATE entries SET votes = votes + ? WHERE id = ?", (votes, number))
        return replace(entry, votes=entry.votes + votes)

    def remove(self, number: int) -> None:
        """Forget an entry; one that is not there is forgotten already."""
        with self._change() as database:
            self._forget_index(number)
            database.execute("DELETE FROM entries WHERE id = ?", (number,))

    def search(self, query: str, kind: Kind, most: int, *, by: Literal["words", "meaning"] = "words") -> list[Entry]:
        """Return the entries nearest to a query, nearest first; of those that share the same words, the most voted for.

        Args:
            query: A text, such as a task's prompt.
            kind: Of which kind.
            most: At most so many.
            by: `"words"`: by the BM25 of SQLite's full-text search over text and key, and only what shares a word with
                the query. `"meaning"`: by the cosine of the encoder's vectors.

        Raises:
            UsageError: If it is to be found by meaning and there is no encoder.
        """
        if by not in ("words", "meaning"):
            raise UnknownNameError("way to search", by, ("words", "meaning"))
        if most < 1:
            return []
        if by == "meaning":
            return nearest(self, query, kind, most)
        words = lexical_query(query)
        if not words:
            return []
        sql = (
            "SELECT e.id, e.kind, e.text, e.key, e.votes, e.tokens, e.run, e.step, e.episode, e.author, e.data "
            "FROM words JOIN entries e ON e.id = words.rowid WHERE words MATCH ? AND e.kind = ? "
            "ORDER BY bm25(words), e.votes DESC, e.id LIMIT ?"
        )
        with self._lock:
            return [entry_of(row) for row in self._database.execute(sql, (words, kind.value, most))]

    def entries(self, kind: Kind | None = None) -> list[Entry]:
        """Return the entries of a kind, or all, in the order in which they were written."""
        where = "" if kind is None else " WHERE kind = ?"
        values = () if kind is None else (kind.value,)
        with self._lock:
            rows = self._database.execute(f"SELECT {COLUMNS} FROM entries{where} ORDER BY id", values)
            return [entry_of(row) for row in rows]

    def __getitem__(self, number: int) -> Entry:
        with self._lock:
            row = self._database.execute(f"SELECT {COLUMNS} FROM entries WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise UsageError(f"This memory has no entry {number}; it has {len(self)} entries.")
        return entry_of(row)

    def __len__(self) -> int:
        with self._lock:
            return int(self._database.execute("SELECT count(*) FROM entries").fetchone()[0])

    @property
    def digest(self) -> str:
        """32 hex digits over all entries in order, without their numbers; equal digests are equal memories."""
        with self._lock:
            changes = self._database.total_changes
            if self._digest[0] != changes or self.path is not None:  # a file may have been changed by others
                rows = (json.dumps(entry.as_json(), sort_keys=True) for entry in self.entries())
                content = "\n".join(rows).encode(errors="surrogatepass")
                self._digest = changes, blake2b(content, digest_size=16).hexdigest()
            return self._digest[1]

    def copy(self) -> "Memory":
        """Return a memory of the same entries in this process alone, to try changes on."""
        twin = Memory(None, self.budgets, self.count, self.encoder)
        with self._lock:
            self._database.backup(twin._database)
        return twin

    def save(self, path: Path) -> None:
        """Write the whole memory into a new file.

        Raises:
            UsageError: If there is a file.
        """
        if path.exists():
            raise UsageError(f"{path} is there already; a memory is saved into a file of its own.")
        target = sqlite3.connect(path)
        try:
            with self._lock:
                self._database.backup(target)
        finally:
            target.close()

    @classmethod
    def load(cls, path: Path, **settings: Any) -> "Memory":
        """Return a memory in this process with what a file holds; the file is left alone."""
        with cls(path, read_only=True) as kept:
            memory = cls(None, **settings)
            kept._database.backup(memory._database)
        return memory

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, entries: Iterable[Entry]) -> int:
        """Remember entries of another memory, all or none; return how many are new. Their tokens are counted anew."""
        with self._change():
            return sum(self._put(entry).new for entry in entries)

    def _index(self, number: int, entry: Entry) -> None:
        self._database.execute("INSERT INTO words (rowid, text, key) VALUES (?, ?, ?)", (number, entry.text, entry.key))

    def _forget_index(self, number: int) -> None:
        self._database.execute("DELETE FROM words WHERE rowid = ?", (number,))
        self._database.execute("DELETE FROM vectors WHERE entry = ?", (number,))

    def _evict(self, kind: Kind, keep: int) -> list[Entry]:
        """Remove entries until a kind fits into its budget; return them."""
        budget = self.budgets.of(kind)
        evicted: list[Entry] = []
        kept = self.entries(kind) if budget else []
        over = sum(entry.tokens for entry in kept) - budget
        for entry in sorted(kept, key=lambda entry: (entry.id == keep, entry.votes, entry.id)):
            if over <= 0:
                break
            self.remove(entry.id)
            evicted.append(entry)
            over -= entry.tokens
        return evicted

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """Make changes that are there all or not at all, also within others."""
        if self.read_only:
            raise UsageError(f"{self.path} was opened to read. Open it without read_only to change it.")
        with self._lock:
            if self._database.in_transaction:
                yield self._database
                return
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @property
    def encoder_name(self) -> str:
        """What tells the encoder from others, so that none reads vectors that another made; nothing without one."""
        if self._named[0] is not self.encoder:
            self._named = self.encoder, "" if self.encoder is None else named(self.encoder)
        return self._named[1]

    def vectors(self, name: str, numbers: Iterable[int]) -> dict[int, bytes]:
        """Return the vectors that an encoder of that name has made of entries, as bytes, by number."""
        wanted = set(numbers)
        with self._lock:
            rows = self._database.execute("SELECT entry, vector FROM vectors WHERE encoder = ?", (name,)).fetchall()
        return {int(number): vector for number, vector in rows if number in wanted}

    def keep_vectors(self, name: str, vectors: Mapping[int, Any]) -> None:
        """Keep what an encoder made of entries, so that it is made once; a memory that is only read keeps nothing."""
        if self.read_only:
            return
        with self._change() as database:
            rows = [(number, name, packed(vector)) for number, vector in vectors.items()]
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def __reduce__(self) -> Any:
        """Travel as the bytes of the database."""
        with self._lock:
            return _revived, (self._database.serialize(), self.budgets)


def _storable(text: str) -> str:
    """Return a text without halves of characters, which a server may send and no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _revived(content: bytes, budgets: Budgets) -> Memory:
    memory = Memory(None, budgets)
    memory._database.deserialize(content)
    return memory
