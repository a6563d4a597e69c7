"""Agents over HTTP against servers that fail: what is asked again, what breaks an episode, what stops everything."""

import gc
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from palaestra.agents.agent import ContextFullError
from palaestra.agents.http.agent import HttpAgent
from palaestra.agents.http.client import Client
from palaestra.agents.http.endpoint import Endpoint
from palaestra.agents.http.wire import Question
from palaestra.agents.matches import Match, Matches
from palaestra.agents.policy import FinishReason, Sampling
from palaestra.agents.render import Message
from palaestra.agents.rollout import Assignment, Rollout, play
from palaestra.agents.scripted import ConstantAgent
from palaestra.envs import make
from palaestra.envs.errors import InfrastructureError, RefusedError
from palaestra.envs.verdict import Status
from scripted_server import Said, ScriptedServer, chat, failure, with_ids

ENV = "palaestra/Arithmetic-v0"


@pytest.fixture(autouse=True)
def quick_back_off(monkeypatch):
    monkeypatch.setattr("palaestra.agents.http.retries.FIRST_SECONDS", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def question(text="1+1?", **sampling):
    return Question((Message("user", text),), Sampling(**sampling), 3)


def ask(server, **endpoint):
    """Ask one question; returns the answer's text and the client."""
    client = Client(Endpoint("m", server.url, **endpoint))
    return client.ask(question()).result(20).text, client


def first_then(*first, then=None):
    """A script: these in order, then for ever the last."""
    return lambda heard: first[heard.number] if heard.number < len(first) else (then or Said(chat("fine")))


@pytest.mark.parametrize(
    "trouble",
    [
        Said(b"oops", 500),
        Said(b"<html>Bad Gateway</html>", 502),
        failure("busy", status=503),
        failure("slow down", status=429),
        Said(reset=True),
        Said(chat("half a body"), cut=30),
        Said(b""),
        Said(b'{"choices": ['),
        Said(b"<html>welcome</html>"),
        Said(chat("broken off", reason="abort")),
        Said({"error": {"message": "upstream failed", "code": 502}}),
    ],
    ids=lambda said: repr(said)[:40],
)
def test_what_fails_in_passing_is_asked_again(served, trouble):
    server = served(first_then(trouble, trouble))
    text, client = ask(server)
    assert text == "fine"
    usage = client.meter.read()
    assert (usage.requests, usage.retries, usage.answers, usage.failed) == (3, 2, 1, 0)
    assert [heard.body for heard in server.heard[1:]] == [server.heard[0].body] * 2


def test_a_slow_answer_is_given_up_and_asked_again(served):
    text, _ = ask(served(first_then(Said(chat("late"), after=5))), timeout=0.2)
    assert text == "fine"


def test_nobody_listens():
    client = Client(Endpoint("m", "http://127.0.0.1:9/v1", retries=2))
    with pytest.raises(
        InfrastructureError, match=r"m at http://127.0.0.1:9/v1 did not answer in 3 tries .*Cannot connect"
    ):
        client.ask(question()).result(20)


def test_storms_end(served):
    server = served(lambda heard: Said(b"still broken", 500))
    with pytest.raises(InfrastructureError, match=r"did not answer in 4 tries in \d s, at last: 500 still broken"):
        ask(server, retries=3)
    assert len(server.heard) == 4


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_kept_by_all_requests(served, form):
    began = time.monotonic()
    # A date has whole seconds: up to one of the two is over when it is read.
    after = (
        "0.4" if form == "seconds" else format(datetime.now(UTC) + timedelta(seconds=2), "%a, %d %b %Y %H:%M:%S GMT")
    )
    server = served(first_then(failure("wait", status=429, headers={"Retry-After": after})))
    client = Client(Endpoint("m", server.url))
    first = client.ask(question())
    until(lambda: client._paused_until)
    second = client.ask(question())
    assert (first.result(20).text, second.result(20).text) == ("fine", "fine")
    assert len(server.heard) == 3
    assert all(heard.at - began >= 0.4 for heard in server.heard[1:])


def test_rate_limits_use_up_no_tries_but_time(served):
    server = served(first_then(*[failure("wait", status=429)] * 5))
    text, _ = ask(server, retries=0)
    assert text == "fine"
    with pytest.raises(InfrastructureError, match="at last: 429 wait"):
        ask(served(lambda heard: failure("wait", status=429)), timeout=0.3)


def test_waiting_for_ones_turn_is_not_being_put_off(served):
    """The last of several waits longer for the only slot than a request may be put off."""
    server = served(lambda heard: failure("wait", status=429) if heard.number == 7 else Said(chat("fine"), after=0.1))
    client = Client(Endpoint("m", server.url, concurrency=1, timeout=0.4))
    answers = [client.ask(question()) for _ in range(8)]
    assert [answer.result(20).text for answer in answers] == ["fine"] * 8


@pytest.mark.parametrize("spelt", ["ab/cd+1", r"ab\/cd+1", r"\u0061b\u002Fcd\u002b1"])
def test_a_key_is_hidden_however_json_spells_it(served, monkeypatch, spelt):
    monkeypatch.setenv("MY_KEY", "ab/cd+1")
    bodies = [json.dumps(body).replace("KEY", spelt).encode() for body in (chat("so KEY"), {"error": "bad KEY"})]
    assert ask(served(lambda heard: Said(bodies[0])), key="MY_KEY")[0] == "so [key]"
    with pytest.raises(RefusedError, match=r"401 bad \[key\]"):
        ask(served(lambda heard: Said(bodies[1], 401)), key="MY_KEY")


def test_nobody_waits_longer_than_for_an_answer(served):
    server = served(lambda heard: failure("tomorrow", status=429, headers={"Retry-After": "86400"}))
    with pytest.raises(InfrastructureError, match="429 tomorrow"):
        ask(server)
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (failure("Incorrect API key", "invalid_api_key", 401), "refuses: 401 Incorrect API key"),
        (failure("The model `m` does not exist.", 404, 404), "The model `m` does not exist. Check the model"),
        (failure("Not yours", None, 403), "403 Not yours"),
        (failure("You exceeded your quota", "insufficient_quota", 429), "429 You exceeded your quota"),
    ],
)
def test_what_cannot_get_better_fails_at_once_in_the_server_s_words(served, said, words):
    server = served(lambda heard: said)
    with pytest.raises(RefusedError) as caught:
        ask(server)
    assert words in str(caught.value)
    assert len(server.heard) == 1


