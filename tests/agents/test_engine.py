"""vLLM itself: what it samples, the numbers it reports, and the weights it is given while it is at work."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
import torch
from palaestra.agents.engine import policy as engine_policy
from palaestra.agents.engine.policy import VllmPolicy
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import FinishReason, Request, Sampling, is_continuous
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.envs import make
from palaestra.envs.errors import InfrastructureError, SynchronisationError, UsageError
from small import WIDER

pytestmark = pytest.mark.vllm

SAMPLINGS = (
    Sampling(max_tokens=12),
    Sampling(max_tokens=12, temperature=0.7),
    Sampling(max_tokens=12, temperature=0.0),
    Sampling(max_tokens=40, temperature=1.3, top_k=9, top_p=0.8),
)


@pytest.fixture
def beside(tmp_path):
    """Returns an engine beside a policy."""
    engines = []

    def start(local, dtype="float32"):
        folder = tmp_path / f"engine-{len(engines)}"
        engines.append(VllmPolicy.beside(local, folder, dtype=dtype, cache_gib=0.1))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


def update(local, scale=0.02):
    """Change all weights, as an update would."""
    generator = torch.Generator().manual_seed(local.version)
    with torch.no_grad():
        for weight in local.model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn(weight.shape, generator=generator), alpha=scale)
    local.version += 1


def some_requests(contexts, count=8):
    lengths = np.random.default_rng(3).integers(3, 20, count)
    return [Request(c, SAMPLINGS[i % len(SAMPLINGS)], 2**40 + i) for i, c in enumerate(contexts(lengths))]


def scored(local, request, sample):
    """`[T]` log-probabilities of a reply, by one pass of the trainer's model."""
    ids = torch.tensor([[*request.context, *sample.ids]]).long()
    with torch.inference_mode():
        logits = local.model(input_ids=ids).logits[0, len(request.context) - 1 : -1].float()
    logits = logits / (request.sampling.temperature or 1.0)
    return logits.log_softmax(-1).gather(1, ids[0, len(request.context) :, None])[:, 0].numpy()


