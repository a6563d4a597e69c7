"""Demonstrations are told in the policy's own ids, and the policy's judgement of itself is its reward."""

import numpy as np
import pytest
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.demonstrator import Demonstrator
from palaestra.agents.episode import NO_FLOATS, NO_IDS
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import FinishReason, Sample, Sampling
from palaestra.agents.rollout import Rollout, play
from palaestra.envs import make
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.task import HELD_OUT_SHARE, held_out
from palaestra.envs.verdict import Status
from palaestra.evolution.acquisition.demonstrate import Demonstrate, SampleBesideDemonstrations
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.in_turn import AcquireInTurn
from palaestra.evolution.acquisition.self_judged import SelfJudged, read_vote
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.yard import Yard

ARITHMETIC, GUESS = "palaestra/Arithmetic-v0", "palaestra/GuessNumber-v0"
LIMIT = 400


class Scripted:
    """A policy that says what a function of the context's text says."""

    name, version, context_limit = "scripted", 3, LIMIT

    def __init__(self, says, forgetful=False):
        self.says = says
        self.tokenizer = build_tokenizer(LIMIT, forgetful=forgetful)

    def sample(self, requests):
        return [self._sample(request) for request in requests]

    def _sample(self, request):
        ids = self.tokenizer.encode(self.says(self.tokenizer.decode(request.context), request.seed))
        ids = np.array([*ids, self.tokenizer.eos_token_id], np.int32)
        logprobs = np.full(len(ids), -0.5, np.float32)
        return Sample(ids, logprobs, FinishReason.STOP, np.full(len(ids), self.version, np.int32))