def test_other_refusals_break_one_request(served):
    server = served(first_then(Said(chat()), failure("flagged", status=403), Said(b"", 302, {"Location": "/v2"})))
    client = Client(Endpoint("m", server.url))
    client.ask(question()).result(20)
    for words in ("answered 403 flagged", "answered 302"):
        with pytest.raises(InfrastructureError, match=words):
            client.ask(question()).result(20)
    assert len(server.heard) == 3


def test_a_full_context_is_told_apart(served):
    server = served(lambda heard: failure("This model's maximum context length is 8 tokens.", 400))
    with pytest.raises(ContextFullError, match="maximum context length"):
        ask(server)
    assert len(server.heard) == 1


def test_servers_that_refuse_more_than_the_protocol_are_asked_plainly_and_it_is_remembered(served):
    def script(heard):
        if {"return_token_ids", "logprobs", "top_k"} & set(heard.body):
            return failure("Unrecognized request argument supplied: return_token_ids")
        if "max_tokens" in heard.body:
            return failure("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return Said(chat("plain"))

    server = served(script)
    client = Client(Endpoint("m", server.url))
    assert [client.ask(question()).result(20).text for _ in range(3)] == ["plain"] * 3
    assert len(server.heard) == 2 + 3


def test_a_request_that_is_wrong_in_every_dialect_changes_none(served):
    def script(heard):
        text = heard.body["messages"][-1]["content"]
        return failure("Bad characters", status=422) if text == "bad" else Said(chat("fine"))

    server = served(script)
    client = Client(Endpoint("m", server.url))
    with pytest.raises(InfrastructureError, match="refused the request: 422 Bad characters"):
        client.ask(question("bad")).result(20)
    client.ask(question()).result(20)
    assert [("logprobs" in heard.body) for heard in server.heard] == [True, False, True]


def test_few_requests_at_a_time_over_few_connections(served):
    server = served(lambda heard: Said(chat(), after=0.01))
    client = Client(Endpoint("m", server.url, concurrency=4))
    for answering in [client.ask(question()) for _ in range(40)]:
        answering.result(20)
    assert (server.most_open, server.connections) == (4, 4)


def test_a_given_up_answer_closes_its_connection(served):
    server = served(lambda heard: Said(chat(), after=30 if heard.number == 0 else 0))
    client = Client(Endpoint("m", server.url, concurrency=1))
    answering = client.ask(question())
    until(lambda: server.heard)
    assert answering.cancel()
    assert client.ask(question()).result(5).text == "42"


def test_a_client_nobody_needs_leaves_no_thread(served):
    _, client = ask(served(lambda heard: Said(chat())))
    del client
    gc.collect()
    until(lambda: all(thread.name != "http-client" for thread in threading.enumerate()))


def test_budgets_stop(served):
    server = served(lambda heard: Said(chat(usage=(100, 100))))
    client = Client(Endpoint("m", server.url, price_in=10, price_out=10, budget=0.005))
    for _ in range(3):
        client.ask(question()).result(20)
    with pytest.raises(RefusedError, match=r"budget of 0.005 is spent \(0.006 for 3 answers\)"):
        client.ask(question()).result(20)
    assert len(server.heard) == 3


# Episodes.


def agent_of(server, sampling=None, **endpoint):
    return HttpAgent(Endpoint("m", server.url, **endpoint), sampling)


def plan(rollout, count):
    tasks = rollout.env(ENV).tasks
    return [Assignment(f"{i}", ENV, tasks[i], seed=i) for i in range(count)]


def solve(heard):
    left, _, right = heard.body["messages"][-1]["content"].removesuffix(" = ?").partition(" + ")
    return Said(chat(str(int(left) + int(right))))


def test_many_failures_and_stragglers_break_no_episode(served):
    count = 200
    lock, seen = threading.Lock(), {}

    def script(heard):
        with lock:
            text = heard.body["messages"][-1]["content"]
            tries = seen[text] = seen.get(text, 0) + 1
        if heard.number % 10 == 3:
            return (Said(b"", 500), Said(reset=True), Said(chat(), cut=9), failure("wait", status=429))[tries % 4]
        return Said(solve(heard).body, after=1.0 if heard.number % 20 == 5 else 0.0)

    server = served(script)
    rollout = Rollout(agent_of(server))
    began = time.monotonic()
    episodes = rollout.play(plan(rollout, count))
    assert [episode.correct for episode in episodes] == [True] * count
    assert rollout.agent.usage.retries >= count // 10
    # Ten stragglers in a row would take 10 s: none of them stalls the others.
    assert time.monotonic() - began < 8


def test_a_server_that_comes_back_breaks_no_episode(served):
    server = served(solve)
    rollout = Rollout(agent_of(server, retries=16, concurrency=8))
    episodes = []
    playing = threading.Thread(target=lambda: episodes.extend(rollout.play(plan(rollout, 400))), daemon=True)
    playing.start()
    until(lambda: len(server.heard) >= 50)
    server.__exit__()
    heard = len(server.heard)
    time.sleep(0.1)
    with ScriptedServer(solve, server.port) as again:
        playing.join(30)
    assert [episode.correct for episode in episodes] == [True] * 400
    assert 50 <= heard < 400 - 8
    assert len(again.heard) >= 400 - heard
    assert rollout.agent.usage.retries > 0


def test_a_failure_is_never_a_reward(served):
    def script(heard):
        return Said(b"", 500) if heard.body["messages"][-1]["content"].startswith("1") else solve(heard)

    rollout = Rollout(agent_of(served(script), retries=1))
    assignments = plan(rollout, 100)
    episodes = rollout.play(assignments)
    broken = {a.id for a in assignments if a.task.prompt.startswith("1")}
    assert 0 < len(broken) < 100
    assert {episode.id for episode in episodes if not episode.valid} == broken
    assert all(e.verdict.status is Status.INFRASTRUCTURE and not e.turns for e in episodes if e.id in broken)
    assert all(e.correct for e in episodes if e.id not in broken)


def test_a_full_context_ends_an_episode_as_elsewhere(served):
    server = served(first_then(Said(chat("50")), then=failure("too long", "context_length_exceeded")))
    episode = play(make("palaestra/GuessNumber-v0"), agent_of(server), seed=1)
    assert (episode.valid, episode.truncated, len(episode.turns)) == (True, True, 1)


def test_a_refusal_stops_the_rollout(served):
    server = served(lambda heard: failure("No such key", "invalid_api_key", 401))
    rollout = Rollout(agent_of(server, concurrency=2))
    with pytest.raises(RefusedError, match="No such key"):
        rollout.play(plan(rollout, 50))


def test_conversation_and_sampling_are_sent(served):
    server = served(lambda heard: Said(chat("50")))
    agent = HttpAgent(Endpoint("m", server.url), Sampling(max_tokens=7, temperature=0.5), system="Be brief.")
    play(make("palaestra/GuessNumber-v0?high=100"), agent, seed=1)
    first, second = (heard.body for heard in server.heard[:2])
    assert server.heard[0].path == "/v1/chat/completions"
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "user"]
    assert second["messages"][:2] == first["messages"]
    assert second["messages"][2] == {"role": "assistant", "content": "50"}
    assert (first["max_tokens"], first["temperature"]) == (7, 0.5)
    assert first["seed"] != second["seed"]
    again = ScriptedServer(lambda heard: Said(chat("50")))
    with again:
        play(make("palaestra/GuessNumber-v0?high=100"), HttpAgent(Endpoint("m", again.url), agent.sampling), seed=1)
    assert again.heard[0].body["seed"] == first["seed"]


