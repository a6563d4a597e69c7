import json
from pathlib import Path

import pytest
from palaestra.evolution.cli import main


@pytest.fixture(autouse=True)
def beside_the_naive_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent.parent / "envs")


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["audit", *map(str, arguments)])
    code = end.value.code
    out, err = capfd.readouterr()
    return (code if isinstance(code, int) else 0), out, err


def test_our_judge_of_answers_has_no_finding(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    code, out, err = run(capfd, "--corpus", "math", "--json", file)
    assert (code, "math judge, equality" in out) == (0, True), out + err
    (audit,) = json.loads(file.read_text())["audits"]
    assert audit["findings"] == []
    assert audit["cases"] > 150
    assert audit["false_accept"] == audit["false_reject"] == audit["effect_outside"] == audit["not_judged"] == 0


def test_every_finding_is_named_and_the_exit_code_is_1(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "--judge", "audit_naive:Generous", "--corpus", "math", "--json", "-")
    (audit,) = json.loads(out)["audits"]
    assert code == 1
    assert audit["false_reject"] == audit["aims"]["equal"]["cases"] > 0
    assert audit["false_accept"] == audit["aims"]["near miss"]["cases"] > 0
    code, out, _ = run(capfd, "--judge", "audit_naive:Generous", "--corpus", "math")
    assert out.count("false accept: ") == audit["false_accept"]
    assert "expected correct; came partial, reward 0.5" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--judge", "audit_naive:naive"], "--corpus code"),
        (["--corpus", "cod"], "Did you mean 'code'"),
        (["--corpus", "math", "--format", "humanevil"], "Did you mean 'humaneval'"),
        (["--corpus", "math", "--format", "stdio"], "nothing to audit"),
        (["--judge", "audit_naive:nobody", "--corpus", "math"], "cannot be loaded"),
    ],
)
def test_what_cannot_be_audited_is_said_in_one_line(
    capfd: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    code, out, err = run(capfd, *arguments)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert said in line