def bisect(context, seed):
    """Play the guessing game as its solution does."""
    low, high = 1, 100
    for told in context.split("<|user|>")[2:]:
        number = int(told.split(" than ")[1].split(".")[0])
        low, high = (number + 1, high) if told.startswith("Higher") else (low, number - 1)
    return str((low + high) // 2)


def add(context, seed):
    one, other = context.split("<|user|>")[-1].split(" = ")[0].split(" + ")
    return str(int(one) + int(other) + seed % 2)


def yard(agent):
    return Yard(Rollout(agent), 0)


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_demonstration_has_the_ids_of_the_policys_own_episode(forgetful):
    """The same words, said by the policy and by the demonstrator, are the same rows but for who sampled them."""
    agent = LanguageAgent(Scripted(bisect), Sampling())
    env = make(GUESS)
    task = env.tasks.by_id("secret-37")
    if forgetful:
        shower = LanguageAgent(Scripted(None, forgetful=True), Sampling())
        shown = play(env, Demonstrator(shower), task)
        assert len(shown.rows()) == len(shown.turns) > 2
        return
    own, shown = play(env, agent, task), play(env, Demonstrator(agent), task)
    assert own.correct
    assert shown.correct
    assert len(own.turns) > 2
    assert [t.reply for t in shown.turns] == [t.reply for t in own.turns] == list(env.solution(task))
    ((mine,), (theirs,)) = own.rows(), shown.rows()
    assert theirs.ids.tolist() == mine.ids.tolist()
    assert theirs.turn.tolist() == mine.turn.tolist()
    assert theirs.logprobs.tolist() == [0.0] * len(mine.ids)
    assert (own.demonstrated, shown.demonstrated, shown.policy) == (False, True, "demonstration")
    assert all(turn.logprobs is NO_FLOATS and turn.versions is NO_IDS for turn in shown.turns)


def test_demonstrations_are_of_training_tasks_and_last(tmp_path):
    agent = LanguageAgent(Scripted(add), Sampling())
    shown = Demonstrate(tasks=40)(yard(agent), ARITHMETIC, 1)
    assert len({episode.task for episode in shown}) == len({episode.group for episode in shown}) == 40
    assert all(episode.correct and not held_out(episode.fingerprint, HELD_OUT_SHARE) for episode in shown)
    assert [e.digest() for e in shown] == [e.digest() for e in Demonstrate(tasks=40)(yard(agent), ARITHMETIC, 1)]
    store = ExperienceStore(tmp_path)
    store.write("step-1", shown, {})
    assert [e.digest() for e in store.read("step-1")] == [e.digest() for e in shown]
    assert all(e.demonstrated for e in store.read("step-1"))


def test_a_pool_is_of_the_same_tasks_at_every_step():
    agent = LanguageAgent(Scripted(add), Sampling())
    where = yard(agent)
    pool = {task.id for task in where.split(ARITHMETIC).train[:10]}
    steps = [{e.task for e in Demonstrate(tasks=10, pool=10)(where, ARITHMETIC, step)} for step in (1, 2)]
    assert steps == [pool, pool]
    beside = SampleBesideDemonstrations(SampleGroups(groups=5, attempts=2), pool=10)(where, ARITHMETIC, 3)
    assert [e.demonstrated for e in beside] == [False] * 10 + [True] * 5
    assert {e.task for e in beside[:10]} == {e.task for e in beside[10:]} < pool
    assert len(where.split(ARITHMETIC).train) > 1000


def test_what_cannot_be_shown_is_said():
    agent = LanguageAgent(Scripted(add), Sampling())
    with pytest.raises(UsageError, match="is an arena"):
        Demonstrate().require("kuhn_poker")
    with pytest.raises(UsageError, match="has no demonstration of task"):
        Demonstrate(tasks=1)(yard(agent), "palaestra/Blackjack-v0", 1)
    short = LanguageAgent(Scripted(add), Sampling())
    short.policy.context_limit = 12
    with pytest.raises(InfrastructureError, match="takes 12"):
        Demonstrate(tasks=1)(yard(short), ARITHMETIC, 1)
    with pytest.raises(UsageError, match="tasks must be at least 1"):
        Demonstrate(tasks=0)


def test_each_way_to_acquire_has_its_turn():
    agent = LanguageAgent(Scripted(add), Sampling())
    ways = AcquireInTurn((1, 2), (Demonstrate(tasks=3), SampleGroups(groups=2, attempts=2, sampling=Sampling(5))))
    played = [ways(yard(agent), ARITHMETIC, step) for step in (1, 2, 3, 9)]
    assert [[e.demonstrated for e in some] for some in played] == [[True] * 3, *[[False] * 4] * 3]
    assert ways.sampling == Sampling(5)


def judging(context, seed):
    """Add, one time in two wrongly; judge rightly, but say nothing of use about even sums."""
    question = context.split("<|user|>")[-1].split("<|end|>")[0]
    if "Right or wrong?" not in question:
        return add(context, seed)
    problem, said = question.split(" = ? ")
    total = sum(map(int, problem.split(" + ")))
    return "I cannot say" if total % 2 == 0 else "right" if said.startswith(f"{total}.") else "Wrong, not right: wrong"


def test_the_policys_own_votes_are_its_reward_and_the_verdict_stays_the_worlds():
    agent = LanguageAgent(Scripted(judging), Sampling())
    acquire = SelfJudged(SampleGroups(groups=30, attempts=3), votes=3)
    episodes = acquire(yard(agent), ARITHMETIC, 1)
    plain = acquire.sample(yard(agent), ARITHMETIC, 1)
    assert [e.turns[0].reply for e in episodes] == [e.turns[0].reply for e in plain]
    odd = [(e, p) for e, p in zip(episodes, plain, strict=True) if sum(map(int, e.task.split("+"))) % 2]
    assert 10 < len(odd) < 80
    assert all(e.verdict == p.verdict and e.reward == p.verdict.reward for e, p in odd)
    assert {e.reward for e, _ in odd} == {0.0, 1.0}
    even = [e for e in episodes if sum(map(int, e.task.split("+"))) % 2 == 0]
    assert {e.verdict.status for e in even} == {Status.BROKEN_TASK}
    assert not any(e.valid for e in even)


def test_a_policy_that_cannot_judge_is_not_taken_for_one_that_finds_all_wrong():
    agent = LanguageAgent(Scripted(lambda context, seed: "7"), Sampling())
    with pytest.raises(InfrastructureError, match="none of 4 votes says right or wrong"):
        SelfJudged(SampleGroups(groups=2, attempts=2))(yard(agent), ARITHMETIC, 1)


def test_a_question_that_does_not_fit_is_no_vote_and_ends_nothing():
    class Wordy(Scripted):
        def sample(self, requests):
            assert all(len(request.context) < LIMIT for request in requests)
            return super().sample(requests)

    def says(context, seed):
        return "right" if "Is it?" in context else "7" * (1 + 299 * (seed % 2))

    acquire = SelfJudged(SampleGroups(groups=20, attempts=2), template="{prompt} {reply} {reply} Is it?")
    episodes = acquire(yard(LanguageAgent(Wordy(says), Sampling(max_tokens=LIMIT))), ARITHMETIC, 1)
    long = [e for e in episodes if len(e.turns[0].reply) > 1]
    assert 0 < len(long) < len(episodes)
    assert {e.verdict.detail for e in long} == {"the question leaves no room for a vote"}
    assert not any(e.valid for e in long)
    assert {e.reward for e in episodes if e.valid} == {1.0}


def test_a_vote_is_the_last_word():
    assert read_vote("It is RIGHT.") is True
    assert read_vote("right? no, wrong") is False
    assert read_vote("upright, wronged") is None
    with pytest.raises(UsageError, match="template"):
        SelfJudged(SampleGroups(), template="Right or wrong?")
    with pytest.raises(UsageError, match="votes"):
        SelfJudged(SampleGroups(), votes=0)