def test_rows_are_what_the_server_says_that_it_saw(served):
    answers = [
        with_ids("1", [1, 5, 3], [10, 2]),
        with_ids("2", [1, 5, 3, 10, 2, 6, 3], [11, 2]),
        # The template rewrote the reply before: another row.
        with_ids("3", [1, 5, 3, 10, 2, 6, 3, 99, 2, 6, 3], [12, 2]),
        with_ids("4", [1, 5, 3, 10, 2, 6, 3, 99, 2, 6, 3, 12, 2, 7], [13], "length"),
        chat("5"),
        with_ids("6", [1, 5, 3], [14, 2]),
    ]
    server = served(first_then(*map(Said, answers), then=failure("", "context_length_exceeded")))
    agent = agent_of(server)
    episode = play(make("palaestra/GuessNumber-v0?high=1000000"), agent, seed=1)
    turns = episode.turns
    assert [turn.continues for turn in turns] == [False, True, False, True, False, False]
    assert [turn.context_ids.tolist() for turn in turns] == [
        *([1, 5, 3], [6, 3], [1, 5, 3, 10, 2, 6, 3, 99, 2, 6, 3], [7], [], [1, 5, 3])
    ]
    assert [turn.reply_ids.tolist() for turn in turns] == [[10, 2], [11, 2], [12, 2], [13], [], [14, 2]]
    stop = FinishReason.STOP
    assert [turn.finish for turn in turns] == [stop, stop, stop, FinishReason.LENGTH, stop, stop]
    assert all((turn.versions == 0).all() and len(turn.versions) == len(turn.reply_ids) for turn in turns)
    rows = episode.rows()
    assert [row.ids.tolist() for row in rows] == [
        [1, 5, 3, 10, 2, 6, 3, 11, 2],
        [1, 5, 3, 10, 2, 6, 3, 99, 2, 6, 3, 12, 2, 7, 13],
        [1, 5, 3, 14, 2],
    ]
    np.testing.assert_array_equal(rows[0].turn, [-1, -1, -1, 0, 0, -1, -1, 1, 1])


