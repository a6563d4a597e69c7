"""The page about runs in a real browser: it draws, filters, is led by keyboard, fits phone and paper, logs no error."""

from pathlib import Path
from typing import Any

import pytest
from opened_pages import CONTRASTS, Opened, rows, until
from palaestra.evolution.report.report import write_report
from told_runs import told_run

pytestmark = pytest.mark.browser

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"><!--"


def saying(a: int, b: int, right: bool) -> str:
    return HOSTILE if a == 11 else str(a + b if right else a + b - 10)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("told")
    return write_report([told_run(place / "run", say=saying, turns=2)], place / "report.html")


def test_every_section_is_drawn(chromium: Any, report: Path) -> None:
    opened = Opened(chromium, report.as_uri())
    with opened as page:
        shown = page.locator("#story > section:not([hidden]) h2").all_inner_texts()
        assert shown == [
            "What came of it",
            "What was done",
            "Curves",
            "Before and after",
            "Verdicts",
            "From objective to checkpoint",
            "Time and cost",
            "Episodes",
            "What this page left out",
        ]
        assert "25.0 %" in page.locator("#came").inner_text()
        assert "75.0 %" in page.locator("#came").inner_text()
        assert page.locator("#curves figure svg[role=img]").count() >= 4
        assert page.locator("#transitions [data-transition=wrong_right] b").inner_text() == "4"
        assert "48 of 48 training episodes" in page.locator("#left").inner_text()
        assert page.locator("#lineage svg .node").count() == 6 * 2 + 1
    assert opened.asked == [report.as_uri()], "a page that needs nothing from elsewhere"


def test_filters_leave_what_they_say(chromium: Any, report: Path) -> None:
    with Opened(chromium, report.as_uri()) as page:
        assert rows(page) == 48 + 16
        page.select_option(".field-split select", "training")
        assert rows(page) == 48
        page.select_option(".field-status select", "correct")
        right = rows(page)
        assert page.locator(".row .verdict").first.inner_text().startswith("✓")
        page.select_option(".field-status select", "wrong")
        assert rows(page) == 48 - right
        page.get_by_role("spinbutton", name="from").nth(1).fill("6")
        assert rows(page) < 48 - right
        page.click("button.reset")
        until(page, "document.querySelector('.count').textContent.startsWith('64')")
        page.get_by_role("spinbutton", name="from").nth(0).fill("1")
        assert rows(page) == right + 2 + 6
        page.click("button.reset")
        page.fill("#search", "10 + 3")
        assert rows(page) == 4
        page.fill("#search", "ONERROR")
        assert rows(page) == 24, "whatever it says it is found as it is written"
        page.fill("#search", "nothing says this")
        assert rows(page) == 0
        assert "No episode passes" in page.locator(".detail").inner_text()


def test_what_an_episode_says_stays_a_text(chromium: Any, report: Path) -> None:
    with Opened(chromium, report.as_uri()) as page:
        page.fill("#search", "onerror")
        page.wait_for_timeout(200)
        assert page.title() == "run"
        assert page.locator("img").count() == 0
        assert HOSTILE[:20] in page.locator(".detail .tokens").first.inner_text()


def test_all_of_it_is_led_by_keyboard(chromium: Any, report: Path) -> None:
    with Opened(chromium, report.as_uri()) as page:
        focus = "document.activeElement.id || document.activeElement.className"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("/")
        assert page.evaluate(focus) == "search"
        page.keyboard.type("10 + 3")
        page.keyboard.press("Enter")
        assert "list" in page.evaluate(focus)
        assert page.locator("[role=option][aria-selected=true]").get_attribute("aria-posinset") == "1"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        chosen = page.locator("[role=option][aria-selected=true]")
        assert chosen.get_attribute("aria-posinset") == "2"
        assert page.locator(".list").get_attribute("aria-activedescendant") == chosen.get_attribute("id")
        page.keyboard.press("Enter")
        assert "detail" in page.evaluate(focus)
        page.keyboard.press("Escape")
        assert "list" in page.evaluate(focus)
        page.keyboard.press("End")
        assert chosen.get_attribute("aria-posinset") == "4"
        page.keyboard.press("Escape")
        assert page.evaluate(focus) == "search"
        page.keyboard.press("Escape")
        assert page.input_value("#search") == ""
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid", "who has the focus is seen"


def test_a_dialogue_is_read_token_by_token(chromium: Any, report: Path) -> None:
    with Opened(chromium, report.as_uri()) as page:
        page.fill("#search", "10 + 3")
        box = page.locator(".detail .tokens").first
        assert box.locator(".tok.special").all_inner_texts() == ["<|end|>"]
        box.focus()
        page.keyboard.press("ArrowRight")
        told = page.locator(".detail .readout").first.inner_text()
        assert told.startswith("token 2 of 3")
        assert "log-probability" in told
        assert box.locator(".tok.loss").count() == 3
        page.click("[data-set=colour-advantage]")
        assert page.locator(".detail .tok.gain, .detail .turn .tok.loss").count() >= 3
        page.click("[data-set=colour-]")
        assert page.locator(".detail .turn .tok.gain, .detail .turn .tok.loss").count() == 0
        page.click("[data-set=context-true]")
        assert "<|user|>" in page.locator(".detail .world").first.inner_text()
        assert page.locator(".detail .turn").count() == 2


