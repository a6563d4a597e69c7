"""Two processes that train together: as one process alone, and ending together."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from palaestra.envs.errors import UsageError
from palaestra.evolution.evolve import evolve
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.report.live import LiveView
from palaestra.evolution.together import refuse_engine
from palaestra.evolution.updating.finetune import Finetune
from palaestra.evolution.updating.in_turn import UpdateInTurn
from palaestra.evolution.updating.peers import Peers, launched, leads
from rich.console import Console
from tiny import largest_difference, tiny_policy
from together_program import METHODS, trained

# Rows are summed in another order, which AdamW makes most of where a gradient is next to nothing: weights differ by
# less than a fiftieth of a step of 1e-3. The mean gradients it keeps, themselves up to 1, differ by far less.
TOLERANCE, OF_GRADIENTS = 2e-5, 1e-6
PROGRAM = Path(__file__).with_name("together_program.py")


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def environment(rank, port):
    launcher = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
    return os.environ | {k: str(v) for k, v in launcher.items()} | {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}


def pair_of(program, place, timeout, **told):
    """Run a program as two processes of which the second ends by 9, and return what each found."""
    port = free_port()
    processes = [
        subprocess.Popen(
            [sys.executable, str(program), str(place)],
            env=environment(rank, port) | told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=timeout)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 9], "\n".join(said)[-4000:]
    return [torch.load(place / f"process-{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """What each of two processes found."""
    began = time.monotonic()
    found = pair_of(PROGRAM, tmp_path_factory.mktemp("pair"), timeout=120)
    return found, time.monotonic() - began


@pytest.mark.parametrize("name", METHODS)
def test_two_processes_train_the_weights_of_one(pair, name, tmp_path):
    (first, second), _ = pair
    alone = trained(name, Peers(), tmp_path)
    assert largest_difference(alone["weights"], tiny_policy().weights) > 1e-3
    assert largest_difference(first[name]["weights"], second[name]["weights"]) == 0.0
    assert largest_difference(first[name]["weights"], alone["weights"]) < TOLERANCE
    moments = zip(first[name]["moments"], alone["moments"], strict=True)
    assert max(float((ours - theirs).abs().max()) for ours, theirs in moments) < OF_GRADIENTS
    for ours, theirs in zip(first[name]["metrics"], alone["metrics"], strict=True):
        for figure in ("loss", "grad_norm", "rows", "tokens", "optimiser_steps", "learning_rate"):
            assert ours[figure] == pytest.approx(theirs[figure], rel=1e-4, abs=1e-6), figure
        for figure in {"gap", "effective_share"} & set(theirs):
            assert ours[figure] == pytest.approx(theirs[figure], rel=1e-3, abs=1e-6), figure


def test_what_fails_in_one_process_fails_in_both_before_any_weight_changes(pair):
    (first, second), _ = pair
    assert second["fails"] == ("MemoryError: no room for row 7", True)
    said, unchanged = first["fails"]
    assert said == "PeerError: Process 1 of 2 that train together failed and all stop: MemoryError: no room for row 7"
    assert unchanged


def test_one_bit_of_one_weight_stops_both(pair):
    (first, second), _ = pair
    for found in (first, second):
        assert "DivergenceError: Of 2 processes that train together, 1 no longer hold" in found["differs"]


def test_a_process_that_is_gone_is_noticed_at_once(pair):
    (first, _), seconds = pair
    assert first["dies"].startswith("PeerError: Another process that trains with this one has ended")
    assert seconds < 100


def test_without_a_launcher_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert (launched(), leads()) == (1, True)
    with Peers.join() as peers:
        assert (peers.size, peers.rank, peers.leads) == (1, 0, True)
        assert not torch.distributed.is_initialized()


def test_only_the_first_of_those_launched_leads(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert (launched(), leads()) == (2, False)


def test_a_launcher_that_says_no_number_is_named(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(UsageError, match="WORLD_SIZE is 'two'"):
        launched()


def test_an_engine_needs_the_process_for_itself():
    refuse_engine(Peers(), "vllm")
    with pytest.raises(UsageError, match="--engine vllm takes the process group that 2 processes"):
        refuse_engine(Peers(size=2), "vllm")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("dpo", "A preference update"),
        ("kto", "KTO"),
        ("ppo", "PPO"),
        ("self-rewarding", "A preference update"),
        ("spin", "A preference update"),
        ("eto", "A preference update"),
        ("rlhf", "A reward model"),
        ("weak-to-strong", "Fine-tuning with confidence"),
    ],
)
def test_what_one_process_carries_out_is_refused_before_a_run_is_made(name, method, monkeypatch, tmp_path):
    monkeypatch.setattr(Peers, "join", classmethod(lambda cls: cls(size=2)))
    settings = {"objective": Objective("any", ("arithmetic",)), "policy": "nursery:arithmetic", "seed": 0}
    with pytest.raises(UsageError, match=f"{method} is carried out by one process, and 2 were launched"):
        evolve(find_recipe(name, {}), **settings, directory=tmp_path / "run", view=LiveView(Console(quiet=True)))
    assert not (tmp_path / "run").exists()


def test_methods_in_turn_that_divide_weights_are_refused_before_a_run_is_made(monkeypatch):
    peers = Peers(size=2)
    monkeypatch.setattr(peers, "zero", {})
    with pytest.raises(UsageError, match="Methods in turn would each divide"):
        UpdateInTurn((1, 1), (Finetune(), Finetune())).refuse_peers(peers)
    UpdateInTurn((1, 1), (Finetune(), Finetune())).refuse_peers(Peers(size=2))
