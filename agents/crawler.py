"""A crawler by rule: it finds a value by its label or by a name in the markup, and writes XPaths for it.

It reads what any agent reads in `palaestra/Crawl-v0` and knows no more. Its first program says what the value looks
like; only when it is told that this gives something else does it say where on the page the value stands, and then which
part of it. So what it gains by being told can be measured without a model.
"""

import re
from typing import Any, ClassVar

from lxml import etree
from palaestra.agents.agent import Acting, Move
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import UsageError
from palaestra.envs.place import Place
from palaestra.envs.reading.crawl.environment import PAGE
from palaestra.envs.task import Task

__all__ = ["CrawlerAgent"]

_ASKED = re.compile(r"every page of a site: (.+?) of the ")
_NAMED = ("class", "itemprop")


class CrawlerAgent:
    """Plays `palaestra/Crawl-v0` by rule."""

    name: ClassVar[str] = "scripted:crawler"
    policy: ClassVar[None] = None

    def with_sampling(self, sampling: Sampling) -> "CrawlerAgent":
        """Return this agent, which does not sample."""
        del sampling
        return self

    def enter(self, env: Place, task: Task, seed: int) -> "_Crawler":
        """Return a player that knows what is asked for.

        Raises:
            UsageError: If that is nothing on pages.
        """
        del env, seed
        asked = _ASKED.search(task.prompt)
        if asked is None:
            raise UsageError("scripted:crawler plays palaestra/Crawl-v0 alone: take it there, or take another agent.")
        return _Crawler(asked[1])


class _Crawler:
    """One episode: what is looked for, the page that is shown, and how often it was tried."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._root: Any = None
        self._tried = 0
        self._seen: list[str] = []

    def act(self, observation: str) -> Acting:
        """Write a program for the page that was shown last."""
        yield from ()
        before, shown, page = observation.rpartition(PAGE)
        if shown:
            self._root = etree.fromstring(page.encode(), etree.HTMLParser(no_network=True, encoding="utf-8"))
            # A page that was pruned is the same page, tried again.
            if "another page" in before or "Reply with lines" in before:
                self._tried, self._seen = 0, []
        values, program = self._program()
        self._tried += 1
        reply = "\n".join([*(f"value: {value}" for value in values), *(f"xpath: {xpath}" for xpath in program)])
        return Move(reply, reply)

    def _program(self) -> tuple[list[str], list[str]]:
        """Return what it sees, and a program: what it looks like, then where it stands, then which part of it."""
        found = self._by_label() or self._by_name()
        if found is None and self._seen:  # the page was pruned to the value and what stands beside it
            return self._seen, ["//a" if len(self._root.findall(".//a")) else "(//text()[normalize-space()])[1]"]
        if found is None:
            return [_told(self._root, "h1")], ["//h1"]
        node, xpath, text = found
        links = node.findall("a")
        values = self._seen = [_text(link) for link in links] or [text]
        if self._tried == 0:
            return values, [xpath]
        landmark = self._landmark(node)
        part = "/a" if links else "/text()[normalize-space()]"
        last = xpath if self._tried == 1 or xpath.endswith(")]") else xpath + part
        return values, [*([landmark] if landmark else []), last]

    def _by_label(self) -> tuple[Any, str, str] | None:
        """Find a value beside its label: the element that holds it, an XPath, and the text that it begins with."""
        for node in self._after_title():
            if _text(node).rstrip(":") != self._label:
                continue
            if node.tag == "th" and (cell := node.getnext()) is not None:
                return cell, f'//tr[th="{self._label}"]/td', _first(cell.text)
            if node.tag == "dt" and (cell := node.getnext()) is not None:
                return cell, f'//dt[.="{self._label}"]/following-sibling::dd[1]', _first(cell.text)
            if node.tag == "b" and (line := node.getparent()) is not None:
                end = "/a" if line.find("a") is not None else "/text()[normalize-space()]"
                return line, f'//{line.tag}[b="{_text(node)}"]{end if self._tried else ""}', _first(node.tail)
        return None

    def _by_name(self) -> tuple[Any, str, str] | None:
        """Find a value by an attribute that sounds like its label."""
        stem = self._label.lower().split()[-1].rstrip("s")[:5]
        for node in self._after_title():
            for name in _NAMED:
                if stem in node.get(name, "").lower() and _first(node.text):
                    return node, f'//{node.tag}[@{name}="{node.get(name)}"]', _first(node.text)
                if stem in node.get(name, "").lower() and node.find("a") is not None:
                    return node, f'//{node.tag}[@{name}="{node.get(name)}"]', ""
        return None

    def _after_title(self) -> list[Any]:
        """Return all elements, those behind the title first: what is before it is about something else."""
        nodes = [node for node in self._root.iter() if isinstance(node.tag, str)]
        title = next((place for place, node in enumerate(nodes) if node.tag == "h1"), 0)
        return [*nodes[title:], *nodes[:title]]

    def _landmark(self, node: Any) -> str:
        """Return an XPath of what on the page the value belongs to, or nothing where nothing is told apart."""
        for above in node.iterancestors():
            if above.get("id"):
                return f'//{above.tag}[@id="{above.get("id")}"]'
            if above.tag in ("main", "article"):
                return f"//{above.tag}"
        return ""


def _text(node: Any) -> str:
    return " ".join("".join(node.itertext()).split())


def _first(text: str | None) -> str:
    return " ".join((text or "").split())


def _told(root: Any, tag: str) -> str:
    node = root.find(f".//{tag}")
    return _text(node) if node is not None else ""
