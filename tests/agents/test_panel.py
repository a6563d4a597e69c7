"""Several members of one policy: what each of them sees, how they vote, and how it is recorded."""

import numpy as np
import pytest
from palaestra.agents.language import LanguageAgent
from palaestra.agents.panel import Panels, elect, votes_in
from palaestra.agents.policy import FinishReason, Sample
from palaestra.agents.rollout import play
from palaestra.envs.errors import UsageError
from palaestra.envs.feedback import REVISE
from palaestra.envs.math.arithmetic import Arithmetic
from palaestra.envs.task import Task, TaskSet
from small import VOCABULARY, character_tokenizer

SUM = Task("s", "2 + 2 = ?", 4)
END = VOCABULARY.index("<end>")


class Speaking:
    """A policy that says its replies in the order in which it is asked."""

    name, version, context_limit = "speaking", 1, 100_000

    def __init__(self, *replies):
        self.replies, self.tokenizer, self.contexts, self.seeds = list(replies), character_tokenizer(), [], []

    def sample(self, requests):
        self.contexts += [request.context for request in requests]
        self.seeds += [request.seed for request in requests]
        return [self._say(self.replies.pop(0)) for _ in requests]

    def _say(self, text):
        ids = np.array(self.tokenizer.encode(text + "<end>", add_special_tokens=False), np.int32)
        return Sample(ids, -np.ones(len(ids), np.float32), FinishReason.STOP, np.ones(len(ids), np.int32))


def lived(panels, *replies):
    policy = Speaking(*replies)
    env = Arithmetic(tasks=TaskSet([SUM]))
    return play(env, panels.agent(LanguageAgent(policy)), SUM, seed=3), policy


def test_most_answers_decide_however_they_are_put():
    episode, policy = lived(Panels(members=3, rounds=0), "5", "it is 4", "4")
    assert [turn.reply for turn in episode.turns] == ["5", "it is 4", "4", "it is 4"]
    assert episode.correct
    assert len(set(policy.seeds)) == 3
    assert all(turn.observation == SUM.prompt for turn in episode.turns[:3])


def test_the_vote_is_said_by_nobody():
    episode, _ = lived(Panels(members=2, rounds=0), "4", "5")
    vote = episode.turns[-1]
    assert vote.finish is None
    assert len(vote.reply_ids) == 0
    assert vote.action == "4"  # of equally many the first
    assert len(episode.rows()) == 2
    assert not episode.demonstrated
    assert episode.reward == 1.0


def test_in_a_debate_each_member_sees_what_the_others_answered():
    episode, _ = lived(Panels(members=3, rounds=1), "5", "4", "6", "4", "4", "6")
    first, second = votes_in(episode.turns, Panels(members=3, rounds=1))
    assert [turn.reply for turn in first] == ["5", "4", "6"]
    assert [turn.observation for turn in second] == [
        f"Others answered:\n4\n6\n{REVISE}",
        f"Others answered:\n5\n6\n{REVISE}",
        f"Others answered:\n5\n4\n{REVISE}",
    ]
    assert episode.turns[-1].action == "4"


def test_a_debate_that_has_no_room_to_go_on_ends_with_the_votes_there_are():
    panels = Panels(members=3, rounds=2)
    policy = Speaking("4", "5" + " 5" * 100, "it is 4", "5", "5", "5", "5")
    policy.context_limit = 250
    env = Arithmetic(tasks=TaskSet([SUM]))
    agent = panels.agent(LanguageAgent(policy, parser=lambda text: text.split()[-1]))
    episode = play(env, agent, SUM, seed=3)
    # The first has answered again when the second, who said much, finds no room.
    assert [turn.action for turn in episode.turns] == ["4", "5", "4", "5", "4"]
    assert (episode.correct, episode.truncated, len(policy.replies)) == (True, False, 3)
    assert [[turn.action for turn in members] for members in votes_in(episode.turns, panels)] == [["4", "5", "4"]]
    policy.context_limit = 10
    assert not play(env, agent, SUM, seed=3).valid


def test_each_turn_holds_the_whole_context_of_its_member():
    episode, policy = lived(Panels(members=2, rounds=2), *"123456")
    sampled = episode.turns[:-1]
    assert not any(turn.continues for turn in sampled)
    for turn, context in zip(sampled, policy.contexts, strict=True):
        assert np.array_equal(turn.context_ids, context)
    # The second member's last context holds its own two replies before, and neither of the first one's.
    text = policy.tokenizer.decode(policy.contexts[-1])
    assert text.count("<assistant>2<end>") == 1
    assert "<assistant>1<end>" not in text
    assert [len(row.ids) for row in episode.rows()] == [len(turn.context_ids) + len(turn.reply_ids) for turn in sampled]


@pytest.mark.parametrize(
    ("answers", "index"), [(["a"], 0), (["a", "b", "b"], 1), (["a", "b"], 0), ([None, None, "c"], 2), ([None, None], 0)]
)
def test_an_election(answers, index):
    assert elect(answers) == index


def test_what_makes_no_panel_is_refused():
    with pytest.raises(UsageError, match="members must be at least 1"):
        Panels(members=0)
    with pytest.raises(UsageError, match="at least one answer"):
        elect([])
