"""Pages in a real browser, that must not complain."""

from pathlib import Path
from typing import Any

CONTRASTS = Path(__file__).with_name("contrasts.js").read_text(encoding="utf-8")
"""Finds texts that are hard to tell from their ground."""


class Opened:
    """A page that must not complain."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda told: self.complaints.append(told.text) if told.type != "log" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(url)
        self.page.wait_for_selector(".row")

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, kind: Any, *_: Any) -> None:
        self.context.close()
        if kind is None:
            assert self.complaints == []


def until(page: Any, truth: str) -> None:
    """Wait for an expression; the browser's own waiting would compile it in the page, whose policy forbids that."""
    for _ in range(300):
        if page.evaluate(truth):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never came true: {truth}")


def rows(page: Any) -> int:
    return int(page.locator(".count").inner_text().split(" of ")[0].replace(",", ""))
