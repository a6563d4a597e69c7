"""A site: pages that are built alike, a field that each of them may hold, and its values; in files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from palaestra.envs.errors import BadRowError, UsageError

__all__ = ["CARD", "Page", "Site", "load_site", "save_site"]

CARD = "site.json"
"""The file of a site's folder that says what its pages hold."""
_MOST_PAGES = 40
_PAGE_CHARS = 1_000_000


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        html: Its text.
        values: What is to be extracted, as a person reads it; several where there are several, none where it lacks it.
    """

    html: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """Pages that are built alike.

    Attributes:
        name: For people.
        field: What is to be extracted, in words, such as `"price of the product"`.
        shown: Pages that may be shown to whoever writes the program.
        unseen: Pages that it is judged on.
        program: XPaths that extract the field from every page, where they are known.
    """

    name: str
    field: str
    shown: tuple[Page, ...]
    unseen: tuple[Page, ...]
    program: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """32 hex digits over what is asked for and all pages with their values."""
        pages = [[[page.html, page.values] for page in pages] for pages in (self.shown, self.unseen)]
        content = json.dumps([self.field, *pages]).encode()
        return blake2b(content, digest_size=16).hexdigest()


def save_site(site: Site, folder: Path) -> None:
    """Write a site into a folder, which is made: a file a page, and a card that says what they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    card: dict[str, Any] = {"name": site.name, "field": site.field, "program": list(site.program)}
    for kind, pages in (("shown", site.shown), ("unseen", site.unseen)):
        card[kind] = [{"file": f"{kind}-{number}.html", "values": list(p.values)} for number, p in enumerate(pages)]
        for row, page in zip(card[kind], pages, strict=True):
            (folder / row["file"]).write_text(page.html, encoding="utf-8")
    (folder / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False), encoding="utf-8")


def load_site(folder: Path) -> Site:
    """Read a site from its folder.

    Raises:
        BadRowError: If its card or a page cannot be used; the message says which.
    """
    card = folder / CARD
    try:
        given = json.loads(card.read_text(encoding="utf-8"))
        site = Site(
            str(given.get("name", folder.name)),
            str(given["field"]),
            tuple(_page(folder, row) for row in given["shown"][:_MOST_PAGES]),
            tuple(_page(folder, row) for row in given["unseen"][:_MOST_PAGES]),
            tuple(map(str, given.get("program", ()))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problem = f"cannot be read as a site ({type(error).__name__}: {error}); see docs/environments.md for its form."
        raise BadRowError(card, 1, "", problem) from error
    if not site.shown or not any(page.values for page in site.unseen):
        raise BadRowError(card, 1, "shown, unseen", "a page to show and an unseen page that holds a value are needed.")
    return site


def _page(folder: Path, row: Mapping[str, Any]) -> Page:
    name, values = row["file"], row["values"]
    if not isinstance(name, str) or Path(name).name != name:
        raise UsageError(f"a page is a file of the site's own folder, got {str(name)[:60]!r}")
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        raise UsageError(f"the values of {name} must be a list of texts")
    html = (folder / name).read_text(encoding="utf-8", errors="replace")
    if not html.strip() or len(html) > _PAGE_CHARS:
        raise UsageError(f"{name} has {len(html)} characters, expected 1 to {_PAGE_CHARS}")
    return Page(html, tuple(values))
