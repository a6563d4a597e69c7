"""What documents are made of: facts that join two names or three, and how they are written and asked about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

__all__ = ["DIRECTIONS", "KINDS", "Fact", "Kind", "asked", "names", "words_of"]

_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aeiou"


class Fact(NamedTuple):
    """Names in the order in which they are written.

    Attributes:
        first: Differs from the first name of every other fact of a document; so do the others.
        middle: Only in a document that is asked about in both directions, by this name; elsewhere empty.
        last: Where it leads: a fact that begins with this name follows it.
    """

    first: str
    middle: str
    last: str


@dataclass(frozen=True)
class Kind:
    """How facts are written and asked about.

    Attributes:
        pair: A segment of two names.
        triple: A segment of three names.
        one: By direction, the question about one fact, with a place for the name that is known.
        several: The same about a chain of facts, with a place for their number too.
    """

    pair: str
    triple: str
    one: Mapping[str, str]
    several: Mapping[str, str]

    def form(self, direction: str) -> str:
        """Return how a segment is written in documents that are asked about in a direction."""
        return self.triple if direction == "both" else self.pair

    def words(self, direction: str) -> int:
        """Return the words of a segment in such documents."""
        return len(self.form(direction).split())


DIRECTIONS: tuple[str, ...] = ("forward", "backward", "both")
"""Where the answer stands: behind the name that is known, before it, or on both sides."""

_ALONE, _PAIR = " Reply with the name alone.", " Reply with the two names alone."


def _kind(pair: str, triple: str, one: tuple[str, str, str], several: tuple[str, str, str]) -> Kind:
    asks = (_ALONE, _ALONE, _PAIR)
    return Kind(
        pair,
        triple,
        MappingProxyType({d: q + ask for d, q, ask in zip(DIRECTIONS, one, asks, strict=True)}),
        MappingProxyType({d: q + ask for d, q, ask in zip(DIRECTIONS, several, asks, strict=True)}),
    )


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "document": _kind(
            "{first} sent word to {last}.\n",
            "{first} sent {middle} to {last}.\n",
            ("To whom did {key} send word?", "Who sent word to {key}?", "Who sent {key}, and to whom?"),
            (
                "{key} sent word, which was sent on. Who is reached after {steps} steps from {key}?",
                "Word that had been sent on came to {key}. Who is reached after {steps} steps back from {key}?",
                "Who sent {key}, and who is reached after {steps} steps from that sender?",
            ),
        ),
        "code": _kind(
            "def {first}(): return {last}\n",
            "def {first}({middle}): return {last}\n",
            (
                "What does {key} return?",
                "Which function returns {key}?",
                "Which function takes {key}, and what does it return?",
            ),
            (
                "{key} returns a function, and so on. What is the {steps}th one after {key}?",
                "{key} is returned by a function, and so on. Which is the {steps}th one before {key}?",
                "Which function takes {key}, and what is the {steps}th one after that function?",
            ),
        ),
        "database": _kind(
            "{first} | {last}\n",
            "{first} | {middle} | {last}\n",
            (
                "What stands in the last column where the first is {key}?",
                "What stands in the first column where the last is {key}?",
                "What stands in the first and the last column where the second is {key}?",
            ),
            (
                "Go from the first to the last column, {steps} times, from {key}. What is reached?",
                "Go from the last to the first column, {steps} times, from {key}. What is reached?",
                "What stands in the first column where the second is {key}, and what is reached from there by going "
                "from the first to the last column {steps} times?",
            ),
        ),
    }
)


def asked(kind: Kind, direction: str, chain: list[Fact]) -> tuple[str, str]:
    """Return the question whose answer takes all facts of a chain, and the answer.

    Args:
        kind: How it is put.
        direction: One of `DIRECTIONS`.
        chain: At least one fact; each begins with the last name of the one before it.
    """
    start, end = chain[0], chain[-1]
    key, answer = {
        "forward": (start.first, end.last),
        "backward": (end.last, start.first),
        "both": (start.middle, f"{start.first} {end.last}"),
    }[direction]
    question = kind.one[direction] if len(chain) == 1 else kind.several[direction]
    return question.format(key=key, steps=len(chain)), answer


@cache
def names(count: int) -> tuple[str, ...]:
    """Return the first `count` names that can be spoken, in an order that has no meaning: Lumo, Rike, Tafu."""
    syllables = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
    parts = 2
    while len(syllables) ** parts < count:
        parts += 1
    # The order is part of what the world is, so it has no seed to set.
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(syllables) ** parts)[:count]
    found = []
    for number in order.tolist():
        name = ""
        for _ in range(parts):
            number, syllable = divmod(number, len(syllables))
            name += syllables[syllable]
        found.append(name.capitalize())
    return tuple(found)


def words_of(kind: Kind, direction: str, firsts: Sequence[str], lasts: Sequence[str]) -> Iterator[str]:
    """Yield the pieces of text, besides names, that make up documents and questions about one fact.

    Args:
        kind: How they are written.
        direction: In which they are asked about.
        firsts: Names that facts of two begin with; without any, such facts are told in pieces.
        lasts: Names that facts of two end with.
    """
    told = [kind.pair.format(first=first, last=last) for first in firsts for last in lasts]
    if direction == "both" or not told:
        told = kind.form(direction).format(first="\0", middle="\0", last="\0").split("\0")
    yield from (piece for piece in (*told, *kind.one[direction].split("{key}")) if piece)
