import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from interruptible import INTERRUPTIBLE
from newborns import save_newborn
from palaestra.evolution.cli import main
from palaestra.evolution.cli.configuration import parse_setting
from palaestra.evolution.cli.evolve import _newborn

ARITHMETIC = "palaestra/Arithmetic-v0"
# The smallest run that goes through every phase.
SMALL = [
    *("--set", "acquire.groups=2", "--set", "acquire.attempts=2", "--set", "acquire.rounds=1"),
    *("--set", "evaluate.tasks=4", "--set", "acquire.sampling.max_tokens=4", "--set", "evaluate.sampling.max_tokens=4"),
]


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run the command in this process; what it wrote is taken from the file descriptors."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    code = end.value.code
    out, err = capfd.readouterr()
    return (code if isinstance(code, int) else 0), out, err


def fails(capfd: pytest.CaptureFixture[str], code: int, *arguments: object) -> str:
    """Run a command that must fail with one line, and return the line."""
    got, out, err = run(capfd, *arguments)
    assert (got, out) == (code, ""), err
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture(scope="module")
def newborn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy of random weights, as a folder."""
    return save_newborn(tmp_path_factory.mktemp("newborn"), 512)


def test_what_needs_no_policy_loads_no_torch() -> None:
    code = """
import sys
from palaestra.evolution.cli import main
for words in (["--help"], ["evolve", "--help"], ["bench", "--help"], ["envs"], ["recipes"]):
    try:
        main(words)
    except SystemExit as end:
        assert not end.code, words
heavy = {"torch", "transformers", "trl", "scipy", "matplotlib", "datasets"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("env", "policy"),
    [
        ("palaestra/Synthesis-v0", "nursery:synthesis"),
        ("synthesis?level=2", "nursery:synthesis"),
        ("arithmetic?level=3", "nursery:arithmetic"),
        ("countdown", "nursery:arithmetic"),
        ("somebody:else/World-v0", "nursery:arithmetic"),
    ],
)
def test_the_newborn_policy_suits_the_environment(env: str, policy: str) -> None:
    assert _newborn(env) == policy


