"""What a page tells of a run: read by streaming, thinned by a stated rule, cheap to ask for again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.errors import RunError
from palaestra.evolution.durable import RowLog
from palaestra.evolution.experience import Outcomes
from palaestra.evolution.report.account.account import Account, refuse_tournament
from palaestra.evolution.report.account.comparing import comparison_of
from palaestra.evolution.report.account.curves import measured, positions, step_curves
from palaestra.evolution.report.account.excerpt import _gathered, _units
from palaestra.evolution.report.account.statuses import status_shares
from palaestra.evolution.report.account.tables import rating_above
from palaestra.evolution.report.account.thinning import Thinned, thin_series
from palaestra.evolution.report.account.transitions import transitions
from palaestra.evolution.run import Run
from told_runs import ENV, PARTS, begin, go_on, measure, play_step, told_run


def read(sections: dict[str, str], name: str) -> Any:
    return json.loads(sections[name])


def episodes_in(sections: dict[str, str]) -> list[dict[str, Any]]:
    found = []
    for number in range(sum(name[0] == "i" and name[1:].isdigit() for name in sections)):
        block, said = read(sections, f"i{number}"), read(sections, f"c{number}")
        at, unit = 0, -1
        for row in range(len(block["unit"])):
            at = at + 1 if block["unit"][row] == unit else 0
            unit = block["unit"][row]
            fact = {name: column[row] for name, column in block.items() if name != "texts"}
            for name in ("status", "task", "env", "group", "shard"):
                fact[name] = block["texts"][fact[name]]
            found.append(fact | {"unit_said": said[unit], "said": said[unit][3][at]})
    return found


@given(st.lists(st.integers(1, 50), max_size=200), st.integers(50, 400))
def test_what_is_kept_is_every_kth_of_all_and_within_the_budget(sizes: list[int], budget: int) -> None:
    thinned: Thinned[int] = Thinned(budget)
    for number, size in enumerate(sizes):
        thinned.offer(number, size)
    assert thinned.kept == list(range(0, len(sizes), thinned.every))
    assert thinned.spent == sum(sizes[number] for number in thinned.kept) <= budget
    coarser = sum(sizes[:: max(1, thinned.every // 2)])
    assert thinned.every == 1 or coarser > budget or len(sizes) < thinned.every, "it kept fewer than it could have"


def test_many_points_become_means_of_neighbours() -> None:
    steps, (column,) = thin_series(range(1, 7), [[1.0, None, 3.0, 5.0, None, None]], 3)
    assert steps == [1.5, 3.5, 5.5]
    assert column == [1.0, 4.0, None]
    assert thin_series([1, 2], [[0.5, None]], 300) == ([1.0, 2.0], [[0.5, None]])


def test_the_four_transitions_are_counted_in_pairs() -> None:
    def side(right: str, invalid: str = "") -> Outcomes:
        ids = list("abcdef")
        statuses = ["correct" if i in right else "infrastructure" if i in invalid else "wrong" for i in ids]
        return Outcomes(ids, [ENV] * 6, ids, ["greedy"] * 5 + ["sampled"], statuses, [[0.0]] * 6)

    (found,) = transitions(side("ab"), side("bcd", invalid="e"))
    assert found == {
        "env": ENV,
        "pairs": 4,
        "right_right": 1,
        "right_wrong": 1,
        "wrong_right": 2,
        "wrong_wrong": 0,
        "tasks": 4,
        "change": [0.25, *found["change"][1:]],
    }, "f was sampled and e is no experience"
    assert found["change"][1] < 0.25 < found["change"][2]


def test_attempts_at_one_task_are_one_task_to_the_interval() -> None:
    ids = [f"{task}/a{attempt}" for task in range(50) for attempt in range(4)]
    tasks = [id_.partition("/")[0] for id_ in ids]

    def side(group: str, right: int) -> Outcomes:
        statuses = ["correct" if int(task) < right else "wrong" for task in tasks]
        return Outcomes(ids, [ENV] * 200, tasks, [group] * 200, statuses, [[0.0]] * 200)

    (found,) = transitions(side("alone", 10), side("review", 15), ["review", "again"])
    assert (found["pairs"], found["wrong_right"], found["tasks"]) == (200, 20, 50)
    change, low, high = found["change"]
    assert change == pytest.approx(0.1)
    assert (low, high) == (pytest.approx(0.02, abs=0.01), pytest.approx(0.18, abs=0.021)), (
        "the spread is that of 50 tasks"
    )


def test_games_against_several_opponents_are_not_one_change() -> None:
    ids = [f"nim/{who}/{game}" for who in ("search:minimax", "start") for game in range(4)]
    groups = [id_.split("/")[1] for id_ in ids]

    def side(won: int) -> Outcomes:
        statuses = ["correct" if n % 4 < won and who == "start" else "wrong" for n, who in enumerate(groups)]
        return Outcomes(ids, ["nim"] * 8, ["seat-0"] * 8, groups, statuses, [[0.0]] * 8)

    assert transitions(side(0), side(4)) == []
    own = Outcomes(ids, ["nim"] * 8, ["seat-0"] * 8, [""] * 8, ["correct"] * 8, [[1.0]] * 8)
    assert transitions(own, own) == [], "nor are games with oneself"


def test_advantages_are_those_of_the_updates_own_rule() -> None:
    groups = ["g"] * 3 + ["lone"] + ["g"]
    statuses = ["correct", "wrong", "wrong", "wrong", "infrastructure"]
    outcomes = Outcomes(list("abcde"), [ENV] * 5, ["t"] * 5, groups, statuses, [[1.0], [0.0], [0.0], [0.0], [0.0]])
    grpo = comparison_of({"credit": "grpo"})(outcomes)
    deviation = np.std([1, 0, 0], ddof=1) + 1e-4
    assert grpo == {row: [pytest.approx((reward - 1 / 3) / deviation)] for row, reward in enumerate([1, 0, 0])}
    assert comparison_of({"credit": "rloo"})(outcomes)[0] == [pytest.approx(1.0)]
    roles = comparison_of({"credit": "role"})(outcomes)
    assert roles[0] == [pytest.approx(0.75)], "the mean of the role is over all four that count"
    assert "does not use" in comparison_of({"kind": "Finetune"}).words


def test_statuses_of_many_steps_are_counted_together() -> None:
    found = status_shares({step: {"correct": 1, "wrong": 2} for step in range(1, 241)})
    assert found["every"] == 2
    assert found["steps"][:2] == [1, 3]
    assert found["counts"] == {"correct": [2] * 120, "wrong": [4] * 120}


def test_positions_and_curves_are_read_from_the_figures() -> None:
    rows: list[dict[str, Any]] = [
        {"step": s, "phase": "evaluate/e", "accuracy": 0.5, "position 1/10": s / 10, "sag": 0.1, "sag low": 0.0}
        for s in (0, 5, 9)
    ]
    (found,) = positions(rows)
    assert [side["step"] for side in found["sides"]] == [0, 9]
    assert found["sides"][1]["tenths"] == [0.9, *[None] * 9]
    assert found["sides"][0]["sag"] == [0.1, 0.0, None]
    trained = [{"step": 1, "phase": "train", "reward": 0.5, "watch/audit": 0.25, "watch/length": 2.0, "lag/max": 1.0}]
    curves = step_curves([*rows, *trained])
    assert (curves["reward"], curves["audit"], curves["watch"]["length"]) == ([0.5], [0.25], [2.0])
    assert curves["pace"] == {"lag/max": [1.0]}


def test_what_a_server_charged_is_no_measurement() -> None:
    charged = {"server/requests": 4.0, "server/spend": 0.25}
    rows: list[dict[str, Any]] = [
        {"step": 0, "phase": "evaluate/e", "accuracy": 0.5, "sag": 0.1} | charged,
        {"step": 1, "phase": "train", "reward": 0.5, "lag/max": 1.0} | charged,
    ]
    (curve,) = measured(rows, {})
    assert [figure["name"] for figure in curve["figures"]] == ["sag"]
    assert step_curves(rows)["pace"] == {"lag/max": [1.0]}


def test_a_rating_is_the_odds_on_elos_scale() -> None:
    assert rating_above(10 / 11) == pytest.approx(400)
    assert rating_above(0.5) == 0
    assert rating_above(1.0) is None


def test_a_run_is_told_with_every_episode_it_has_room_for(tmp_path: Path) -> None:
    sections = Account(told_run(tmp_path / "run", turns=2)).sections()
    about, excerpt = read(sections, "about"), read(sections, "excerpt")
    assert (about["recipe"], about["status"], about["step"], about["seed"]) == ("grpo", "stopped", 6, 0)
    assert about["command"] == ["palaestra", "evolve", "grpo"], "not the one that these tests were begun with"
    assert [phase["name"] for phase in about["phases"]] == ["acquire", "refine", "update", "evaluate"]
    assert about["phases"][0]["says"].startswith("Plays 2 tasks a step, 4 attempts each")
    assert excerpt["training"] == {"episodes": 48, "kept": 48, "every": 1, "cut": 0}
    assert [(side["step"], side["kept"]) for side in excerpt["held_out"]] == [(0, 8), (6, 8)]
    assert "<|end|>" in excerpt["specials"]
    (moved,) = read(sections, "transitions")
    assert (moved["right_right"], moved["wrong_right"], moved["wrong_wrong"]) == (2, 4, 2)
    lineage = read(sections, "lineage")
    assert lineage["steps"][0]["refined"]["KeepInformativeGroups"] == lineage["steps"][0]["learned"] == 4
    assert lineage["steps"][-1]["checkpoint"]

    told = episodes_in(sections)
    trained = [one for one in told if not one["held_out"]]
    assert len(trained) == 48
    recorded = [episode for step in range(1, 7) for episode in play_step(step, 2, 4, lambda a, b, r: str(a + b), 2)]
    assert [one["task"] for one in trained] == [episode.task for episode in recorded]
    assert sum(one["learned"] for one in trained) == 24
    texts, pieces, contexts, _ = trained[0]["unit_said"]
    _, _, turns = trained[0]["said"]
    first, second = turns
    assert texts[first[0]] == "10 + 1 = ?"
    assert "".join(pieces[p] for p in contexts[first[3]]) == "<|user|>10 + 1 = ?<|end|><|assistant|>"
    assert [pieces[p] for p in first[5]][-1] == "<|end|>"
    assert len(first[6]) == len(first[5])
    assert all(p >= 0 for p in first[6])
    assert second[4] == 1, "the row goes on"
    assert second[9] is not None


def test_a_run_larger_than_the_room_is_thinned_evenly_and_says_so(tmp_path: Path) -> None:
    place = told_run(tmp_path / "run", steps=20, groups=8, tasks=64)
    whole, small = Account(place).sections(), Account(place, episode_bytes=20_000).sections()
    size = sum(len(text) for name, text in small.items() if name[0] in "ic" and name[1:].isdigit())
    assert size < 20_000 < sum(len(text) for name, text in whole.items() if name[0] in "ic" and name[1:].isdigit())
    excerpt = read(small, "excerpt")
    every = excerpt["training"]["every"]
    assert every > 1
    assert excerpt["training"]["episodes"] == 640
    told = episodes_in(small)
    groups = list(dict.fromkeys(one["group"] for one in told if not one["held_out"]))
    everything = [f"s{step}/g{group}" for step in range(1, 21) for group in range(8)]
    assert groups == everything[::every], "every k-th group of the whole run"
    assert all(sum(one["group"] == group for one in told) == 4 for group in groups), "whole groups"
    before = {one["task"] for one in told if one["held_out"] and one["step"] == 0}
    assert before == {one["task"] for one in told if one["held_out"] and one["step"] == 20}, "the same tasks"
    assert read(small, "statuses") == read(whole, "statuses"), "what is counted is counted over all"


def trained_in(sections: dict[str, str]) -> dict[str, list[int]]:
    """Return the attempts in a page by group."""
    found: dict[str, list[int]] = {}
    for one in episodes_in(sections):
        if not one["held_out"]:
            found.setdefault(one["group"], []).append(one["attempt"])
    return found


def test_large_groups_are_in_a_page_whole(tmp_path: Path) -> None:
    place = told_run(tmp_path / "run", steps=3, groups=4, attempts=32)
    sections = Account(place, episode_bytes=24_000).sections()
    training = read(sections, "excerpt")["training"]
    assert training["every"] > 1
    assert training["cut"] == 0
    everything = [f"s{step}/g{group}" for step in range(1, 4) for group in range(4)]
    assert trained_in(sections) == {group: list(range(32)) for group in everything[:: training["every"]]}


def test_of_a_group_larger_than_the_room_the_first_attempts_are_kept_and_counted(tmp_path: Path) -> None:
    place = told_run(tmp_path / "run", steps=1, groups=2, attempts=256)
    sections = Account(place, episode_bytes=20_000).sections()
    training = read(sections, "excerpt")["training"]
    ((group, attempts),) = trained_in(sections).items()
    assert group == "s1/g0"
    assert attempts == list(range(len(attempts)))
    assert 16 < training["kept"] == len(attempts) < 256
    assert training["cut"] == 1
    assert len(sections["c0"]) + len(sections["i0"]) < 20_000


def interwoven(place: Path, games: int) -> Path:
    """Make a run whose step holds two groups a game, row by row: what was moved, and what came of it."""
    begin(place)
    with Run.open(place) as run:
        lived = play_step(1, games, 4, lambda a, b, r: str(a + b))
        woven = [
            replace(episode, group=f"{episode.group}/{'moves' if episode.attempt % 2 else 'ends'}") for episode in lived
        ]
        run.experience.write("step-000001", woven, {"step": 1})
    return place


def test_groups_whose_rows_are_interwoven_are_whole_too(tmp_path: Path) -> None:
    place = interwoven(tmp_path / "run", games=64)
    order = [f"s1/g{game}/{kind}" for game in range(64) for kind in ("ends", "moves")]
    for room in (1_000_000, 30_000, 8_000):
        sections = Account(place, episode_bytes=room).sections()
        found = trained_in(sections)
        assert list(found) == order[:: read(sections, "excerpt")["training"]["every"]]
        assert all(len(attempts) == 2 for attempts in found.values())
    assert read(sections, "excerpt")["training"]["every"] > 2


def test_thousands_of_one_group_are_not_held_at_once() -> None:
    units = _units(["mirror"] * 1_000 + ["other"])
    assert [len(unit) for unit in units] == [256, 256, 256, 232, 1]
    unit_of = {row: number for number, rows in enumerate(units) for row in rows}
    episode = play_step(1, 1, 1, lambda a, b, r: "1")[0]
    # In the middle of the second unit its rows were no longer wanted.
    lived = ((row, episode) for row in range(1_001) if not 300 <= row < 512)
    assert [(number, len(rows)) for number, rows, _ in _gathered(lived, unit_of, units)] == [
        (0, 256),
        (2, 256),
        (3, 232),
        (4, 1),
    ]


def test_asked_again_only_what_changed_has_changed(tmp_path: Path) -> None:
    begin(place := tmp_path / "run")
    account = Account(place)
    first = account.sections()
    assert read(first, "excerpt")["training"]["episodes"] == 0
    with Run.open(place) as run:
        measure(run, 0, 4, 0.5)
        go_on(run, 1)
        told = account.sections()
        assert read(told, "about")["status"] == "at work"
        assert account.sections() == told
        go_on(run, 2)
        more = account.sections()
    changed = {name for name in more if told.get(name) != more[name]}
    assert {"steps", "lineage", "statuses"} <= changed
    assert not {"measured", "positions", "transitions"} & changed
    assert more == Account(place).sections() | {"about": more["about"]}, "in pieces as at once"


def test_a_step_that_nobody_has_learned_from_yet_is_read_when_somebody_has(tmp_path: Path) -> None:
    place = told_run(tmp_path / "run", steps=2)
    with Run.open(place) as run:
        run.experience.write("step-000003", play_step(3, 2, 4, lambda a, b, r: "1"), {"step": 3})
        account = Account(place)
        assert read(account.sections(), "excerpt")["training"]["episodes"] == 16, "it waits for the update"
    assert read(account.sections(), "excerpt")["training"]["episodes"] == 24, "nobody is at work: that is all"
    with Run.open(place) as run:
        go_on_without_experience = {"step": 3, "learned_from": ["s3/g0/a0"], "refined": {}, "objective": ENV}
        run.record_lineage(3, {k: v for k, v in go_on_without_experience.items() if k != "step"})
        told = episodes_in(account.sections())
    assert [one["learned"] for one in told if one["step"] == 3] == [1, *[0] * 7]


def test_figures_and_lineage_that_were_cut_back_are_read_anew(tmp_path: Path) -> None:
    place = told_run(tmp_path / "run", steps=6)
    account = Account(place)
    account.sections()
    with Run.open(place) as run:
        run.begin_from(0)
        again = account.sections()
    assert read(again, "lineage")["steps"] == []
    assert read(again, "steps")["count"] == 0
    assert read(again, "excerpt")["training"]["episodes"] == 48, "experience stays"


def test_another_run_in_the_same_place_is_told_as_such(tmp_path: Path) -> None:
    import shutil

    account = Account(told_run(tmp_path / "run", steps=3))
    account.sections()
    shutil.rmtree(tmp_path / "run")
    told_run(tmp_path / "run", steps=1, seed=9)
    sections = account.sections()
    assert read(sections, "about")["seed"] == 9
    assert read(sections, "excerpt")["training"]["episodes"] == 8


def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    place = told_run(tmp_path / "run", steps=2)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    Account(place).sections()
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run"):
        Account(tmp_path).sections()
    (tmp_path / "tournament.json").write_text("{}")
    with pytest.raises(RunError, match="palaestra tournament --resume"):
        refuse_tournament(tmp_path)


def test_a_shard_is_read_in_part_as_it_is_read_whole(tmp_path: Path) -> None:
    place = told_run(tmp_path / "run", steps=1, groups=100)
    with Run.open(place, read_only=True) as run:
        whole = run.experience.read("step-000001")
        some = list(run.experience.stream("step-000001", lambda row: row % 7 == 3))
        outcomes = run.experience.outcomes("step-000001")
    assert [(row, episode.digest()) for row, episode in some] == [(r, whole[r].digest()) for r in range(3, 400, 7)]
    assert outcomes.ids == [episode.id for episode in whole]
    assert outcomes.rewards == [[turn.reward for turn in episode.turns] for episode in whole]
    assert outcomes.statuses == [episode.verdict.status.value for episode in whole]


def test_rows_are_streamed_from_where_one_begins(tmp_path: Path) -> None:
    log = RowLog(tmp_path / "log.jsonl")
    for number in range(3):
        log.append({"number": number})
    log.close()
    with (tmp_path / "log.jsonl").open("ab") as file:
        file.write(b'{"torn')
    rows = list(log.stream())
    assert [row["number"] for _, row in rows] == [0, 1, 2]
    assert list(log.stream(rows[1][0])) == rows[1:]
    assert log.rows() == [row for _, row in rows]


def test_the_parts_of_an_unknown_recipe_are_called_by_their_names(tmp_path: Path) -> None:
    from palaestra.evolution.report.account.phases import phases

    told = phases({**PARTS, "acquire": {"kind": "AskThePublic", "most": 3}, "refine": []})
    assert told[0] == {"name": "acquire", "says": "Ask the public", "options": [("most", "3")]}
    assert told[1]["says"] == "Takes all valid episodes as they are"
