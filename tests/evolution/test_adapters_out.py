"""Our environments in the hands of inspect_ai and verifiers, the real packages of the extra `worlds`."""

import asyncio
import http.server
import json
import sys
import threading

import pytest
from palaestra.envs import catalogue
from palaestra.envs.verdict import Status

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def evaluated(task, outputs, tmp_path, **more):
    from inspect_ai import eval as run
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    said = [ModelOutput.from_content("mockllm", text) for text in outputs]
    for output in said:
        # What is not told is counted by a tokenizer that inspect_ai downloads.
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    model = get_model("mockllm/model", custom_outputs=said)
    (log,) = run(task, model=model, display="none", log_dir=str(tmp_path), max_samples=1, **more)
    return log


def test_inspect_scores_with_our_judge(tmp_path):
    from palaestra.evolution.adapters.inspect_task import inspect_task

    env = catalogue.make("arithmetic?level=1")
    held_out = list(env.tasks.split().test)[:4]
    task = inspect_task("arithmetic?level=1", size=4)
    replies = [*(str(t.reference) for t in held_out[:3]), "no idea"]
    log = evaluated(task, replies, tmp_path)
    assert log.status == "success"
    assert log.results.scores[0].metrics["mean"].value == 0.75
    by_id = {sample.id: sample for sample in log.samples}
    assert set(by_id) == {t.id for t in held_out}
    statuses = [by_id[t.id].scores["palaestra_verdict"].metadata["status"] for t in held_out]
    assert statuses == ["correct"] * 3 + ["unparsed"]
    assert by_id[held_out[0].id].metadata["fingerprint"] == held_out[0].fingerprint


def test_inspect_plays_several_turns(tmp_path):
    from palaestra.evolution.adapters.inspect_task import inspect_task

    log = evaluated(inspect_task("GuessNumber?high=4&guesses=4", size=1), ["1", "2", "3", "4"], tmp_path)
    (sample,) = log.samples
    assert sample.scores["palaestra_verdict"].value == 1.0
    said = [message.text for message in sample.messages]
    assert said[0].startswith("I")  # the world's own words, not the bare prompt
    assert any("igher" in text for text in said) or len(said) == 2


def test_what_fails_is_not_scored_by_inspect(tmp_path):
    import gymnasium
    from failing_world import FailingWorld
    from palaestra.evolution.adapters.inspect_task import inspect_task

    if "palaestra-tests/Failing-v0" not in gymnasium.registry:
        gymnasium.register("palaestra-tests/Failing-v0", entry_point=FailingWorld)
    task = inspect_task("palaestra-tests/Failing-v0", held_out=False, size=4)
    log = evaluated(task, ["right", "break", "raise", "right"], tmp_path)
    assert log.status == "success"
    score = log.results.scores[0]
    assert score.metrics["mean"].value == 1.0
    assert score.scored_samples == 2


class Mouth(http.server.BaseHTTPRequestHandler):
    """A model on loopback that adds up what it is asked, or says `break`."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = body["messages"][-1]["content"]
        text = self.server.answer(asked if isinstance(asked, str) else asked[0]["text"])
        message = {"role": "assistant", "content": text}
        answer = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        raw = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def model():
    servers = []

    def serve(answer):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mouth)
        server.answer = answer
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/v1"

    yield serve
    for server in servers:
        server.shutdown()


def lived(env, task, address):
    """Have verifiers itself run an episode, with its interception server and its client."""
    import verifiers.v1 as vf

    async def run():
        context = vf.ModelContext(model="m", client=vf.EvalClientConfig(base_url=address, api_key_var="NO_SUCH_KEY"))
        async with env.serving():
            return await env.run_episode(task, context)

    return asyncio.run(run())


@pytest.fixture
def talker():
    """The id of a harness that asks in this process: verifiers' own are programs that it would download for."""
    import talking_harness

    sys.modules["talking_harness"] = talking_harness
    return {"harness": {"id": "talking_harness"}}


def test_verifiers_plays_our_worlds(model, talker):
    from palaestra.evolution.adapters.verifiers_env import load_environment

    spec = "arithmetic?level=1"
    env = load_environment(spec, agent=talker)
    ours = catalogue.make(spec)
    tasks = list(env.taskset.take(3))
    assert [task.data.id for task in tasks] == [task.id for task in ours.tasks.split().train[:3]]
    answers = {ours.tasks.by_id(task.data.id).prompt: ours.tasks.by_id(task.data.id).reference for task in tasks}
    address = model(lambda asked: next(str(a) for prompt, a in answers.items() if prompt in asked))
    for task in tasks:
        episode = lived(env, task, address)
        assert episode.ok, episode.errors
        (trace,) = episode.traces
        assert trace.reward == 1.0
        assert trace.info["verdict"]["status"] == Status.CORRECT
    episode = lived(env, tasks[0], model(lambda asked: "123456"))
    assert episode.ok
    assert episode.traces[0].reward == 0.0


def test_verifiers_keeps_several_turns_and_failures_apart(model, talker):
    import gymnasium
    from failing_world import FailingWorld
    from palaestra.evolution.adapters.verifiers_env import load_environment

    if "palaestra-tests/Failing-v0" not in gymnasium.registry:
        gymnasium.register("palaestra-tests/Failing-v0", entry_point=FailingWorld)
    env = load_environment("GuessNumber?high=4&guesses=4", agent=talker)
    guesses = iter("1234" * 9)
    episode = lived(env, next(iter(env.taskset)), model(lambda asked: next(guesses)))
    assert episode.ok, episode.errors
    assert episode.traces[0].reward == 1.0
    failing = load_environment("palaestra-tests/Failing-v0", agent=talker)
    for word in ("break", "raise"):
        episode = lived(failing, next(iter(failing.taskset)), model(lambda asked, word=word: word))
        assert not episode.ok
        assert "infrastructure" in episode.errors[0].message or "the world broke" in episode.errors[0].message
