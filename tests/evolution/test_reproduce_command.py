"""`palaestra reproduce` from end to end, with a policy of random weights."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from killed_runs import facts, killed_after
from newborns import save_newborn
from palaestra.evolution.cli import main
from palaestra.evolution.reproduction import catalogue
from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature
from palaestra.evolution.reproduction.readings import Measured, Minus

SMALL = {"acquire.groups": 4, "acquire.attempts": 2, "acquire.sampling.max_tokens": 4}
SMALL |= {"evaluate.tasks": 5, "evaluate.sampling.max_tokens": 4}
ENV = "arithmetic?digits=1"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    """A miniature of two arms, the second of which goes on from the first."""
    place = save_newborn(tmp_path / "policy")
    first = {"acquire.tasks": 8, "steps": 2, "evaluate_every": 1, "checkpoint_every": 1, "evaluate.tasks": 5}
    miniature = Miniature(
        "tiny",
        ("rft",),
        (
            Arm("start", "sft", ENV, f"local:{place}", settings={**first, "evaluate.sampling.max_tokens": 4}),
            Arm("rft", "rft", ENV, after="start", settings=SMALL, quick={"acquire.groups": 2}),
        ),
        (
            Claim("it wins what cannot be won", Measured("rft"), above=1.0),
            Claim("it is not worse by more than everything", Minus(Measured("rft"), Measured("start")), above=-2.0),
        ),
    )
    monkeypatch.setattr(catalogue, "_MINIATURES", (miniature,))
    return miniature


def reproduce(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["reproduce", *(str(argument) for argument in arguments)])
    return end.value.code or 0  # type: ignore[return-value]


def test_one_that_fails_does_not_take_the_others_with_it(
    tiny: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = replace(tiny, name="broken", arms=(replace(tiny.arms[0], policy="local:nowhere"), tiny.arms[1]))
    monkeypatch.setattr(catalogue, "_MINIATURES", (broken, tiny))
    assert reproduce("--seeds", 2, "--out", tmp_path / "out") == 1
    assert "broken has no figure:" in capfd.readouterr().err
    assert [path.name for path in sorted((tmp_path / "out").glob("*.json"))] == ["tiny.json"]


def test_claims_are_decided_kept_and_read_again(
    tiny: Miniature, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, told = tmp_path / "out", tmp_path / "told.json"
    assert reproduce("--seeds", 2, "--out", out, "--json", told) == 0, "a claim that fails is a result"
    (found,) = json.loads(told.read_text())["reproductions"]
    assert found == json.loads((out / "tiny.json").read_text())
    assert [finding["holds"] for finding in found["findings"]] == [False, True]
    assert [len(finding["figures"]) for finding in found["findings"]] == [2, 2]
    assert found["findings"][1]["over_tasks"]["value"] == found["findings"][1]["estimate"]["value"]
    assert found["command"] == "palaestra reproduce tiny --seeds 2"
    assert {"commit", "machine", "date"} <= set(found)
    assert [row["arm"] for row in found["arms"]] == ["start", "rft"] * 2
    assert str(tmp_path) not in json.dumps([row for row in found["arms"] if row["arm"] == "rft"])
    page = (out / "README.md").read_text()
    assert "| tiny | it wins what cannot be won | accuracy of rft at the end > 1 |" in page
    assert page.count("| yes |") == page.count("| no |") == 1
    assert "it wins what" in capfd.readouterr().out

    # Of the first seed the second arm was killed, of the second seed the first one, and never saw the second.
    runs = out / "runs" / "full" / "tiny"
    whole = facts(runs / "seed-0" / "start"), facts(runs / "seed-1" / "rft")
    untouched = (runs / "seed-0" / "start" / "result.json").stat().st_mtime_ns
    killed_after(runs / "seed-0" / "rft", 0)
    killed_after(runs / "seed-1" / "start", 1)
    (runs / "seed-1" / "rft").rename(tmp_path / "away")
    (runs / "seed-1" / "rft").mkdir()
    (runs / "seed-1" / "rft" / "lock").touch()
    assert reproduce("tiny", "--seeds", 2, "--out", out) == 0
    assert (facts(runs / "seed-0" / "start"), facts(runs / "seed-1" / "rft")) == whole
    assert (runs / "seed-0" / "start" / "result.json").stat().st_mtime_ns == untouched
    again = json.loads((out / "tiny.json").read_text())
    assert again["findings"] == found["findings"]

    # What is only read again is not dated anew.
    (out / "tiny.json").write_text(json.dumps(again | {"commit": "earlier"}))
    assert reproduce("tiny", "--seeds", 2, "--out", out) == 0
    assert json.loads((out / "tiny.json").read_text())["commit"] == "earlier"

    assert reproduce("tiny", "--quick", "--out", out) == 2
    assert "full profile" in capfd.readouterr().err
    changed = Miniature("tiny", tiny.recipes, (tiny.arms[0], Arm("rft", "rft", ENV, after="start")), tiny.claims)
    catalogue._MINIATURES = (changed,)  # undone by the fixture
    assert reproduce("tiny", "--seeds", 2, "--out", out) == 1
    assert "another experiment: it differs in parts" in " ".join(capfd.readouterr().err.split())


def test_what_cannot_be_reproduced_is_said_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert reproduce("grop", "--out", tmp_path / "out") == 2
    assert "grpo" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
