"""Ways of answering and versions of a context in a real browser: drawn, read by keyboard, on phone and paper."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from opened_pages import CONTRASTS, Opened, rows
from palaestra.evolution.report.report import write_report
from telling_runs import answering_run, telling_run, versions
from told_runs import told_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("answered")
    return write_report([answering_run(place / "run")], place / "report.html")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("told")
    return write_report([telling_run(place / "run")], place / "report.html")


def test_rounds_are_drawn_with_what_became_of_answers_and_their_cost(chromium: Any, answered: Path) -> None:
    with Opened(chromium, answered.as_uri()) as page:
        lines = page.locator("#rounds figure").first
        assert lines.locator(".legend li").all_inner_texts() == ["review", "again"]
        assert lines.locator("path.band").count() == 2
        lines.locator("svg[role=img]").focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        assert lines.locator(".readout").inner_text().startswith("round 1: review 50.0 % (")
        bars = page.locator(".became li")
        assert bars.count() == 2
        widths = "[...document.querySelector('.became li .bar').children].map(e => e.getBoundingClientRect().width)"
        assert max(page.evaluate(widths)) - min(page.evaluate(widths)) < 1, "two of eight made each transition"
        assert [" ".join(part.split()) for part in bars.first.locator(".part").all_inner_texts()] == [
            "right → right ✓ 25 %",
            "wrong → right ↗ 25 %",
            "right → wrong ↘ 25 %",
            "wrong → wrong ✗ 25 %",
        ]
        assert page.locator(".meters.costs li").count() == 3
        assert "2.5 replies" in page.locator(".meters.costs li").nth(1).inner_text()
        told = page.locator("#rounds table").last.locator("tbody tr").nth(1).locator("td").all_inner_texts()
        assert [cell.split("\n")[0] for cell in told[:4]] == ["50.0 %", "50.0 %", "50.0 %", "+0.0 points"]
        assert page.locator("#curves .small-chart").filter(has_text="round").count() == 0


def test_an_answer_alone_is_read_beside_the_same_task_in_each_way(chromium: Any, answered: Path) -> None:
    with Opened(chromium, answered.as_uri()) as page:
        page.click("[data-transition=wrong_right]")
        assert rows(page) == 2 * 2
        sides = page.locator(".detail .side h4")
        assert sides.all_inner_texts() == ["alone, step 0", "review, step 1"]
        page.click("[data-way=again]")
        assert rows(page) == 8
        assert page.input_value(".field-way select") == "again"
        assert sides.all_inner_texts() == ["alone, step 0", "again, step 1"]
        assert "again · 1" in page.locator(".row .meta").first.inner_text()


def test_versions_are_read_and_compared_by_keyboard(chromium: Any, told: Path) -> None:
    with Opened(chromium, told.as_uri()) as page:
        drawn = page.locator("#lineage svg text").all_text_contents()
        assert drawn.count("✓ accepted") == 3
        assert drawn.count("✗ rejected") == 1
        assert any("surely worse, back to v1" in words for words in drawn)
        card = page.locator(".told-card")
        assert card.inner_text().startswith("v3 ")
        assert "mean reward 0.25 → 0.50, +0.25 (0.13 to 0.37), over 64 tasks" in card.inner_text()
        assert "from: 17 + 5 = ?" in card.inner_text()
        page.locator("#told [aria-label='version before']").focus()
        page.keyboard.press("Enter")
        assert card.inner_text().startswith("v2 ")
        assert "Rolled back at step 4." in card.inner_text()
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "version before"
        assert "Against v1: other instructions, 2 added, 1 changed." in card.inner_text()
        assert card.locator(".instructions ins").all_inner_texts() == ["Be very brief.\n"]
        assert card.locator(".instructions del").all_inner_texts() == ["Be brief.\n"]
        assert card.locator(".entry.changed ins").inner_text().strip() == "Always carry"
        assert "votes 1 → 3" in card.locator(".entry.changed").inner_text()
        assert card.locator(".entry.added .mono").inner_text().startswith("def add(a, b):")
        assert "<b>Ten is not one.</b>" in card.inner_text()
        page.locator("#told .against").select_option(index=0)
        assert card.locator("ins, del, .entry.added").count() == 0, "as it stands"
        page.locator("#told .shown").select_option(index=3)
        page.click("[data-only=true]")
        assert card.locator(".entry.same").count() == 0
        page.locator("#told .against").select_option(label="v2, step 3")
        assert card.locator(".entry.gone del").inner_text().startswith("def add")
        assert card.locator(".entry").count() == 1, "all else is as it was"


def test_a_version_whose_files_are_gone_takes_no_other_section_with_it(chromium: Any, tmp_path: Path) -> None:
    place = telling_run(tmp_path / "run")
    shutil.rmtree(place / "contexts" / versions()[1].digest)
    with Opened(chromium, write_report([place], tmp_path / "report.html").as_uri()) as page:
        card = page.locator(".told-card")
        assert "The files of v1 are gone, or damaged: this version is shown as it stands." in card.inner_text()
        assert card.locator(".instructions").inner_text().strip().endswith("Be very brief.")
        assert card.locator("ins, del, .entry.added").count() == 0
        assert page.locator("#costs").is_visible()
        assert page.locator("#left").is_visible()
        page.locator("#told .against").select_option(label="v2, step 3")
        assert "Against v2: 1 gone." in card.inner_text()
        page.locator("#told .shown").select_option(label="v1, step 1")
        assert "The files of this version are gone" in card.inner_text()


def test_replies_without_a_tokenizer_are_read_as_text(chromium: Any, tmp_path: Path) -> None:
    place = answering_run(tmp_path / "run")
    for file in place.glob("checkpoints/*/tokenizer.json"):
        file.unlink()
    with Opened(chromium, write_report([place], tmp_path / "report.html").as_uri()) as page:
        page.fill("#search", "3 + 1")
        assert page.locator(".detail .said.reply").first.inner_text() in ("4", "-6")
        assert page.locator(".detail .tok").filter(has_text="⟨").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_are_told_from_their_ground_and_fit_a_phone(
    chromium: Any, answered: Path, told: Path, scheme: str
) -> None:
    for page_file in (answered, told):
        with Opened(chromium, page_file.as_uri(), color_scheme=scheme, viewport={"width": 360, "height": 740}) as page:
            assert page.evaluate(CONTRASTS) == []
            assert page.evaluate("document.documentElement.scrollWidth") == 360
            small = page.evaluate(
                "[...document.querySelectorAll('button, select')].filter(b => b.offsetParent)"
                ".filter(b => b.getBoundingClientRect().height < 36).map(b => b.outerHTML)"
            )
            assert small == [], "what is touched is large enough"


def test_paper_shows_the_version_and_the_rounds(chromium: Any, answered: Path, told: Path) -> None:
    for page_file, shown in (
        (answered, ".became"),
        (answered, "#rounds table"),
        (told, ".told-card"),
        (told, ".lineage"),
    ):
        with Opened(chromium, page_file.as_uri()) as page:
            page.emulate_media(media="print")
            assert page.locator(shown).last.is_visible()
            assert page.locator("#told .tools").is_hidden()
            assert page.locator("#rounds button").first.is_hidden()


def test_runs_of_several_kinds_lie_side_by_side(chromium: Any, tmp_path: Path) -> None:
    runs = [
        told_run(tmp_path / "trained", steps=2),
        answering_run(tmp_path / "answered"),
        telling_run(tmp_path / "told"),
    ]
    page_file = write_report(runs, tmp_path / "report.html")
    with Opened(chromium, page_file.as_uri()) as page:
        rounds = page.locator("#rounds")
        assert rounds.is_hidden(), "the first run has no rounds"
        page.locator("#lineage .which button").nth(1).click()
        assert rounds.is_visible()
        assert page.locator("#told").is_hidden()
        page.locator("#lineage .which button").nth(2).click()
        assert rounds.is_hidden()
        assert page.locator("#told .told-card").is_visible()
        assert page.locator("#lineage svg .refused").count() == 1
        labels = page.locator("#came th").all_inner_texts()
        assert not any("with again, before" in label for label in labels), "what was measured once has no before"
