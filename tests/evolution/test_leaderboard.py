"""Many results on one page: what is put side by side, and how it reads."""

import json
import re
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from palaestra.envs.errors import RunError, UsageError
from palaestra.evolution.benchmark.leaderboard import board_of
from palaestra.evolution.benchmark.page import render_board
from palaestra.evolution.benchmark.result import ResultFolder
from palaestra.evolution.cli import main

KEYS = [f"{n:032x}" for n in range(40)]


def policy(name: str) -> dict[str, Any]:
    return {"name": name, "spec": f"scripted:{name}", "comment": "", "identity": {"kind": "scripted", "name": name}}


def env(name: str, judge: str = "j1", tasks: str = "t1") -> dict[str, Any]:
    code = {"class": "m:W", "digest": judge * 16}
    return {
        "name": name, "spec": f"w:{name}", "comment": "", "split": "held-out", "tasks": 40, "tasks_digest": tasks * 16,
        "attempts": 1, "seeds": [0], "votes": True, "identity": {"id": name, "settings": {}, "code": code},
    }  # fmt: skip


def cell(who: str, where: str, right: int) -> dict[str, Any]:
    outcomes = {key: [int(n < right), 1, float(n < right)] for n, key in enumerate(KEYS)}
    accuracy = {"value": right / 40, "low": max(0, right / 40 - 0.1), "high": min(1, right / 40 + 0.1)}
    cost = {"seconds": 2.0, "tokens_in": 1.0, "tokens_out": 100.0, "spend": None, "requests": 0.0}
    return {"policy": who, "env": where, "accuracy": accuracy, "outcomes": outcomes, "marked": "", "cost": cost}


def result(folder: Path, envs: list[dict[str, Any]], cells: list[dict[str, Any]], created: str = "2026-01-01"):
    folder.mkdir()
    about = {
        "format": 1, "created": created, "palaestra": "0.1", "commit": "abc", "machine": {"processor": "x"},
        "complete": True, "suite": {"name": "s"}, "environments": envs, "cells": cells, "comparisons": [],
        "policies": [policy(name) for name in dict.fromkeys(one["policy"] for one in cells)],
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(about))
    return ResultFolder.open(folder)


def ranks(board, column: int = 0) -> dict[str, str]:
    key = board.columns[column].key
    return {row.name: row.places[key].ranks for row in board.rows if key in row.places}


def test_ranks_come_from_pairs_and_ties_stay_ties(tmp_path: Path) -> None:
    cells = [cell("best", "a", 40), cell("good", "a", 38), cell("poor", "a", 10)]
    board = board_of([result(tmp_path / "r", [env("a")], cells)])
    # 38 and 40 of 40 differ on two tasks; nobody could tell.
    assert ranks(board) == {"best": "1–2", "good": "1–2", "poor": "3"}
    assert [row.name for row in board.rows] == ["best", "good", "poor"]
    assert all(row.total is None for row in board.rows)  # one environment is no average


def test_only_the_same_tasks_and_judges_stand_side_by_side(tmp_path: Path) -> None:
    one = result(tmp_path / "one", [env("a")], [cell("x", "a", 30)])
    same = result(tmp_path / "same", [env("a")], [cell("y", "a", 20)])
    judged = result(tmp_path / "judged", [env("a", judge="j2")], [cell("y", "a", 20)])
    asked = result(tmp_path / "asked", [env("a", tasks="t2")], [cell("y", "a", 20)])
    assert [c.name for c in board_of([one, same]).columns] == ["a"]
    assert [c.name for c in board_of([one, judged, asked]).columns] == ["a", "a #2", "a #3"]


def sampled(folder: Path, who: dict[str, dict[str, Any]], course: dict[str, Any], attempts: int = 1):
    """A result of one weights under several names, each sampled in a way of its own."""
    made = result(folder, [env("a")], [cell(name, "a", 20) for name in who])
    made.about["suite"] |= {
        "entrants": [{"name": name, "sampling": sampling} for name, sampling in who.items()],
        "courses": [{"name": "a", "attempts": attempts, "sampling": course}],
    }
    for one in made.about["policies"]:
        one["identity"] = {"kind": "local", "weights": "w"}
    return made


def test_one_policy_that_is_sampled_in_two_ways_is_two(tmp_path: Path) -> None:
    ways = {"plain": {}, "hot": {"temperature": 1.5}, "again": {"temperature": 1.5}}
    board = board_of([sampled(tmp_path / "one", ways, {})])
    assert [(row.name, dict(row.sampling)) for row in board.rows] == [("hot", {"temperature": 1.5}), ("plain", {})]
    assert "temperature 1.5" in render_board(board)


