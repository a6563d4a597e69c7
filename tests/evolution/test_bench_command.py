"""`palaestra bench SUITE` from end to end: nothing is played twice, counted twice or made up."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from palaestra.envs.math.arithmetic import Arithmetic
from palaestra.evolution.benchmark.result import ResultFolder
from palaestra.evolution.cli import main
from palaestra.evolution.durable import read_json
from scripted_server import Said, chat, failure

PALAESTRA = [sys.executable, "-c", "from palaestra.evolution.cli import main; main()"]

SCRIPTED = """
name = "scripted"
tasks = 12
attempts = 2
[[policies]]
name = "oracle"
spec = "scripted:oracle"
[[policies]]
spec = "scripted:random"
[[environments]]
name = "sums"
spec = "arithmetic"
[[environments]]
spec = "GuessNumber"
tasks = 5
"""


@pytest.fixture
def bench(capfd, monkeypatch, tmp_path):
    """Runs the command in an empty folder; returns its exit code, what it wrote and the result."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["bench", *map(str, words), *([] if "--rejudge" in words else ["--cache", "cache"])])
        out, err = capfd.readouterr()
        return end.value.code or 0, out, " ".join(err.split())

    return run


def cells(out: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(c["policy"], c["env"]): c for c in read_json(Path(out) / "result.json")["cells"]}


def timeless(value: Any) -> Any:
    """Drop what time, place and the process change."""
    left_out = ("seconds", "created", "command", "cost", "tokens_per_second", "source")
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if k not in left_out}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def solve(heard) -> str:
    left, _, right = heard.body["messages"][-1]["content"].removesuffix(" = ?").partition(" + ")
    return str(int(left) + int(right))


def served_suite(url: str, *, tasks: int = 10, attempts: int = 1, options: str = "retries=0") -> str:
    return f"""
        name = "served"
        tasks = {tasks}
        attempts = {attempts}
        [[policies]]
        name = "model"
        spec = "http:m@{url}?{options}"
        [[environments]]
        name = "sums"
        spec = "arithmetic"
    """


def test_a_suite_from_end_to_end_and_again_from_the_cache(bench, tmp_path: Path) -> None:
    Path("s.toml").write_text(SCRIPTED)
    code, out, err = bench("s.toml", "--out", "one", "--json", "r.json", "--markdown", "r.md")
    assert code == 0, err
    result = ResultFolder.open(Path("one"))
    about = result.about
    assert about["complete"]
    assert (about["suite"]["name"], len(about["suite"]["digest"])) == ("scripted", 32)
    assert {"commit", "machine", "palaestra", "created"} <= set(about)
    oracle = about["cells"][0]
    assert (oracle["accuracy"]["value"], oracle["episodes"], oracle["invalid"]) == (1.0, 24, 0)
    assert oracle["pass_at_k"]["2"]["value"] == 1.0
    assert {"majority_at_k"} <= set(oracle)
    assert "majority_at_k" not in about["cells"][1]  # a game has no answers to compare
    ids = [episode.id for episode in result.store.episodes()]
    assert len(set(ids)) == len(ids) == 2 * (24 + 10)
    assert set(result.tasks("sums")) == {e.task for e in result.episodes(oracle)}
    assert [row["env"] for row in about["comparisons"]] == ["sums", "GuessNumber", None]
    assert about["comparisons"][0]["p"] == pytest.approx(2 / 2**12)
    assert all(row["p_holm"] >= row["p"] for row in about["comparisons"])
    for word in ("oracle less scripted:random", "Holm over all comparisons", "100.0 % (75.8–100.0)", "tied"):
        assert word in out + Path("r.md").read_text()
    assert json.loads(Path("r.json").read_text())["result"] == "one"
    # The same again, elsewhere, for other names: everything is there already and says the same.
    Path("s.toml").write_text("comment = 'again'\n" + SCRIPTED)
    assert bench("s.toml", "--out", "two")[0] == 0
    assert [c["cost"]["attempts_found"] for c in cells("two").values()] == [24, 10, 24, 10]
    assert timeless(cells("one")[("oracle", "sums")]) == timeless(cells("two")[("oracle", "sums")])
    assert result.store.digest("cell-0000") == ResultFolder.open(Path("two")).store.digest("cell-0000")
    # A result is never written over.
    code, _, err = bench("s.toml", "--out", "one")
    assert code == 2
    assert "holds a result already, which is never changed" in err


