"""What the pages of generated sites are about: fields, and records of made-up values."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from palaestra.envs.reading.facts import names

__all__ = ["TOPICS", "Field", "Topic"]

_NAMES = names(600)
_MONTHS = ("January", "March", "May", "July", "September", "November")


class Field(NamedTuple):
    """Something that pages tell.

    Attributes:
        key: One word, from which names in the markup may be made.
        label: What a person reads beside it.
        draw: Draws its values; one, or for a field of several one to three.
        several: Whether there may be several.
    """

    key: str
    label: str
    draw: Callable[[np.random.Generator], tuple[str, ...]]
    several: bool = False


class Topic(NamedTuple):
    """What a site is about.

    Attributes:
        thing: What each page shows.
        fields: What it tells about it.
    """

    thing: str
    fields: tuple[Field, ...]


def _name(generator: np.random.Generator, words: int = 1) -> str:
    return " ".join(_NAMES[int(i)] for i in generator.integers(len(_NAMES), size=words))


def _one(form: str, *ranges: tuple[int, int]) -> Callable[[np.random.Generator], tuple[str, ...]]:
    def draw(generator: np.random.Generator) -> tuple[str, ...]:
        return (form.format(*(int(generator.integers(low, high)) for low, high in ranges)),)

    return draw


def _named(words: int, form: str = "{}") -> Callable[[np.random.Generator], tuple[str, ...]]:
    return lambda generator: (form.format(_name(generator, words)),)


def _several(generator: np.random.Generator) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_name(generator, 2) for _ in range(int(generator.integers(1, 4)))))


def _date(generator: np.random.Generator) -> tuple[str, ...]:
    day, year = int(generator.integers(1, 29)), int(generator.integers(1990, 2026))
    return (f"{day} {_MONTHS[int(generator.integers(len(_MONTHS)))]} {year}",)


TOPICS: Mapping[str, Topic] = {
    "shop": Topic(
        "product",
        (
            Field("price", "Price", _one("${}.{:02d}", (1, 900), (0, 100))),
            Field("brand", "Brand", _named(1, "{} & Sons")),
            Field("rating", "Rating", _one("{}.{} of 5", (1, 5), (0, 10))),
            Field("stock", "In stock", _one("{} pieces", (2, 500))),
            Field("weight", "Weight", _one("{} g", (10, 9_000))),
        ),
    ),
    "jobs": Topic(
        "position",
        (
            Field("company", "Company", _named(2, "{} Ltd")),
            Field("place", "Location", _named(1, "{}ville")),
            Field("salary", "Salary", _one("{},000 to {}00,000", (40, 99), (1, 9))),
            Field("posted", "Posted on", _date),
            Field("hours", "Hours", _one("{} a week", (10, 45))),
        ),
    ),
    "news": Topic(
        "article",
        (
            Field("writer", "Writers", _several, several=True),
            Field("date", "Published", _date),
            Field("section", "Section", _named(1)),
            Field("source", "Source", _named(2, "{} Post")),
            Field("minutes", "Reading time", _one("{} minutes", (2, 60))),
        ),
    ),
    "books": Topic(
        "book",
        (
            Field("author", "Authors", _several, several=True),
            Field("publisher", "Publisher", _named(1, "{} Press")),
            Field("isbn", "ISBN", _one("978-{}-{}-{}", (1, 9), (1_000, 9_999), (1_000, 9_999))),
            Field("pages", "Pages", _one("{}", (40, 1_200))),
            Field("language", "Language", _named(1, "{}ish")),
        ),
    ),
}
"""By name."""
