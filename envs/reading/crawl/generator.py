"""Sites made up from a seed: topic, template, names in the markup, nesting, and what stands around on each page."""

from dataclasses import dataclass
from html import escape

import numpy as np
from palaestra.envs.reading.crawl.site import Page, Site
from palaestra.envs.reading.crawl.templates import TEMPLATES, Row, Style, Template
from palaestra.envs.reading.crawl.topics import TOPICS, Topic
from palaestra.envs.reading.facts import names
from palaestra.envs.seeding import derive_generator

__all__ = ["LEVELS", "SHOWN", "UNSEEN", "build_site", "name_site"]

LEVELS = (1, 2, 3)
"""1: nothing but the fields. 2: other things of the same markup around them, and fields that a page lacks. 3: deeper,
names that mean nothing, and text beside the values."""
SHOWN, UNSEEN = 5, 8
"""Pages of a site that may be shown, and that programs are judged on."""

_WORDS = names(200)
_TAGS = (("span", "div"), ("strong", "p"), ("em", "div"), ("div", "div"), ("span", "p"))
_SCOPES = ("<main>|</main>|//main", '<div id="detail">|</div>|//div[@id="detail"]', "<article>|</article>|//article")
_ASIDES = ("(new)", "as told", "see below", "no warranty")
_PARTS = ("list", "box", "more", "card", "crumbs", "banner", "menu", "foot")
_LACKS, _BANNER, _MORE = 0.2, 0.4, 0.85


@dataclass(frozen=True)
class _Plan:
    """What all pages of a site have in common."""

    name: str
    topic: Topic
    template: Template
    style: Style
    level: int
    order: tuple[int, ...]
    target: int
    scope: tuple[str, str, str]
    depth: int
    before: bool

    @property
    def field(self) -> str:
        """What is to be extracted, in words."""
        return f"{self.topic.fields[self.target].label} of the {self.topic.thing}"


def build_site(template: str, seed: int, level: int = 2) -> Site:
    """Make up a site.

    Args:
        template: One of `TEMPLATES`.
        seed: Names everything else about it.
        level: One of `LEVELS`.
    """
    generator, plan = _begun(template, seed, level)
    shown = tuple(_page(generator, plan, whole=True) for _ in range(SHOWN))
    unseen = tuple(_page(generator, plan, whole=number == 0) for number in range(UNSEEN))
    field = plan.topic.fields[plan.target]
    read = plan.template.read(Row(field.key, field.label, (), field.several), plan.style)
    program = (read,) if level == 1 else (plan.scope[2], read)
    return Site(plan.name, plan.field, shown, unseen, program)


def name_site(template: str, seed: int, level: int) -> tuple[str, str]:
    """Return the name and the field of a site, without writing its pages."""
    plan = _begun(template, seed, level)[1]
    return plan.name, plan.field


def _begun(template: str, seed: int, level: int) -> tuple[np.random.Generator, _Plan]:
    generator = derive_generator(seed, "site", template, level)
    return generator, _planned(generator, template, seed, level)


def _planned(generator: np.random.Generator, template: str, seed: int, level: int) -> _Plan:
    topic = TOPICS[str(generator.choice(sorted(TOPICS)))]
    roles = (*(field.key for field in topic.fields), *_PARTS)
    scheme = "hashed" if level == 3 and generator.random() < 0.5 else str(generator.choice(["plain", "prefixed"]))
    prefix = _WORDS[int(generator.integers(len(_WORDS)))].lower()
    hashed = [f"{chr(97 + int(n) % 26)}{int(n):04x}" for n in generator.permutation(4_096)[: len(roles)]]
    named = {"plain": list(roles), "prefixed": [f"{prefix}-{role}" for role in roles], "hashed": hashed}[scheme]
    aside = _ASIDES[int(generator.integers(len(_ASIDES)))] if level == 3 and generator.random() < 0.5 else ""
    style = Style(dict(zip(roles, named, strict=True)), _TAGS[int(generator.integers(len(_TAGS)))], aside)
    order = tuple(int(i) for i in generator.permutation(len(topic.fields))[: 3 if level == 1 else None])
    opens, closes, xpath = _SCOPES[int(generator.integers(len(_SCOPES)))].split("|")
    return _Plan(
        name=f"{prefix}-{seed}.example",
        topic=topic,
        template=TEMPLATES[template],
        style=style,
        level=level,
        order=order,
        target=int(generator.choice(order)),
        scope=(opens, closes, xpath),
        depth=0 if level == 1 else int(generator.integers(0, 2 * level)),
        before=bool(generator.random() < 0.5),
    )


def _page(generator: np.random.Generator, plan: _Plan, *, whole: bool) -> Page:
    """Write a page; a `whole` one lacks nothing."""
    style, messy = plan.style, plan.level > 1
    title, rows = _record(generator, plan)
    kept = [rows[i] for i in plan.order if whole or not messy or generator.random() >= _LACKS]
    body = f"<h1>{title}</h1>{plan.template.write(kept, style)}"
    for depth in range(plan.depth):
        body = f'<div class="{style.classes["box"]}{depth or ""}">{body}</div>'
    parts = [f"{plan.scope[0]}{body}{plan.scope[1]}"]
    if messy:
        more = _more(generator, plan) if generator.random() < _MORE else ""
        parts = [more, *parts] if plan.before else [*parts, more]
        crumbs = f'<p class="{style.classes["crumbs"]}"><a href="/">Home</a> / <a href="#">{title}</a></p>'
        banner = f'<div class="{style.classes["banner"]}">{_sentence(generator)}</div>'
        menu = "".join(f'<li><a href="#">{_word(generator)}</a></li>' for _ in range(3))
        top = [f'<ul class="{style.classes["menu"]}">{menu}</ul>', crumbs]
        parts = [*top, *([banner] if generator.random() < _BANNER else []), *parts]
        parts.append(f'<div class="{style.classes["foot"]}">{_sentence(generator)} <!-- {plan.name} --></div>')
    head = f"<title>{title}</title>" + (f"<style>.{_word(generator)} {{ color: red }}</style>" if messy else "")
    script = f"<script>var seen = {int(generator.integers(1_000))};</script>" if messy else ""
    html = f"<!DOCTYPE html>\n<html><head>{head}</head>\n<body>{_newlines(parts)}{script}</body></html>\n"
    target = rows[plan.target]
    return Page(html, target.values if target in kept else ())


def _record(generator: np.random.Generator, plan: _Plan) -> tuple[str, list[Row]]:
    """Draw what a page tells: its title, and a row for each field of the topic."""
    title = escape(f"{_word(generator)} {_word(generator)}")
    fields = plan.topic.fields
    return title, [Row(field.key, field.label, field.draw(generator), field.several) for field in fields]


def _more(generator: np.random.Generator, plan: _Plan) -> str:
    """Write other things in the same markup, as shops and papers do."""
    cards = []
    for _ in range(int(generator.integers(1, 4))):
        title, rows = _record(generator, plan)
        inner = plan.template.write([rows[i] for i in plan.order], plan.style)
        cards.append(f'<div class="{plan.style.classes["card"]}"><h3>{title}</h3>{inner}</div>')
    return f'<div class="{plan.style.classes["more"]}"><h2>More</h2>{_newlines(cards)}</div>'


def _newlines(parts: list[str]) -> str:
    return "".join(f"\n{part}" for part in parts if part) + "\n"


def _word(generator: np.random.Generator) -> str:
    return _WORDS[int(generator.integers(len(_WORDS)))]


def _sentence(generator: np.random.Generator) -> str:
    return " ".join(_word(generator) for _ in range(8)) + "."
