"""How entries are found: by the words they share with a query, or by the nearness of vectors."""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from palaestra.agents.memory.entry import Entry, Kind
from palaestra.envs.errors import ContractError, UsageError

if TYPE_CHECKING:
    from palaestra.agents.memory.memory import Memory

__all__ = ["Encoder", "lexical_query", "load_encoder", "named", "nearest", "packed"]

_WORD = re.compile(r"\w+")
# Longer queries say the same again, and each word costs a look into the index.
_MOST_WORDS = 256
_PROBE = "What is remembered is found by its meaning."


class Encoder(Protocol):
    """Makes vectors of texts, as `sentence_transformers.SentenceTransformer` does."""

    def encode(self, sentences: list[str]) -> Any:
        """Return `[N, D]` numbers."""
        ...


@lru_cache(maxsize=2)
def load_encoder(name: str) -> Encoder:
    """Return the encoder of a name or folder.

    Raises:
        UsageError: If sentence-transformers is not installed.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise UsageError(
            f"To find by meaning with {name!r}, install sentence-transformers: pip install 'palaestra[memory]'. Or "
            "search by words, which needs nothing."
        ) from error
    encoder: Encoder = SentenceTransformer(name)
    return encoder


def lexical_query(text: str) -> str:
    """Return a full-text query for entries that share any word with a text; empty where it has none."""
    words = dict.fromkeys(word.lower() for word in _WORD.findall(text))
    return " OR ".join(f'"{word}"' for word in list(words)[:_MOST_WORDS])


def packed(vector: Any) -> bytes:
    """Return a vector of length 1 in the same direction, as bytes."""
    numbers = np.asarray(vector, np.float32)
    return (numbers / max(float(np.linalg.norm(numbers)), 1e-12)).astype(np.float32).tobytes()


def nearest(memory: "Memory", query: str, kind: Kind, most: int) -> list[Entry]:
    """Return the entries whose vectors are nearest to the query's; what has no vector yet is given one.

    Raises:
        UsageError: If the memory has no encoder.
        ContractError: If the encoder does not give one vector a text.
    """
    if memory.encoder is None:
        raise UsageError("This memory has no encoder to find by meaning: Memory(encoder=...), or search by words.")
    entries = memory.entries(kind)
    if not entries:
        return []
    name = memory.encoder_name
    known = memory.vectors(name, (entry.id for entry in entries))
    missing = [entry for entry in entries if entry.id not in known]
    encoded = _encoded(memory.encoder, [query, *(entry.text + "\n" + entry.key for entry in missing)])
    made = {entry.id: vector for entry, vector in zip(missing, encoded[1:], strict=True)}
    if made:
        memory.keep_vectors(name, made)
    vectors = known | {number: packed(vector) for number, vector in made.items()}
    rows = np.stack([np.frombuffer(vectors[entry.id], np.float32) for entry in entries])
    likeness = rows @ np.frombuffer(packed(encoded[0]), np.float32)
    order = np.argsort(-likeness, kind="stable")[:most]
    return [entries[int(place)] for place in order]


def _encoded(encoder: Encoder, texts: list[str]) -> NDArray[np.float32]:
    vectors = np.asarray(encoder.encode(texts), np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise ContractError(f"An encoder gives [N, D] numbers for N texts; of {len(texts)} came {vectors.shape}.")
    return vectors


def named(encoder: Encoder) -> str:
    """Return what tells an encoder from others: its class, and what it makes of one text."""
    (vector,) = _encoded(encoder, [_PROBE])
    likeness = np.round(np.frombuffer(packed(vector), np.float32), 2) + 0.0  # no -0, which has bytes of its own
    return f"{type(encoder).__name__} {blake2b(likeness.tobytes(), digest_size=8).hexdigest()}"
