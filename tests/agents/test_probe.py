"""When an engine agrees with the trainer, and what an engine is given."""

import numpy as np
import pytest
import torch
from palaestra.agents.local import LocalPolicy
from palaestra.agents.probe import Probe
from palaestra.agents.weights import checkpoint_weights
from palaestra.envs.errors import SynchronisationError
from safetensors.torch import load_file
from small import ARCHITECTURES


@pytest.fixture
def probe():
    return Probe(100, 128)


def test_the_probe_is_the_models_own_scoring(policy, probe):
    local = policy("gpt2")  # it has dropout
    local.model.train()
    found = probe.of(local)
    assert local.model.training
    assert found.shape == (4, 31)
    local.model.eval()
    ids = torch.from_numpy(probe.contexts).long()
    for row, column in ((0, 0), (3, 30), (2, 11)):
        with torch.no_grad():
            logits = local.model(ids[row : row + 1, : column + 1]).logits[0, -1]
        expected = logits.log_softmax(-1)[ids[row, column + 1]]
        assert found[row, column] == pytest.approx(float(expected), abs=1e-4)


def test_short_models_get_short_contexts():
    assert Probe(100, 8).contexts.shape == (4, 7)


@pytest.mark.parametrize(("dtype", "fine", "wrong"), [("float32", 0.004, 0.0061), ("bfloat16", 0.2, 0.23)])
def test_a_single_difference_beyond_rounding_is_refused(probe, dtype, fine, wrong):
    trainer = np.full((4, 31), -4.0, np.float32)
    engine = trainer.copy()
    engine[2, 5] += fine
    agreement = probe.compare(engine, trainer, dtype)
    assert agreement.largest == pytest.approx(fine, rel=1e-3)
    assert agreement.mean == pytest.approx(fine / 124, rel=1e-3)
    engine[2, 5] = trainer[2, 5] - wrong
    with pytest.raises(SynchronisationError, match=f"largest difference is {wrong:.4g} nats"):
        probe.compare(engine, trainer, dtype)
    engine[2, 5] = np.nan
    with pytest.raises(SynchronisationError, match="nan"):
        probe.compare(engine, trainer, dtype)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_engine_is_given_what_a_checkpoint_holds(policy, tmp_path, architecture):
    local = policy(architecture)
    local.save(tmp_path)
    saved, given = load_file(tmp_path / "model.safetensors"), dict(checkpoint_weights(local.model))
    assert given.keys() == saved.keys()
    for name, weight in saved.items():
        assert torch.equal(given[name], weight)


def test_adapters_are_merged_and_the_model_keeps_them(policy, tmp_path):
    policy().save(tmp_path)
    local = LocalPolicy.load(tmp_path, trainable=True, lora_rank=2)
    with torch.no_grad():
        for name, weight in local.model.named_parameters():
            if "lora_B" in name:
                weight.add_(0.3)
    given = {name: weight.clone() for name, weight in checkpoint_weights(local.model)}
    assert any("lora_" in name for name, _ in local.model.named_parameters())
    merged = local.model.merge_and_unload().state_dict()
    assert given.keys() == load_file(tmp_path / "model.safetensors").keys()
    for name, weight in given.items():
        torch.testing.assert_close(weight, merged[name])
