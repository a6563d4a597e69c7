"""The page of `palaestra watch` in a real browser: what is read stays, whatever comes and goes around it."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opened_pages import Opened, until
from palaestra.evolution.report.serving import Watch
from palaestra.evolution.run import Run
from told_runs import begin, go_on, measure

pytestmark = pytest.mark.browser

SELECTED = "[role=option][aria-selected=true]"


@contextmanager
def watched(place: Path) -> Iterator[Watch]:
    watch = Watch([place])
    thread = threading.Thread(target=watch.serve)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()


def counted(page: Any, episodes: int) -> None:
    until(page, f"document.querySelector('.count').textContent.startsWith('{episodes} of {episodes} ')")


def where(page: Any) -> list[str]:
    return [words.split("experience/")[-1] for words in page.locator(".detail .where").all_inner_texts()]


def beside(page: Any, words: str) -> None:
    options = page.locator(".beside option").all_inner_texts()
    page.locator(".beside select").select_option(index=next(n for n, said in enumerate(options) if words in said))


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    begin(place := tmp_path / "run")
    with Run.open(place) as run:
        measure(run, 0, 4, 0.5)
        go_on(run, 1)
    return place


def test_a_run_is_watched_while_it_goes_on(chromium: Any, begun: Path) -> None:
    with watched(begun) as watch, Opened(chromium, watch.url) as page:
        counted(page, 8 + 4)
        page.locator(".list").focus()
        page.keyboard.press("ArrowDown")
        reading = page.locator(".detail .where").inner_text()
        with Run.open(begun) as run:
            go_on(run, 2)
            counted(page, 20)
            assert "at work, step 2 of 6" in page.locator("#head").inner_text()
        assert page.locator(".detail .where").inner_text() == reading, "what is being read stays open"
        assert page.locator(SELECTED).get_attribute("aria-posinset") == "2"
        assert page.locator(".detail-nav").inner_text().split("\n")[1] == "2 of 20"


def test_what_is_read_stays_when_what_stood_before_it_goes(chromium: Any, begun: Path) -> None:
    with Run.open(begun) as run:
        measure(run, 1, 20, 0.5)
    with watched(begun) as watch, Opened(chromium, watch.url) as page:
        counted(page, 4 + 20 + 8)
        page.select_option(".field-split select", "training")
        page.locator(".row").nth(5).click()
        page.click("button.reset")
        counted(page, 32)
        reading = where(page)
        assert reading == ["step-000001.parquet, row 5"]
        high = page.locator(SELECTED).bounding_box()["y"]
        with Run.open(begun) as run:
            go_on(run, 2)
            measure(run, 2, 6, 0.5)
            counted(page, 4 + 6 + 16)
        assert where(page) == reading
        assert page.locator(SELECTED).get_attribute("aria-posinset") == str(4 + 6 + 6)
        assert page.locator(SELECTED).bounding_box()["y"] == pytest.approx(high, abs=1), "nor does it move"
        beside(page, "attempt 3")
        assert where(page) == ["step-000001.parquet, row 5", "step-000001.parquet, row 7"]
        with Run.open(begun) as run:
            measure(run, 3, 2, 0.5)
            counted(page, 4 + 2 + 16)
        page.click("[data-set=colour-advantage]")
        assert where(page) == ["step-000001.parquet, row 5", "step-000001.parquet, row 7"], "both of them"
        page.locator("[aria-label='next episode']").click()
        assert where(page) == ["step-000001.parquet, row 6"]


def test_a_choice_that_was_drawn_before_is_of_the_same_episode_after(chromium: Any, begun: Path) -> None:
    with Run.open(begun) as run:
        measure(run, 1, 20, 0.5)
    with watched(begun) as watch, Opened(chromium, watch.url) as page:
        page.select_option(".field-split select", "training")
        page.locator(".row").first.click()
        with Run.open(begun) as run:
            measure(run, 2, 6, 0.5)
            until(page, "document.querySelector('.count').textContent.endsWith('of 18 episodes in this page')")
        beside(page, "attempt 2")
        assert where(page) == ["step-000001.parquet, row 0", "step-000001.parquet, row 2"]


def test_what_has_left_the_page_is_compared_with_no_more(chromium: Any, begun: Path) -> None:
    with Run.open(begun) as run:
        measure(run, 1, 20, 0.5)
    with watched(begun) as watch, Opened(chromium, watch.url) as page:
        page.select_option(".field-split select", "training")
        page.locator(".row").first.click()
        with Run.open(begun) as run:
            measure(run, 2, 6, 0.5)
            until(page, "document.querySelector('.count').textContent.endsWith('of 18 episodes in this page')")
        beside(page, "held-out, step 1")
        assert where(page) == ["step-000001.parquet, row 0"]
        assert page.locator(".beside option:checked").inner_text() == "nothing"


def test_another_run_in_the_same_place_takes_everything_with_it(chromium: Any, begun: Path) -> None:
    with watched(begun) as watch, Opened(chromium, watch.url) as page:
        counted(page, 12)
        shutil.rmtree(begun)
        begin(begun, seed=1)
        watch.feed.epoch = "another server"
        counted(page, 0)
        assert "No episode has been recorded yet." in page.locator(".detail").inner_text()
        page.evaluate("document.querySelector('.list').dispatchEvent(new Event('scroll'))")
        assert page.locator(".row").count() == 0


def test_time_is_as_new_as_the_steps_beside_it(chromium: Any, begun: Path) -> None:
    with watched(begun) as watch, Opened(chromium, watch.url) as page:
        time = page.locator("#came .tile").last
        assert time.inner_text().split("\n")[:2] == ["time", "2.1 s"], (
            "an evaluation and a step, and no checkpoint since"
        )
        with Run.open(begun) as run:
            go_on(run, 2)
            counted(page, 20)
        assert "3.7 s" in time.inner_text()


def test_only_the_table_that_was_opened_stays_open(chromium: Any, begun: Path) -> None:
    with watched(begun) as watch, Opened(chromium, watch.url) as page:
        page.locator("#curves .small-chart .numbers summary").first.click()
        page.locator("h1").click()
        page.evaluate("document.activeElement.blur()")
        with Run.open(begun) as run:
            go_on(run, 2)
            until(page, "document.querySelector('#curves .small-chart .numbers').innerText.includes('\\n2')")
        assert page.locator("#curves .numbers[open]").count() == 1
