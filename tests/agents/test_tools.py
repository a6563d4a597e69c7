"""Tools: what is a call, how its exchange is recorded, and the Python interpreter on the real sandbox."""

import threading
import time

import numpy as np
import pytest
from palaestra.agents.language import LanguageAgent
from palaestra.agents.parse import last_line
from palaestra.agents.policy import FinishReason, Sample, Sampling
from palaestra.agents.rollout import Assignment, Rollout, play
from palaestra.agents.tool_agent import Call, ToolAgent, find_call
from palaestra.agents.tools import PythonTool, shortened
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.sandbox import Limits, Sandbox
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict
from small import VOCABULARY, character_tokenizer

TASKS = TaskSet([Task(f"t{i}", f"{i}+1?", str(i + 1)) for i in range(20)])
ASSISTANT = VOCABULARY.index("<assistant>")
# Says it on whatever is open, the connection to whoever asks among it.
FORGE = """
import os
for file in range(3, 64):
    try:
        os.write(file, b"{}\\n")
    except OSError:
        pass
"""
REWRITING = (
    "{% for m in messages %}{% if m.role != 'assistant' or loop.last %}<{{ m.role }}>{{ m.content }}<end>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


class Sums(TextEnv):
    """Pays for the right answer; a wrong one may be tried again once."""

    def begin(self, task):
        self.left = 2
        return task.prompt

    def step(self, action):
        self.left -= 1
        right = action == self.task.reference
        verdict = Verdict(float(right), Status.CORRECT if right else Status.WRONG)
        return "again", verdict.reward, right or self.left == 0, False, self.outcome(verdict)


class Reciter:
    """A policy that says the same replies in every conversation, each sample with log-probabilities of its own."""

    name, version = "reciter", 3

    def __init__(self, *replies, template=None):
        self.replies, self.context_limit = replies, 100_000
        self.tokenizer = character_tokenizer(template) if template else character_tokenizer()
        self.contexts = []

    def sample(self, requests):
        self.contexts += [request.context for request in requests]
        return [self._say(request) for request in requests]

    def _say(self, request):
        turn = int((request.context == ASSISTANT).sum()) - 1
        ids = self.tokenizer.encode(self.replies[turn] + "<end>", add_special_tokens=False)
        ids = np.array(ids[: request.sampling.max_tokens], np.int32)
        stop = FinishReason.STOP if ids[-1] == VOCABULARY.index("<end>") else FinishReason.LENGTH
        versions = np.full(len(ids), self.version, np.int32)
        return Sample(ids, -np.arange(1, len(ids) + 1, dtype=np.float32) / 1000 - turn, stop, versions)


class Adder:
    """Adds what it is given to what it was given before in the same episode."""

    name, description = "add", "adds whole numbers to its sum."

    def __init__(self, seconds=0.0):
        self.seconds, self.opened, self.closed, self.running, self.most = seconds, 0, 0, 0, 0
        self.lock = threading.Lock()

    def open(self, task, seed):
        self.opened += 1
        return Sum(self)


class Sum:
    def __init__(self, tool):
        self.tool, self.value = tool, 0

    def call(self, text):
        with self.tool.lock:
            self.tool.running += 1
            self.tool.most = max(self.tool.most, self.tool.running)
        time.sleep(self.tool.seconds)
        with self.tool.lock:
            self.tool.running -= 1
        if text == "break":
            raise InfrastructureError("no adder left")
        try:
            self.value += sum(map(int, text.split()))
        except ValueError as error:
            return f"error: {error}"
        return str(self.value)

    def close(self):
        self.tool.closed += 1


def block(text, name="add"):
    return f"```{name}\n{text}\n```"


def agent_of(policy, tool, calls=4):
    return ToolAgent(LanguageAgent(policy, Sampling(max_tokens=2_000), parser=last_line), [tool], calls=calls)


@pytest.mark.parametrize(
    ("reply", "call"),
    [
        (block("1 2"), "1 2"),
        (f"Let me see.\n{block('1')}\nThat gives", "1"),
        (f"{block('1')}\nand\n{block('2')}", "1\n2"),
        ("  ```add \n1\n  ``` \n", "1"),
        ("```add\n```", ""),
        ("```add\n1", None),
        ("```add\n1``` is it", None),
        (block("1", "other"), None),
        ("```\n1\n```", None),
        ("add 1", None),
        ("```add 1```", None),
        (f"<think>\n{block('1')}\n</think>2", None),
        (f"<think>hm</think>\n{block('1')}", "1"),
        (f"<think>\n{block('1')}", None),
        ("", None),
    ],
)
def test_a_call_is_a_closed_block_that_bears_the_name_of_a_tool(reply, call):
    assert find_call(reply, ["add"]) == (None if call is None else Call("add", call))


def test_of_several_tools_the_first_named_is_called():
    reply = f"{block('1')}\n{block('x', 'run')}\n{block('2')}"
    assert find_call(reply, ["run", "add"]) == Call("add", "1\n2")


def test_finding_a_call_is_linear_in_the_reply():
    began = time.perf_counter()
    assert find_call("```add\n" * 200_000, ["add"]) is None
    assert time.perf_counter() - began < 1.0


def test_each_use_of_a_tool_is_a_turn_with_its_own_tokens():
    policy, tool = Reciter(f"I add.\n{block('3')}", block("1"), "So it is\n4"), Adder()
    episode = play(Sums(TASKS), agent_of(policy, tool), TASKS[3])
    assert episode.correct
    assert [turn.action for turn in episode.turns] == ["3", "1", "4"]
    assert [turn.observation for turn in episode.turns] == ["3+1?", "```output\n3\n```", "```output\n4\n```"]
    assert [turn.reply for turn in episode.turns] == [f"I add.\n{block('3')}", block("1"), "So it is\n4"]
    assert [turn.reward for turn in episode.turns] == [0.0, 0.0, 1.0]
    assert [turn.verdict is None for turn in episode.turns] == [True, True, False]
    assert [turn.continues for turn in episode.turns] == [False, True, True]
    assert {version for turn in episode.turns for version in turn.versions} == {3}
    # The row is exactly what the policy saw last and what it sampled; only what it sampled is learned from.
    (row,) = episode.rows()
    last = episode.turns[-1].reply_ids
    assert np.array_equal(row.ids, np.concatenate([policy.contexts[-1], last]))
    for index, turn in enumerate(episode.turns):
        assert np.array_equal(row.ids[row.turn == index], turn.reply_ids)
        assert np.array_equal(row.logprobs[row.turn == index], turn.logprobs)
    shown = policy.tokenizer.decode(row.ids[row.turn == -1])
    assert "<user>```output\n3\n```<end>" in shown
    assert "I add." not in shown
    assert (tool.opened, tool.closed) == (1, 1)


def test_a_template_that_rewrites_begins_a_new_row():
    policy = Reciter(block("3"), template=REWRITING)
    episode = play(Sums(TASKS), agent_of(policy, Adder(), calls=1), TASKS[3])
    assert not episode.turns[1].continues
    assert np.array_equal(episode.turns[1].context_ids, policy.contexts[1])
    assert len(episode.rows()) == len(episode.turns)


def test_the_tool_keeps_its_state_over_the_turns_of_one_episode_only():
    policy, tool = Reciter(block("5"), "no", block("2"), "8"), Adder()
    episodes = Rollout(agent_of(policy, tool), make=lambda _: Sums(TASKS)).play(plan(3))
    for episode in episodes:
        assert [turn.observation for turn in episode.turns[1:]] == ["```output\n5\n```", "again", "```output\n7\n```"]
    assert (tool.opened, tool.closed) == (3, 3)


def test_after_the_last_call_the_reply_is_the_answer_whatever_it_holds():
    policy = Reciter(*[block(str(i)) for i in range(9)])
    episode = play(Sums(TASKS), agent_of(policy, Adder(), calls=2), TASKS[3])
    assert [turn.action for turn in episode.turns] == ["0", "1", "```", "3", "4", "```"]
    assert episode.turns[1].observation == "```output\n0\n```"
    assert episode.turns[2].observation == "```output\n1\n```\nNo calls are left: answer now."
    assert [turn.verdict is not None for turn in episode.turns] == [False, False, True] * 2


def plan(count):
    return [Assignment(f"e{i}", "sums", TASKS[i % 20], seed=i) for i in range(count)]


def test_tools_work_side_by_side_and_stall_nobody():
    tool = Adder(seconds=0.05)
    rollout = Rollout(agent_of(Reciter(block("3"), "4", "4"), tool), workers=16, make=lambda _: Sums(TASKS))
    began = time.perf_counter()
    episodes = rollout.play(plan(16))
    assert tool.most > 4
    assert time.perf_counter() - began < 16 * 0.05
    assert [e.id for e in episodes] == [a.id for a in plan(16)]
    assert episodes[3].correct


def test_the_agents_mistake_is_told_and_our_failure_makes_the_episode_invalid():
    tool = Adder()
    told = play(Sums(TASKS), agent_of(Reciter(block("three"), "4"), tool), TASKS[3])
    assert told.correct
    assert "error: invalid literal" in told.turns[1].observation
    broken = play(Sums(TASKS), agent_of(Reciter(block("break")), tool), TASKS[3])
    assert broken.verdict == Verdict(0.0, Status.INFRASTRUCTURE, "InfrastructureError: no adder left")
    assert (tool.opened, tool.closed) == (2, 2)


def test_output_that_fills_the_context_does_not_void_the_episode():
    policy = Reciter(block("3"), "4")
    agent = agent_of(policy, Adder())
    policy.context_limit = len(agent.speaker.system) + 20
    episode = play(Sums(TASKS), agent, TASKS[3])
    assert episode.truncated
    assert episode.valid
    assert (len(episode.turns), episode.reward) == (1, 0.0)


def test_the_system_text_tells_of_the_tools_and_survives_other_sampling():
    policy = Reciter("4")
    plain = LanguageAgent(policy, system="Be brief.")
    agent = ToolAgent(plain, [PythonTool(), Adder()]).with_sampling(Sampling(max_tokens=1))
    assert plain.system == "Be brief."
    assert agent.name == "reciter+python+add"
    episode = play(Sums(TASKS), agent, TASKS[3])
    system = policy.tokenizer.decode(policy.contexts[0]).partition("<end>")[0]
    assert system.startswith("<system>Be brief.\n\nYou may use tools")
    assert "`add`: adds whole numbers" in system
    assert "`python`: runs Python" in system
    assert episode.turns[0].finish is FinishReason.LENGTH


def test_wrong_sets_of_tools_are_refused():
    speaker = LanguageAgent(Reciter("4"))
    with pytest.raises(UsageError, match="names of their own"):
        ToolAgent(speaker, [])
    with pytest.raises(UsageError, match="names of their own"):
        ToolAgent(speaker, [Adder(), Adder()])
    with pytest.raises(UsageError, match="calls must be at least 1"):
        ToolAgent(speaker, [Adder()], calls=0)


def test_long_texts_lose_their_middle():
    assert shortened("abc", 3) == "abc"
    assert shortened("a" * 50 + "b" * 51, 100) == "a" * 50 + "\n[1 characters left out]\n" + "b" * 50


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(1) as pool:
        yield pool


@pytest.fixture
def python(sandbox):
    state = PythonTool(sandbox, limits=Limits(wall_seconds=1.0), output_chars=200).open(TASKS[0], 0)
    yield state
    state.close()


def test_variables_persist_between_calls(python):
    assert python.call("x = 20\ndef twice(n): return 2 * n") == "(no output)"
    assert python.call("print('hm')\ntwice(x) + 2") == "hm\n42"


def test_errors_are_told_and_lose_nothing(python):
    assert python.call("x = 1\nprint('before')\n1 / 0").startswith("before\nZeroDivisionError")
    assert python.call("x") == "1"
    assert "SyntaxError" in python.call("for")


def test_long_output_loses_its_middle(python):
    output = python.call("print('a' * 150 + 'b' * 150)")
    assert output.startswith("a" * 100)
    assert output.endswith("b" * 100)
    assert "left out" in output


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("while True: pass", "took too long"),
        ("import time; time.sleep(60)", "took too long"),
        ("import os; os._exit(0)", "process ended"),
        (FORGE.format("[]"), "broke its own connection"),
        (FORGE.format("what"), "killed"),
    ],
)
def test_an_interpreter_that_ends_is_replaced_and_the_agent_is_told(python, code, why):
    python.call("x = 1")
    told = python.call(code)
    assert why in told
    assert "variables are lost" in told
    assert "NameError" in python.call("x")
    assert python.call("1 + 1") == "2"


def test_two_episodes_share_nothing(sandbox):
    tool = PythonTool(sandbox)
    one, two = tool.open(TASKS[0], 0), tool.open(TASKS[0], 0)
    try:
        one.call("x = 1")
        assert "NameError" in two.call("x")
        assert one.call("x") == "1"
    finally:
        one.close()
        two.close()


def test_an_agent_computes_with_python(sandbox):
    policy = Reciter(block("x = 3", "python"), block("print(x + 1)", "python"), "4")
    episode = play(Sums(TASKS), agent_of(policy, PythonTool(sandbox)), TASKS[3])
    assert episode.correct
    assert [turn.observation for turn in episode.turns[1:]] == ["```output\n(no output)\n```", "```output\n4\n```"]
