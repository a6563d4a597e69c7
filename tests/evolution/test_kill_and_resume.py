"""A run killed at random moments ends as one that never was: the same episodes, weights and figures, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from palaestra.evolution.run import Run
from safetensors.numpy import load_file

KILLS = 10
STEPS = 60
PALAESTRA = [sys.executable, "-c", "from palaestra.evolution.cli import main; main()"]


@pytest.fixture
def policy(beginner: Path) -> Path:
    return beginner


def command(policy: Path, run: Path, recipe: str) -> list[str]:
    options = {
        "steps": 12 if recipe == "rft" else STEPS,
        "evaluate_every": 2 if recipe == "rft" else 7,
        "checkpoint_every": 2 if recipe == "rft" else 5,
        "acquire.groups": 24,
        "evaluate.tasks": 10,
        "acquire.sampling.max_tokens": 6,
        "evaluate.sampling.max_tokens": 6,
    }
    # Threads may add in another order from one process to the next on a busy machine; one thread cannot.
    settings = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
    env = "palaestra/Arithmetic-v0?digits=1"
    return [*PALAESTRA, "evolve", recipe, "--policy", f"local:{policy}", "--env", env, "--run", str(run), *settings]


def start(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(arguments, stdout=out, stderr=out, env={**os.environ, "OMP_NUM_THREADS": "1"})


def facts(directory: Path) -> dict[str, object]:
    """Return everything about a finished run that wall-clock does not change."""
    run = Run.open(directory, read_only=True)
    (step, checkpoint) = run.latest_checkpoint() or (0, directory)
    weights = load_file(checkpoint / "model.safetensors")
    figures = [{k: v for k, v in row.items() if k != "time" and "seconds" not in k} for row in run.metrics.rows()]
    result = {k: v for k, v in (run.result or {}).items() if k not in ("seconds", "birth_seconds", "run")}
    return {
        "step": step,
        "weights": {name: array.tobytes() for name, array in weights.items()},
        "experience": {shard: run.experience.digest(shard) for shard in run.experience.shards()},
        "evaluations": {shard: run.evaluations.digest(shard) for shard in run.evaluations.shards()},
        "lineage": run.lineage(),
        "figures": figures,
        "result": result,
    }


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["grpo", "rft"])
def test_a_killed_run_ends_as_one_that_never_was(tmp_path: Path, policy: Path, recipe: str) -> None:
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "log"
    process = start(command(policy, whole, recipe), log)
    wait_for_work(process, whole)
    began = time.perf_counter()
    assert process.wait() == 0, log.read_text()[-3000:]
    work = time.perf_counter() - began

    generator, arguments, kills = np.random.default_rng(0), command(policy, killed, recipe), 0
    wanted = KILLS if recipe == "grpo" else 3
    while True:
        process = start(arguments, log)
        if kills < wanted:
            wait_for_work(process, killed)
            # Random moments, and short enough that all lives together do not finish the run on any machine.
            time.sleep(float(generator.uniform(0, 0.8 * work / wanted)))
            process.send_signal(signal.SIGKILL)
        code = process.wait()
        if (killed / "run.json").exists():
            arguments = [*PALAESTRA, "evolve", "--resume", str(killed)]
        if code == 0:
            break
        assert code == -signal.SIGKILL, log.read_text()[-3000:]
        kills += 1
    assert kills >= wanted, f"the run was over after {kills} kills; give it more steps"
    expected, found = facts(whole), facts(killed)
    for name, value in expected.items():
        assert found[name] == value, name


def wait_for_work(process: subprocess.Popen[bytes], run: Path) -> None:
    """Wait until the process has written something, so that the kill falls into the work and not into the imports."""
    before = snapshot(run)
    while process.poll() is None and snapshot(run) == before:
        time.sleep(0.01)


def snapshot(run: Path) -> list[tuple[str, int]]:
    if not run.exists():
        return []
    found = []
    for folder in ("experience", "evaluations", "checkpoints"):
        found += [(path.name, 0) for path in (run / folder).glob("*")]
    metrics = run / "metrics.jsonl"
    return [*sorted(found), ("metrics", metrics.stat().st_size if metrics.exists() else 0)]
