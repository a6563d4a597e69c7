"""PPO: its advantages reach the shared objective, its price of divergence is exact, and it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.updating.batching import assemble
from palaestra.evolution.updating.policy_gradient import PolicyGradient
from palaestra.evolution.updating.ppo import Ppo
from tiny import A, interrupted, largest_difference, make_episode, plain_logprobs, sampled_batch, tiny_policy


def two_turns(policy, rewards=(0.5, 1.0), **settings):
    return make_episode(policy, [([2, 3], [4, 5]), ([6], [7])], list(rewards), **settings)


def test_rewards_less_the_price_of_divergence_are_the_critics_targets(start):
    """With no discount and full decay a token's target is all that is paid from it on; the critic begins at 0."""
    policy = tiny_policy()
    other = tiny_policy(seed=1)
    episode = two_turns(policy)
    updater = start(Ppo(kl=0.1, decay=1.0), policy)
    # The reference is another policy than the one that sampled.
    updater._reference.replace(dict(other.model.named_parameters()))
    with updater._climber.driver.training("look"):
        batch, lesson, figures = updater._judged(assemble([episode]), [episode])
    ids = [2, 3, 4, 5, 6, 7]
    apart = (plain_logprobs(policy.model, ids) - plain_logprobs(other.model, ids))[[2, 3, 5]]
    paid = np.array([0.0, 0.5, 1.0]) - 0.1 * apart
    targets = np.cumsum(paid[::-1])[::-1]
    assert lesson.targets[0, [2, 3, 5]] == pytest.approx(targets, abs=1e-5)
    assert lesson.targets[0, [0, 1, 4]].tolist() == [0.0, 0.0, 0.0]
    assert figures["kl"] == pytest.approx(apart.mean(), abs=1e-5)
    assert figures["kl_episode"] == pytest.approx(apart.sum(), abs=1e-5)
    assert figures["reward"] == 1.5
    whitened = (targets - targets.mean()) / targets.std()
    assert batch.advantages[0, [2, 3, 5]] == pytest.approx(whitened, abs=1e-4)


def test_the_gap_is_from_who_sampled_whatever_ratios_compare_with(start):
    for old, ratio in (("recorded", np.exp(0.1)), ("recomputed", 1.0)):
        policy = tiny_policy()
        method = Ppo(old_logprobs=old, updates_per_batch=1, epochs=1)
        figures = start(method, policy).step([two_turns(policy, shift=0.1)])
        assert figures["gap"] == pytest.approx(0.1, rel=1e-3)
        assert figures["gap_kl"] == pytest.approx(np.exp(0.1) - 1.1, rel=1e-2)
        assert figures["ratio"] == pytest.approx(ratio, rel=1e-4)


def test_by_turns_all_tokens_of_a_turn_share_an_advantage(start):
    policy = tiny_policy()
    episode = two_turns(policy)
    updater = start(Ppo(kl=0.0, decay=1.0, level="turn"), policy)
    batch, lesson, _ = updater._judged(assemble([episode]), [episode])
    assert lesson.where[0].tolist() == [False, False, True, False, False, True]
    assert lesson.targets[0, [2, 5]].tolist() == [1.5, 1.0]
    assert batch.advantages[0, 2] == batch.advantages[0, 3] == pytest.approx(-batch.advantages[0, 5] / 2)


def test_the_objective_is_the_policy_gradients(start):
    """Given the same advantages, one optimiser step of both methods ends in the same weights."""
    ours, theirs = tiny_policy(), tiny_policy()
    episodes = [two_turns(ours, (0.0, 1.0), group="a"), two_turns(ours, (0.0, -1.0), group="b", shift=0.3)]
    settings = {"loss": "dapo", "updates_per_batch": 1, "epochs": 1, "learning_rate": 1e-3}
    updater = start(Ppo(kl=0.0, **settings), ours)
    batch, _, _ = updater._judged(assemble(episodes), episodes)
    updater.step(episodes)
    other = start(PolicyGradient(**settings), theirs)
    with other.driver.training("update", 0):
        other._climber.climb(batch, 0)
    assert largest_difference(ours.weights, theirs.weights) == 0.0
    assert largest_difference(ours.weights, tiny_policy().weights) > 0.0


def test_what_is_paid_for_becomes_more_probable_and_the_critic_foresees_it(start):
    policy = tiny_policy()
    updater = start(Ppo(learning_rate=3e-3, kl=0.0), policy)
    generator, shares, losses = derive_generator(0, "ppo"), [], []
    for _ in range(30):
        batch = sampled_batch(policy, generator, groups=8, attempts=8)
        shares.append(np.mean([np.mean(episode.turns[0].reply_ids == A) for episode in batch]))
        losses.append(updater.step(batch)["value_loss"])
    assert shares[0] < 0.4 < 0.9 < np.mean(shares[-3:])
    assert losses[-1] < 0.1 * max(losses)


def test_a_price_keeps_the_policy_near_where_it_began(start):
    found = {}
    for kl in (0.0, 5.0):
        policy = tiny_policy()
        updater, generator = start(Ppo(learning_rate=3e-3, kl=kl), policy), derive_generator(0, "price")
        for _ in range(12):
            updater.step(sampled_batch(policy, generator, groups=8, attempts=4))
        probe = plain_logprobs(policy.model, [2, 3, 4, A, A, A, A]) - plain_logprobs(
            tiny_policy().model, [2, 3, 4, A, A, A, A]
        )
        found[kl] = float(probe[3:].sum())
    assert found[0.0] > 1.0
    assert found[5.0] < 0.5 * found[0.0]


@pytest.mark.parametrize("level", ["token", "turn"])
def test_resumed_is_bitwise_the_same_as_uninterrupted(level, start, tmp_path):
    method = Ppo(learning_rate=1e-2, level=level, micro_rows=5)
    batches = [sampled_batch(tiny_policy(), derive_generator(0, "resume", i)) for i in range(4)]
    straight, first, second, figures, again = interrupted(start, method, batches, tmp_path)
    assert largest_difference(straight.weights, second.weights) == 0.0
    assert largest_difference(first.weights, second.weights) > 0.0
    kept = [{k: v for k, v in f.items() if k != "seconds"} for f in (*figures[2:], *again)]
    assert kept[:2] == kept[2:]


def test_nobody_else_is_disturbed_and_failures_and_demonstrations_are_not_learned_from(start):
    policy = tiny_policy()
    torch.manual_seed(3)
    updater = start(Ppo(learning_rate=1e-2), policy)
    before = policy.weights
    assert updater.step([two_turns(policy, valid=False)])["rows"] == 0.0
    assert largest_difference(before, policy.weights) == 0.0
    updater.step([two_turns(policy)])
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(3))
    assert "forward" not in policy.model.__dict__
    episode = two_turns(policy)
    shown = replace(episode, turns=tuple(replace(t, logprobs=np.zeros(0, np.float32)) for t in episode.turns))
    for method in (Ppo(), PolicyGradient()):
        with pytest.raises(UsageError, match="was demonstrated"):
            start(method, tiny_policy()).step([shown])


def test_bad_settings_are_refused():
    with pytest.raises(UsageError, match="clip_value"):
        Ppo(clip_value=0.0)
    with pytest.raises(UsageError, match="decay"):
        Ppo(decay=2.0)
