"""The token loop against transformers' own `generate` and a plain forward pass."""

import numpy as np
import pytest
import torch
from palaestra.agents.policy import FinishReason, Request, Sampling
from small import ARCHITECTURES, END

MIXED = [3, 17, 9, 9, 12, 1]


def requests_of(contexts, sampling, first_seed=0):
    return [Request(context, sampling, first_seed + i) for i, context in enumerate(contexts)]


def plain_logprobs(model, context, reply, temperature=1.0):
    ids = torch.from_numpy(np.concatenate([context, reply])).long()[None]
    with torch.no_grad():
        scores = (model(input_ids=ids, use_cache=False).logits[0].float() / temperature).log_softmax(-1)
    rows = torch.arange(len(context) - 1, len(context) + len(reply) - 1)
    return scores[rows, torch.from_numpy(reply).long()].numpy()


def assert_logprobs_right(model, context, sample, temperature=1.0, atol=1e-4):
    expected = plain_logprobs(model, context, sample.ids, temperature)
    np.testing.assert_allclose(sample.logprobs, expected, atol=atol)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_equals_generate(architecture, policy, contexts):
    policy = policy(architecture)
    some = contexts(MIXED)
    samples = policy.sample(requests_of(some, Sampling(max_tokens=20, temperature=0.0)))
    for context, sample in zip(some, samples, strict=True):
        ids = torch.from_numpy(context).long()[None]
        theirs = policy.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=20
        )
        assert sample.ids.tolist() == theirs[0, len(context) :].tolist()
        assert_logprobs_right(policy.model, context, sample)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logprobs_equal_a_forward_pass(architecture, policy, contexts):
    policy = policy(architecture)
    # Contexts that repeat, lengths that differ, and replies longer than one block of numbers.
    some = [context for context in contexts(MIXED) for _ in range(3)]
    samples = policy.sample(requests_of(some, Sampling(max_tokens=70, temperature=0.8)))
    assert len({sample.ids.tobytes() for sample in samples}) > len(some) // 2
    assert max(len(sample.ids) for sample in samples) == 70
    for context, sample in zip(some, samples, strict=True):
        assert_logprobs_right(policy.model, context, sample, temperature=0.8)


@pytest.mark.parametrize("architecture", ["llama", "opt", "gemma2"])
def test_a_sample_does_not_depend_on_its_batch(architecture, policy, contexts):
    policy = policy(architecture)
    # End every tenth token or so, so that rows leave the batch all the time.
    policy.model.generation_config.eos_token_id = list(range(2, 100, 10))
    some = [context for context in contexts(MIXED * 4) for _ in range(2)]
    requests = requests_of(some, Sampling(max_tokens=40))
    together = policy.sample(requests)
    assert {sample.finish for sample in together} >= {FinishReason.STOP}
    assert len({len(sample.ids) for sample in together}) > 5
    for request, sample in list(zip(requests, together, strict=True))[::5]:
        (alone,) = policy.sample([request])
        assert alone.ids.tolist() == sample.ids.tolist()
        assert alone.finish is sample.finish
        np.testing.assert_allclose(alone.logprobs, sample.logprobs, atol=1e-4)


def test_different_options_share_a_batch(policy, contexts):
    policy = policy()
    options = [
        Sampling(temperature=0.0),
        Sampling(max_tokens=5),
        Sampling(8, 0.5, top_k=3),
        Sampling(8, 2.0, top_p=0.5),
        Sampling(2, 1.3),
    ]
    requests = [Request(c, o, seed=7) for c, o in zip(contexts([6] * 5), options, strict=True)]
    together = policy.sample(requests)
    for request, sample in zip(requests, together, strict=True):
        (alone,) = policy.sample([request])
        assert alone.ids.tolist() == sample.ids.tolist()
        assert len(sample.ids) <= request.sampling.max_tokens
        assert_logprobs_right(policy.model, request.context, sample, request.sampling.temperature or 1.0)


