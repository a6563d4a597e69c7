"""Two processes that train by DeepSpeed's engine (ZeRO): as one process alone, and continued as one."""

import importlib.util
import json
from pathlib import Path

import pytest
from divided_program import newborn
from palaestra.envs.errors import RunError, UsageError
from palaestra.evolution.updating.peers import Peers
from palaestra.evolution.updating.zero import configured, engine_settings
from test_together import TOLERANCE, pair_of
from tiny import largest_difference
from zero_program import CASES, go_on, learn

PROGRAM = Path(__file__).with_name("zero_program.py")


@pytest.fixture(scope="module", params=[1, 2])
def pair(request, tmp_path_factory):
    """What each of two processes found, by ZeRO's stage, and where."""
    place = tmp_path_factory.mktemp("pair")
    (place / "ds.json").write_text(
        json.dumps(
            {"zero_optimization": {"stage": request.param}, "train_batch_size": "auto", "bf16": {"enabled": False}}
        )
    )
    told = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_CONFIG_FILE": str(place / "ds.json")}
    return pair_of(PROGRAM, place, timeout=300, **told), place


@pytest.mark.deepspeed
@pytest.mark.parametrize("name", CASES)
def test_an_engine_trains_the_weights_of_one_process(pair, name, tmp_path):
    (first, second), _ = pair
    alone = learn(name, Peers(), tmp_path)
    assert largest_difference(alone["weights"], newborn(CASES[name]).weights) > 1e-3
    assert largest_difference(first[name]["weights"], second[name]["weights"]) == 0.0
    assert largest_difference(first[name]["weights"], alone["weights"]) < TOLERANCE
    for ours, theirs in zip(first[name]["metrics"], alone["metrics"], strict=True):
        for figure in ("loss", "grad_norm", "rows", "tokens", "optimiser_steps", "learning_rate"):
            assert ours[figure] == pytest.approx(theirs[figure], rel=1e-4, abs=1e-6), figure


@pytest.mark.deepspeed
@pytest.mark.parametrize("name", CASES)
def test_what_was_saved_is_continued_bit_for_bit(pair, name):
    (first, _), _ = pair
    assert largest_difference(first[name]["weights"], first[name]["continued"]) == 0.0


@pytest.mark.deepspeed
@pytest.mark.parametrize("name", CASES)
def test_each_process_holds_a_part_of_the_optimiser(pair, name):
    trained = sum(weight.numel() for weight in newborn(CASES[name]).model.parameters() if weight.requires_grad)
    for found in pair[0]:
        assert 0.4 * trained < found[name]["held"] < 0.6 * trained


@pytest.mark.deepspeed
def test_another_number_of_processes_does_not_go_on(pair):
    with pytest.raises(RunError, match="written by processes with DeepSpeed: launch them again"):
        go_on("gspo", Peers(), pair[1])


@pytest.mark.deepspeed
def test_a_process_that_ends_is_noticed(pair):
    assert "PeerError: Another process that trains with this one has ended" in pair[0][0]["dies"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"zero_optimization": {"stage": 3}}, "ZeRO stage 3; stages 1 and 2 are supported"),
        ({}, "ZeRO stage 0"),
        ({"zero_optimization": {"stage": 2}, "optimizer": {"type": "Adam"}}, "the update names its own optimiser"),
        ({"zero_optimization": {"stage": 2}, "fp16": {"enabled": True}}, "section 'fp16'"),
        ({"zero_optimization": {"stage": 1, "offload_optimizer": {"device": "cpu"}}}, "offload_optimizer to cpu"),
    ],
)
def test_what_is_not_done_is_refused(asked, says):
    with pytest.raises(UsageError, match=says):
        engine_settings(asked)


def test_what_a_file_says_goes_through_but_for_what_the_update_says():
    zero = {"stage": 2, "overlap_comm": True, "reduce_bucket_size": "auto", "offload_optimizer": {"device": "none"}}
    told = engine_settings({"zero_optimization": zero, "train_batch_size": 64, "comms_logger": {"enabled": True}})
    assert told["zero_optimization"] == {"stage": 2, "overlap_comm": True}
    assert told["comms_logger"] == {"enabled": True}
    assert told["gradient_accumulation_steps"] == 1
    assert "train_batch_size" not in told


@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is not None, reason="DeepSpeed is installed")
def test_without_deepspeed_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(UsageError, match=r"pip install --no-build-isolation 'palaestra\[deepspeed\]'"):
        configured()
