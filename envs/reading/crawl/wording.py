"""What a small policy reads as one token each on the plainest pages: markup with its label, and whole XPaths."""

from functools import cache

from palaestra.envs.reading.crawl.templates import TEMPLATES, Row, Style
from palaestra.envs.reading.crawl.topics import TOPICS
from palaestra.envs.reading.facts import names

__all__ = ["LABELLED", "page_words", "program_beside"]

LABELLED = ("table", "definitions", "labels")
"""Templates whose XPaths name the label that a person reads, and so nothing that differs from site to site."""
_OPENS = {"table": "<tr><th>{}</th><td>", "definitions": "<dt>{}</dt><dd>", "labels": "<li><b>{}:</b>"}
_MARKUP = (
    *("<html><head><title>", "</title></head><body>", "</body></html>", "<h1>", "</h1>"),
    *("<main>", "</main>", '<div id="detail">', "</div>", "<article>", "</article>"),
    *('<table class="', '<dl class="', '<ul class="', '">', '"><tbody>'),
    *("</td></tr>", "</tbody></table>", "</dd>", "</dl>", "</li>", "</ul>", '<a href="#">', "</a>", "</a>,"),
)
_NAMES = 600


def program_beside(template: str, label: str, *, several: bool) -> str:
    """Return the XPath that reads what stands beside a label in one of `LABELLED`."""
    return TEMPLATES[template].read(Row("", label, (), several), Style({}, ("", "")))


@cache
def page_words() -> tuple[str, ...]:
    """Return all of them."""
    words = [*_MARKUP, "xpath: "]
    for topic in TOPICS.values():
        for field in topic.fields:
            words.append(f"{field.label} of the {topic.thing}")
            for template in LABELLED:
                words.append(_OPENS[template].format(field.label))
                words.append(program_beside(template, field.label, several=field.several))
    return tuple(dict.fromkeys((*words, *names(_NAMES))))