def test_batches_that_memory_forces_apart_give_the_same(policy, contexts):
    policy = policy()
    requests = requests_of(contexts(MIXED * 3), Sampling(max_tokens=10))
    whole = policy.sample(requests)
    one = policy._footprint.row_bytes(17, 10)
    policy.batch_bytes = 4 * one
    batches = list(policy._batches(requests, np.full(len(requests), 10)))
    assert len(batches) >= 4
    assert sorted(i for batch in batches for i in batch) == list(range(len(requests)))
    for ours, theirs in zip(policy.sample(requests), whole, strict=True):
        assert ours.ids.tolist() == theirs.ids.tolist()
    policy.batch_bytes = 1
    assert [len(batch) for batch in policy._batches(requests, np.full(len(requests), 10))] == [1] * len(requests)


def test_contexts_of_other_lengths_are_not_padded_to_the_longest(policy, contexts):
    policy, read = policy(), []
    policy.step_tokens = 16
    policy.model.register_forward_pre_hook(
        lambda module, args, given: read.append(given["input_ids"].shape), with_kwargs=True
    )
    # Groups of four attempts; the few long ones stand among the short ones.
    some = [context for context in contexts([8, 9, 90, 8, 10] * 4) for _ in range(4)]
    requests = requests_of(some, Sampling(max_tokens=5))
    ours = policy.sample(requests)
    openings = [shape for shape in read if shape[1] > 1]
    # Sixteen short contexts, which differ a little, and four long ones; each is read once for its group.
    assert openings == [(16, 10), (4, 90)]
    policy.step_tokens = float("inf")
    read.clear()
    theirs = policy.sample(requests)
    assert [shape for shape in read if shape[1] > 1] == [(20, 90)]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.ids.tolist() == other.ids.tolist()
    # Lengths that differ evenly: a batch ends when its padding together costs more than the steps of another.
    even = requests_of(contexts(range(10, 110)), Sampling(max_tokens=5))
    batches = list(policy._batches(even, np.full(100, 5)))
    assert batches == [list(range(100))]
    policy.step_tokens = 16
    batches = list(policy._batches(even, np.full(100, 5)))
    assert sorted(i for batch in batches for i in batch) == list(range(100))
    assert {len(batch) for batch in batches[:-1]} == {13}, "12 rows padded by 1 to 12 make 78 of 80"


def test_finish_reasons(policy, contexts):
    policy = policy()
    (context,) = contexts([5])
    (free,) = policy.sample([Request(context, Sampling(max_tokens=6, temperature=0.0), 0)])
    policy.model.generation_config.eos_token_id = [int(free.ids[3]), END]
    (stopped,) = policy.sample([Request(context, Sampling(max_tokens=6, temperature=0.0), 0)])
    first = free.ids.tolist().index(free.ids[3])
    assert stopped.finish is FinishReason.STOP
    assert stopped.ids.tolist() == free.ids[: first + 1].tolist()
    (cut,) = policy.sample([Request(context, Sampling(max_tokens=first or 1, temperature=0.0), 0)])
    assert cut.finish is FinishReason.LENGTH
    assert len(cut.ids) == (first or 1)


@pytest.mark.parametrize("architecture", ["llama", "opt"])
def test_context_limit_cuts_replies(architecture, policy, contexts):
    policy = policy(architecture)
    policy.model.generation_config.eos_token_id = None
    policy.tokenizer.eos_token, kept = None, policy.tokenizer.eos_token
    try:
        # The short ones go on, in one batch with the long one, when that has reached the last position.
        samples = policy.sample(requests_of(contexts([125, 100, 100]), Sampling(max_tokens=500)))
    finally:
        policy.tokenizer.eos_token = kept
    assert [len(sample.ids) for sample in samples] == [3, 28, 28]
    assert [sample.finish for sample in samples] == [FinishReason.LENGTH] * 3


def test_the_model_reads_no_more_than_it_must(policy, contexts):
    policy = policy()
    read = []
    policy.model.register_forward_pre_hook(
        lambda module, args, given: read.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    long, short = contexts([9, 5])
    requests = [Request(long, Sampling(max_tokens=4), i) for i in range(3)]
    requests += [Request(short, Sampling(max_tokens=2), i) for i in range(5)]
    policy.model.generation_config.eos_token_id = None
    policy.tokenizer.eos_token, kept = None, policy.tokenizer.eos_token
    try:
        policy.sample(requests)
    finally:
        policy.tokenizer.eos_token = kept
    # Each context once; then eight rows, three when the others have ended, and nothing after the last token.
    assert read == [(2, 9), (8, 1), (3, 1), (3, 1)]