def test_more_tasks_and_attempts_play_only_what_is_new(bench, served) -> None:
    server = served(lambda heard: Said(chat(solve(heard))))
    for number, (tasks, attempts, asked) in enumerate([(5, 2, 10), (5, 2, 10), (5, 3, 15), (8, 3, 24)]):
        Path("s.toml").write_text(served_suite(server.url, tasks=tasks, attempts=attempts))
        code, _, err = bench("s.toml", "--out", f"r{number}")
        assert code == 0, err
        assert len(server.heard) == asked
    # Prices are no part of who plays; how it is sampled is.
    options = "retries=0&price_in=1&price_out=1"
    Path("s.toml").write_text(served_suite(server.url, tasks=8, attempts=3, options=options))
    assert bench("s.toml", "--out", "priced")[0] == 0
    assert len(server.heard) == 24
    Path("s.toml").write_text(served_suite(server.url, tasks=8, attempts=3) + "sampling = { temperature = 0.5 }")
    assert bench("s.toml", "--out", "cooler")[0] == 0
    assert len(server.heard) == 48


def test_another_judge_or_other_settings_are_played_anew(bench, monkeypatch) -> None:
    Path("s.toml").write_text(SCRIPTED)
    assert bench("s.toml", "--out", "one")[0] == 0
    monkeypatch.setattr(
        "palaestra.evolution.benchmark.identity.code_version", lambda of: {"class": of.__qualname__, "digest": "new"}
    )
    assert bench("s.toml", "--out", "two")[0] == 0
    assert {c["cost"]["attempts_found"] for c in cells("two").values()} == {0}


def test_costs_are_the_servers_and_outlive_the_process(bench, served) -> None:
    server = served(lambda heard: Said(chat(solve(heard), usage=(10, 2))))
    Path("s.toml").write_text(served_suite(server.url, options="price_in=1000000&price_out=2000000"))
    code, out, _ = bench("s.toml", "--out", "one")
    assert code == 0
    first = cells("one")["model", "sums"]["cost"]
    assert (first["tokens_in"], first["tokens_out"], first["requests"], first["spend"]) == (100, 20, 10, 140)
    assert first["tokens_per_second"] == pytest.approx(20 / first["seconds"])
    assert "10 requests (0 retried, 0 given up)" in out or "10 requests, " in out
    assert bench("s.toml", "--out", "two")[0] == 0
    again = cells("two")["model", "sums"]["cost"]
    assert {**again, "attempts_found": 0} == first
    assert again["attempts_found"] == 10


def test_failures_are_never_scores_and_are_asked_again_another_time(bench, served) -> None:
    broken = [True]
    server = served(lambda heard: Said(b"", 500) if broken[0] and len(server.heard) % 2 else Said(chat(solve(heard))))
    Path("s.toml").write_text(served_suite(server.url))
    code, out, _ = bench("s.toml", "--out", "r")
    cell = cells("r")["model", "sums"]
    assert (code, cell["invalid"], cell["episodes"]) == (1, 5, 10)
    assert "accuracy" not in cell
    assert "5 of 10 episodes (50 %) are invalid" in out
    assert "invalid: model in sums: 5 episodes count nowhere" in out
    broken[0] = False
    # The result was not complete: the same command takes its place.
    code, out, err = bench("s.toml", "--out", "r")
    cell = cells("r")["model", "sums"]
    assert code == 0, err
    assert (cell["invalid"], cell["accuracy"]["value"], cell["cost"]["attempts_found"]) == (0, 1.0, 5)
    assert len(server.heard) == 15


