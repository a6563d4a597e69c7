import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interruptible import INTERRUPTIBLE
from palaestra.agents.agent import Acting, Agent, Move
from palaestra.agents.scripted import ConstantAgent, RandomAgent
from palaestra.envs.errors import RunError, UsageError
from palaestra.envs.place import Place
from palaestra.envs.task import Task
from palaestra.evolution.cli import main
from palaestra.evolution.tournament.games import Game
from palaestra.evolution.tournament.page import render_page
from palaestra.evolution.tournament.replay import choose, replays
from palaestra.evolution.tournament.result import conclude
from palaestra.evolution.tournament.schedule import Plan, Schedule, matches_of, next_round
from palaestra.evolution.tournament.store import Store
from palaestra.evolution.tournament.tournament import play, played

PALAESTRA = [sys.executable, "-c", "from palaestra.evolution.cli import main; main()"]
PLAYERS = ("scripted:random", "scripted:constant?text=bet", "scripted:random", "scripted:constant?text=nonsense")


class Broken(RandomAgent):
    """Fails in every game."""

    def enter(self, env: Place, task: Task, seed: int) -> Any:
        class Player:
            def act(self, observation: str) -> Acting:
                yield from ()
                raise RuntimeError("out of order")

        return Player()


class Slow(RandomAgent):
    """Thinks longer than it may."""

    def enter(self, env: Place, task: Task, seed: int) -> Any:
        class Player:
            def act(self, observation: str) -> Acting:
                yield from ()
                time.sleep(0.3)
                return Move("bet", "bet")

        return Player()


def command(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["tournament", *map(str, arguments)])
    out, err = capfd.readouterr()
    code = end.value.code
    return (code if isinstance(code, int) else 0), out, err


