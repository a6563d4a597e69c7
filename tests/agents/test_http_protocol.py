"""What is asked, what is understood, and when it is asked again: the pure parts of agents over HTTP."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from palaestra.agents.http.endpoint import Endpoint, parse_endpoint
from palaestra.agents.http.meter import Meter
from palaestra.agents.http.retries import back_off, is_passing, retry_after
from palaestra.agents.http.wire import Form, GarbledError, Question, read_answer, read_complaint
from palaestra.agents.policy import FinishReason, Sampling
from palaestra.agents.render import Message
from palaestra.agents.specs import load_agent
from palaestra.envs.errors import InfrastructureError, RefusedError, UnknownNameError, UsageError
from scripted_server import chat, with_ids

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
URL = "http://127.0.0.1:8000/v1"
SECRET = "sk-proj-0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "model", "url"),
    [
        (f"small@{URL}", "small", URL),
        (f"small@{URL}/", "small", URL),
        (f"small@{URL}/chat/completions", "small", URL),
        (f"llama3:8b@{URL}", "llama3:8b", URL),
        ("@cf/meta/llama@https://example.com/v1", "@cf/meta/llama", "https://example.com/v1"),
        (f"a%3Fb@{URL}", "a?b", URL),
    ],
)
def test_a_spec_names_a_model_at_an_address(name, model, url):
    assert parse_endpoint(name, {}) == Endpoint(model, url)


def test_options():
    spec = f"http:m@{URL}?concurrency=3&retries=0&connect=1.5&timeout=20&price_in=1&price_out=2.5&budget=0.1&key=MY_KEY"
    options = dict(part.split("=") for part in spec.partition("?")[2].split("&"))
    endpoint = parse_endpoint(f"m@{URL}", options)
    assert endpoint == Endpoint("m", URL, "MY_KEY", 3, 0, 1.5, 20.0, False, 1.0, 2.5, 0.1)
    assert parse_endpoint(f"m@{URL}", {"sampling": "server"}).server_sampling


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("http:m", "a model at an address: write http:MODEL@http"),
        ("http://127.0.0.1:8000/v1", "a model at an address"),
        ("http:m@http://:8000/v1", "needs an address with a host"),
        ("http:m@http://h:99999/v1", "port from 0 to 65535"),
        (f"http:m@{URL}#a", "ends before a '#'"),
        (f"http:m@{URL}?concurrency=0", "concurrency must be at least 1"),
        (f"http:m@{URL}?concurrency=many", "whole number from 0, got 'many'"),
        (f"http:m@{URL}?timeout=-1", "a number from 0, got '-1'"),
        (f"http:m@{URL}?timeout=0", "timeout must be above 0 seconds"),
        (f"http:m@{URL}?connect=0", "connect must be above 0 seconds"),
        (f"http:m@{URL}?timeout=nan", "a number from 0, got 'nan'"),
        (f"http:m@{URL}?sampling=greedy", "can only be 'server'"),
        (f"http:m@{URL}?price_in=1", "belong together"),
        (f"http:m@{URL}?budget=1", "needs prices"),
        (f"http:m@{URL}?key=NOT_SET_ANYWHERE", "no variable of this name"),
    ],
)
def test_unusable_specs(spec, message):
    with pytest.raises(UsageError, match=message):
        load_agent(spec)


def test_a_misspelt_option_is_corrected():
    with pytest.raises(UnknownNameError, match="Did you mean 'concurrency'"):
        load_agent(f"http:m@{URL}?concurency=1")


@pytest.mark.parametrize(
    "spec",
    [
        f"http:m@http://user:{SECRET}@127.0.0.1:8000/v1",
        f"http:m@http://{SECRET}@127.0.0.1:8000/v1",
        f"http:m@{URL}?key={SECRET}",
        f"http:m@{URL}?api_key={SECRET}",
        f"http:m@{URL}?token={SECRET}",
        f"http:m@{URL}?{SECRET}",
        f"http:m@{URL}?{SECRET}=1",
        f"http:m@{URL}?key={'A' * 70}",
    ],
)
def test_a_key_in_a_spec_is_refused_and_not_repeated(spec):
    with pytest.raises(UsageError) as caught:
        load_agent(spec)
    assert SECRET not in str(caught.value)
    assert "A" * 70 not in str(caught.value)
    assert "environment" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://example.com/v1", "k1"),
        ("http://127.0.0.1:1/v1", "k1"),
        ("http://localhost:1/v1", "k1"),
        ("http://10.0.0.7:1/v1", ""),
    ],
)
def test_the_usual_key_goes_over_https_or_to_this_machine_only(monkeypatch, url, sent):
    monkeypatch.setenv("OPENAI_API_KEY", "k1")
    assert Endpoint("m", url).read_key() == sent
    monkeypatch.setenv("OTHER", "k2")
    assert Endpoint("m", url, key="OTHER").read_key() == "k2"


@pytest.mark.parametrize("key", ["one\ntwo", "schlüssel", "a\tb"])
def test_what_no_key_can_be(monkeypatch, key):
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(UsageError, match="MY_KEY in the environment is no key") as caught:
        load_agent(f"http:m@{URL}?key=MY_KEY")
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0.25", 0.25),
        ("-3", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Sat, 21 Nov 999999999999 12:00:00 GMT", None),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ((NOW + timedelta(seconds=5)).strftime("%a, %d %b %Y %H:%M:%S -0000"), 5.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after(value, NOW) == seconds


def test_back_off_doubles_under_full_jitter_up_to_a_limit():
    assert [back_off(n, lambda: 1.0) for n in (1, 2, 3, 7, 50)] == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert back_off(3, lambda: 0.25) == 0.5
    assert back_off(3, lambda: 0.0) == 0.0


def test_what_may_pass():
    assert [status for status in (400, 401, 404, 408, 409, 422, 429, 500, 503, 529) if is_passing(status)] == [
        *(408, 409, 429, 500, 503, 529)
    ]


def asked(form, **sampling):
    messages = (Message("system", "Be kind."), Message("user", "1+1?"))
    return json.loads(form.body("m", Question(messages, Sampling(**sampling), 2**62 + 5)))


def test_the_exact_dialect_asks_for_ids_and_for_no_cuts():
    assert asked(Form(), max_tokens=9) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "1+1?"}],
        "max_tokens": 9,
        "return_token_ids": True,
        "logprobs": True,
        "top_k": 0,
        "top_p": 1.0,
        "temperature": 1.0,
        "seed": 5,
    }


def test_cuts_that_were_asked_for_are_in_every_dialect():
    plain = asked(Form(exact=False), temperature=0.5, top_k=20, top_p=0.9)
    assert (plain["top_k"], plain["top_p"], plain["temperature"]) == (20, 0.9, 0.5)
    assert not {"return_token_ids", "logprobs"} & set(plain)
    assert not {"top_k", "top_p", "seed"} & set(asked(Form(exact=False), temperature=0.0))


def test_stop_strings_are_in_every_dialect():
    for form in (Form(), Form(exact=False), Form(exact=False, server_sampling=True)):
        assert asked(form, stop=("END", "\n"))["stop"] == ["END", "\n"]
        assert "stop" not in asked(form)


def test_sampling_may_be_left_to_the_server():
    assert set(asked(Form(exact=False, server_sampling=True))) == {"model", "messages", "max_tokens"}


def test_simpler_dialects():
    renamed = Form().simpler("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    assert renamed == Form(limit="max_completion_tokens")
    assert asked(renamed)["max_completion_tokens"] == 64
    plain = renamed.simpler("'max_completion_tokens' and logprobs do not go together")
    assert plain == Form(exact=False, limit="max_completion_tokens")
    assert plain.simpler("no") is None


def test_an_answer_with_ids():
    answer = read_answer(json.dumps(with_ids("ab", [5, 6], [7, 8, 2])))
    assert (answer.text, answer.finish, answer.tokens) == ("ab", FinishReason.STOP, (2, 3))
    assert (answer.prompt_ids.tolist(), answer.ids.tolist()) == ([5, 6], [7, 8, 2])
    np.testing.assert_array_equal(answer.logprobs, np.float32([-0.5] * 3))


@pytest.mark.parametrize(
    ("more", "finish"),
    [
        ({"stop_reason": "END"}, FinishReason.STOP_STRING),
        ({"stop_reason": None}, FinishReason.STOP),
        ({"stop_reason": 7}, FinishReason.STOP),
        ({}, None),  # the protocol itself does not tell a string from the end of a turn
        ({"finish_reason": "length"}, FinishReason.LENGTH),
    ],
)
def test_whether_a_string_ended_it(more, finish):
    body = json.dumps(spoiled(**more))
    assert read_answer(body, ("END",)).finish is finish
    if "finish_reason" not in more:
        assert read_answer(body).finish is FinishReason.STOP


def spoiled(**choice):
    body = with_ids("ab", [5, 6], [7, 8, 2])
    body["choices"][0] |= choice
    return body


@pytest.mark.parametrize(
    "body",
    [
        chat("ab"),
        with_ids("ab", [], [7]),
        with_ids("ab", [5], []),
        spoiled(token_ids=[7, 8]),
        spoiled(token_ids=["x", "y", "z"]),
        spoiled(token_ids=[7, 8, 2**40]),
        spoiled(logprobs=None),
        spoiled(logprobs={"content": None}),
        spoiled(logprobs={"content": [{"logprob": None}] * 3}),
    ],
)
def test_ids_that_do_not_fit_are_no_ids(body):
    answer = read_answer(json.dumps(body))
    assert (len(answer.prompt_ids), len(answer.ids), len(answer.logprobs)) == (0, 0, 0)
    assert answer.text == "ab"


def test_half_a_character_is_replaced():
    assert read_answer(json.dumps(chat("a\ud800b"))).text == "a?b"


def test_reasons_to_end():
    assert read_answer(json.dumps(chat(reason="length"))).finish is FinishReason.LENGTH
    assert read_answer(json.dumps(chat(reason="tool_calls"))).finish is None
    assert read_answer(json.dumps(chat(None))).text == ""
    assert read_answer(json.dumps(chat(reason="stop_string"))).finish is None, "a word of ours, not of the protocol"
    with pytest.raises(GarbledError, match="broke off"):
        read_answer(json.dumps(chat(reason="abort")))
    with pytest.raises(InfrastructureError, match="content_filter"):
        read_answer(json.dumps(chat(reason="content_filter")))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"choices": []}', '{"choices": [{"message": "x"}]}', "<html>"]
)
def test_garbage_is_no_answer(text):
    with pytest.raises(GarbledError, match="no answer in the chat protocol"):
        read_answer(text)


@pytest.mark.parametrize(
    ("text", "message", "code", "overflow"),
    [
        (
            '{"error": {"message": "Wrong\\nkey", "type": "t", "code": "invalid_api_key"}}',
            "Wrong key",
            "invalid_api_key",
            0,
        ),
        (
            '{"error": {"message": "too long", "code": "context_length_exceeded"}}',
            "too long",
            "context_length_exceeded",
            1,
        ),
        ('{"error": {"message": "This model\'s maximum context length is 8", "type": "t", "code": 400}}', None, "t", 1),
        ('{"error": "the request exceeds the available context size"}', None, "", 1),
        ('{"detail": "nothing here"}', "nothing here", "", 0),
        ("Bad Gateway", "Bad Gateway", "", 0),
        ("x" * 2000, "x" * 500 + "...", "", 0),
    ],
)
def test_complaints_of_all_kinds_are_read(text, message, code, overflow):
    complaint = read_complaint(text)
    assert message in (None, complaint.message)
    assert (complaint.code, complaint.overflow) == (code, bool(overflow))


def test_the_meter_adds_up_and_keeps_a_budget():
    meter = Meter(2.0, 10.0, 0.05)
    for again in (False, True):
        meter.sent(0.5, again=again)
    meter.answered((10_000, 1_000))
    meter.refuse_beyond_budget()
    meter.answered((0, 2_000))
    assert meter.spend == pytest.approx(0.05)
    with pytest.raises(RefusedError, match=r"budget of 0.05 is spent \(0.05 for 2 answers\)"):
        meter.refuse_beyond_budget()
    usage = meter.read()
    assert (usage.requests, usage.retries, usage.prompt_tokens, usage.completion_tokens) == (2, 1, 10_000, 3_000)
    assert str(usage) == "2 requests (1 retried, 0 given up), 10,000 + 3,000 tokens, 0.50 s each, spent 0.05 of 0.05"


def test_a_budget_needs_counts():
    Meter().answered(None)
    with pytest.raises(RefusedError, match="does not say how many tokens"):
        Meter(1.0, 1.0, 5.0).answered(None)
