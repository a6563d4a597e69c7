"""What an outpost does with what it is handed, in this process: the same as whoever handed it."""

import os
import pickle
import sys
import threading
import time

import pytest
import torch
from palaestra.agents import driving
from palaestra.agents.http.agent import HttpAgent
from palaestra.agents.http.endpoint import Endpoint
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.scripted import RandomAgent
from palaestra.agents.spread.cluster import load_ray
from palaestra.agents.spread.outpost import Order, Outpost
from palaestra.agents.spread.parcel import digest_of, pack, pack_weights, save_policy, unpack
from palaestra.agents.spread.rollout import SpreadRollout
from palaestra.agents.spread.settings import Spread, parse_spread
from palaestra.agents.twin import trained_weights
from palaestra.envs import catalogue, make
from palaestra.envs.errors import RefusedError, SynchronisationError, UnknownNameError, UsageError
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict
from scripted_server import Said, chat

ENV = "palaestra/Arithmetic-v0"


def assignments(count=12):
    tasks = make(ENV).tasks
    return [Assignment(f"e{i}", ENV, tasks[i % 5], i, f"g{i % 5}", i // 5) for i in range(count)]


class Store:
    """References are keys; counts what is fetched."""

    def __init__(self):
        self.held, self.fetched = {}, []

    def put(self, thing):
        self.held[len(self.held)] = thing
        return len(self.held) - 1

    def fetch(self, reference):
        self.fetched.append(reference)
        return self.held[reference]


def ordered(store, agent, weights=None, count=12):
    packed = pack(agent, agent.policy)
    sent = [] if weights is None else [store.put(weights)]
    digest, version = ("", 0) if weights is None else (weights.digest, weights.version)
    return Order(tuple(assignments(count)), [store.put(packed)], str(hash(packed)), sent, digest, version)


@pytest.fixture(params=["whole", "adapters"])
def learner(request, policy, tmp_path):
    """A policy that learns, all of it or its adapters."""
    policy().save(tmp_path / "saved")
    return LocalPolicy.load(tmp_path / "saved", trainable=True, lora_rank=2 if request.param == "adapters" else 0)


@torch.no_grad()
def learn(policy):
    for weight in trained_weights(policy.model).values():
        weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)), alpha=0.1)
    policy.version += 1


def opened(store, policy):
    outpost = Outpost(store.fetch)
    outpost.open([store.put(save_policy(policy))], pack(catalogue.make, None))
    return outpost


def test_an_outpost_plays_what_its_driver_would_and_follows_its_updates(learner):
    store, agent = Store(), LanguageAgent(learner, Sampling(max_tokens=5))
    outpost = opened(store, learner)
    replies = set()
    for _ in range(3):
        there, seconds = pickle.loads(outpost.play(ordered(store, agent, pack_weights(learner))))
        here = Rollout(agent).play(assignments())
        assert [e.digest() for e in there] == [e.digest() for e in here]
        assert {int(v) for e in there for turn in e.turns for v in turn.versions} == {learner.version}
        assert set(seconds) == {"sampling", "judging"}
        replies.add(there[0].turns[0].reply)
        learn(learner)
    assert len(replies) > 1  # else following would not have been seen


def test_an_outpost_fetches_only_what_it_does_not_have(policy):
    store, learner = Store(), policy()
    agent, outpost = LanguageAgent(learner, Sampling(max_tokens=2)), opened(store, learner)
    order = ordered(store, agent, pack_weights(learner), 2)
    for _ in range(3):
        outpost.play(order)
    assert store.fetched == [0, *order.weights, *order.agent]
    colder = ordered(store, agent.with_sampling(Sampling(max_tokens=2, temperature=0.0)), pack_weights(learner), 2)
    outpost.play(colder)
    assert store.fetched[3:] == colder.agent  # the same weights are in another place, and not fetched again