def timeless(value: Any) -> Any:
    """Drop what wall-clock and place change."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if "seconds" not in k and k not in ("run", "thinking")}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def kuhn(games: int = 4, players: tuple[str, ...] = PLAYERS, schedule: Schedule = Schedule.ROUND_ROBIN) -> Plan:
    return Plan("kuhn_poker", players, 2, games, schedule=schedule)


def agents(plan: Plan) -> list[Agent]:
    made: dict[str, Agent] = {"scripted:random": RandomAgent(), "broken": Broken(), "slow": Slow()}
    return [made.get(spec) or ConstantAgent(spec.rpartition("=")[2]) for spec in plan.players]


def test_the_command_from_end_to_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run, out = tmp_path / "run", tmp_path / "r.json"
    code, said, _ = command(
        capfd, "kuhn_poker", "--players", *PLAYERS, "--games", 5, "--seed", 7, "--run", run, "--json", out,
        "--page", tmp_path / "page.html",
    )  # fmt: skip
    assert code == 0
    assert "6 a pairing (5 asked for" in said
    result = json.loads(out.read_text())
    assert (result["arena"], result["schedule"], result["games"]) == ("kuhn_poker", "round-robin", 36)
    assert [p["player"] for p in result["players"]][-1] == "scripted:constant?text=nonsense"
    for player in result["players"]:
        assert player["low"] < player["rating"] < player["high"]
        assert player["wins"] + player["draws"] + player["losses"] == player["games"] == 18
        assert sum(seat["games"] for seat in player["by_seat"]) == 18
    assert {p["player"]: (p["illegal"], p["invalid"]) for p in result["players"]} == {
        "scripted:random #1": (0, 0),
        "scripted:constant?text=bet": (0, 0),
        "scripted:random #2": (0, 0),
        "scripted:constant?text=nonsense": (18, 0),
    }
    assert sum(p["rating"] for p in result["players"]) == pytest.approx(4 * 1500)
    assert json.loads((run / "result.json").read_text()) == result
    assert "<!DOCTYPE html>" in (tmp_path / "page.html").read_text()
    # Going on with what is finished plays nothing and says the same.
    before = (run / "games.jsonl").read_bytes()
    again = tmp_path / "again.json"
    assert command(capfd, "--resume", run, "--json", again)[0] == 0
    assert (run / "games.jsonl").read_bytes() == before
    assert json.loads(again.read_text()) == result


@pytest.mark.parametrize("schedule", ["round-robin", "swiss", "knockout"])
@pytest.mark.parametrize(("arena", "seats"), [("tic_tac_toe", 2), ("kuhn_poker?players=3", 3)])
def test_every_schedule_plays(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arena: str, seats: int, schedule: str
) -> None:
    code, out, err = command(
        capfd, arena, "--players", *["scripted:random"] * 5, "--games", 2, "--schedule", schedule,
        "--run", tmp_path / "run", "--json", "-", "--page", tmp_path / "page.html",
    )  # fmt: skip
    result = json.loads(out)
    assert (code, result["over"], result["schedule"]) == (0, True, schedule), err
    assert (result["champion"] is not None) == (schedule == "knockout")
    assert all(len(ids) == seats for ids in by_table(tmp_path / "run").values())
    assert ("<h2>Rounds</h2>" in (tmp_path / "page.html").read_text()) == (schedule != "round-robin")


def by_table(run: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (run / "games.jsonl").read_text().splitlines():
        game = json.loads(line)
        found.setdefault(game["group"], []).append(game["id"])
    return found


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["tic_tac_toe"], "begun with arena kuhn_poker"),
        (["--players", "scripted:random", "scripted:random"], "begun with players scripted:random, scripted:constant"),
        (["--seed", "8"], "begun with seed 0"),
        (["--games", "6"], "begun with games 2"),
        (["--schedule", "swiss"], "begun with schedule round-robin"),
    ],
)
def test_a_tournament_stays_what_it_was_begun_as(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], change: list[str], named: str
) -> None:
    begin = ["kuhn_poker", "--players", *PLAYERS, "--games", 2]
    assert command(capfd, *begin, "--run", tmp_path / "run")[0] == 0
    code, _, err = command(capfd, "--resume", tmp_path / "run", *change)
    assert (code, named in " ".join(err.split())) == (2, True), err
    assert command(capfd, "--resume", tmp_path / "run", *begin)[0] == 0  # the same may be said again
    code, _, err = command(capfd, *begin, "--run", tmp_path / "run")
    assert (code, "not empty" in err) == (1, True)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["kuhn_poker"], "needs an arena and players"),
        (["kun_poker", "--players", "scripted:random", "scripted:random"], "Did you mean 'kuhn_poker"),
        (["kuhn_poker", "--players", "scripted:random", "scripted:randm"], "Did you mean 'random'"),
        (["kuhn_poker", "--players", "scripted:random"], "2 seats and 1 players"),
        (["kuhn_poker", "--players", *PLAYERS, "--schedule", "swis"], "Did you mean 'swiss'"),
        (["kuhn_poker", "--players", *PLAYERS, "--run", "a", "--resume", "b"], "leave one of them out"),
        (["--resume", "nowhere"], "There is no tournament in nowhere"),
    ],
)
def test_mistakes_are_told_before_anything_is_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = command(capfd, *words)
    assert code in (1, 2)
    assert named in " ".join(err.split()), err
    assert not out
    assert not list(tmp_path.iterdir())


def test_who_fails_spoils_only_its_own_games(tmp_path: Path) -> None:
    plan = Plan("kuhn_poker", ("scripted:random", "broken", "slow", "scripted:random"), 2, 2, move_seconds=0.05)
    with Store.create(tmp_path / "run", plan) as store:
        result = conclude(play(store, agents(plan)))
    by_name = {standing.player: standing for standing in result.standings}
    # Where the slow one moves first, the broken one is never asked.
    assert (by_name["broken"].total.games, by_name["broken"].invalid, by_name["broken"].crashes) == (1, 5, 5)
    assert (by_name["slow"].total.games, by_name["slow"].faults, by_name["slow"].invalid) == (5, 5, 1)
    one, other = by_name["scripted:random #1"], by_name["scripted:random #2"]
    assert (one.total.games, one.invalid, one.crashes, one.faults) == (4, 2, 0, 0)
    assert one.total.wins + other.total.wins == 4 + 2
    assert all(game.fault is None or game.fault[1] == "timeout" for game in result.played.games)


def test_the_order_in_which_games_end_changes_nothing(tmp_path: Path) -> None:
    plan = kuhn(schedule=Schedule.SWISS)
    found = []
    for in_flight in (1, 64):
        with Store.create(tmp_path / str(in_flight), plan) as store:
            found.append(timeless(conclude(play(store, agents(plan), in_flight=in_flight)).as_json()))
    assert found[0] == found[1]


def test_a_torn_row_is_played_again_and_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = kuhn()
    with Store.create(tmp_path / "run", plan) as store:
        whole = timeless(conclude(play(store, agents(plan))).as_json())
    log = tmp_path / "run" / "games.jsonl"
    rows = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(rows[:10]) + rows[10][:20])
    asked: list[str] = []
    with Store.open(tmp_path / "run") as store:
        assert len(store.games) == 10
        add = store.add

        def note(game: Game) -> None:
            asked.append(game.id)
            add(game)

        monkeypatch.setattr(store, "add", note)
        assert timeless(conclude(play(store, agents(plan))).as_json()) == whole
    assert sorted(asked) == sorted(json.loads(row)["id"] for row in rows[10:])
    assert log.read_bytes().startswith(b"".join(rows[:10]))


def test_damage_and_other_players_are_told(tmp_path: Path) -> None:
    plan = kuhn(2)
    with Store.create(tmp_path / "run", plan) as store:
        play(store, agents(plan))
        with pytest.raises(RunError, match="in use"):
            Store.open(tmp_path / "run")
        reader = Store.open(tmp_path / "run", read_only=True)
        with pytest.raises(RunError, match="read-only"):
            reader.add(next(iter(store.games.values())))
    log = tmp_path / "run" / "games.jsonl"
    rows = log.read_text().splitlines()
    log.write_text("\n".join([*rows, rows[0]]) + "\n")
    with pytest.raises(RunError, match="there twice"):
        Store.open(tmp_path / "run")
    other = json.loads(rows[0]) | {"seed": 1}
    log.write_text("\n".join([json.dumps(other), *rows[1:]]) + "\n")
    with Store.open(tmp_path / "run") as store, pytest.raises(RunError, match="the schedule"):
        played(store)
    log.write_text("{}\n")
    with pytest.raises(RunError, match="it is no game"):
        Store.open(tmp_path / "run")
    with pytest.raises(UsageError, match="begun with games 2, and 4 came"):
        reader.refuse_changes(games=4, seed=None)


def test_killed_and_resumed_it_ends_as_one_that_never_was(tmp_path: Path) -> None:
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", (tmp_path / "log").open("ab")
    words = [*PALAESTRA, "tournament", "tic_tac_toe", "--players", *["scripted:random"] * 6, "--games", "200"]
    words += ["--schedule", "swiss"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*words, "--run", whole, "--json", tmp_path / "whole.json"], check=True, stdout=log, env=environment)
    total = len((whole / "games.jsonl").read_bytes().splitlines())
    generator, kills, seen = np.random.default_rng(), 0, b""
    arguments = [*words, "--run", str(killed)]
    while True:
        process = subprocess.Popen([*arguments, "--json", tmp_path / "killed.json"], stdout=log, env=environment)
        # A random moment of the work that is left.
        goal = int(generator.uniform(0, 0.6) * total) if kills < 2 else 2 * total
        while process.poll() is None and rows(killed) < max(goal, seen.count(b"\n") + 1):
            time.sleep(0.005)
        if process.poll() is None and kills < 2:
            process.send_signal(signal.SIGKILL)
        code = process.wait()
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
        content = (killed / "games.jsonl").read_bytes()
        assert content.startswith(seen)
        seen = content[: content.rfind(b"\n") + 1]
        arguments = [*PALAESTRA, "tournament", "--resume", str(killed)]
    assert kills == 2
    content = (killed / "games.jsonl").read_bytes()
    assert content.startswith(seen)
    ids = [json.loads(line)["id"] for line in content.splitlines()]
    assert len(ids) == len(set(ids)) == total
    one, other = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("whole", "killed"))
    assert timeless(one) == timeless(other)


def test_interrupted_it_says_how_to_go_on(tmp_path: Path) -> None:
    run = tmp_path / "a run"
    words = ["tournament", "tic_tac_toe", "--players", "scripted:random", "scripted:random", "--games", "20000"]
    process = subprocess.Popen([*INTERRUPTIBLE, *words, "--run", run], stderr=subprocess.PIPE, text=True)
    while rows(run) == 0 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"palaestra tournament --resume '{run}'" in err


def rows(run: Path) -> int:
    path = run / "games.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_games_replay_as_they_were_played(tmp_path: Path) -> None:
    plan = Plan("tic_tac_toe?illegal=random", ("scripted:random", "scripted:constant?text=<b>nonsense</b>"), 2, 6)
    with Store.create(tmp_path / "run", plan) as store:
        result = conclude(play(store, agents(plan)))
    shown = replays(result.played.games, plan.arena)
    assert all(one.faithful for one in shown)
    for one in shown:
        assert len(one.frames) == len(one.game.moves) + 1
        assert "\x1b" not in "".join(frame.picture for frame in one.frames)
        for before, after in zip(one.frames, one.frames[1:], strict=False):
            # One cell is taken in every move, by the random legal one where nonsense was said.
            assert sum(a != b for a, b in zip(before.picture, after.picture, strict=True)) == 1
    page = render_page(result, shown)
    assert "<b>nonsense" not in page
    assert "&lt;b&gt;nonsense&lt;/" in page
    assert not re.search(r"(?i)\b(?:src|href)\s*=|url\(|@import|https?://", page)
    data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    read = json.loads(data[1])
    assert read["names"][1] == "scripted:constant?text=<b>nonsense</b>"
    assert len(read["games"]) == 6


@pytest.mark.browser
def test_the_page_steps_by_keyboard(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    assert chromium, "this test needs a Chromium"
    plan = Plan("tic_tac_toe", ("scripted:random", "scripted:constant?text=</script><b>x</b>"), 2, 2)
    with Store.create(tmp_path / "run", plan) as store:
        result = conclude(play(store, agents(plan)))
    keys = """<script>
    for (const key of ["ArrowRight", "End", "ArrowLeft", "ArrowRight", "Home", "ArrowRight"])
      $("stage").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    </script>"""
    path = tmp_path / "page.html"
    path.write_text(render_page(result, replays(result.played.games, plan.arena)) + keys)
    words = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run([*words, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    first = result.played.games[0]
    assert f"move 1 of {len(first.moves)}: seat 0 said {first.moves[0][1]}" in done.stdout
    assert "2 of 2 shown here, 2 played" in done.stdout
    assert "<b>x</b>" not in done.stdout


def test_a_long_tournament_shows_some_games_of_every_table() -> None:
    plan = kuhn(40, ("scripted:random",) * 6)
    round_ = next_round(plan, [])
    assert round_ is not None
    games = [Game(m.id, m.group, m.players, m.seed, (1.0, -1.0)) for m in matches_of(plan, round_)]
    spoilt = Game("r1.t9.s20.g2", "r1.t9.s20", (0, 1), 0, (-1.0, 1.0), fault=(0, "illegal", ""))
    games = [spoilt if game.id == spoilt.id else game for game in games]
    shown = choose(games, 31)
    assert len(shown) == 31
    assert spoilt in shown
    assert len({game.group.rpartition(".s")[0] for game in shown}) == 15
    assert choose(games, 10_000) == games
