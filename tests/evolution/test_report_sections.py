"""Sections of the page that only some runs have, in a real browser: named by what was measured, no more."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opened_pages import CONTRASTS, Opened
from palaestra.evolution.report.report import write_report
from palaestra.evolution.run import Run
from told_runs import ENV, append, begin, checkpoint, config, go_on, measure, told_run

pytestmark = pytest.mark.browser

OTHER = "palaestra/Other-v0"


def score(env: str, value: float) -> dict[str, Any]:
    estimate = {"value": value, "low": value - 0.1, "high": value + 0.1}
    rest = {"mean_reward": value, "statuses": {}, "invalid": 0, "tokens": 0, "seconds": 0.0, "figures": {}}
    return {"env": env, "tasks": 8, "accuracy": estimate, "pass_at_k": {"4": estimate}, "measure": "accuracy", **rest}


def evaluation(step: int, scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"step": step, "version": step, "scores": list(scores)}


def place_answers(run: Run, step: int) -> None:
    tenths = {f"position {tenth}/10": tenth / 10 for tenth in range(1, 11)}
    bounds = {"accuracy": 0.5, "low": 0.4, "high": 0.6, "reward": 0.5}
    append(run, {"step": step, "phase": f"evaluate/{ENV}", "time": 0.0, **bounds, **tenths})


def measured_run(place: Path, steps: Sequence[int]) -> Path:
    begin(place)
    with Run.open(place) as run:
        measure(run, 0, 4, 0.5)
        go_on(run, 1)
        for step in steps:
            place_answers(run, step)
        checkpoint(run, 1, [evaluation(step, [score(ENV, 0.25 + 0.25 * step)]) for step in steps])
    return write_report([place], place.with_suffix(".html"))


def test_what_was_measured_once_has_no_before_and_after(chromium: Any, tmp_path: Path) -> None:
    with Opened(chromium, measured_run(tmp_path / "once", [0]).as_uri()) as page:
        assert page.locator("#crosses thead th").all_inner_texts() == ["", "k", "at step 0"]
        assert page.locator("#crosses tbody td").first.inner_text() == "4"
        assert page.locator("#crosses tbody td").all_inner_texts()[1].startswith("25.0 %")
        page.locator("#positions .numbers summary").click()
        page.locator("#positions td").first.wait_for()
        assert page.locator("#positions thead th").all_inner_texts() == ["tenth", "at step 0"]
    with Opened(chromium, measured_run(tmp_path / "twice", [0, 1]).as_uri()) as page:
        assert page.locator("#crosses thead th").all_inner_texts() == ["", "k", "before", "after"]
        shares = [said.split("\n")[0] for said in page.locator("#crosses tbody td").all_inner_texts()]
        assert shares == ["4", "25.0 %", "50.0 %"]
        assert page.locator("#positions .legend li").all_inner_texts() == ["before (step 0)", "after (step 1)"]


def crossing_run(place: Path, watched: Sequence[str], envs: Sequence[str]) -> Path:
    facts = config()
    with Run.create(place, facts | {"objective": facts["objective"] | {"watched": list(watched)}}) as run:
        measure(run, 0, 4, 0.5)
        go_on(run, 1)
        checkpoint(run, 1, [evaluation(n, [score(env, 0.2 + 0.1 * n) for env in envs]) for n in (0, 1)])
    return write_report([place], place.with_suffix(".html"))


def test_measures_of_one_environment_are_no_other_places(chromium: Any, tmp_path: Path) -> None:
    told = [ENV, f"{ENV} with principles"]
    with Opened(chromium, crossing_run(tmp_path / "one", [], told).as_uri()) as page:
        assert page.locator("#crosses h3").all_inner_texts() == ["pass@k"]
    with Opened(chromium, crossing_run(tmp_path / "two", [OTHER], [*told, OTHER]).as_uri()) as page:
        assert page.locator("#crosses h3").first.inner_text() == "What learning in one place did to others"
        crossed = page.locator("#crosses table").first
        assert crossed.locator("thead th").all_inner_texts() == ["", ENV, OTHER]
        cells = [" ".join(said.split()) for said in crossed.locator("td").all_inner_texts()]
        assert cells == ["20.0 %"] * 2 + ["30.0 % +10.0 points"] * 2 + ["nothing"] * 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_has_the_table_that_it_speaks_of(chromium: Any, tmp_path: Path, scheme: str) -> None:
    report = write_report([told_run(tmp_path / "run", steps=3)], tmp_path / "report.html")
    with Opened(chromium, report.as_uri(), color_scheme=scheme, viewport={"width": 360, "height": 740}) as page:
        charts = page.locator("#story figure").filter(has=page.locator("svg[aria-label*='follow as a table']"))
        assert charts.count() >= 6
        assert charts.locator("details.numbers").count() == charts.count()
        small = page.locator("#curves .small-chart").filter(has_text="tokens a reply")
        assert small.locator("td").count() == 0, "cells are made when they are looked at"
        small.locator("summary").focus()
        page.keyboard.press("Enter")
        small.locator("td").first.wait_for()
        assert small.locator("thead th").all_inner_texts() == ["step", "run"]
        assert small.locator("tbody tr").all_inner_texts() == ["1\t3", "2\t3", "3\t3"]
        assert small.locator("summary").text_content() == "numbers of tokens a reply"
        assert page.evaluate(CONTRASTS) == []
        assert page.evaluate("document.documentElement.scrollWidth") == 360
