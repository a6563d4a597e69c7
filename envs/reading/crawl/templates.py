"""Ways in which a site writes its fields into a page, and the XPath that reads each of them again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType

__all__ = ["TEMPLATES", "Row", "Style", "Template"]


@dataclass(frozen=True)
class Style:
    """What differs from site to site.

    Attributes:
        classes: Class name for each role: a field's key, or a part of the page.
        tags: A tag for values and one for what is around them.
        aside: Text that stands behind every single value and is no part of it; often none.
    """

    classes: Mapping[str, str]
    tags: tuple[str, str]
    aside: str = ""


@dataclass(frozen=True)
class Row:
    """A field of a page.

    Attributes:
        key: The field's.
        label: The field's.
        values: Its values.
        several: Whether there may be several; each then is a link of its own.
    """

    key: str
    label: str
    values: tuple[str, ...]
    several: bool


@dataclass(frozen=True)
class Template:
    """One way.

    Attributes:
        write: (rows, style) -> HTML.
        read: (row, style) -> XPath that finds the values of such a row wherever it stands.
    """

    write: Callable[[Sequence[Row], Style], str]
    read: Callable[[Row, Style], str]


def _inside(row: Row, style: Style) -> str:
    if row.several:
        return ", ".join(f'<a href="#">{escape(value)}</a>' for value in row.values)
    return escape(row.values[0]) + (f" <small>{style.aside}</small>" if style.aside else "")


def _within(row: Row, style: Style) -> str:
    if row.several:
        return "/a"
    return "/text()[normalize-space()]" if style.aside else ""


def _write_cards(rows: Sequence[Row], style: Style) -> str:
    tag, around = style.tags
    return "".join(
        f'<{around}><{tag} class="{style.classes[row.key]}">{_inside(row, style)}</{tag}></{around}>' for row in rows
    )


def _read_cards(row: Row, style: Style) -> str:
    return f'//{style.tags[0]}[@class="{style.classes[row.key]}"]{_within(row, style)}'


def _write_table(rows: Sequence[Row], style: Style) -> str:
    lines = (f"<tr><th>{row.label}</th><td>{_inside(row, style)}</td></tr>" for row in rows)
    return f'<table class="{style.classes["list"]}"><tbody>{"".join(lines)}</tbody></table>'


def _read_table(row: Row, style: Style) -> str:
    return f'//tr[th="{row.label}"]/td{_within(row, style)}'


def _write_definitions(rows: Sequence[Row], style: Style) -> str:
    lines = (f"<dt>{row.label}</dt><dd>{_inside(row, style)}</dd>" for row in rows)
    return f'<dl class="{style.classes["list"]}">{"".join(lines)}</dl>'


def _read_definitions(row: Row, style: Style) -> str:
    return f'//dt[.="{row.label}"]/following-sibling::dd[1]{_within(row, style)}'


def _write_labels(rows: Sequence[Row], style: Style) -> str:
    lines = (f"<li><b>{row.label}:</b> {_inside(row, style)}</li>" for row in rows)
    return f'<ul class="{style.classes["list"]}">{"".join(lines)}</ul>'


def _read_labels(row: Row, style: Style) -> str:
    del style
    return f'//li[b="{row.label}:"]{"/a" if row.several else "/text()[normalize-space()]"}'


def _write_microdata(rows: Sequence[Row], style: Style) -> str:
    tag, around = style.tags
    return "".join(
        f"<{around}>"
        + ", ".join(f'<{tag} itemprop="{style.classes[row.key]}">{escape(value)}</{tag}>' for value in row.values)
        + f"{f' <small>{style.aside}</small>' if style.aside else ''}</{around}>"
        for row in rows
    )


def _read_microdata(row: Row, style: Style) -> str:
    return f'//{style.tags[0]}[@itemprop="{style.classes[row.key]}"]'


TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        "cards": Template(_write_cards, _read_cards),
        "table": Template(_write_table, _read_table),
        "definitions": Template(_write_definitions, _read_definitions),
        "labels": Template(_write_labels, _read_labels),
        "microdata": Template(_write_microdata, _read_microdata),
    }
)
"""By name: an element with a class of its own; a table; a definition list; a list with labels; attributes."""