def test_weights_that_arrive_otherwise_stop_everything(learner):
    store, agent = Store(), LanguageAgent(learner, Sampling(max_tokens=2))
    outpost, weights = opened(store, learner), pack_weights(learner)
    name = next(iter(weights.arrays))
    array, kind, shape = weights.arrays[name]
    flipped = array.copy()
    flipped[3] ^= 1
    for arrays in ({**weights.arrays, name: (flipped, kind, shape)}, {n: weights.arrays[n] for n in {name}}):
        with pytest.raises(SynchronisationError, match="arrived otherwise than they were sent"):
            outpost.play(ordered(store, agent, weights._replace(arrays=arrays)))


def test_a_policy_with_another_base_is_refused(learner):
    with torch.no_grad():
        saved = save_policy(learner)
        bare = next(w for n, w in learner.model.named_parameters() if "lora" not in n)
        bare.add_(1e-3)
    other = digest_of(dict(learner.model.named_parameters()))
    assert other != saved.digest
    with pytest.raises(SynchronisationError, match="other weights than the policy that learns"):
        Outpost(lambda found: found).open([saved._replace(digest=other)], pack(catalogue.make, None))


def test_digests_tell_bits_names_types_and_shapes_apart():
    kinds = [
        {"a": torch.zeros(4)},
        {"a": -torch.zeros(4)},
        {"b": torch.zeros(4)},
        {"a": torch.zeros(2, 2)},
        {"a": torch.zeros(4, dtype=torch.int32)},
        {"a": torch.zeros(8, dtype=torch.bfloat16)},
        {"a": torch.zeros(())},
    ]
    assert len({digest_of(kind) for kind in kinds}) == len(kinds)
    assert digest_of({"a": torch.ones(2, 3).T}) == digest_of({"a": torch.ones(3, 2)})


def test_an_agent_travels_without_its_policy_and_speaks_for_the_one_that_is_there(policy):
    here, there = policy(), policy(seed=5)
    agent = LanguageAgent(here, Sampling(max_tokens=3), system="Be brief.", parser=lambda reply: reply[:1])
    packed = pack(agent, here)
    assert len(packed) < 10_000  # a tokenizer alone is larger
    arrived = unpack(packed, there)
    assert arrived.policy is there
    assert arrived.renderer.tokenizer is there.tokenizer
    assert (arrived.system, arrived.parser("word"), arrived.sampling) == ("Be brief.", "w", agent.sampling)


def test_an_agent_on_a_server_travels_without_the_key(served, monkeypatch):
    monkeypatch.setenv("THE_KEY", "sk-secret-of-here")
    server = served(lambda heard: Said(chat("7")))
    agent = HttpAgent(Endpoint("m", server.url, key="THE_KEY"), Sampling(max_tokens=3))
    packed = pack(agent, None)
    assert b"secret" not in packed
    monkeypatch.setenv("THE_KEY", "sk-secret-of-there")
    outpost, store = Outpost(lambda reference: store.held[reference]), Store()
    outpost.open([], pack(catalogue.make, None))
    episodes, _ = pickle.loads(outpost.play(ordered(store, agent)))
    assert {e.turns[0].reply for e in episodes} == {"7"}
    assert {heard.headers["authorization"] for heard in server.heard} == {"Bearer sk-secret-of-there"}


def test_a_budget_does_not_travel(served):
    server = served(lambda heard: Said(chat("7")))
    agent = HttpAgent(Endpoint("m", server.url, price_in=1, price_out=1, budget=2))
    with pytest.raises(UsageError, match=r"budget of 2.*leave it out"):
        pack(agent, None)


def test_what_an_outpost_raises_can_be_made_again_from_its_words(served):
    class OddError(RefusedError):
        def __init__(self, one, other):
            super().__init__(f"{one} {other}")

    class Refusing:
        name, policy = "refusing", None

        def enter(self, env, task, seed):
            raise OddError("no", "more")

    store = Store()
    outpost = Outpost(store.fetch)
    outpost.open([], pack(catalogue.make, None))
    with pytest.raises(RefusedError, match="no more") as raised:
        outpost.play(ordered(store, Refusing()))
    assert type(pickle.loads(pickle.dumps(raised.value))) is RefusedError


