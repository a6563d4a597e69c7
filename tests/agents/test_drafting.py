"""Answers in drafts: what is asked between them, when it ends, and how it is recorded."""

import numpy as np
import pytest
from palaestra.agents.drafting import REVIEW, Drafts, drafts_in
from palaestra.agents.language import LanguageAgent
from palaestra.agents.rollout import Assignment, Rollout, play
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from palaestra.envs.feedback import ASK, REVISE
from palaestra.envs.math.arithmetic import Arithmetic
from palaestra.envs.question import QuestionEnv
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Status, Verdict
from small import VOCABULARY
from test_tools import Reciter

SUM = Task("s", "2 + 2 = ?", 4)


def lived(how, *replies, env=None):
    policy = Reciter(*replies)
    agent = how.agent(LanguageAgent(policy))
    return play(env or Arithmetic(tasks=TaskSet([SUM])), agent, (env.tasks[0] if env else SUM), seed=3), policy


def said(episode):
    return [(turn.observation, turn.reply, turn.action) for turn in episode.turns]


def test_a_draft_is_reviewed_and_answered_again_until_the_rounds_are_over():
    episode, _ = lived(Drafts(rounds=2, stop=""), "3", "no", "5", "still no", "4")
    assert said(episode) == [
        ("2 + 2 = ?", "3", "3"),
        (ASK, "no", REVIEW),
        (REVISE, "5", "5"),
        (ASK, "still no", REVIEW),
        (REVISE, "4", "4"),
    ]
    assert [turn.action for turn in drafts_in(episode.turns)] == ["3", "5", "4"]
    assert episode.correct
    assert episode.reward == 1.0
    assert [turn.reward for turn in episode.turns] == [0.0, 0.0, 0.0, 0.0, 1.0]


def test_every_reply_is_recorded_as_sampled_in_one_row():
    episode, policy = lived(Drafts(rounds=1, stop=""), "3", "no", "4")
    (row,) = episode.rows()
    assert [turn.continues for turn in episode.turns] == [False, True, True]
    assert np.array_equal(row.ids, np.concatenate([policy.contexts[-1], episode.turns[-1].reply_ids]))
    assert sorted(set(row.turn.tolist())) == [-1, 0, 1, 2]
    for number, turn in enumerate(episode.turns):
        assert np.array_equal(row.logprobs[row.turn == number], turn.logprobs)


def test_a_review_that_lets_a_draft_stand_gives_it_to_the_world():
    episode, _ = lived(Drafts(rounds=4), "3", "3 is odd", "4", "It stands.")
    assert [turn.reply for turn in episode.turns] == ["3", "3 is odd", "4", "It stands."]
    assert [turn.action for turn in drafts_in(episode.turns)] == ["3", "4", "4"]
    assert episode.correct


def test_the_world_hears_one_answer_alone():
    class Once(QuestionEnv):
        heard = ()

        def step(self, action):
            type(self).heard += (action,)
            return super().step(action)

    env = Once(TaskSet([SUM]), lambda task, reply: Verdict(1.0, Status.CORRECT))
    lived(Drafts(rounds=2, stop=""), "1", "a", "2", "b", "3", env=env)
    assert Once.heard == ("3",)


def test_an_oracle_stops_at_what_is_right_and_need_not_say_why():
    episode, _ = lived(Drafts(judged_by="oracle", tell=False, stop=""), "4", "never asked")
    assert [turn.reply for turn in episode.turns] == ["4"]
    episode, _ = lived(Drafts(judged_by="oracle", tell=False, stop=""), "3", "hm", "4", "never asked")
    assert [turn.observation for turn in episode.turns] == ["2 + 2 = ?", ASK, REVISE]


def test_an_oracle_may_say_that_an_answer_is_wrong_and_never_gives_it_away():
    episode, _ = lived(Drafts(judged_by="oracle", ask=""), "3", "4")
    assert [turn.observation for turn in episode.turns] == ["2 + 2 = ?", f"That is not correct. {REVISE}"]
    assert episode.correct


