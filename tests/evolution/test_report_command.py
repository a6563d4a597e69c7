"""`palaestra report` on the command line, and the tables of a page that only some runs have."""

import json
from pathlib import Path

import pytest
from palaestra.evolution.cli import main
from palaestra.evolution.report.account.costs import costs
from palaestra.evolution.report.account.tables import league, transferred
from told_runs import told_run


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


def test_one_file_of_several_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [told_run(tmp_path / name / "run", steps=2) for name in ("a", "b")]
    assert run("report", *runs, "--out", tmp_path / "pages" / "both.html") == 0
    assert "both.html" in capsys.readouterr().out
    page = (tmp_path / "pages" / "both.html").read_text()
    assert '["run (1)","run (2)"]' in page, "names that come twice are numbered"
    assert 'id="data-r1-about"' in page


def test_what_cannot_be_shown_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", tmp_path / "nowhere") == 1
    assert "There is no directory" in capsys.readouterr().err
    place = told_run(tmp_path / "run", steps=1)
    assert run("report", *[place] * 8) == 2
    assert "1 to 7 runs" in capsys.readouterr().err
    (tmp_path / "games").mkdir()
    (tmp_path / "games" / "tournament.json").write_text("{}")
    assert run("watch", tmp_path / "games") == 1
    assert "palaestra tournament --resume" in capsys.readouterr().err


def test_a_page_and_tables_are_no_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = told_run(tmp_path / "run", steps=1)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run("report", place, "--out", "-") == 2
    assert "--out - came" in capsys.readouterr().err
    assert run("bench", "smoke", "--policy", "scripted:random", "--markdown", "-") == 2
    assert "--markdown - came" in capsys.readouterr().err
    assert list((tmp_path / "here").iterdir()) == []


def score(env: str, value: float) -> dict[str, object]:
    accuracy = {"value": value, "low": 0.0, "high": 1.0}
    rest = {"pass_at_k": {}, "mean_reward": value, "statuses": {}, "invalid": 0, "tokens": 0, "seconds": 0.0}
    return {"env": env, "tasks": 4, "accuracy": accuracy, **rest, "measure": "held-out accuracy", "figures": {}}


def test_what_learning_did_elsewhere_is_crossed() -> None:
    history = [
        {"step": step, "version": step, "scores": [score(learned, values[learned]), score(other, values[other])]}
        for step, learned, other, values in (
            (0, "a", "b", {"a": 0.25, "b": 0.5}),
            (5, "a", "b", {"a": 0.75, "b": 0.25}),
            (9, "b", "a", {"a": 0.5, "b": 1.0}),
        )
    ]
    found = transferred(history)
    assert found is not None
    assert (found["envs"], found["stages"]) == (["a", "b"], ["a", "b"])
    assert found["accuracy"] == [[0.25, 0.5], [0.75, 0.25], [0.5, 1.0]]
    assert found["forgotten"] == {"a": 0.25, "b": 0.0}
    assert found["backward"] == -0.25
    assert transferred([{**one, "scores": one["scores"][:1]} for one in history]) is None, "nothing to cross"


def test_the_league_is_rated_where_games_were_played(tmp_path: Path) -> None:
    assert league(None) is None
    assert league(tmp_path) is None
    state = {
        "members": ["step-0", "step-9"],
        "champion": "step-9",
        "tallies": {"step-0": {"games": 11, "points": 10.0}},
    }
    (tmp_path / "league.json").write_text(json.dumps(state))
    found = league(tmp_path)
    assert found is not None
    first, second = found["members"]
    assert first["share"][0] == pytest.approx(10 / 11)
    assert first["rating"][0] == pytest.approx(400)
    assert first["rating"][1] < 400 < first["rating"][2]
    assert second == {"name": "step-9", "games": 0, "share": None, "rating": None}


def test_shares_of_time_are_weighed_by_what_the_steps_took() -> None:
    def step(seconds: float, **more: float) -> dict[str, object]:
        return {"phase": "train", "seconds/acquire": seconds, "tokens": 10.0, **more}

    name = "share_of_seconds/sampling"
    rows = [step(1.0, **{name: 1.0}), step(3.0, **{name: 0.0}), step(96.0)]
    rows[1] |= {"server/requests": 4.0, "server/spend": 0.25}
    measured = {"phase": "evaluate/e", "accuracy": 1.0, "server/requests": 2.0, "server/spend": 0.25}
    found = costs([*rows, measured], 2.5, 4.0, "http:m")
    assert found["shares"] == {"sampling": 0.25}
    assert (found["shared_steps"], found["steps"], found["tokens"]) == (2, 3, 30.0)
    assert found["phases"] == {"birth": 4.0, "acquire": 100.0, "refine": 0.0, "update": 0.0, "evaluate": 2.5}
    assert found["usage"] == [{"agent": "http:m", "requests": 6.0, "spend": 0.5}]
    assert costs([step(1.0)], 0.0, 0.0, "nursery:m")["usage"] == []
