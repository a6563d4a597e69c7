import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import UsageError
from palaestra.evolution.updating.correction import effective_share, gap, importance_weights
from palaestra.evolution.updating.policy_gradient import PolicyGradient, variant
from palaestra.evolution.updating.updater import Beginning
from tiny import largest_difference, sampled_batch, tiny_policy

LOG2 = math.log(2)
# Two rows of three sampled ids after one that was not; the first row's last place is padding.
RATIOS = np.array([[9.0, LOG2, -LOG2, 9.0], [9.0, 2 * LOG2, LOG2, 0.0]])
SAMPLED = np.array([[0, 1, 1, 0], [0, 1, 1, 1]])


@pytest.mark.parametrize(
    ("correction", "level", "cap", "expected"),
    [
        ("none", "token", 3.0, [[1, 1, 1, 1], [1, 1, 1, 1]]),
        ("truncate", "token", 3.0, [[1, 2, 0.5, 1], [1, 3, 2, 1]]),
        ("mask", "token", 3.0, [[1, 2, 0.5, 1], [1, 0, 2, 1]]),
        ("truncate", "sequence", 3.0, [[1, 1, 1, 1], [1, 3, 3, 3]]),
        ("mask", "sequence", 3.0, [[1, 1, 1, 1], [1, 0, 0, 0]]),
        ("mask", "sequence", 8.5, [[1, 1, 1, 1], [1, 8, 8, 8]]),
    ],
)
def test_weights_worked_by_hand(correction, level, cap, expected):
    np.testing.assert_allclose(importance_weights(RATIOS, SAMPLED, correction, level, cap), expected, rtol=1e-12)


def test_ratios_beyond_all_bounds_do_not_overflow():
    wild = np.array([[1e4, -1e4]])
    assert importance_weights(wild, np.ones((1, 2), np.int64), "truncate", "token", 2.0).tolist() == [[2.0, 0.0]]
    assert importance_weights(wild, np.ones((1, 2), np.int64), "mask", "token", 2.0).tolist() == [[0.0, 0.0]]


def test_effective_sample_size_by_hand():
    assert effective_share(np.array([1.0, 1.0, 1.0, 1.0])) == 1.0
    assert effective_share(np.array([3.0, 1.0])) == pytest.approx(16 / 20)
    assert effective_share(np.array([5.0, 0.0, 0.0, 0.0])) == 0.25
    assert effective_share(np.zeros(3)) == 0.0
    assert effective_share(np.zeros(0)) == 1.0


def test_the_gap_by_hand():
    found = gap(np.array([LOG2, -LOG2]))
    assert found["gap"] == pytest.approx(LOG2)
    # exp(d) - 1 - d: 2 - 1 - log 2 and 1/2 - 1 + log 2.
    assert found["gap_kl"] == pytest.approx((1 - LOG2 + LOG2 - 0.5) / 2)
    assert gap(np.zeros(0)) == {"gap": 0.0, "gap_kl": 0.0}


def test_a_cap_that_is_none_is_refused():
    with pytest.raises(UsageError, match="correction_cap"):
        PolicyGradient(correction_cap=0.0)


@pytest.fixture
def start(tmp_path):
    def starter(method, policy):
        return method.start(policy, Beginning(0, 4, Sampling(max_tokens=8), tmp_path))

    return starter


def older(episodes, generator):
    """The same episodes as if another policy had sampled them: other log-probabilities on record."""
    changed = []
    for episode in episodes:
        (turn,) = episode.turns
        noise = generator.normal(0, 0.7, len(turn.logprobs)).astype(np.float32)
        changed.append(replace(episode, turns=(replace(turn, logprobs=turn.logprobs + noise),)))
    return changed


@pytest.mark.parametrize("loss", ["grpo", "dapo", "dr_grpo"])
@pytest.mark.parametrize("mode", ["truncate/token", "mask/token", "truncate/sequence", "mask/sequence"])
def test_the_update_is_that_of_the_trainers_own_correction(loss, mode, start):
    """TRL weighs the loss itself when it samples with vLLM; its loss is given the same weights."""
    correction, level = mode.split("/")
    ours, theirs = tiny_policy(), tiny_policy()
    episodes = older(sampled_batch(ours, np.random.default_rng(0)), np.random.default_rng(1))
    method = variant(loss, correction=correction, correction_level=level, correction_cap=1.5, kl=0.1)
    metrics = start(method, ours).step(episodes)

    plain = start(variant(loss, old_logprobs="recomputed", kl=0.1), theirs)
    trainer = plain.driver.trainer
    trainer.use_vllm = trainer.vllm_importance_sampling_correction = True
    compute = trainer._compute_loss
    seen = []

    def weighed(model, inputs):
        behaviour = torch.zeros_like(inputs["old_per_token_logps"])
        for row, ids in enumerate(inputs["completion_ids"].tolist()):
            (turn,) = next(e.turns for e in episodes if e.turns[0].reply_ids.tolist() == ids and prompt(e, inputs, row))
            behaviour[row] = torch.from_numpy(turn.logprobs)
        difference = (inputs["old_per_token_logps"] - behaviour) * inputs["tool_mask"]
        ratio = torch.exp(difference.sum(-1, keepdim=True) if level == "sequence" else difference)
        # As in TRL's _generate_and_score_completions.
        ratio = torch.clamp(ratio, max=1.5) if correction == "truncate" else ratio.masked_fill(ratio > 1.5, 0.0)
        seen.append(ratio)
        inputs["importance_sampling_ratio"] = ratio
        return compute(model, inputs)

    trainer._compute_loss = weighed
    plain.step(episodes)
    assert len(seen) == 1
    assert {0.0, 1.5} & set(seen[0].flatten().tolist()), "nothing reached the cap"
    assert largest_difference(ours.weights, theirs.weights) < 1e-6
    assert largest_difference(ours.weights, tiny_policy().weights) > 1e-5
    assert 0 < metrics["effective_share"] < 1
    assert 0.4 < metrics["gap"] < 0.8  # the mean of |N(0, 0.7)| is 0.56


def prompt(episode, inputs, row):
    return episode.turns[0].context_ids.tolist() == inputs["prompt_ids"][row].tolist()


def test_without_a_gap_the_correction_changes_nothing(start):
    plain, corrected = tiny_policy(), tiny_policy()
    episodes = sampled_batch(plain, np.random.default_rng(0))
    metrics = start(variant("grpo"), plain).step(episodes)
    start(variant("grpo", correction="truncate"), corrected).step(episodes)
    assert largest_difference(plain.weights, corrected.weights) < 1e-6
    assert metrics["gap"] < 1e-5
    assert metrics["effective_share"] == pytest.approx(1.0, abs=1e-6)


def test_the_gap_is_seen_also_where_nothing_is_recomputed(start):
    policy = tiny_policy()
    episodes = older(sampled_batch(policy, np.random.default_rng(0)), np.random.default_rng(1))
    recorded = start(variant("grpo", updates_per_batch=2), tiny_policy()).step(episodes)
    recomputed = start(variant("grpo", old_logprobs="recomputed"), tiny_policy()).step(episodes)
    # The one sees the rows of the first optimiser step that have information, the other all.
    assert recorded["gap"] == pytest.approx(recomputed["gap"], rel=0.2)
    assert recorded["effective_share"] == pytest.approx(recomputed["effective_share"], rel=0.3)
