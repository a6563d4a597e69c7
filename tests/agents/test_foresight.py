"""Opinions read off what a policy would say."""

import numpy as np
import pytest
import torch
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.foresight import ENDS, QUESTION, Foresight
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.matches import Match, Matches
from palaestra.agents.nursery import Plan, _new_model
from palaestra.agents.policy import Sampling
from palaestra.agents.score import continuation_logprobs
from palaestra.envs.arena import tic_tac_toe_v0
from palaestra.envs.arena.games.alignment import Board
from palaestra.envs.errors import UsageError

SMALL = Plan(hidden_size=16, intermediate_size=32, layers=1, heads=2, positions=300)


def newborn(*, forgetful: bool = True) -> LocalPolicy:
    return LocalPolicy(_new_model(SMALL, 0), build_tokenizer(300, forgetful=forgetful), "test:newborn")


def said(policy: LocalPolicy, context: list[int], reply: list[int]) -> float:
    with torch.no_grad():
        logits = policy.model(input_ids=torch.tensor([context + reply])).logits[0].log_softmax(-1)
    return float(sum(logits[len(context) + i - 1, token] for i, token in enumerate(reply)))


def test_replies_that_begin_alike_are_scored_whole() -> None:
    policy = newborn()
    contexts = [[5, 9, 30], [5, 9, 30, 31, 40], [7, 8, 9]]
    replies = [[[11, 2], [11, 3], [12, 2]], [[20, 21, 2], [20, 2]], [[11, 2], [12, 2]]]
    found = continuation_logprobs(
        policy,
        [np.array(c, np.int32) for c in contexts],
        [[np.array(r, np.int32) for r in some] for some in replies],
    )
    for context, some, scores in zip(contexts[:2], replies[:2], found[:2], strict=True):
        assert scores == pytest.approx([said(policy, context, reply) for reply in some], abs=1e-4)
    # Their first tokens tell these apart.
    assert found[2] == pytest.approx([said(policy, contexts[2], reply[:1]) for reply in replies[2]], abs=1e-4)


def test_it_thinks_of_legal_moves_and_of_the_end() -> None:
    agent, arena = LanguageAgent(newborn()), tic_tac_toe_v0.raw_env(explain=False)
    foresight = Foresight(agent, arena)
    state = Board(0b1, 0b10)
    (opinion,) = foresight([state])
    assert set(opinion.priors) == set(range(2, 9))
    assert sum(opinion.priors.values()) == pytest.approx(1.0)
    assert opinion is foresight([state])[0]
    context = foresight.context("You are X.\nX1 O2 3\n4 5 6\n7 8 9").tolist()
    expected = np.exp([said(agent.policy, context, [foresight.reply(str(a + 1))[0]]) for a in range(2, 9)])
    assert list(opinion.priors.values()) == pytest.approx(list(expected / expected.sum()), rel=1e-4)
    asked = foresight.context("You are X.\nX1 O2 3\n4 5 6\n7 8 9" + QUESTION).tolist()
    ends = np.exp([said(agent.policy, asked, [foresight.reply(end)[0]]) for end in ENDS])
    assert opinion.value == pytest.approx((ends[2] - ends[0]) / ends.sum(), rel=1e-4)


def test_positions_are_asked_about_as_in_a_game() -> None:
    agent = LanguageAgent(newborn(), Sampling(max_tokens=2))
    matches = Matches([agent])
    (record,) = matches.play([Match("m", "tic_tac_toe?explain=false&illegal=random", (0, 0), 3)])
    foresight = Foresight(agent, tic_tac_toe_v0.raw_env(explain=False))
    turns = [turn for episode in record.episodes for turn in episode.turns]
    assert len(turns) > 4
    for turn in turns:
        assert turn.context_ids.tolist() == foresight.context(turn.observation).tolist()
        assert not turn.continues


def test_who_remembers_conversations_is_refused() -> None:
    with pytest.raises(UsageError, match="shown the whole conversation"):
        Foresight(LanguageAgent(newborn(forgetful=False)), tic_tac_toe_v0.raw_env(explain=False))
