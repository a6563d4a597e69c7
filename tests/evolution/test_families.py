"""Models of every family play an episode and take an update."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.envs import make
from palaestra.evolution.updating.policy_gradient import PolicyGradient

sys.path.insert(0, str(Path(__file__).parents[1] / "agents"))
from small import ARCHITECTURES, character_tokenizer, new_model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_plays_and_learns(architecture, tmp_path):
    local = LocalPolicy(new_model(architecture), character_tokenizer(), "test:family")
    spec, sampling = "palaestra/Arithmetic-v0?tries=2", Sampling(max_tokens=6)
    task = make(spec).tasks[0]
    plan = [Assignment(f"{i}", spec, task, i, group="g", attempt=i) for i in range(4)]
    episodes = Rollout(LanguageAgent(local, sampling)).play(plan)
    assert all(episode.valid and episode.tokens for episode in episodes)
    # Random weights are never right; what was longer is paid.
    paid = [with_reward(episode, float(i % 2)) for i, episode in enumerate(episodes)]
    before = {name: weight.detach().clone() for name, weight in local.model.named_parameters()}
    updater = PolicyGradient().start(local, seed=0, planned_steps=2, sampling=sampling, scratch=tmp_path, report_to=())
    metrics = updater.step(paid)
    assert local.version == 1
    assert metrics["grad_norm"] > 0
    assert any(not torch.equal(weight, before[name]) for name, weight in local.model.named_parameters())
    assert Rollout(LanguageAgent(local, sampling)).play(plan[:1])[0].turns[0].versions[0] == 1


def with_reward(episode, reward):
    turns = (*episode.turns[:-1], replace(episode.turns[-1], reward=reward))
    return replace(episode, turns=turns)
