"""Pages that need nothing from elsewhere, whatever their data holds."""

import json
import re
from html.parser import HTMLParser

import pytest
from palaestra.evolution.report.page import asset, compact_json, page, policy

HOSTILE = '</script><script>alert(1)</script><!-- <b onclick="x">&amp; \u2028 \u2029 ]]> \ud83d end'


class Scripts(HTMLParser):
    """What a browser takes for scripts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[dict[str, str | None], str]] = []
        self._open: dict[str, str | None] | None = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._open = dict(attrs) if tag == "script" else None

    def handle_data(self, data):
        if self._open is not None:
            self.found.append((self._open, data))
            self._open = None


def test_what_an_episode_says_is_data_and_nothing_else() -> None:
    html = page("<i>title</i>", "<p>body</p>", {"said": compact_json([HOSTILE])}, ["const mine = 1;"])
    scripts = Scripts(html).found
    assert [about.get("id") for about, _ in scripts] == ["data-said", None, None]
    (said,) = json.loads(scripts[0][1])
    assert said == HOSTILE
    assert "<i>title" not in html
    assert html.encode()  # a lone surrogate would be refused here


def test_only_the_pages_own_scripts_may_run() -> None:
    html = page("t", "", {}, ["const mine = 1;"])
    (said,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert said == policy([asset("base.js"), "const mine = 1;"])
    assert "unsafe" not in said.split("script-src")[1].split(";")[0]
    assert "default-src 'none'" in said
    assert "connect-src 'none'" in said
    assert "connect-src 'self'" in policy([], live=True)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html), "the page asks for something elsewhere"


def test_numbers_that_json_cannot_say_are_null() -> None:
    assert compact_json({"a": [1, float("nan")], "b": float("inf")}) == '{"a":[1,null],"b":null}'


def test_a_sections_name_cannot_break_out_of_its_place() -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        page("t", "", {'x"><script>': "1"})