def test_a_refusal_stops_one_policy_and_the_same_command_goes_on(bench, served) -> None:
    refusing = [True]
    server = served(
        lambda heard: failure("no more", None, 401) if refusing[0] and heard.number >= 4 else Said(chat(solve(heard)))
    )
    text = served_suite(server.url, options="retries=0&concurrency=1")
    Path("s.toml").write_text(
        text.replace("[[environments]]", '[[policies]]\nspec = "scripted:oracle"\n[[environments]]')
    )
    code, out, _ = bench("s.toml", "--out", "r")
    assert code == 1
    assert "not measured: model in sums:" in out
    assert "refuses: 401 no more" in out
    assert cells("r")["scripted:oracle", "sums"]["accuracy"]["value"] == 1.0
    assert "accuracy" not in cells("r")["model", "sums"]
    refusing[0], asked = False, len(server.heard)
    code, _, err = bench("s.toml", "--out", "r")
    assert code == 0, err
    assert cells("r")["model", "sums"]["cost"]["attempts_found"] == 4
    assert len(server.heard) - asked == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s.toml", "arithmetic"], "A suite is measured by itself, and 2 words came"),
        (["s.toml", "--attempts", "3"], "--attempts came, which has no meaning with a suite"),
        (["arithmetic", "--policy", "scripted:oracle", "--out", "x"], "--out, --cache came"),
        (["laptop"], "The suite laptop names no policies"),
        (["s.toml", "--policy", "scripted:orcle"], "The policy 'scripted:orcle' cannot be loaded"),
        (["bad.toml", "--policy", "scripted:oracle"], "bad.toml, environment 'arithmetik'"),
        (["s.toml", "--out", "taken"], "--out taken is taken, and by no result"),
        (["s.toml", "--against", "taken", "--json", "x.json"], "--cache came"),
    ],
)
def test_mistakes_are_told_before_anything_is_played(bench, words: list[str], said: str) -> None:
    Path("s.toml").write_text(SCRIPTED)
    Path("bad.toml").write_text('[[environments]]\nspec = "arithmetik"\n')
    Path("taken").mkdir()
    (Path("taken") / "file").touch()
    code, out, err = bench(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert not Path("cache").exists() or not list(Path("cache").glob("*/*/episodes/*"))


def test_weights_that_moved_are_the_same_policy(bench, beginner: Path, tmp_path: Path) -> None:
    suite = 'name = "moved"\ntasks = 6\nsampling = {{ max_tokens = 4 }}\n[[policies]]\nname = "p"\nspec = "local:{}"\n'
    suite += '[[environments]]\nspec = "arithmetic?digits=1"\n'
    Path("s.toml").write_text(suite.format(beginner))
    code, _, err = bench("s.toml", "--out", "one")
    assert code == 0, err
    cost = cells("one")["p", "arithmetic?digits=1"]["cost"]
    assert 0 < cost["tokens_out"] <= 24
    assert cost["tokens_in"] > 0
    (tmp_path / "elsewhere").symlink_to(beginner)
    Path("s.toml").write_text(suite.format(tmp_path / "elsewhere"))
    assert bench("s.toml", "--out", "two")[0] == 0
    assert cells("two")["p", "arithmetic?digits=1"]["cost"]["attempts_found"] == 6


def test_replies_are_judged_again_and_changes_are_listed(bench, monkeypatch) -> None:
    Path("s.toml").write_text(SCRIPTED)
    assert bench("s.toml", "--out", "old")[0] == 0
    before = {path: path.read_bytes() for path in Path("old").rglob("*") if path.is_file()}
    code, out, _ = bench("old", "--rejudge")
    assert code == 0
    assert "68 replies judged again, 0 verdicts changed" in out
    same = ResultFolder.open(Path("old-rejudged-1")).about
    assert timeless(same["cells"]) == timeless(ResultFolder.open(Path("old")).about["cells"])

    judge = Arithmetic.judgement

    def stricter(self, task, reply):
        verdict = judge(self, task, reply)
        return type(verdict)(0.0, type(verdict.status).WRONG, "too odd") if int(task.reference) % 2 else verdict

    monkeypatch.setattr(Arithmetic, "judgement", stricter)
    code, out, _ = bench("old", "--rejudge", "--out", "new", "--json", "said.json")
    new = ResultFolder.open(Path("new"))
    odd = sum(int(task.reference) % 2 for task in new.tasks("sums").values())
    assert 0 < odd < 12
    assert f"{2 * odd} correct to wrong" in out
    changes = [json.loads(line) for line in Path("new/changes.jsonl").read_text().splitlines()]
    assert len(changes) == 2 * odd
    assert {(c["before"]["status"], c["after"]["status"], c["after"]["detail"]) for c in changes} == {
        ("correct", "wrong", "too odd")
    }
    assert new.cells()["oracle", "sums"]["accuracy"]["value"] == pytest.approx(1 - odd / 12)
    assert new.about["rejudged"]["changed"] == 2 * odd
    (report,) = json.loads(Path("said.json").read_text())["rejudged"]
    assert (report["judged"], report["not_judged"]) == (68, {})
    # A world that would have asked something else cannot judge what was said to another question.
    monkeypatch.setattr(Arithmetic, "begin", lambda self, task: "And now?")
    code, out, _ = bench("old", "--rejudge")
    assert "not judged, old verdict kept: 48, the world says something else now" in out
    assert {path: path.read_bytes() for path in Path("old").rglob("*") if path.is_file()} == before


def test_killed_at_any_moment_the_same_command_goes_on(bench, served, tmp_path: Path) -> None:
    """Episodes that were kept are never asked for again, and the result is that of a run never killed."""
    wheres = "".join(f'[[environments]]\nname = "e{n}"\nspec = "arithmetic?size={n}000"\n' for n in range(2, 8))
    server = served(lambda heard: Said(chat(solve(heard)), after=0.02))
    text = served_suite(server.url, tasks=12, attempts=2, options="retries=0&concurrency=4")
    Path("s.toml").write_text(text[: text.index("[[environments]]")] + wheres)
    words = [*PALAESTRA, "bench", "s.toml", "--out", "killed", "--cache", "killed-cache"]
    process = subprocess.Popen(words, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while process.poll() is None and len(server.heard) < 75:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not Path("killed").exists()
    kept = kept_in(Path("killed-cache"))
    assert 0 < len(kept) < 144
    asked = len(server.heard)
    with pytest.raises(SystemExit) as end:
        main(words[len(PALAESTRA) :])
    assert not end.value.code
    # Six worlds share tasks, so the same name may stand in several cells.
    assert len(server.heard) - asked == 144 - len(kept)
    assert len(kept_in(Path("killed-cache"))) == len(set(kept_in(Path("killed-cache")))) == 144
    assert bench("s.toml", "--out", "whole")[0] == 0
    whole, killed = (ResultFolder.open(Path(name)) for name in ("whole", "killed"))
    assert timeless(whole.about) == timeless(killed.about)
    assert [whole.store.digest(s) for s in whole.store.shards()] == [
        killed.store.digest(s) for s in killed.store.shards()
    ]
    assert sum(c["cost"]["attempts_found"] for c in killed.about["cells"]) == len(kept)


def kept_in(cache: Path) -> list[tuple[str, str]]:
    from palaestra.evolution.experience import ExperienceStore

    folders = [folder for folder in cache.glob("*/*/episodes") if folder.is_dir()]
    stores = [ExperienceStore(folder, distinct=False) for folder in folders]
    return [(store.directory.parent.name, episode.id) for store in stores for episode in store.episodes()]