class Blocking(TextEnv):
    """Answers when it is told to; `inline` holds up the thread that plays."""

    until = threading.Event()

    def __init__(self, inline):
        super().__init__(make(ENV).tasks)
        self.metadata = {**TextEnv.metadata, "instant": inline}

    def begin(self, task):
        return task.prompt

    def step(self, action):
        self.until.wait(60)
        return "", 0.0, True, False, self.outcome(Verdict(0.0, Status.WRONG))


def blocking_inline(spec):
    return Blocking(inline=True)


def blocking_apart(spec):
    return Blocking(inline=False)


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="a thread's processor time cannot be told here")
@pytest.mark.parametrize("inline", [True, False])
def test_a_pulse_tells_waiting_from_being_stuck(monkeypatch, inline):
    monkeypatch.setattr(driving, "_TURN_SECONDS", 0.02)
    store = Store()
    outpost = Outpost(store.fetch)
    outpost.open([], pack(blocking_inline if inline else blocking_apart, None))
    Blocking.until.clear()
    playing = threading.Thread(target=outpost.play, args=(ordered(store, RandomAgent(), count=1),))
    playing.start()
    try:
        beats, deadline = [None], time.monotonic() + 20
        # Stuck, it soon is where it was half a second before; at work, it has soon moved on four times.
        while beats[-1] is None or (beats[-1] != beats[-2] if inline else len(set(beats)) < 5):
            assert time.monotonic() < deadline
            time.sleep(0.5)
            beats.append(outpost.pulse())
    finally:
        Blocking.until.set()
        playing.join(20)
    assert outpost.pulse() is None


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("ray", Spread()),
        ("ray?address=10.0.0.1:6379&actors=8&cpus=2&gpus=0.5&batch=16", Spread("10.0.0.1:6379", 8, 2, 0.5, 16)),
        ("ray?address=10.0.0.1%3A6379&gpus=0", Spread("10.0.0.1:6379")),
    ],
)
def test_specs_of_executors(spec, expected):
    assert parse_spread(spec) == expected


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("rey", UnknownNameError, "Did you mean 'ray'"),
        ("ray?actor=2", UnknownNameError, "Did you mean 'actors'"),
        ("ray?actors=0", UsageError, "'actors' must be a whole number above 0, got '0'"),
        ("ray?actors=2.5", UsageError, "whole number above 0"),
        ("ray?batch=many", UsageError, "got 'many'"),
        ("ray?cpus=1.5", UsageError, "whole if it is more than 1, above 0, got '1.5'"),
        ("ray?cpus=nan", UsageError, "got 'nan'"),
        ("ray?cpus=inf", UsageError, "got 'inf'"),
        ("ray?gpus=-1", UsageError, "from 0, got '-1'"),
    ],
)
def test_specs_that_no_executor_has(spec, error, message):
    with pytest.raises(error, match=message):
        parse_spread(spec)


def test_where_ray_is_not_installed_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'palaestra\[ray\]'"):
        load_ray()


def test_nothing_is_told_to_anybody_unless_a_person_says_so(monkeypatch):
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    load_ray()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_engines_and_lives_of_ones_own_are_refused(policy):
    class Engine:
        name = "vllm:somewhere"

    agent = LanguageAgent(policy())
    agent.policy = Engine()
    with pytest.raises(UsageError, match="Leave out --executor"):
        SpreadRollout(agent)
    rollout = SpreadRollout(LanguageAgent(policy()))
    with pytest.raises(UsageError, match="cannot speak for another policy"):
        rollout.apart(rollout.agent)
    with pytest.raises(UsageError, match="use `play`"):
        rollout.live(None, assignments(1)[0])
