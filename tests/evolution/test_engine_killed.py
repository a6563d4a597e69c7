"""Runs that an engine samples for, killed from outside, and such that play while they learn."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from palaestra.agents.local import LocalPolicy
from palaestra.agents.nursery import Plan, born
from palaestra.evolution.pace import refuse_stale
from palaestra.evolution.run import Run

pytestmark = pytest.mark.vllm

# Heads of 32, the smallest that the engine takes.
PLAN = Plan(hidden_size=64, intermediate_size=64, layers=2, heads=2, positions=128)
PALAESTRA = [sys.executable, "-c", "from palaestra.evolution.cli import main; main()"]
ENV = "palaestra/Arithmetic-v0?digits=1"


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache, place = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("policy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        # A little skill and much left to learn.
        plan = replace(PLAN, solved=0.02, able=0.02, practise_steps=1, settle_steps=20)
        born("arithmetic?digits=1", plan=plan).save(place)
    return place


def command(policy: Path, place: Path, steps: int, *more: str, **changes: object) -> list[str]:
    options = {
        "steps": steps,
        "evaluate_every": 4,
        "checkpoint_every": 3,
        "acquire.groups": 12,
        "evaluate.tasks": 10,
        "acquire.sampling.max_tokens": 6,
        "evaluate.sampling.max_tokens": 6,
        **{name.replace("__", "."): value for name, value in changes.items()},
    }
    settings = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
    engine = ["--engine", "vllm?dtype=float32&cache_gib=0.1"]
    return [
        *PALAESTRA, "evolve", "grpo", "--policy", f"local:{policy}", "--env", ENV, "--run", str(place), *engine,
        *settings, *more,
    ]  # fmt: skip


def start(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(arguments, stdout=out, stderr=out, env={**os.environ, "OMP_NUM_THREADS": "1"})


def kill_after(shards: int, process: subprocess.Popen[bytes], place: Path, log: Path, delay: float) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and len(list((place / "experience").glob("step-*.parquet"))) < shards:
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, log.read_text()[-3000:]


def check(place: Path, steps: int, staleness: int) -> list[dict[str, float]]:
    """Assert that a run is whole, and every version right; return what its steps logged."""
    lived = Run.open(place, read_only=True)
    lived.experience.check_ids()
    assert lived.experience.shards() == [f"step-{step:06d}" for step in range(1, steps + 1)]
    version = 0
    for row in lived.lineage():
        assert row["version_before"] == version
        episodes = lived.experience.read(row["experience"])
        assert all(episode.valid for episode in episodes)
        refuse_stale(episodes, version, staleness)
        versions = np.concatenate([turn.versions for episode in episodes for turn in episode.turns])
        assert versions.max() <= version
        if staleness == 0:
            assert set(versions.tolist()) == {version}
        version = row["version_after"]
        assert version == row["version_before"] + bool(row["learned_from"])
    assert version > steps // 2, "a run that learned little shows little"
    rows = [row for row in lived.metrics.rows() if row.get("phase") == "train"]
    assert [row["step"] for row in rows] == list(range(1, steps + 1))
    learned = [row for row in rows if row["used"]]
    assert all(0 <= row["update/engine_largest_difference"] < 2e-3 for row in learned)
    return learned


def scored(policy: LocalPolicy, place: Path, step: int) -> float:
    """By how much the log-probabilities of a step's experience differ from those of a policy, at most."""
    worst = 0.0
    for episode in Run.open(place, read_only=True).experience.read(f"step-{step:06d}"):
        for row in episode.rows():
            ids = torch.tensor(row.ids[None].astype(np.int64))
            with torch.inference_mode():
                scores = policy.model(input_ids=ids).logits[0, :-1].float().log_softmax(-1)
            mine = scores.gather(1, ids[0, 1:, None])[:, 0].numpy()
            worst = max(worst, float(np.abs(mine - row.logprobs[1:])[row.turn[1:] >= 0].max()))
    return worst


def test_a_killed_run_with_an_engine_ends_whole(policy: Path, tmp_path: Path) -> None:
    place, log, steps = tmp_path / "run", tmp_path / "log", 12
    kill_after(5, start(command(policy, place, steps), log), place, log, 0.1)
    assert start([*PALAESTRA, "evolve", "--resume", str(place)], log).wait(300) == 0, log.read_text()[-3000:]
    check(place, steps, 0)
    # What the engine of the last life sampled, it sampled with the weights of the checkpoint before.
    checkpoint = LocalPolicy.load(place / "checkpoints" / "step-000009", trainable=True)
    assert scored(checkpoint, place, 10) < 1e-3


def test_an_engine_plays_while_the_policy_learns(policy: Path, tmp_path: Path) -> None:
    place, log, steps = tmp_path / "run", tmp_path / "log", 12
    arguments = command(policy, place, steps, "--staleness", "2")
    kill_after(4, start(arguments, log), place, log, 0.1)
    assert start([*PALAESTRA, "evolve", "--resume", str(place)], log).wait(300) == 0, log.read_text()[-3000:]
    check(place, steps, 2)
    lived = Run.open(place, read_only=True)
    episodes = list(lived.experience.episodes())
    assert set(Counter(episode.group for episode in episodes).values()) == {8}
    # It did go on while the policy learned.
    assert any(
        turn.versions.min() < row["version_before"]
        for row in lived.lineage()
        for episode in lived.experience.read(row["experience"])
        for turn in episode.turns
    )