# Games.


def match_against(server, move_seconds, **endpoint):
    agents = [agent_of(server, **endpoint), ConstantAgent("bet")]
    (record,) = Matches(agents, move_seconds=move_seconds).play([Match("m", "kuhn_poker", (0, 1), 7)])
    return record


@pytest.mark.parametrize("move_seconds", [None, 5.0])
def test_games(served, move_seconds):
    record = match_against(served(lambda heard: Said(chat("bet"))), move_seconds)
    assert (record.valid, record.fault, [said for _, said in record.moves]) == (True, None, ["bet", "bet"])


def test_whoever_answers_too_late_loses_by_the_clock(served):
    record = match_against(served(lambda heard: Said(chat("bet"), after=30)), 0.2)
    assert record.valid
    assert (record.fault.seat, record.fault.status) == (0, Status.TIMEOUT)
    assert record.seconds < 5


def test_the_clock_does_not_run_while_a_server_is_out_of_order(served):
    trouble = Said(b"", 500, after=0.4)
    record = match_against(served(first_then(trouble, trouble, trouble, then=Said(chat("bet")))), 1.0)
    assert (record.valid, record.fault) == (True, None)
    record = match_against(served(lambda heard: trouble), 1.0, retries=3)
    assert (record.valid, record.blame, record.fault) == (False, 0, None)
    assert "did not answer in 4 tries" in record.detail


def test_the_clock_does_not_run_while_a_request_waits_for_its_turn(served):
    server = served(lambda heard: Said(chat("bet"), after=0.2))
    agents = [agent_of(server, concurrency=1), ConstantAgent("bet")]
    records = Matches(agents, move_seconds=1.0).play([Match(f"{i}", "kuhn_poker", (0, 1), i) for i in range(8)])
    assert [(record.valid, record.fault) for record in records] == [(True, None)] * 8
