"""Runs that play while they learn, killed and interrupted from outside."""

import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ahead_runs import ATTEMPTS, ENV, learned, newborn_policy, settings
from interruptible import INTERRUPTIBLE
from palaestra.evolution.pace import refuse_stale
from palaestra.evolution.run import Run


@pytest.fixture(scope="module")
def newborn(tmp_path_factory: pytest.TempPathFactory) -> str:
    return newborn_policy(tmp_path_factory.mktemp("newborn"))


def command(newborn: str, place: Path, steps: int, seconds: float) -> list[str]:
    options = settings(steps=steps, checkpoint_every=3)
    chosen = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
    words = ["--staleness", "2", "--policy", newborn, "--env", f"{ENV}?seconds={seconds}", "--run", str(place)]
    return [*INTERRUPTIBLE, "evolve", *words, *chosen]


def start(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    with log.open("ab") as out:
        return subprocess.Popen(arguments, stdout=out, stderr=out, env=environment)


def wait_for(process: subprocess.Popen[bytes], place: Path, shards: int) -> None:
    while process.poll() is None and len(list((place / "experience").glob("step-*.parquet"))) < shards:
        time.sleep(0.01)


@pytest.mark.slow
def test_ctrl_c_ends_the_process_soon_and_leaves_a_run_that_goes_on(tmp_path: Path, newborn: str) -> None:
    place, log = tmp_path / "run", tmp_path / "log"
    process = start(command(newborn, place, 1000, 0.05), log)
    wait_for(process, place, 4)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130, log.read_text()[-3000:]
    assert "Continue with" in log.read_text()


@pytest.mark.slow
def test_a_run_killed_again_and_again_counts_everything_once(tmp_path: Path, newborn: str) -> None:
    place, log, generator = tmp_path / "run", tmp_path / "log", np.random.default_rng(0)
    arguments, steps = command(newborn, place, 30, 0.01), 30
    for kill in range(5):
        process = start(arguments, log)
        wait_for(process, place, 1 + 5 * kill)
        time.sleep(float(generator.uniform(0, 0.3)))
        process.kill()
        assert process.wait() == -signal.SIGKILL, log.read_text()[-3000:]
        arguments = [*arguments[:3], "evolve", "--resume", str(place)]
    assert start(arguments, log).wait() == 0, log.read_text()[-3000:]
    lived = Run.open(place, read_only=True)
    lived.experience.check_ids()
    episodes = list(lived.experience.episodes())
    assert lived.experience.shards() == [f"step-{step:06d}" for step in range(1, steps + 1)]
    assert lived.result is not None
    assert lived.result["episodes"] == len(episodes) == len({e.id for e in episodes})
    names = [name for row in lived.lineage() for name in row["learned_from"]]
    assert len(names) == len(set(names)) == lived.result["episodes_used"]
    assert set(Counter(e.group for e in episodes).values()) == {ATTEMPTS}
    behind = learned(place)
    assert max(lag for of_step in behind.values() for lag in of_step) <= 2
    for row in lived.lineage():
        refuse_stale(lived.experience.read(row["experience"]), row["version_before"], 2)