def assert_alike(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.ids.tolist() == other.ids.tolist()
        assert mine.finish is other.finish
        assert mine.versions.tolist() == other.versions.tolist()
        np.testing.assert_allclose(mine.logprobs, other.logprobs, atol=1e-3)


@pytest.mark.parametrize("architecture", WIDER)
def test_it_samples_what_the_local_policy_samples_before_and_after_an_update(policy, beside, contexts, architecture):
    local = policy(architecture, **WIDER[architecture])
    engine = beside(local)
    assert is_continuous(engine)
    assert (engine.context_limit, engine.stop_ids) == (local.context_limit, local.stop_ids)
    requests = some_requests(contexts)
    first = engine.sample(requests)
    assert_alike(first, local.sample(requests))
    update(local)
    agreement = engine.follow(local)
    assert agreement.largest < 1e-3
    assert engine.version == 1
    second = engine.sample(requests)
    assert_alike(second, local.sample(requests))
    assert any(a.ids.tolist() != b.ids.tolist() for a, b in zip(first, second, strict=True)), (
        "the update changed nothing"
    )


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_reported_numbers_are_the_trainers(policy, beside, contexts, temperature, dtype):
    local = policy(**WIDER["llama"])
    engine = beside(local, dtype)
    sampling = Sampling(max_tokens=30, temperature=temperature, top_k=5)
    requests = [Request(context, sampling, i) for i, context in enumerate(contexts([4, 9, 30, 61]))]
    for request, sample in zip(requests, engine.sample(requests), strict=True):
        limit = {"float32": 1e-4, "bfloat16": 0.15}[dtype]
        np.testing.assert_allclose(sample.logprobs, scored(local, request, sample), atol=limit)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_stale_head_is_refused(policy, beside, contexts, monkeypatch, tied, dtype):
    local = policy(**WIDER["llama"], tie_word_embeddings=tied)
    engine = beside(local, dtype)

    def naively(worker, weights):
        worker.reload_weights(weights_iterator=weights)

    update(local)
    monkeypatch.setattr(engine_policy, "load_weights", naively)
    if not tied:
        engine.follow(local)  # vLLM's own reload is right about this one
        return
    with pytest.raises(SynchronisationError, match="largest difference is") as caught:
        engine.follow(local)
    assert dtype in str(caught.value)
    assert engine.version == 0
    with pytest.raises(SynchronisationError):
        engine.sample(some_requests(contexts))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_tied_head_follows_many_updates(policy, beside, dtype):
    local = policy("qwen2", **WIDER["qwen2"])
    engine = beside(local, dtype)
    for _ in range(5):
        update(local)
        engine.follow(local)


def test_nobody_is_answered_with_weights_that_were_refused(policy, beside, contexts):
    local = policy(**WIDER["llama"])
    engine = beside(local)
    engine.stop_ids = ()
    waiting = [engine.submit(Request(context, Sampling(max_tokens=100), 0)) for context in contexts([5, 6])]
    local.model.lm_head.weight.data[5] = float("nan")
    with pytest.raises(SynchronisationError, match="nan"):
        engine.follow(local)
    for future in waiting:
        with pytest.raises(SynchronisationError):
            future.result()


def test_weights_arrive_in_the_middle_of_replies(policy, beside, contexts):
    local = policy(**WIDER["llama"])
    engine = beside(local)
    engine.stop_ids = ()
    requests = [Request(c, Sampling(max_tokens=60), i) for i, c in enumerate(contexts([5, 9, 40]))]
    futures = [engine.submit(request) for request in requests]
    # The third step at the latest has begun to sample for all of them.
    engine._engine.between_steps(lambda vllm: [engine._engine.step(vllm) for _ in range(10)])
    old = policy(**WIDER["llama"])
    update(local)
    engine.follow(local)
    for request, future in zip(requests, futures, strict=True):
        sample = future.result()
        assert set(sample.versions.tolist()) == {0, 1}
        assert (np.diff(sample.versions) >= 0).all()
        by_version = np.where(sample.versions == 0, scored(old, request, sample), scored(local, request, sample))
        np.testing.assert_allclose(sample.logprobs, by_version, atol=1e-4)


def test_taking_the_same_weights_in_mid_reply_changes_no_token(policy, beside, contexts):
    local = policy(**WIDER["llama"])
    engine = beside(local)
    requests = [Request(c, Sampling(max_tokens=70), i) for i, c in enumerate(contexts([5, 9, 40]))]
    futures = [engine.submit(request) for request in requests]
    engine._engine.between_steps(lambda vllm: [engine._engine.step(vllm) for _ in range(4)])
    engine.follow(local)
    for future, expected in zip(futures, local.sample(requests), strict=True):
        assert future.result().ids.tolist() == expected.ids.tolist()


def test_adapters_are_merged(policy, beside, contexts, tmp_path):
    policy(**WIDER["llama"]).save(tmp_path / "base")
    local = LocalPolicy.load(tmp_path / "base", trainable=True, lora_rank=4)
    engine = beside(local)
    update(local, 0.1)
    before = [sample.ids.tolist() for sample in engine.sample(some_requests(contexts))]
    engine.follow(local)
    after = engine.sample(some_requests(contexts))
    assert [sample.ids.tolist() for sample in after] != before
    assert_alike(after, local.sample(some_requests(contexts)))


def test_a_saved_model_by_its_path(policy, contexts, tmp_path):
    local = policy("opt", **WIDER["opt"])
    local.save(tmp_path / "saved")
    engine = VllmPolicy.load(str(tmp_path / "saved"), dtype="float32", context_limit=64, cache_gib=0.1)
    try:
        assert engine.name.startswith("vllm:")
        assert engine.context_limit == 64
        assert engine.stop_ids == local.stop_ids
        assert_alike(engine.sample(some_requests(contexts)), local.sample(some_requests(contexts)))
    finally:
        engine.close()
    with pytest.raises(InfrastructureError, match="closed"):
        engine.sample(some_requests(contexts))


def test_contexts_that_cannot_be_continued(policy, beside, contexts):
    engine = beside(policy(**WIDER["llama"]))
    good = Request(contexts([4])[0], Sampling(), 0)
    for context, message in (
        (np.zeros(0, np.int32), "request 1 is empty"),
        (contexts([128])[0], "request 1 has 128 tokens and leaves no room"),
        (np.array([5, 4000], np.int32), "ids from"),
    ):
        with pytest.raises(UsageError, match=message):
            engine.sample([good, Request(context, Sampling(), 0)])
        with pytest.raises(UsageError):
            engine.submit(Request(context, Sampling(), 0)).result()
    assert len(engine.submit(Request(contexts([126])[0], Sampling(max_tokens=9), 0)).result().ids) <= 2


def test_a_broken_engine_fails_everybody_and_is_no_reward(policy, beside, monkeypatch):
    engine = beside(policy(**WIDER["llama"]))
    env = make("palaestra/Arithmetic-v0")
    from palaestra.agents.engine.sampler import SeededSampler

    def burst(self, *args, **kwargs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(SeededSampler, "forward", burst)
    rollout = Rollout(LanguageAgent(engine, Sampling(max_tokens=4)))
    for _ in range(2):
        plan = [Assignment(f"{i}", "palaestra/Arithmetic-v0", env.tasks[i], i) for i in range(3)]
        for episode in rollout.play(plan):
            assert not episode.valid
            assert "out of memory" in episode.verdict.detail


def test_a_thread_that_ends_in_whatever_way_tells_everybody(policy, beside, contexts):
    engine = beside(policy(**WIDER["llama"]))
    (context,) = contexts([5])
    begun, asked = threading.Event(), threading.Event()

    def burst(vllm):
        begun.set()
        asked.wait(10)
        raise SystemExit("enough")

    ordered = ThreadPoolExecutor(1).submit(engine._engine.between_steps, burst)
    begun.wait(10)
    futures = [engine.submit(Request(context, Sampling(), i)) for i in range(3)]
    futures[0].cancel()
    asked.set()
    for future in (ordered, *futures[1:], engine.submit(Request(context, Sampling(), 9))):
        with pytest.raises(InfrastructureError, match="SystemExit: enough"):
            future.result(10)


def test_it_plays_episodes_of_several_turns(policy, beside):
    local = policy(**WIDER["llama"])
    engine = beside(local)
    spec = "palaestra/Arithmetic-v0?tries=3"
    env = make(spec)
    plan = [Assignment(f"{i}", spec, env.tasks[i], i) for i in range(6)]
    sampling = Sampling(max_tokens=6)
    ours = Rollout(LanguageAgent(engine, sampling)).play(plan)
    theirs = Rollout(LanguageAgent(local, sampling)).play(plan)
    assert [e.verdict for e in ours] == [e.verdict for e in theirs]
    assert max(len(episode.turns) for episode in ours) > 1
    for one, other in zip(ours, theirs, strict=True):
        for mine, its in zip(one.turns, other.turns, strict=True):
            assert mine.reply_ids.tolist() == its.reply_ids.tolist()


def test_starting_disturbs_nothing_global(policy, beside):
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    drawn = np.random.get_state()[1].tolist()  # noqa: NPY002
    beside(policy(**WIDER["llama"]))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.random.get_state()[1].tolist() == drawn  # noqa: NPY002
    torch.set_num_threads(threads + 1)
    assert torch.get_num_threads() == threads + 1
    torch.set_num_threads(threads)


def test_a_cancelled_request_is_not_begun(policy, beside, contexts):
    engine = beside(policy(**WIDER["llama"]))
    (context,) = contexts([5])
    futures = [engine.submit(Request(context, Sampling(max_tokens=20), i)) for i in range(20)]
    futures[-1].cancel()
    assert len(wait(futures, timeout=30).not_done) == 0
    assert futures[0].result().finish in (FinishReason.STOP, FinishReason.LENGTH)
