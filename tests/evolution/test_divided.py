"""Two processes that divide the weights they train (FSDP2): as one process alone, and continued as one."""

from pathlib import Path

import pytest
import torch
from divided_program import CASES, go_on, learn, newborn
from palaestra.envs.errors import UsageError
from palaestra.evolution.updating.division import wants_division
from palaestra.evolution.updating.peers import Peers
from test_together import OF_GRADIENTS, TOLERANCE, pair_of
from tiny import largest_difference

PROGRAM = Path(__file__).with_name("divided_program.py")
ASKED = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """What each of two processes found."""
    return pair_of(PROGRAM, tmp_path_factory.mktemp("pair"), timeout=300, **ASKED)


@pytest.mark.parametrize("name", CASES)
def test_divided_weights_are_those_of_one_process(pair, name, tmp_path):
    ours, alone = pair[0][name]["whole"], learn(name, Peers(), tmp_path)
    assert largest_difference(alone["weights"], newborn(CASES[name]).weights) > 1e-3
    assert largest_difference(ours["weights"], alone["weights"]) < TOLERANCE
    pairs = zip(ours["moments"], alone["moments"], strict=True)
    assert max(float((one - other).abs().max()) for one, other in pairs) < OF_GRADIENTS
    for mine, theirs in zip(ours["metrics"], alone["metrics"], strict=True):
        for figure in ("loss", "grad_norm", "rows", "tokens", "optimiser_steps", "learning_rate"):
            assert mine[figure] == pytest.approx(theirs[figure], rel=1e-4, abs=1e-6), figure


@pytest.mark.parametrize("name", CASES)
def test_what_was_saved_is_continued_bit_for_bit(pair, name):
    whole, continued = pair[0][name]["whole"], pair[0][name]["continued"]
    assert largest_difference(whole["weights"], continued["weights"]) == 0.0
    assert all(torch.equal(one, other) for one, other in zip(whole["moments"], continued["moments"], strict=True))


@pytest.mark.parametrize("name", CASES)
def test_each_process_holds_a_part_of_weights_and_moments(pair, name, tmp_path):
    held = pair[0][name]["whole"]["held"], pair[1][name]["held"]
    trained = sum(weight.numel() for weight in newborn(CASES[name]).model.parameters() if weight.requires_grad)
    for one, other in zip(*held, strict=True):
        assert one + other == trained
        assert 0.4 * trained < one < 0.6 * trained


def test_what_two_wrote_is_continued_by_one(pair):
    for name in CASES:
        found = pair[0][name]
        continued = go_on(name, Peers(), Path(found["place"]))
        assert largest_difference(found["whole"]["weights"], continued["weights"]) < TOLERANCE


def test_methods_in_turn_are_refused_in_both(pair):
    assert all("UsageError: Methods in turn" in found["in turn"] for found in pair)


def test_a_process_that_is_gone_is_noticed(pair):
    assert pair[0]["dies"].startswith("PeerError: Another process that trains with this one has ended")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("FSDP_VERSION", "1", "fsdp_version: 2"),
        ("FSDP_OFFLOAD_PARAMS", "true", "fsdp_offload_params: true"),
        ("FSDP_ACTIVATION_CHECKPOINTING", "true", "fsdp_activation_checkpointing: true"),
        ("FSDP_AUTO_WRAP_POLICY", "SIZE_BASED_WRAP", "TRANSFORMER_BASED_WRAP or NO_WRAP"),
    ],
)
def test_what_would_not_be_done_is_refused(monkeypatch, variable, value, said):
    for name, asked in ASKED.items():
        monkeypatch.setenv(name, asked)
    assert wants_division()
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=said):
        wants_division()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "false")
    assert not wants_division()
