"""Agents over HTTP against a real vLLM server on loopback."""

import threading
import time

import numpy as np
import pytest
import torch
from palaestra.agents.alphabet import END, build_tokenizer
from palaestra.agents.http.agent import HttpAgent
from palaestra.agents.http.endpoint import Endpoint
from palaestra.agents.matches import Match, Matches
from palaestra.agents.policy import FinishReason, Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.scripted import RandomAgent
from palaestra.envs.errors import RefusedError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.cli import main
from transformers import LlamaConfig, LlamaForCausalLM
from vllm_server import free_port, serving

pytest.importorskip("vllm")
pytestmark = pytest.mark.vllm
LIMIT = 1024


@pytest.fixture(scope="module")
def model():
    tokenizer = build_tokenizer(LIMIT)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=LIMIT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
        for weight in model.parameters():
            weight.data.add_(torch.randn_like(weight), alpha=0.15)
        # As probable as a few others: replies end, and some of them end early.
        model.lm_head.weight.data[tokenizer.eos_token_id] *= 2
    return model.to(torch.bfloat16).eval()


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    model.save_pretrained(folder / "model")
    build_tokenizer(LIMIT).save_pretrained(folder / "model")
    with serving(folder / "model", folder / "log", "--max-num-seqs", "64", "--max-model-len", str(LIMIT)) as url:
        yield url


class Chat(TextEnv):
    """Says something else at each of many turns."""

    metadata = {**TextEnv.metadata, "instant": True}  # noqa: RUF012

    def __init__(self, turns=4):
        super().__init__(TaskSet([Task(f"{i}", f"{i}: begin") for i in range(64)]))
        self.turns = turns

    def begin(self, task):
        self.left = self.turns
        return task.prompt

    def step(self, action):
        self.left -= 1
        return f"{self.left} left", 0.0, self.left == 0, False, self.outcome(Verdict(0.0, Status.PARTIAL))


def played(server, count=24, turns=4, seed=0, **sampling):
    agent = HttpAgent(Endpoint("small", server), Sampling(**{"max_tokens": 8} | sampling), system="Talk.")
    env = Chat(turns)
    rollout = Rollout(agent, make=lambda _: env)
    tasks = list(env.tasks)[:count]
    return agent, rollout.play([Assignment(task.id, "chat", task, seed * 1000 + i) for i, task in enumerate(tasks)])


def test_rows_are_what_the_model_saw(server, model):
    agent, episodes = played(server)
    tokenizer = build_tokenizer(LIMIT)
    turns = [turn for episode in episodes for turn in episode.turns]
    assert {turn.continues for turn in turns[1:]} == {True, False}
    assert {turn.finish for turn in turns} == {FinishReason.STOP, FinishReason.LENGTH}
    for episode in episodes:
        assert episode.valid
        assert len(episode.turns) == 4
        messages, row = [{"role": "system", "content": "Talk."}], []
        for turn in episode.turns:
            messages.append({"role": "user", "content": turn.observation})
            row = (row if turn.continues else []) + turn.context_ids.tolist()
            seen = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
            assert row == list(seen)
            row += turn.reply_ids.tolist()
            messages.append({"role": "assistant", "content": turn.reply})
            assert tokenizer.decode(turn.reply_ids, skip_special_tokens=True) == turn.reply
            assert (turn.reply_ids[-1] == tokenizer.convert_tokens_to_ids(END)) == (turn.finish is FinishReason.STOP)
    usage = agent.usage
    assert (usage.requests, usage.failed) == (len(turns), 0)
    assert usage.completion_tokens == sum(episode.tokens for episode in episodes)


def test_log_probabilities_are_the_model_s(server, model):
    _, episodes = played(server, count=8)
    worst = 0.0
    for row in (row for episode in episodes for row in episode.rows()):
        ids = torch.tensor(row.ids[None].astype(np.int64))
        with torch.inference_mode():
            scores = model.float()(ids).logits[0, :-1].log_softmax(-1)
        mine = scores.gather(1, ids[0, 1:, None])[:, 0].numpy()
        sampled = row.turn[1:] >= 0
        worst = max(worst, float(np.abs(mine - row.logprobs[1:])[sampled].max()))
    # The server computes in bfloat16.
    assert worst < 0.1


def test_the_same_seed_gives_the_same_replies(server):
    first, again, other = ([e.turns[0].reply for e in played(server, seed=seed)[1]] for seed in (1, 1, 2))
    # In bfloat16 the composition of the server's batches may tip a sample now and then.
    assert sum(a == b for a, b in zip(first, again, strict=True)) >= 20
    assert sum(a == b for a, b in zip(first, other, strict=True)) <= 4


def test_a_full_context_ends_the_episode(server):
    _, episodes = played(server, count=4, turns=300, max_tokens=32)
    for episode in episodes:
        assert episode.valid
        assert episode.truncated
        assert 1 < len(episode.turns) < 300


def test_an_unknown_model_is_refused_in_the_server_s_words(server):
    agent = HttpAgent(Endpoint("large", server))
    env = Chat()
    with pytest.raises(RefusedError, match="The model `large` does not exist"):
        Rollout(agent, make=lambda _: env).play([Assignment("0", "chat", env.tasks[0], 0)])


def test_a_server_stopped_and_started_again_breaks_no_episode(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    build_tokenizer(LIMIT).save_pretrained(tmp_path / "model")
    words = tmp_path / "model", tmp_path / "log", "--max-num-seqs", "64", "--max-model-len", str(LIMIT)
    port, episodes, ended = free_port(), [], []
    agent = HttpAgent(Endpoint("small", f"http://127.0.0.1:{port}/v1", retries=20, concurrency=16))
    env = Chat(8)
    rollout = Rollout(agent, make=lambda _: env)
    plan = [Assignment(f"{i}", "chat", env.tasks[i % 64], i) for i in range(256)]
    playing = threading.Thread(target=lambda: episodes.extend(rollout.play(plan, ended.append)), daemon=True)
    with serving(*words, port=port):
        playing.start()
        deadline = time.monotonic() + 300
        while not ended and time.monotonic() < deadline:
            time.sleep(0.01)
    before = agent.usage.answers
    assert 0 < len(ended) < 256
    with serving(*words, port=port):
        playing.join(120)
    assert not playing.is_alive()
    assert [(episode.valid, len(episode.turns)) for episode in episodes] == [(True, 8)] * 256
    usage = agent.usage
    assert (usage.answers, usage.failed) == (256 * 8, 0)
    assert before < usage.answers
    assert usage.retries > 0


def test_games_with_a_clock(server):
    agents = [HttpAgent(Endpoint("small", server), Sampling(max_tokens=4)), RandomAgent()]
    matches = [Match(f"{i}", "kuhn_poker", (i % 2, 1 - i % 2), i) for i in range(10)]
    records = Matches(agents, move_seconds=20.0).play(matches)
    assert all(record.valid for record in records)
    assert all(record.tokens[i % 2] > 0 for i, record in enumerate(records))


def test_bench(server, capfd, tmp_path):
    with pytest.raises(SystemExit) as end:
        main(["bench", "arithmetic", "--policy", f"http:small@{server}", "--tasks", "20", "--attempts", "2"])
    out, _ = capfd.readouterr()
    assert not end.value.code
    assert f"http:small@{server}: 60 requests, " in out
