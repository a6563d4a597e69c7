"""A policy in words, and the agents without one."""

import numpy as np
import pytest
from palaestra.agents.agent import ContextFullError
from palaestra.agents.language import LanguageAgent
from palaestra.agents.parse import last_line
from palaestra.agents.policy import FinishReason, Sample, Sampling
from palaestra.agents.scripted import ConstantAgent, OracleAgent, RandomAgent
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict
from small import character_tokenizer

TASKS = TaskSet([Task("sum", "1+1?", "2"), Task("riddle", "Why?")])


class Sums(TextEnv):
    def begin(self, task):
        return task.prompt

    def step(self, action):
        verdict = Verdict(1.0, Status.CORRECT) if action == self.task.reference else Verdict(0.0, Status.WRONG)
        return "again", verdict.reward, True, False, self.outcome(verdict)

    def solution(self, task):
        return None if task.reference is None else [task.reference]

    def sample_action(self, generator):
        return str(generator.integers(10**6))


def finish(acting, answer=None):
    """Drive one turn; returns the request (if any) and the move."""
    request = None
    try:
        request = next(acting)
        acting.send(answer(request))
    except StopIteration as end:
        return request, end.value
    raise AssertionError("one request a turn")


def saying(text, reason=FinishReason.STOP):
    ids = np.array(character_tokenizer().encode(text, add_special_tokens=False), np.int32)
    return lambda request: Sample(ids, np.zeros(len(ids), np.float32), reason, np.full(len(ids), 4))


def test_turns_are_one_growing_row(policy):
    agent = LanguageAgent(policy(), Sampling(max_tokens=3), system="Add.", parser=last_line)
    player = agent.enter(Sums(TASKS), TASKS[0], seed=5)
    asked, moved = finish(player.act("1+1?"), saying("hm\n3<end>"))
    assert agent.policy.tokenizer.decode(asked.context) == "<system>Add.<end><user>1+1?<end><assistant>"
    assert asked.sampling == Sampling(max_tokens=3)
    assert (moved.action, moved.reply, set(moved.versions), moved.finish) == ("3", "hm\n3", {4}, FinishReason.STOP)
    assert not moved.continues
    again, second = finish(player.act("no"), saying("2", FinishReason.LENGTH))
    assert second.continues
    assert np.array_equal(again.context, np.concatenate([moved.context_ids, moved.reply_ids, second.context_ids]))
    assert agent.policy.tokenizer.decode(second.context_ids) == "<user>no<end><assistant>"
    assert (second.action, second.reply) == ("2", "2")
    assert again.seed != asked.seed


def test_seeds_name_the_samples(policy):
    agent = LanguageAgent(policy(), Sampling(max_tokens=12))

    def reply(seed):
        player = agent.enter(Sums(TASKS), TASKS[0], seed)
        _, move = finish(player.act("1+1?"), lambda request: agent.policy.sample([request])[0])
        return move.reply_ids.tolist()

    assert reply(1) == reply(1)
    assert reply(1) != reply(2)


def test_other_sampling_same_policy(policy):
    agent = LanguageAgent(policy(), system="Add.")
    other = agent.with_sampling(Sampling(max_tokens=1, temperature=0.0))
    assert other.policy is agent.policy
    assert other.name == agent.name == "test:llama"
    request = next(other.enter(Sums(TASKS), TASKS[0], 0).act("1+1?"))
    assert request.sampling.temperature == 0.0
    assert "<system>Add.<end>" in agent.policy.tokenizer.decode(request.context)
    assert agent.sampling == Sampling()


def test_a_full_context_ends_the_conversation(policy):
    agent = LanguageAgent(policy())
    with pytest.raises(ContextFullError, match="takes 128"):
        next(agent.enter(Sums(TASKS), TASKS[0], 0).act("x" * 125))
    # One token of room is room.
    request = next(agent.enter(Sums(TASKS), TASKS[0], 0).act("x" * 124))
    assert len(agent.policy.sample([request])[0].ids) == 1
    player = agent.enter(Sums(TASKS), TASKS[0], 0)
    finish(player.act("x" * 60), saying("2<end>"))
    with pytest.raises(ContextFullError):
        next(player.act("y" * 60))


def test_oracle_solves_and_says_when_it_cannot():
    env = Sums(TASKS)
    player = OracleAgent().enter(env, TASKS[0], 0)
    observation, _ = env.reset(options={"task": TASKS[0]})
    request, move = finish(player.act(observation))
    assert request is None
    assert env.step(move.action)[1] == 1.0
    with pytest.raises(UsageError, match="the episode goes on"):
        finish(player.act("again"))
    with pytest.raises(UsageError, match="knows no solution of task 'riddle'"):
        OracleAgent().enter(env, TASKS[1], 0)


def test_random_draws_by_its_seed():
    env = Sums(TASKS)

    def actions(seed):
        player = RandomAgent().enter(env, TASKS[0], seed)
        return [finish(player.act("?"))[1].action for _ in range(3)]

    assert actions(1) == actions(1)
    assert actions(1) != actions(2)
    assert len(set(actions(1))) == 3


def test_constant_says_its_text():
    agent = ConstantAgent("4 2")
    _, move = finish(agent.enter(Sums(TASKS), TASKS[0], 0).act("?"))
    assert (move.action, move.reply, move.finish, len(move.reply_ids)) == ("4 2", "4 2", None, 0)
    assert agent.with_sampling(Sampling()) is agent
    assert agent.policy is None
