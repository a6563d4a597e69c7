"""Loading, saving and refusing."""

from urllib.parse import quote

import numpy as np
import pytest
import torch
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Policy, Request, Sampling
from palaestra.envs.errors import InfrastructureError, UsageError
from small import END
from transformers import AutoModelForCausalLM, AutoTokenizer


def replies(policy, contexts, **options):
    options = {"max_tokens": 8} | options
    requests = [Request(context, Sampling(**options), i) for i, context in enumerate(contexts)]
    return [sample.ids.tolist() for sample in policy.sample(requests)]


@pytest.fixture
def saved(policy, tmp_path):
    policy().save(tmp_path / "saved")
    return tmp_path / "saved"


def test_no_requests_no_samples(policy):
    assert policy().sample([]) == []


def test_it_keeps_the_contract(policy, contexts):
    policy: Policy = policy()
    policy.version = 3
    (sample,) = policy.sample([Request(contexts([4])[0], Sampling(max_tokens=5), 1)])
    assert (sample.ids.dtype, sample.logprobs.dtype, sample.versions.dtype) == (np.int32, np.float32, np.int32)
    assert sample.versions.tolist() == [3] * len(sample.ids)
    assert policy.context_limit == 128
    assert END in policy.stop_ids


def test_transformers_alone_loads_what_was_saved(policy, saved, contexts):
    assert (saved / "model.safetensors").is_file()
    model = AutoModelForCausalLM.from_pretrained(saved)
    theirs = LocalPolicy(model, AutoTokenizer.from_pretrained(saved), "theirs")
    assert replies(theirs, contexts([5, 9])) == replies(policy(), contexts([5, 9]))


def test_load_for_training_is_float32(policy, saved, contexts):
    loaded = LocalPolicy.load(saved, trainable=True)
    assert loaded.model.dtype == torch.float32
    assert loaded.name == f"local:{quote(str(saved))}"
    assert replies(loaded, contexts([5, 9])) == replies(policy(), contexts([5, 9]))


def test_load_for_playing_takes_bfloat16_where_it_is_fast(saved, contexts):
    loaded = LocalPolicy.load(saved)
    fast = torch.cuda.is_available() or torch.cpu.get_capabilities().get("avx512_bf16", False)
    assert loaded.model.dtype == (torch.bfloat16 if fast else torch.float32)
    (sample,) = loaded.sample([Request(contexts([5])[0], Sampling(max_tokens=8), 0)])
    assert np.isfinite(sample.logprobs).all()


def test_adapters_are_what_is_trained_and_saved(saved, tmp_path, contexts):
    adapted = LocalPolicy.load(saved, trainable=True, lora_rank=4)
    names = [name for name, weight in adapted.model.named_parameters() if weight.requires_grad]
    assert names
    assert all("lora_" in name for name in names)
    base = replies(LocalPolicy.load(saved, trainable=True), contexts([5, 9]))
    assert replies(adapted, contexts([5, 9])) == base, "fresh adapters must change nothing"
    with torch.no_grad():
        for name, weight in adapted.model.named_parameters():
            if "lora_B" in name:
                weight.add_(0.3)
    changed = replies(adapted, contexts([5, 9]))
    assert changed != base
    adapted.save(tmp_path / "adapters")
    assert (tmp_path / "adapters" / "adapter_model.safetensors").is_file()
    assert not (tmp_path / "adapters" / "model.safetensors").exists()
    again = LocalPolicy.load(tmp_path / "adapters", trainable=True)
    assert replies(again, contexts([5, 9])) == changed
    assert any(weight.requires_grad for weight in again.model.parameters())


def test_loading_adapters_advances_no_global_generator(saved):
    before = torch.random.get_rng_state()
    LocalPolicy.load(saved, lora_rank=2)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("broken", ["missing", "empty", "configuration", "weights"])
def test_load_says_what_it_expected(broken, saved, tmp_path):
    path = saved
    if broken == "missing":
        path = tmp_path / "nowhere"
    elif broken == "empty":
        path = tmp_path / "empty"
        path.mkdir()
    elif broken == "configuration":
        (saved / "config.json").write_text("{not json")
    else:
        (saved / "model.safetensors").write_bytes(b"\x00" * 50)
    with pytest.raises(UsageError, match="Cannot load a causal language model") as caught:
        LocalPolicy.load(path)
    assert str(path) in str(caught.value)


def test_contexts_that_cannot_be_continued(policy, contexts):
    policy = policy()
    good = Request(contexts([4])[0], Sampling(), 0)
    for context, message in (
        (np.zeros(0, np.int32), "request 1 is empty"),
        (contexts([128])[0], "leaves no room"),
        (np.array([5, 4000], np.int32), "ids from"),
        (np.array([-1], np.int32), "ids from"),
    ):
        with pytest.raises(UsageError, match=message):
            policy.sample([good, Request(context, Sampling(), 0)])


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_broken_weights_are_no_sample(policy, contexts, temperature):
    policy = policy()
    policy.model.lm_head.weight.data[3] = float("nan")
    with pytest.raises(InfrastructureError, match="not finite"):
        replies(policy, contexts([5, 9]), temperature=temperature)


def test_out_of_memory_says_what_to_reduce(policy, contexts):
    policy = policy()
    policy.model.register_forward_pre_hook(lambda *_: torch.empty(2**50))
    policy.model.train()
    with pytest.raises(InfrastructureError, match="lower max_tokens"):
        replies(policy, contexts([5]))
    assert policy.model.training


def test_other_failures_keep_their_own_error(policy, contexts):
    policy = policy()
    policy.model.register_forward_pre_hook(lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="inconsistent"):
        replies(policy, contexts([5]))


def test_sampling_in_the_middle_of_training_changes_nothing(policy, contexts):
    policy = policy("gpt2")  # it has dropout
    expected = replies(policy, contexts([5, 9]))
    policy.model.train()
    assert replies(policy, contexts([5, 9])) == expected
    assert policy.model.training
    ids = torch.arange(10, 20)[None]
    policy.model(input_ids=ids, labels=ids).loss.backward()
    assert all(weight.grad is not None for weight in policy.model.parameters())