def test_a_task_is_compared_before_and_after(chromium: Any, report: Path) -> None:
    with Opened(chromium, report.as_uri()) as page:
        page.click("[data-transition=wrong_right]")
        assert rows(page) == 2 * 4
        sides = page.locator(".detail .side")
        assert sides.count() == 2
        assert sides.nth(0).inner_text().startswith("before, step 0")
        assert sides.nth(1).inner_text().startswith("after, step 6")
        assert "wrong" in sides.nth(0).locator(".verdict-line").inner_text()
        assert "correct" in sides.nth(1).locator(".verdict-line").inner_text()
        boxes = "[...document.querySelectorAll('.side')].map(side => side.getBoundingClientRect()).map(b => [b.x, b.y])"
        (left, level), (right, as_high) = page.evaluate(boxes)
        assert level == as_high
        assert left < right
        page.select_option(".beside select", "")
        assert sides.count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_told_from_their_ground(chromium: Any, report: Path, scheme: str) -> None:
    with Opened(chromium, report.as_uri(), color_scheme=scheme) as page:
        page.click("[data-transition=right_right]")
        poor = page.evaluate(CONTRASTS)
        assert poor == []
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        dark = sum(int(part) for part in ground[4:-1].split(",")) < 3 * 60
        assert dark == (scheme == "dark")
        page.click("[data-theme-choice=light]" if scheme == "dark" else "[data-theme-choice=dark]")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground, "the switch wins"
        assert page.evaluate(CONTRASTS) == []


def test_a_phone_scrolls_in_one_direction(chromium: Any, report: Path) -> None:
    with Opened(chromium, report.as_uri(), viewport={"width": 360, "height": 740}, has_touch=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.click("[data-transition=wrong_right]")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        small = page.evaluate(
            "[...document.querySelectorAll('button, select, input')].filter(b => b.offsetParent)"
            ".filter(b => b.getBoundingClientRect().height < 36).map(b => b.outerHTML)"
        )
        assert small == [], "what is touched is large enough"


def test_paper_shows_what_can_be_read_on_paper(chromium: Any, report: Path) -> None:
    with Opened(chromium, report.as_uri(), color_scheme="dark") as page:
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        for gone in ("#bar", ".filters", ".list", ".tools", ".top .switch"):
            assert page.locator(gone).first.is_hidden()
        assert page.locator(".detail .turn").first.is_visible()
        assert page.locator("#curves figure").first.is_visible()
        assert len(page.pdf(format="A4")) > 10_000


def test_a_page_of_twenty_thousand_episodes_holds_a_screenful(chromium: Any, tmp_path: Path) -> None:
    place = told_run(tmp_path / "run", steps=25, groups=100, attempts=8, tasks=100)
    page_file = write_report([place], tmp_path / "report.html")
    assert page_file.stat().st_size < 5_000_000
    with Opened(chromium, page_file.as_uri()) as page:
        assert rows(page) == 25 * 800 + 200
        assert page.locator(".row").count() < 60
        parsed = "P.names().filter(name => /-c\\d+$/.test(name)).length"
        assert page.evaluate(parsed) > 20
        page.evaluate("document.querySelector('.list').scrollTop = 300000")
        until(page, "document.querySelector('.row').getAttribute('aria-posinset') > 5000")
        assert page.locator(".row").count() < 60
        page.fill("#search", "= 57")
        page.select_option(".field-status select", "correct")
        assert 0 < rows(page) < 20_200
        assert page.locator(".row").count() < 60
        assert page.evaluate("document.querySelectorAll('*').length") < 6_000


def test_several_runs_lie_side_by_side(chromium: Any, tmp_path: Path) -> None:
    runs = [told_run(tmp_path / "one"), told_run(tmp_path / "two", seed=1, steps=4)]
    report = write_report(runs, tmp_path / "report.html")
    with Opened(chromium, report.as_uri()) as page:
        assert page.locator("h1").inner_text() == "2 runs side by side"
        differing = page.locator("#came tr.differs th").all_inner_texts()
        assert any("seed" in label for label in differing)
        assert not any("policy" in label for label in differing)
        legend = page.locator("#curves figure").first.locator(".legend li").all_inner_texts()
        assert legend == ["one", "two"]
        assert rows(page) == 48 + 16 + 32 + 16
        page.select_option(".field-run select", "1")
        assert rows(page) == 32 + 16
        page.locator("#lineage .which button").nth(1).click()
        assert page.locator("#lineage svg .node").count() == 4 * 2 + 1