def test_a_trial_runs_a_program_on_the_tests_that_are_shown():
    env = make("synthesis")
    task = next(task for task in env.tasks if task.metadata["solution"] == "x*4")
    right = task.metadata["solution"]
    policy = Reciter("x+1", right)
    agent = Drafts(judged_by="trial", ask="").agent(LanguageAgent(policy))
    episode = play(env, agent, task, seed=0)
    assert [turn.reply for turn in episode.turns] == ["x+1", right]
    told = episode.turns[1].observation
    assert "of 3 tests passed" in told
    assert "expected: " in told
    assert told.endswith(REVISE)
    assert episode.correct


def test_a_trial_knows_nothing_of_hidden_tests():
    env = make("synthesis")
    task = env.tasks[0]
    shown = task.reference["cases"][:3]
    table = {case["arguments"][0]: case["expected"] for case in shown}
    learned_by_heart = f"{table}.get(x, 0)"
    assert env.tried_out(task, learned_by_heart) is None
    agent = Drafts(judged_by="trial", ask="").agent(LanguageAgent(Reciter(learned_by_heart, "never asked")))
    episode = play(env, agent, task, seed=0)
    assert len(episode.turns) == 1
    assert not episode.correct


def test_requests_may_each_begin_a_conversation_of_their_own():
    how = Drafts(rounds=1, ask="{prompt} {draft}. Right?", revise="{prompt} Not {draft}: {review}", anew=True)
    # In a conversation of its own the policy has said nothing yet, so that it says its first line.
    episode, policy = lived(how, "3 {x}")
    assert [turn.observation for turn in episode.turns] == [
        "2 + 2 = ?",
        "2 + 2 = ? 3 {x}. Right?",
        "2 + 2 = ? Not 3 {x}: 3 {x}",
    ]
    assert not any(turn.continues for turn in episode.turns)
    assert len(episode.rows()) == 3
    for turn, context in zip(episode.turns, policy.contexts, strict=True):
        assert np.array_equal(turn.context_ids, context)
        assert (turn.context_ids == VOCABULARY.index("<user>")).sum() == 1


def test_what_an_oracle_tells_stands_before_a_request_of_ones_own():
    how = Drafts(rounds=1, judged_by="oracle", ask="", revise="{prompt} Not {draft}.", anew=True)
    episode, _ = lived(how, "3")
    assert [turn.observation for turn in episode.turns] == ["2 + 2 = ?", "That is not correct. 2 + 2 = ? Not 3."]


def test_a_draft_stands_where_no_room_is_left_to_improve_it():
    policy = Reciter("3", "a long review of it", "4")
    policy.context_limit = 120
    agent = Drafts(rounds=2, stop="").agent(LanguageAgent(policy))
    episode = play(Arithmetic(tasks=TaskSet([SUM])), agent, SUM)
    assert [turn.reply for turn in episode.turns] == ["3", "a long review of it", "3"]
    assert len(episode.turns[-1].reply_ids) == 0
    assert episode.verdict.status is Status.WRONG
    assert not episode.truncated


def test_a_judge_that_fails_makes_the_episode_invalid():
    def broken(task, reply):
        raise RuntimeError("no judge today")

    env = QuestionEnv(TaskSet([SUM]), broken)
    episode, _ = lived(Drafts(judged_by="oracle", ask=""), "3", "4", env=env)
    assert episode.verdict.status is Status.INFRASTRUCTURE
    assert not episode.valid


def test_many_episodes_are_drafted_side_by_side():
    env = Arithmetic(size=20)
    agent = Drafts(rounds=1, stop="").agent(LanguageAgent(Reciter("1", "hm", "2")))
    assignments = [Assignment(task.id, "sums", task, number) for number, task in enumerate(env.tasks)]
    episodes = Rollout(agent, make=lambda _: env).play(assignments)
    assert [episode.id for episode in episodes] == [task.id for task in env.tasks]
    assert {tuple(turn.reply for turn in episode.turns) for episode in episodes} == {("1", "hm", "2")}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"ask": ""}, "Something must be said"),
        ({"anew": True}, "names {prompt}"),
    ],
)
def test_plans_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        Drafts(**settings)


def test_a_world_that_shows_nothing_to_try_is_refused():
    episode, _ = lived(Drafts(judged_by="trial", ask=""), "3")
    assert not episode.valid
    assert "shows nothing in its tasks" in episode.verdict.detail
