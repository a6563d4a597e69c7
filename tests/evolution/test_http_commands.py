"""Commands with agents over HTTP: what they cost is shown, keys stay where they are, training is refused."""

import json

import pytest
from palaestra.evolution.cli import main
from scripted_server import Said, chat, failure

SECRET = "sk-proj-0123456789abcdef"


@pytest.fixture
def command(capfd, monkeypatch, tmp_path):
    """Runs a command in an empty folder; returns its exit code and what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        return end.value.code or 0, *capfd.readouterr()

    return run


def solve(heard):
    left, _, right = heard.body["messages"][-1]["content"].removesuffix(" = ?").partition(" + ")
    return Said(chat(str(int(left) + int(right))))


def holding(folder, secret):
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


@pytest.mark.parametrize("status", [200, 401, 418])
@pytest.mark.parametrize("name", ["bench", "tournament"])
def test_the_key_reaches_the_server_and_nothing_else(served, command, monkeypatch, tmp_path, status, name):
    """Also when the server repeats it."""

    def script(heard):
        told = heard.headers["authorization"]
        return Said(chat(f"You said {told}")) if status == 200 else failure(f"Wrong key: {told}", None, status)

    monkeypatch.setenv("MY_KEY", SECRET)
    server = served(script)
    spec = f"http:m@{server.url}?key=MY_KEY&retries=0&price_in=1&price_out=2"
    words = {
        "bench": ["arithmetic", "--policy", spec, "--tasks", "3"],
        "tournament": ["nim", "--players", spec, spec, "--games", "2", "--run", "games", "--page", "page.html"],
    }[name]
    code, out, err = command(name, *words, "--json", "found.json")
    assert code == {200: 0, 401: 2, 418: int(name == "bench")}[status], err
    assert server.heard
    assert all(heard.headers["authorization"] == f"Bearer {SECRET}" for heard in server.heard)
    assert SECRET not in out + err
    assert not holding(tmp_path, SECRET)
    if status == 401:
        assert "refuses: 401 Wrong key: Bearer [key]. Check the model" in err
    else:
        assert holding(tmp_path, "MY_KEY")
        assert "requests" in out
        assert bool(holding(tmp_path, "[key]")) == (name == "tournament")


def test_training_is_refused_before_anything_is_written(command, tmp_path):
    code, out, err = command("evolve", "--policy", f"http:m@http://user:{SECRET}@127.0.0.1:9/v1")
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert "'http' cannot be trained: its weights are on a server" in err
    assert SECRET not in out + err


def test_bench_says_what_was_spent_and_why_episodes_do_not_count(served, command):
    server = served(lambda heard: Said(b"", 500) if "1" in heard.body["messages"][-1]["content"] else solve(heard))
    spec = f"http:m@{server.url}?retries=0&price_in=1&price_out=2&budget=1"
    code, out, _ = command("bench", "arithmetic", "--policy", spec, "--tasks", "40", "--json", "scores.json")
    with open("scores.json", encoding="utf-8") as file:  # noqa: PTH123 (the command's working folder)
        found = json.load(file)
    (row,), (usage,) = found["rows"], found["usage"]
    assert code == 0
    assert row["tasks"] + row["invalid"] == 40
    assert 0 < row["invalid"] < 40
    assert row["accuracy"] == 1.0
    assert (usage["agent"], usage["requests"], usage["failed"]) == (spec, 40, row["invalid"])
    assert usage["spend"] == pytest.approx(14e-6 * row["tasks"])
    assert f"{row['invalid']} episodes count nowhere" in out
    assert f"{spec}: 40 requests (0 retried, {row['invalid']} given up), " in out


def test_where_nothing_counted_there_is_no_figure_and_the_command_says_so(served, command):
    spec = f"http:m@{served(lambda heard: Said(b'', 500)).url}?retries=0"
    code, out, _ = command("bench", "arithmetic", "--policy", spec, "--tasks", "3", "--json", "scores.json")
    with open("scores.json", encoding="utf-8") as file:  # noqa: PTH123 (the command's working folder)
        (row,) = json.load(file)["rows"]
    assert (code, row["invalid"], row["accuracy"], row["mean_reward"]) == (1, 3, None, None)
    assert "3 invalid" in out
    assert "0.000" not in out


def test_a_spent_budget_is_an_error_and_no_score(served, command):
    spec = f"http:m@{served(solve).url}?concurrency=1&price_in=100&price_out=0&budget=0.005"
    code, out, err = command(
        "bench", "arithmetic", "--policy", spec, "--policy", "scripted:oracle", "--tasks", "40", "--json", "scores.json"
    )
    assert code == 2
    assert "The budget of 0.005 is spent (0.005 for 5 answers)" in err
    assert "scripted:oracle" in out
    assert f"{spec}: 5 requests (0 retried, " in out


def test_a_tournament_stopped_by_a_refusal_goes_on_afterwards(served, command, tmp_path):
    """No game that was not played for want of a key is kept as one that somebody failed."""
    refusing = [False]
    server = served(
        lambda heard: failure("paused", None, 401) if refusing[0] and heard.number >= 6 else Said(chat("1"))
    )
    refusing[0] = True
    spec = f"http:m@{server.url}?concurrency=1&retries=0"
    words = ["tournament", "nim", "--players", spec, "scripted:random", "--games", "8", "--run", "games"]
    code, _, err = command(*words, "--in-flight", "1")
    assert code == 2
    assert "refuses: 401 paused" in err
    kept = (tmp_path / "games" / "games.jsonl").read_text().count("\n")
    assert kept < 8
    refusing[0] = False
    code, out, err = command("tournament", "--resume", "games", "--json", "result.json")
    assert code == 0, err
    found = json.loads((tmp_path / "result.json").read_text())
    assert (found["games"], found["invalid"]) == (8, 0)
    assert found["usage"][0]["agent"] == spec
    assert f"{spec}: " in out


def test_a_person_plays_against_a_served_model(served, command, monkeypatch):
    monkeypatch.setattr("rich.console.Console.input", lambda *_, **__: "bet")
    server = served(lambda heard: Said(chat("bet")))
    code, out, _ = command("play", "kuhn_poker", "--against", f"http:m@{server.url}", "--seat", "1")
    assert code == 0
    assert f"(http:m@{server.url}): bet" in out
