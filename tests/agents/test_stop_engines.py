"""The same stop strings in the policy itself, in vLLM and on a server that vLLM runs."""

from itertools import pairwise

import numpy as np
import pytest
from palaestra.agents.engine.policy import VllmPolicy
from palaestra.agents.http.agent import HttpAgent
from palaestra.agents.http.endpoint import Endpoint
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import FinishReason, Request, Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.stopping import text_of
from palaestra.envs import make
from small import SPECIALS, WIDER, new_model
from spelling import piece_tokenizer
from vllm_server import serving

pytest.importorskip("vllm")
pytestmark = pytest.mark.vllm

SPEC = "palaestra/Arithmetic-v0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that says pieces of words."""
    folder = tmp_path_factory.mktemp("speller")
    tokenizer = piece_tokenizer()
    model = new_model(vocab_size=len(tokenizer), **WIDER["llama"])
    odd = [i for i in range(len(tokenizer)) if not text_of(tokenizer, [i]).isascii() or i < 7]
    model.lm_head.weight.data[odd] = 0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def engine(folder):
    engine = VllmPolicy.load(str(folder), dtype="float32", cache_gib=0.1)
    yield engine
    engine.close()


def strings_of(local, requests):
    """Strings from within one token into another, which do come up in what is sampled."""
    found = []
    for sample in local.sample(requests):
        tokens = [text_of(local.tokenizer, [i]) for i in sample.ids.tolist()]
        found += [a[1:] + b[:1] for a, b in pairwise(tokens[2:]) if len(a) > 1 and len(b) > 1][:1]
    return tuple(found)


def test_an_engine_ends_replies_where_the_policy_does(folder, engine):
    local = LocalPolicy.load(folder, trainable=True)
    context = np.array(local.tokenizer.encode("the answer is"), np.int32)

    def requests(*stop):
        options = {"max_tokens": 30, "stop": stop, "top_k": 8}
        samplings = [Sampling(**options), Sampling(**options, temperature=0.7), Sampling(**options, temperature=0.0)]
        return [Request(context, samplings[seed % 3], seed) for seed in range(12)]

    stop = strings_of(local, requests())
    assert len(stop) > 3
    ours, theirs = (policy.sample(requests(*stop)) for policy in (local, engine))
    assert {sample.finish for sample in ours} >= {FinishReason.STOP_STRING}
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.ids.tolist() == other.ids.tolist()
        assert mine.finish is other.finish
        assert mine.versions.tolist() == other.versions.tolist()
        np.testing.assert_allclose(mine.logprobs, other.logprobs, atol=1e-3)
    # Whoever was ended by a string is gone: the engine goes on to answer others, and with the same.
    again = engine.sample(requests(*stop))
    assert [sample.ids.tolist() for sample in again] == [sample.ids.tolist() for sample in theirs]


def test_three_engines_record_and_say_the_same(folder, engine, tmp_path):
    local = LocalPolicy.load(folder, trainable=True)
    env = make(SPEC)
    plan = [Assignment(f"{i}", SPEC, env.tasks[i], i) for i in range(12)]
    greedy = Sampling(max_tokens=20, temperature=0.0)
    free = [e.turns[0] for e in Rollout(LanguageAgent(local, greedy)).play(plan)]
    asked = [Request(turn.context_ids, greedy, 0) for turn in free]
    stop = strings_of(local, asked)[:4]  # no more are taken by some servers
    sampling = Sampling(max_tokens=20, temperature=0.0, stop=stop)
    options = ("--max-model-len", "128", "--dtype", "float32")
    with serving(folder, tmp_path / "log", *options) as url:
        agents = [
            LanguageAgent(local, sampling),
            LanguageAgent(engine, sampling),
            HttpAgent(Endpoint("small", url), sampling),
        ]
        played = [[e.turns[0] for e in Rollout(agent).play(plan)] for agent in agents]
    assert sum(turn.finish is FinishReason.STOP_STRING for turn in played[0]) > 3
    compared = 0
    for ours, theirs, served in zip(*played, strict=True):
        for other in (theirs, served):
            assert ours.context_ids.tolist() == other.context_ids.tolist()
            assert ours.reply_ids.tolist() == other.reply_ids.tolist()
            assert ours.finish is other.finish
            np.testing.assert_allclose(ours.logprobs, other.logprobs, atol=1e-3)
        assert ours.reply == theirs.reply
        if min(ours.reply_ids) >= len(SPECIALS):  # a server leaves special tokens out of its text
            assert ours.reply == served.reply
            compared += 1
    assert compared > 3
