import threading

import numpy as np
import pytest
import torch
from palaestra.agents.policy import Request, Sampling, TakesWeights
from palaestra.agents.twin import Twin, trained_weights
from palaestra.envs.errors import ContractError
from peft import LoraConfig, get_peft_model


def requests(contexts, temperature=1.0):
    return [
        Request(c, Sampling(max_tokens=6, temperature=temperature), seed) for seed, c in enumerate(contexts([5, 9]))
    ]


def change(policy, seed=1):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in trained_weights(policy.model).values():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.1)
    policy.version += 1


def same(ours, theirs):
    return all(
        np.array_equal(a.ids, b.ids)
        # Where weights lie in memory may change the last bit of a sum.
        and np.allclose(a.logprobs, b.logprobs, atol=1e-5)
        and np.array_equal(a.versions, b.versions)
        for a, b in zip(ours, theirs, strict=True)
    )


@pytest.mark.parametrize("adapters", [False, True])
def test_a_twin_samples_as_the_weights_it_took(policy, contexts, adapters):
    original = policy()
    if adapters:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            plan = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear")
            original.model = get_peft_model(original.model, plan)
    twin = Twin.of(original)
    assert isinstance(twin, TakesWeights)
    before = original.sample(requests(contexts))
    assert same(twin.sample(requests(contexts)), before)
    change(original)
    assert same(twin.sample(requests(contexts)), before), "it has weights of its own"
    assert not same(original.sample(requests(contexts)), before)
    twin.take(trained_weights(original.model), original.version)
    after = original.sample(requests(contexts))
    change(original)
    assert same(twin.sample(requests(contexts)), after), "what it took was copied"
    assert twin.version == 1
    assert len(trained_weights(original.model)) < len(list(original.model.parameters())) or not adapters


def test_weights_taken_in_mid_batch_wait_for_the_next(policy, contexts):
    original = policy()
    twin = Twin.of(original)
    expected = original.sample(requests(contexts, temperature=0))
    change(original)
    inside, go_on = threading.Event(), threading.Event()

    def pause(*_):
        inside.set()
        assert go_on.wait(10)

    hook = twin.model.register_forward_pre_hook(pause)
    found = []
    thread = threading.Thread(target=lambda: found.extend(twin.sample(requests(contexts, temperature=0))))
    thread.start()
    assert inside.wait(10)
    twin.take(trained_weights(original.model), original.version)
    go_on.set()
    thread.join(10)
    hook.remove()
    assert same(found, expected)
    assert same(twin.sample(requests(contexts, temperature=0)), original.sample(requests(contexts, temperature=0)))


def test_a_twin_refuses_weights_of_something_else(policy):
    twin = Twin.of(policy())
    weights = trained_weights(policy().model)
    weights.popitem()
    with pytest.raises(ContractError, match="differs"):
        twin.take(weights, 1)
