"""The reward model: its loss by hand, what it learns, what it pays, and how it is kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task
from palaestra.evolution.updating.reward_model import RewardModel, agreement
from tiny import A, B, largest_difference, make_episode, sampled_batch, tiny_policy
from transformers import OPTConfig, OPTForCausalLM


def groups(policy, seed, count=12):
    """Groups of attempts, each group a task of its own, paid for each `a`."""
    batch = sampled_batch(policy, derive_generator(0, "groups", seed), groups=count, attempts=6)
    return [replace(e, fingerprint=Task(e.group, f"{e.group} of {seed}", "").fingerprint) for e in batch]


def test_the_first_loss_is_that_of_a_coin_and_the_policy_stays_as_it_is(start):
    policy = tiny_policy()
    before = policy.weights
    updater = start(RewardModel(kept_back=0.0), policy)
    figures = updater.step([make_episode(policy, [([2], [A])], [1.0]), make_episode(policy, [([2], [B])], [0.0])])
    assert figures["loss"] == pytest.approx(np.log(2))
    assert (figures["pairs"], policy.version) == (1.0, 1)
    assert largest_difference(before, policy.weights) == 0.0


def test_the_loss_is_bradley_terrys_on_scores_at_the_last_ids(start):
    policy = tiny_policy()
    updater = start(RewardModel(kept_back=0.0), policy)
    scorer = updater._training.scorer
    with torch.no_grad():
        scorer.head.weight.copy_(torch.linspace(-1, 1, 32)[None])
    long = make_episode(policy, [([2, 3], [4, 5]), ([6], [7])], [0.0, 1.0])
    short = make_episode(policy, [([2, 3], [8])], [0.0])

    def score(ids):
        hidden = policy.model.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
        return float((hidden @ scorer.head.weight[0]).detach())

    apart = score([2, 3, 4, 5, 6, 7]) - score([2, 3, 8])
    assert abs(apart) > 0.1
    assert updater.step([long, short])["loss"] == pytest.approx(np.log1p(np.exp(-apart)), rel=1e-4)


def test_it_learns_what_is_truly_better_on_tasks_that_were_kept_back(start):
    policy = tiny_policy()
    updater = start(RewardModel(learning_rate=3e-3, kept_back=0.3, epochs=2), policy)
    found = [updater.step(groups(policy, step)) for step in range(8)]
    assert np.mean([figures["accuracy"] for figures in found[-3:]]) > 0.8
    assert found[-1]["loss"] < 0.5 < found[0]["loss"]
    assert min(found[0]["pairs"], found[0]["pairs_kept_back"]) > 10
    fresh = groups(policy, 99)
    judged = updater.reward(fresh)
    assert agreement(fresh, judged) > 0.85
    assert [e.verdict for e in judged] == [e.verdict for e in fresh]
    learned = updater.reward(groups(policy, 7))
    assert np.mean([e.reward for e in learned]) == pytest.approx(0.0, abs=1e-5)
    assert np.std([e.reward for e in learned]) == pytest.approx(1.0, abs=1e-5)


def test_noise_turns_pairs_round_but_is_measured_against_the_truth(start):
    figures = {}
    for noise in (0.0, 0.95):
        policy = tiny_policy()
        updater = start(RewardModel(learning_rate=3e-3, kept_back=0.3, epochs=2, noise=noise), policy)
        figures[noise] = [updater.step(groups(policy, step))["accuracy"] for step in range(5)][-1]
    assert figures[0.95] < 0.35 < 0.7 < figures[0.0]


def test_the_last_turn_is_paid_and_failures_are_left_alone(start):
    policy = tiny_policy()
    updater = start(RewardModel(), policy)
    two = make_episode(policy, [([2, 3], [4, 5]), ([6], [7])], [0.7, 0.3])
    broken = make_episode(policy, [([2], [A])], [0.0], valid=False)
    judged = updater.reward([two, broken])
    assert judged[0].turns[0].reward == 0.0
    assert judged[1] is broken
    assert updater.reward([]) == []


@pytest.mark.parametrize("last", ["one", "alike", "none"])
def test_equal_scores_are_no_measure(last, start):
    """One episode, or several that score alike, have no deviation: rewards are told in that of before."""
    policy = tiny_policy()
    some = {"one": groups(policy, 1)[:1], "alike": groups(policy, 1)[:1] * 3, "none": []}[last]
    fresh, probe = start(RewardModel(), policy), groups(policy, 2)
    fresh.step(some)
    assert [e.reward for e in fresh.reward(probe)] == [0.0] * len(probe)  # the scores as they begin
    with torch.no_grad():
        fresh._training.scorer.head.weight.copy_(torch.linspace(-1, 1, 32)[None])
    fresh.step(some)
    assert 0.1 < np.abs([e.reward for e in fresh.reward(probe)]).max() < 100.0

    updater = start(RewardModel(learning_rate=3e-3), policy)
    updater.step(groups(policy, 0))
    before = [e.reward for e in updater.reward(probe)]
    updater.step(some)
    assert [e.reward for e in updater.reward(probe)] == before


def test_a_trunk_that_projects_its_end_has_a_head_of_that_width(start):
    policy = tiny_policy()
    sizes = {"vocab_size": 12, "ffn_dim": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        policy.model = OPTForCausalLM(
            OPTConfig(hidden_size=32, word_embed_proj_dim=16, max_position_embeddings=64, **sizes)
        ).eval()
    episodes = groups(tiny_policy(), 0, 2)
    updater = start(RewardModel(), policy)
    assert updater.step(episodes)["rows"] == 12.0
    assert np.isfinite([e.reward for e in updater.reward(episodes)]).all()


def test_agreement_counts_ordered_pairs_and_half_of_ties():
    policy = tiny_policy()
    true = [make_episode(policy, [([2], [A])], [reward]) for reward in (1.0, 0.0, 0.0)]
    paid = [make_episode(policy, [([2], [A])], [reward]) for reward in (0.5, 0.1, 0.5)]
    assert agreement(true, paid) == 0.75
    assert agreement(true[1:], paid[1:]) == 1.0


def test_resumed_is_bitwise_the_same_as_uninterrupted(start, tmp_path):
    method = RewardModel(learning_rate=3e-3, epochs=2, batch_pairs=16, micro_rows=6, noise=0.1)
    policy = tiny_policy(attention_dropout=0.2)
    batches = [groups(policy, step, 4) for step in range(4)]
    straight = start(method, policy)
    figures = [straight.step(batch) for batch in batches]
    first = start(method, policy.twin())
    for batch in batches[:2]:
        first.step(batch)
    first.save(tmp_path / "saved")
    other = policy.twin()
    with torch.no_grad():
        for weight in other.model.parameters():
            weight.add_(1.0)  # what the policy has become since does not matter
    second = start(method, other)
    second.load(tmp_path / "saved")
    torch.manual_seed(3)
    again = [second.step(batch) for batch in batches[2:]]
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(3))
    kept = [{k: v for k, v in f.items() if k != "seconds"} for f in (*figures[2:], *again)]
    assert kept[:2] == kept[2:]
    probe = batches[0]
    assert [e.reward for e in straight.reward(probe)] == [e.reward for e in second.reward(probe)]


def test_bad_settings_are_refused():
    with pytest.raises(UsageError, match="noise is a share"):
        RewardModel(noise=1.0)