def test_help_says_defaults(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = run(capfd, "evolve", "--help")
    for word in ("grpo", ARITHMETIC, "a nursery policy", "default: 0", "seconds"):
        assert word in out
    _, out, _ = run(capfd, "bench", "--help")
    for word in ("default: 1", "default: 500", "default: 1.0", "default: 64"):
        assert word in out


@pytest.mark.parametrize(
    ("assignment", "setting"),
    [
        ("update.learning_rate=1e-4", ("update.learning_rate", 1e-4)),
        ("steps=3", ("steps", 3)),
        ("a.b=true", ("a.b", True)),
        ("update.loss=dr_grpo", ("update.loss", "dr_grpo")),
        ('update.loss="dr_grpo"', ("update.loss", "dr_grpo")),
        ("a=[1, 2]", ("a", [1, 2])),
        ("a=b=c", ("a", "b=c")),
        ("a=", ("a", "")),
    ],
)
def test_settings_are_read_as_toml_and_else_as_text(assignment: str, setting: tuple[str, object]) -> None:
    assert parse_setting(assignment) == setting


def test_envs_lists_every_environment(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "envs.json"
    code, out, _ = run(capfd, "envs", "--json", file)
    ids = [row["id"] for row in json.loads(file.read_text())["envs"]]
    assert code == 0
    assert {ARITHMETIC, "palaestra/Countdown-v0", "palaestra/GuessNumber-v0"} <= set(ids)
    assert all(name in out for name in ids)


def test_recipes_lists_recipes_and_the_options_of_one(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "recipes", "--json", "-")
    assert code == 0
    assert {"grpo", "rft"} <= {row["name"] for row in json.loads(out)["recipes"]}
    code, out, _ = run(capfd, "recipes", "grpo", "--json", "-")
    options = json.loads(out)["options"]
    assert {"steps", "acquire.groups", "update.learning_rate", "evaluate.sampling.max_tokens"} <= set(options)


def test_every_listed_option_can_be_set(capfd: pytest.CaptureFixture[str]) -> None:
    from palaestra.evolution.recipes import find_recipe, recipes

    for card in recipes():
        _, out, _ = run(capfd, "recipes", card.name, "--json", "-")
        options = json.loads(out)["options"]
        assert find_recipe(card.name, options) == find_recipe(card.name, {})


def test_unknown_names_get_a_suggestion(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "Did you mean 'grpo'" in fails(capfd, 2, "evolve", "grop")
    assert ARITHMETIC in fails(capfd, 2, "evolve", "--env", "palaestra/Arithmetik-v0")
    assert ARITHMETIC in fails(capfd, 2, "bench", "palaestra/Aritmetic-v0", "--policy", "scripted:oracle")
    assert "'scripted'" in fails(capfd, 2, "bench", ARITHMETIC, "--policy", "scriptd:oracle")
    assert "update.learning_rate" in fails(capfd, 2, "evolve", "--set", "update.lerning_rate=1")
    assert "palaestra recipes" in fails(capfd, 2, "recipes", "nope")
    code, _, err = run(capfd, "evolve", "--stpes", "3")
    assert code == 2
    assert "--steps" in err


def test_errors_of_ours_say_which_kind_they_are(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "no directory" in fails(capfd, 1, "evolve", "--resume", tmp_path / "none")
    assert "path=value" in fails(capfd, 2, "evolve", "--set", "steps")
    assert "seed" in fails(capfd, 2, "evolve", "--resume", tmp_path, "--seed", "0")
    assert "steps" in fails(capfd, 2, "evolve", "--resume", tmp_path, "--set", "steps=3")
    assert "--json" in fails(capfd, 2, "envs", "--json", tmp_path)
    file = tmp_path / "file"
    file.touch()
    assert "--json" in fails(capfd, 2, "envs", "--json", file / "x.json")


BENCH = ("bench", ARITHMETIC, "palaestra/GuessNumber-v0")


def bench(capfd: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, object]]:
    code, out, err = run(capfd, "bench", *arguments, "--json", "-")
    assert code == 0, err
    rows: list[dict[str, object]] = json.loads(out)["rows"]
    return rows


def test_bench_gives_a_row_a_policy_and_environment(capfd: pytest.CaptureFixture[str]) -> None:
    policies = ("--policy", "scripted:oracle", "--policy", "scripted:random")
    rows = bench(capfd, *BENCH[1:], *policies, "--attempts", 3, "--tasks", 7, "--seed", 5)
    assert [(r["policy"], r["env"]) for r in rows] == [
        (policy, env) for policy in ("scripted:oracle", "scripted:random") for env in BENCH[1:]
    ]
    keys = "policy env tasks attempts accuracy low high pass_at_k mean_reward statuses invalid tokens seconds seed"
    assert set(rows[0]) == set(keys.split())
    oracle = rows[0]
    assert (oracle["tasks"], oracle["attempts"], oracle["seed"], oracle["accuracy"]) == (7, 3, 5, 1.0)
    assert oracle["statuses"] == {"correct": 7}
    assert oracle["pass_at_k"]["3"]["value"] == 1.0  # type: ignore[index]
    assert (oracle["low"], oracle["high"]) == (pytest.approx(0.6457, abs=1e-4), 1.0)


def test_bench_shows_a_table_and_writes_the_file_whole(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "deep" / "rows.json"
    code, out, _ = run(capfd, "bench", ARITHMETIC, "--policy", "scripted:oracle", "--tasks", 5, "--json", file)
    assert code == 0
    for word in (ARITHMETIC, "scripted:oracle", "100.0 %", "56.6–100.0", "5 correct"):
        assert word in out
    assert len(json.loads(file.read_text())["rows"]) == 1
    assert [path.name for path in file.parent.iterdir()] == ["rows.json"]


def test_json_never_takes_the_place_of_a_device(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "envs", "--json", os.devnull)[0] == 0
    assert not Path(os.devnull).is_file()


def test_options_from_a_file_and_the_command_line_over_them(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "bench.toml"
    config.write_text(f'env = "{ARITHMETIC}"\npolicy = ["scripted:oracle"]\ntasks = 3\nseed = 2\nmax-tokens = 9\n')
    (row,) = bench(capfd, "--config", config)
    assert (row["env"], row["policy"], row["tasks"], row["seed"]) == (ARITHMETIC, "scripted:oracle", 3, 2)
    (row,) = bench(capfd, "--config", config, "--tasks", 4, "--policy", "scripted:random")
    assert (row["policy"], row["tasks"], row["seed"]) == ("scripted:random", 4, 2)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("taks = 3", "Did you mean 'tasks'"),
        ("[update]\nlearning_rate = 1.0", "'update'"),
        ("tasks = ", "no TOML"),
    ],
)
def test_a_file_that_says_nonsense_is_refused(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, text: str, word: str
) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(text)
    line = fails(capfd, 2, "bench", "--config", config, ARITHMETIC, "--policy", "scripted:oracle")
    assert word in line
    assert "bad.toml" in line


def test_a_file_is_as_strict_as_the_command_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text("tasks = 1.5")
    code, _, err = run(capfd, "bench", "--config", config, ARITHMETIC, "--policy", "scripted:oracle")
    assert code == 2
    assert "--tasks" in err
    assert "cannot be read" in fails(capfd, 2, "bench", "--config", tmp_path / "none.toml", ARITHMETIC)


def test_evolve_from_beginning_to_end(capfd: pytest.CaptureFixture[str], tmp_path: Path, newborn: Path) -> None:
    config = tmp_path / "evolve.toml"
    config.write_text('recipe = "rft"\nsteps = 9\nseed = 4\nwatch = ["palaestra/Countdown-v0"]\n[update]\nepochs = 1\n')
    place, file = tmp_path / "run", tmp_path / "result.json"
    code, out, err = run(
        *(capfd, "evolve", "grpo", "--config", config, "--steps", 2, "--policy", f"local:{newborn}"),
        *("--run", place, "--json", file, *SMALL),
    )
    assert code == 0, err
    result = json.loads(file.read_text())
    assert {"seed", "before", "after", "interval", "episodes", "seconds", "run"} <= set(result)
    assert (result["recipe"], result["seed"], result["steps"], result["episodes"]) == ("grpo", 4, 2, 8)
    assert "step 2/2" in err, "plain lines where there is no terminal"
    assert "palaestra/Countdown-v0" in out
    assert f"picture          {place}/curve.png" in out
    assert (place / "curve.png").read_bytes().startswith(b"\x89PNG")
    # What the ending proposes works as it stands.
    (proposal,) = [line for line in out.splitlines() if "palaestra bench" in line]
    words = proposal.split("palaestra ", 1)[1].split()
    (first, *_) = bench(capfd, *words[1:], "--tasks", 2, "--max-tokens", 2)
    assert first["env"] == ARITHMETIC
    # A finished run gives its result again.
    code, again, err = run(capfd, "evolve", "--resume", place, "--json", "-")
    assert code == 0, err
    assert json.loads(again) == result


def test_ctrl_c_leaves_a_run_and_says_how_to_go_on(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, newborn: Path
) -> None:
    place = tmp_path / "a run"
    command = [*INTERRUPTIBLE, "evolve", "grpo", "--steps", "5"]
    command += ["--policy", f"local:{newborn}", "--run", str(place), *SMALL, "--set", "evaluate.tasks=20000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        # From the first checkpoint on there is something to resume, and the long evaluation keeps the run busy.
        if (place / "checkpoints" / "step-000000").exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1].strip() == f"palaestra evolve --resume '{place}'"
    assert json.loads((place / "run.json").read_text())["config"]["seed"] == 0


def test_bad_rows_are_named_or_skipped_and_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file, out_file = tmp_path / "tasks.jsonl", tmp_path / "out.json"
    rows = [f'{{"id": "t{i}", "prompt": "{i} + 1 = ?", "answer": {i + 1}}}' for i in range(40)]
    file.write_text("\n".join([*rows[:20], '{"id": "odd", "prompt": "no answer"}', "not json", *rows[20:]]))
    command = ["bench", f"Question?path={file}", "--policy", "scripted:oracle"]
    assert "tasks.jsonl, line 21, field 'answer'" in fails(capfd, 2, *command)
    code, _, err = run(capfd, *command, "--skip-bad-rows", "--json", out_file)
    assert code == 0
    assert "skipped 2 bad rows, kept 40" in " ".join(err.split())
    (row,) = json.loads(out_file.read_text())["rows"]
    assert row["accuracy"] == 1.0
    assert "none of arithmetic" in fails(
        capfd, 2, "bench", "arithmetic", "--policy", "scripted:oracle", "--skip-bad-rows"
    )


def test_all_tasks_are_those_of_a_file_and_of_no_generator(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(f'{{"prompt": "{n} + 1 = ?", "answer": {n + 1}}}\n' for n in range(6_000)))
    (row,) = bench(capfd, f"Question?path={file}", "--policy", "scripted:oracle", "--tasks", "all")
    assert 500 < row["tasks"] < 700
    command = ("bench", "arithmetic?digits=6", "--policy", "scripted:oracle", "--tasks")
    assert "makes tasks without end and stopped at 10,000: say how many" in fails(capfd, 2, *command, "all")
    assert "--tasks 0 came, expected a whole number from 1, or all" in fails(capfd, 2, *command, "0")


def test_who_cannot_play_costs_the_others_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out_file = tmp_path / "out.json"
    words = ("CartPole", "arithmetic", "--policy", "scripted:oracle", "--tasks", "5", "--json", out_file)
    code, out, err = run(capfd, "bench", *words)
    assert code == 2
    assert "Not measured: scripted:oracle in CartPole" in err
    assert "100" in out
    assert "CartPole" not in out
    assert [row["env"] for row in json.loads(out_file.read_text())["rows"]] == ["arithmetic"]