def test_courses_that_ask_for_other_sampling_are_other_columns(tmp_path: Path) -> None:
    results = [
        sampled(tmp_path / "greedy", {"x": {}}, {}),
        sampled(tmp_path / "several", {"x": {}}, {}, attempts=4),
        sampled(tmp_path / "said", {"x": {}}, {"temperature": 1.0}),
        sampled(tmp_path / "short", {"x": {}}, {"max_tokens": 8}),
    ]
    board = board_of(results)
    assert [dict(column.about["sampling"]) for column in board.columns] == [
        {"temperature": 0.0}, {"temperature": 1.0}, {"temperature": 0.0, "max_tokens": 8},
    ]  # fmt: skip
    assert (len(board.rows), board.superseded) == (1, 1)


def test_the_newest_figure_of_a_policy_counts(tmp_path: Path) -> None:
    old = result(tmp_path / "old", [env("a")], [cell("x", "a", 10)], "2026-01-01")
    new = result(tmp_path / "new", [env("a")], [cell("x", "a", 30)], "2026-01-02")
    board = board_of([new, old])
    assert len(board.rows) == 1
    assert board.rows[0].places[board.columns[0].key].accuracy["value"] == 0.75
    assert (board.superseded, board.rows[0].results) == (1, ["old", "new"])


def test_who_lacks_an_environment_has_no_mean_and_says_why(tmp_path: Path) -> None:
    marked = {"policy": "y", "env": "b", "marked": "3 of 4 episodes are invalid", "invalid": 3}
    cells = [cell("x", "a", 30), cell("x", "b", 30), cell("y", "a", 40), marked]
    board = board_of([result(tmp_path / "r", [env("a"), env("b")], cells)])
    x, y = board.rows
    assert (x.name, y.name) == ("x", "y")
    assert x.total is not None
    assert (x.total.ranks, x.total.accuracy["value"], y.total) == ("1", 0.75, None)
    page = render_board(board)
    assert "3 of 4 episodes are invalid" in page
    assert "not measured everywhere" in page


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no result\.json"):
        ResultFolder.open(tmp_path)
    good = result(tmp_path / "r", [env("a")], [cell("x", "a", 30)])
    newer = deepcopy(good.about) | {"format": 99}
    (good.directory / "result.json").write_text(json.dumps(newer))
    with pytest.raises(RunError, match="newer than the 1"):
        ResultFolder.open(good.directory)
    refused = {"policy": "x", "env": "a", "refused": "no"}
    with pytest.raises(UsageError, match="None of these results has a figure"):
        board_of([result(tmp_path / "none", [env("a")], [refused])])


@pytest.fixture
def written(tmp_path: Path) -> Path:
    hostile = "<b>x</b></script>"
    cells = [cell("best", "a", 40), cell("poor", "a", 10), cell(hostile, "a", 20)]
    result(tmp_path / "r", [env("a")], cells)
    with pytest.raises(SystemExit) as end:
        main(["leaderboard", str(tmp_path / "r"), "--out", str(tmp_path / "page.html")])
    assert not end.value.code
    return tmp_path / "page.html"


def test_the_page_needs_nothing_and_trusts_nobody(written: Path) -> None:
    page = written.read_text()
    assert not re.search(r"(?i)\b(?:src|href)\s*=|url\(|@import|https?://(?!www\.w3\.org)", page)
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/" in page
    assert page.count('<svg class="bar"') == 3
    assert 'aria-label="100.0 %, 90.0 to 100.0"' in page


@pytest.mark.browser
def test_the_page_sorts_by_pointer_and_by_keyboard(written: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    assert chromium, "this test needs a Chromium"
    # The page runs no script but its own, so a tester's stands in a page without that rule.
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", written.read_text())
    keys = """<script>
    const heads = [...document.querySelectorAll("#board thead button")], said = [];
    const order = () => [...document.querySelectorAll("#board tbody th")].map(th => th.dataset.value[0]).join("");
    heads[2].click(); said.push(order()); heads[2].click(); said.push(order());
    heads[2].focus();
    heads[2].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
    document.activeElement.click(); said.push(order());
    said.push(document.getElementById("order").textContent, document.querySelector("[aria-sort]").textContent);
    document.body.dataset.said = said.join("|");
    </script>"""
    path = tmp_path / "tried.html"
    path.write_text(page + keys)
    words = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*words, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    said = re.search(r'data-said="([^"]*)"', done.stdout)
    assert said is not None
    falling, rising, named, told, head = said[1].split("|")
    assert (falling, rising) == ("b&lt;p", "p&lt;b")
    assert named == "&lt;bp"
    assert told == "Sorted by policy, ascending."
    assert "policy" in head
