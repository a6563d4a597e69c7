"""`accelerate launch` with two processes on this machine: the run of one process, ended and continued as one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from palaestra.evolution.run import Run
from safetensors.torch import load_file
from tiny import largest_difference

pytestmark = pytest.mark.slow

# As in test_together: a fraction of one optimiser step of the nursery's rates, 3e-4 and 5e-4.
TOLERANCE = 2e-5
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
LAUNCH += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
DIVIDED = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0"]
DIVIDED += ["--config_file", str(Path(__file__).with_name("fsdp2.yaml"))]
ENGAGED = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0"]
ENGAGED += ["--config_file", str(Path(__file__).with_name("zero.yaml"))]
ALONE = [sys.executable]
OPTIONS = {
    "acquire.groups": 24,
    "evaluate.tasks": 10,
    "evaluate_every": 2,
    "checkpoint_every": 2,
    "acquire.sampling.max_tokens": 6,
    "evaluate.sampling.max_tokens": 6,
}
ENV = "palaestra/Arithmetic-v0?digits=1"


@pytest.fixture
def policy(beginner):
    return beginner


def command(launcher, policy, run, recipe, steps):
    settings = [part for key, value in OPTIONS.items() for part in ("--set", f"{key}={value}")]
    chosen = ["evolve", recipe, "--policy", f"local:{policy}", "--env", ENV, "--run", str(run), "--steps", str(steps)]
    return [*launcher, "-m", "palaestra", *chosen, *settings]


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1"}


def run(arguments):
    done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def weights(place, step):
    return load_file(place / "checkpoints" / f"step-{step:06d}" / "model.safetensors")


@pytest.mark.parametrize(
    ("launcher", "recipe", "steps"),
    [
        (LAUNCH, "grpo", 4),
        (LAUNCH, "rft", 2),
        (DIVIDED, "grpo", 4),
        pytest.param(ENGAGED, "grpo", 4, marks=pytest.mark.deepspeed),
    ],
)
def test_a_launched_run_is_the_run_of_one_process(tmp_path, policy, launcher, recipe, steps):
    alone, together = tmp_path / "alone", tmp_path / "together"
    run(command(ALONE, policy, alone, recipe, steps))
    said = run(command(launcher, policy, together, recipe, steps))
    assert said.stdout.count("held-out accuracy") == 1  # shown once
    assert largest_difference(weights(alone, 0), weights(together, 0)) == 0.0
    assert largest_difference(weights(alone, 0), weights(alone, steps)) > 1e-4
    assert largest_difference(weights(alone, steps), weights(together, steps)) < TOLERANCE
    one, two = Run.open(alone, read_only=True), Run.open(together, read_only=True)
    for shard in one.experience.shards():
        replies = [[e.turns[-1].reply for e in r.experience.read(shard)] for r in (one, two)]
        assert replies[0] == replies[1]


def workers(agent):
    """The processes that a launcher started, by rank."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            told = dict(line.partition("=")[::2] for line in (process / "environ").read_text().split("\0"))
        except (OSError, ValueError):
            continue
        if parent == agent and "RANK" in told:
            found[int(told["RANK"])] = int(process.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the processes under /proc")
@pytest.mark.parametrize(
    ("launcher", "rank"),
    [(LAUNCH, 0), (LAUNCH, 1), (DIVIDED, 0), (DIVIDED, 1), pytest.param(ENGAGED, 1, marks=pytest.mark.deepspeed)],
)
def test_one_process_killed_ends_both_and_the_run_goes_on(tmp_path, policy, launcher, rank):
    whole, killed, steps = tmp_path / "whole", tmp_path / "killed", 60
    process = subprocess.Popen(command(launcher, policy, killed, "grpo", steps), env=environment())
    while process.poll() is None and not (killed / "checkpoints" / "step-000004").exists():
        time.sleep(0.05)
    assert process.poll() is None
    both = workers(process.pid)
    assert sorted(both) == [0, 1]
    os.kill(both[rank], signal.SIGKILL)
    began = time.monotonic()
    assert process.wait(timeout=60) != 0
    assert time.monotonic() - began < 45
    assert not any(Path(f"/proc/{pid}").exists() for pid in both.values())
    done = Run.open(killed, read_only=True)
    assert not done.finished
    # Continued by both, it ends with the weights of a run that was never killed, bit for bit.
    run([*launcher, "-m", "palaestra", "evolve", "--resume", str(killed)])
    run(command(launcher, policy, whole, "grpo", steps))
    assert largest_difference(weights(whole, steps), weights(killed, steps)) == 0.0


def test_ctrl_c_ends_both_and_says_how_to_go_on(tmp_path, policy):
    place, log = tmp_path / "run", tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command(LAUNCH, policy, place, "grpo", 500),
            env=environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # as a terminal's foreground group
        )
    while process.poll() is None and not (place / "checkpoints" / "step-000004").exists():
        time.sleep(0.05)
    assert process.poll() is None, log.read_text()[-3000:]
    both = workers(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in both.values())
    assert f"palaestra evolve --resume {place}" in " ".join(log.read_text().split())
