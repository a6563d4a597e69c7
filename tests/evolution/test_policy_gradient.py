import copy
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import Dataset
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import InfrastructureError, UnknownNameError, UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.updating import arguments
from palaestra.evolution.updating.batching import assemble
from palaestra.evolution.updating.policy_gradient import VARIANTS, PolicyGradient, variant
from palaestra.evolution.updating.updater import Beginning
from peft import LoraConfig, get_peft_model
from tiny import A, B, interrupted, largest_difference, make_episode, plain_logprobs, sampled_batch, tiny_policy
from trl import GRPOConfig, GRPOTrainer


@pytest.fixture
def start(tmp_path):
    def starter(method, policy, *, temperature=1.0, max_tokens=64, planned_steps=10, seed=0, report_to=()):
        sampling = Sampling(max_tokens=max_tokens, temperature=temperature)
        return method.start(policy, Beginning(seed, planned_steps, sampling, tmp_path, report_to))

    return starter


class Recorder(GRPOTrainer):
    """The unmodified trainer, overheard and offline."""

    def _send_telemetry(self):
        pass

    def _generate_and_score_completions(self, inputs):
        self.heard = super()._generate_and_score_completions(inputs)
        return self.heard


def paid(prompts, completion_ids, **_):
    # Prompts that begin with c are paid alike: a uniform group, which the trainer runs through the model all the same.
    return [0.5 if p.startswith("c") else float(ids.count(A)) for p, ids in zip(prompts, completion_ids, strict=True)]


PARITY = {
    "grpo": {"loss_type": "grpo"},
    "dr_grpo": {"loss_type": "dr_grpo", "scale_rewards": "none"},
    "dapo": {"loss_type": "dapo", "epsilon_high": 0.28},
    "gspo": {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 3e-4, "epsilon_high": 4e-4},
}


@pytest.mark.parametrize("name", PARITY)
@pytest.mark.parametrize("entropy", [0.0, 0.01])
def test_one_step_equals_the_unmodified_trainers(name, entropy, start, tmp_path):
    theirs, ours = tiny_policy(), tiny_policy()
    arguments = GRPOConfig(
        output_dir=str(tmp_path / "theirs"),
        learning_rate=5e-5,
        lr_scheduler_type="constant",
        per_device_train_batch_size=18,
        num_generations=6,
        max_completion_length=5,
        temperature=0.7,
        entropy_coef=entropy,
        max_steps=1,
        logging_steps=1,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        **PARITY[name],
    )
    with torch.random.fork_rng():
        trainer = Recorder(
            model=theirs.model,
            reward_funcs=paid,
            args=arguments,
            train_dataset=Dataset.from_dict({"prompt": ["ab", "cde", "bdefg"]}),
            processing_class=theirs.tokenizer,
        )
        trainer.train()
    logged = trainer.state.log_history[0]

    heard, episodes = trainer.heard, []
    for row in range(18):
        prompt = heard["prompt_ids"][row][heard["prompt_mask"][row] == 1].tolist()
        reply = heard["completion_ids"][row][heard["completion_mask"][row] == 1].tolist()
        (reward,) = paid([ours.tokenizer.decode(prompt)], [reply])
        episodes.append(make_episode(ours, [(prompt, reply)], [reward], group=str(row // 6), temperature=0.7))
    assert sum(e.reward == 0.5 for e in episodes) == 6
    assert heard["advantages"].abs().max() > 0

    method = variant(name, learning_rate=5e-5, entropy=entropy)
    updater = start(method, ours, temperature=0.7, max_tokens=5)
    metrics = updater.step(episodes)

    assert metrics["uniform_groups"] == pytest.approx(1 / 3)
    assert metrics["loss"] == pytest.approx(logged["loss"], abs=1e-6)
    assert metrics["grad_norm"] == pytest.approx(logged["grad_norm"], rel=1e-5)
    assert metrics["ratio"] == pytest.approx(1.0, abs=1e-5)
    assert largest_difference(theirs.weights, tiny_policy().weights) > 4e-5
    assert largest_difference(theirs.weights, ours.weights) < 1e-6
    # After one step the first moment is a tenth of the gradient, whatever AdamW made of its smallest entries.
    moments = zip(trainer.optimizer.state.values(), updater.driver.trainer.optimizer.state.values(), strict=True)
    assert max(float((one["exp_avg"] - other["exp_avg"]).abs().max()) for one, other in moments) < 1e-7


def gradient_of_logprobs(updater, episodes):
    """`[B, C]` derivative of the loss by each token's log-probability, with the mask of sampled tokens."""
    played, credit, _ = updater._credited(episodes)
    batch = assemble(played, credit)
    trainer, kept = updater.driver.trainer, []
    score = trainer._get_per_token_logps_and_entropies

    def keeping(*args, **kwargs):
        scored = score(*args, **kwargs)
        scored[0].retain_grad()
        kept.append(scored[0])
        return scored

    ((part,),) = updater._climber._schedule(batch, 0)
    with updater.driver.training("look"):
        trainer._get_per_token_logps_and_entropies = keeping
        trainer.current_gradient_accumulation_steps = 1 / part.share
        trainer.training_step(updater.policy.model, part.inputs, part.items)
    return kept[0].grad, part.inputs


def test_every_turn_is_pushed_by_its_own_credit_and_the_environments_tokens_by_none(start):
    policy = tiny_policy()
    # Two conversations: both first turns earn nothing after all is told, the second turns differ.
    left = make_episode(policy, [([2, 3], [4, 5]), ([6], [7])], [0.0, 1.0])
    right = make_episode(policy, [([2, 3], [8, 4]), ([6], [9])], [1.0, 0.0])
    # Returns: turn 0 is 1 and 1, turn 1 is 1 and 0: advantages 0, 0 and 1/2, -1/2.
    gradient, inputs = gradient_of_logprobs(start(PolicyGradient(credit="dr_grpo"), policy), [left, right])
    assert inputs["completion_ids"].tolist() == [[4, 5, 6, 7], [8, 4, 6, 9]]
    # Loss "grpo": minus advantage / (3 sampled tokens of the row) / (2 rows), the ratio's derivative being 1.
    np.testing.assert_allclose(gradient, [[0, 0, 0, -1 / 12], [0, 0, 0, 1 / 12]], atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # Rows of 1 and 3 tokens, advantages 1/2 and -1/2.
        ("grpo", [[-1 / 4, 0, 0], [1 / 12] * 3]),
        ("dapo", [[-1 / 8, 0, 0], [1 / 8] * 3]),
        ("bnpo", [[-1 / 8, 0, 0], [1 / 8] * 3]),
        ("dr_grpo", [[-1 / 40, 0, 0], [1 / 40] * 3]),  # two rows of ten tokens each
    ],
)
def test_how_tokens_are_averaged_by_hand(loss, expected, start):
    policy = tiny_policy()
    episodes = [make_episode(policy, [([2, 3], [4])], [1.0]), make_episode(policy, [([2, 3], [5, 6, 7])], [0.0])]
    gradient, _ = gradient_of_logprobs(
        start(PolicyGradient(credit="dr_grpo", loss=loss), policy, max_tokens=10), episodes
    )
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_rows_that_teach_nothing_are_counted_among_the_tokens_of_a_part(start):
    policy = tiny_policy()
    episodes = [make_episode(policy, [([2, 3], [4])], [1.0]), make_episode(policy, [([2, 3], [5])], [0.0])]
    episodes += [make_episode(policy, [([2], [6] * 4)], [0.0], group="uniform") for _ in range(2)]
    gradient, inputs = gradient_of_logprobs(start(PolicyGradient(credit="dr_grpo", loss="bnpo"), policy), episodes)
    # Advantages 1/2 and -1/2, over all ten tokens.
    found = (gradient * inputs["tool_mask"]).sum(dim=1).tolist()
    np.testing.assert_allclose(sorted(found), [-1 / 20, 0, 0, 1 / 20], atol=1e-6)


def two_attempts(policy, *, good_shift=0.0, bad_shift=0.0, group="g"):
    return [
        make_episode(policy, [([2, 3], [A, A])], [1.0], shift=good_shift, group=group),
        make_episode(policy, [([2, 3], [B, B])], [0.0], shift=bad_shift, group=group),
    ]


def test_clipping_answers_to_the_recorded_logprobs(start):
    policy = tiny_policy()
    before = policy.weights
    # The good reply is e^0.5 times as likely as when it was sampled, the bad one e^-0.5: both have had their push.
    metrics = start(PolicyGradient(learning_rate=1e-2), policy).step(
        two_attempts(policy, good_shift=0.5, bad_shift=-0.5)
    )
    assert metrics["clip_high"] == metrics["clip_low"] == 0.5
    assert metrics["ratio"] == pytest.approx((np.exp(0.5) + np.exp(-0.5)) / 2, rel=1e-4)
    assert metrics["grad_norm"] == 0.0
    assert largest_difference(before, policy.weights) == 0.0

    # The other way round nothing is clipped. Recomputed log-probabilities know nothing of the record.
    for method, ratio in [
        (PolicyGradient(learning_rate=1e-2), (np.exp(0.5) + np.exp(-0.5)) / 2),
        (PolicyGradient(learning_rate=1e-2, old_logprobs="recomputed"), 1.0),
    ]:
        metrics = start(method, policy).step(two_attempts(policy, good_shift=-0.5, bad_shift=0.5))
        assert metrics["clip_high"] == metrics["clip_low"] == 0.0
        assert metrics["ratio"] == pytest.approx(ratio, rel=1e-4)
        assert metrics["grad_norm"] > 0


def test_what_teaches_nothing_moves_nothing(start):
    policy = tiny_policy()
    updater = start(PolicyGradient(learning_rate=1e-2, weight_decay=0.1), policy)
    updater.step(two_attempts(policy))  # the optimiser has momentum now
    before = policy.weights
    uniform = [make_episode(policy, [([2], [A])], [0.1]), make_episode(policy, [([2], [B])], [0.1])]
    alone = [make_episode(policy, [([2], [B])], [5.0], group="alone")]
    broken = [make_episode(policy, [([2], [B])], [9.0], valid=False)]
    metrics = updater.step(uniform + alone + broken)
    assert largest_difference(before, policy.weights) == 0.0
    assert (metrics["uniform_groups"], metrics["rows"], metrics["rows_used"]) == (1.0, 3.0, 0.0)
    assert metrics["optimiser_steps"] == 0.0
    assert updater.step([])["rows"] == 0.0
    assert policy.version == 3


def test_invalid_episodes_never_reach_a_groups_mean(start):
    clean, dirty = tiny_policy(), tiny_policy()
    broken = make_episode(dirty, [([2, 3], [B, A])], [-7.0], valid=False)
    start(PolicyGradient(learning_rate=1e-2), clean).step(two_attempts(clean))
    start(PolicyGradient(learning_rate=1e-2), dirty).step([*two_attempts(dirty), broken])
    assert largest_difference(clean.weights, dirty.weights) == 0.0


@pytest.mark.parametrize("name", VARIANTS)
def test_parts_of_any_size_make_the_same_step(name, start):
    whole, parts = tiny_policy(), tiny_policy()
    episodes = sampled_batch(whole, derive_generator(0, "parts"), groups=3, attempts=7)
    for policy, rows in [(whole, 256), (parts, 4)]:
        updater = start(variant(name, learning_rate=1e-3, micro_rows=rows, kl=0.1), policy)
        metrics = updater.step(episodes)
        assert metrics["optimiser_steps"] == 1.0
    assert largest_difference(whole.weights, parts.weights) < 1e-6


def test_a_batch_divided_among_several_steps_and_passes(start):
    policy = tiny_policy()
    method = PolicyGradient(learning_rate=1e-3, updates_per_batch=3, epochs=2)
    metrics = start(method, policy).step(sampled_batch(policy, derive_generator(0, "several")))
    assert metrics["optimiser_steps"] == 6.0
    assert metrics["ratio"] != 1.0


def dropping_policy():
    return tiny_policy(attention_dropout=0.2)


def test_resumed_is_bitwise_the_same_as_uninterrupted(start, tmp_path):
    method = PolicyGradient(
        learning_rate=1e-2, kl=0.05, schedule="linear", warmup_steps=2, updates_per_batch=2, micro_rows=5
    )
    sampler = dropping_policy()
    batches = [sampled_batch(sampler, derive_generator(0, "resume", i)) for i in range(4)]
    straight, first, second, _, metrics = interrupted(start, method, batches, tmp_path, planned_steps=4)
    assert largest_difference(straight.weights, second.weights) == 0.0
    assert largest_difference(first.weights, second.weights) > 0.0
    assert metrics[-1]["learning_rate"] == pytest.approx(
        1e-2 * 1.5 / 6
    )  # the last two of eight steps, of which two warm up


def test_nothing_outside_is_disturbed(start):
    policy = tiny_policy()
    twin = policy.twin()
    episodes = sampled_batch(policy, derive_generator(0, "calm"), temperature=0.5)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    expected = random.Random(3).random(), np.random.RandomState(3).rand(), torch.Generator().manual_seed(3)
    cache = policy.model.config.use_cache

    updater = start(PolicyGradient(learning_rate=1e-2), policy, temperature=0.5)
    ids = [2, 3, 4, 5]
    np.testing.assert_array_equal(plain_logprobs(policy.model, ids), plain_logprobs(twin.model, ids))
    updater.step(episodes)

    assert random.random() == expected[0]
    assert np.random.rand() == expected[1]  # noqa: NPY002
    assert torch.rand(1) == torch.rand(1, generator=expected[2])
    assert not policy.model.training
    assert policy.model.config.use_cache == cache
    assert all(weight.grad is None for weight in policy.model.parameters())
    # The policy runs as a plain model of these weights would, and a copy of it is independent.
    twin.model.load_state_dict(policy.model.state_dict())
    frozen = copy.deepcopy(policy.model)
    np.testing.assert_array_equal(plain_logprobs(policy.model, ids), plain_logprobs(twin.model, ids))
    updater.step(episodes)
    np.testing.assert_array_equal(plain_logprobs(frozen, ids), plain_logprobs(twin.model, ids))
    assert np.abs(plain_logprobs(policy.model, ids) - plain_logprobs(frozen, ids)).max() > 1e-3


def test_divergence_is_from_the_policy_at_the_start(start):
    policy, free = tiny_policy(), tiny_policy()
    held = start(PolicyGradient(learning_rate=1e-2, kl=5.0), policy)
    loose = start(PolicyGradient(learning_rate=1e-2), free)
    origin = policy.twin()
    apart = []
    for step in range(8):
        batch = sampled_batch(policy, derive_generator(0, "kl", step))
        metrics = held.step(batch)
        apart.append(metrics["kl"])
        loose.step(sampled_batch(free, derive_generator(0, "kl", step)))
        if step == 0:
            assert metrics["kl"] == pytest.approx(0.0, abs=1e-6)
    assert max(apart[1:]) > 1e-4
    ids = [2, 3, 4, A, A, A, A]
    drift = [np.abs(plain_logprobs(p.model, ids) - plain_logprobs(origin.model, ids)).max() for p in (policy, free)]
    assert drift[0] < 0.7 * drift[1]


def test_adapters_alone_are_trained(start):
    policy = tiny_policy()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        policy.model = get_peft_model(policy.model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    before = policy.weights
    updater = start(PolicyGradient(learning_rate=1e-2, kl=0.1), policy)
    batch = sampled_batch(policy, derive_generator(0, "lora"))
    assert updater.step(batch)["kl"] == pytest.approx(0.0, abs=1e-6)
    assert updater.step(batch)["kl"] > 1e-6
    changed = {name for name in before if not torch.equal(before[name], policy.weights[name])}
    assert changed
    assert all("lora_" in name for name in changed)
    assert "forward" not in policy.model.__dict__ | policy.model.get_base_model().__dict__


def test_lower_precision_in_training_is_not_worn_while_sampling(start, monkeypatch):
    monkeypatch.setattr(arguments, "_PARAMETERS_WORTH_BF16", 0)
    policy, exact = tiny_policy(), tiny_policy()
    updater = start(PolicyGradient(learning_rate=1e-3), policy)
    if not updater.driver.trainer.args.bf16:
        pytest.skip("this processor does not multiply bfloat16")
    batch = sampled_batch(policy, derive_generator(0, "bf16"))
    np.testing.assert_array_equal(plain_logprobs(policy.model, [2, 3, 4]), plain_logprobs(exact.model, [2, 3, 4]))
    metrics = updater.step(batch)
    assert metrics["ratio"] != 1.0
    assert metrics["ratio"] == pytest.approx(1.0, abs=0.02)
    assert policy.model(torch.tensor([[2, 3]])).logits.dtype == torch.float32
    monkeypatch.undo()
    assert not start(PolicyGradient(), exact).driver.trainer.args.bf16


@pytest.mark.parametrize("steps", [1, 2])
def test_ratios_of_rows_do_not_leave_their_bounds_for_lower_precision_alone(steps, start, monkeypatch):
    monkeypatch.setattr(arguments, "_PARAMETERS_WORTH_BF16", 0)
    policy = tiny_policy()
    updater = start(variant("gspo", learning_rate=0.0, epochs=steps), policy)
    if not updater.driver.trainer.args.bf16:
        pytest.skip("this processor does not multiply bfloat16")
    metrics = updater.step(sampled_batch(policy, derive_generator(0, "narrow")))
    assert metrics["clip_low"] + metrics["clip_high"] <= (0.0 if steps == 1 else 0.1)
    assert metrics["gap"] > 4e-4  # which is above their bounds
    assert metrics["optimiser_steps"] == steps


def test_a_gradient_that_is_not_finite_changes_nothing(start):
    policy = tiny_policy()
    updater = start(PolicyGradient(learning_rate=1e-2), policy)
    before = policy.weights
    good, bad = two_attempts(policy)
    turn = replace(bad.turns[0], logprobs=np.array([-np.inf, 0.0], np.float32))
    with pytest.raises(InfrastructureError, match="norm is"):
        updater.step([good, replace(bad, turns=(turn,))])
    assert largest_difference(before, policy.weights) == 0.0
    assert updater.step([good, bad])["grad_norm"] > 0


def test_trackers_are_told(start, tmp_path):
    policy = tiny_policy()
    start(PolicyGradient(), policy, report_to=["tensorboard"]).step(two_attempts(policy))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = tmp_path.rglob("events.*")
    read = EventAccumulator(str(events)).Reload()
    assert {"train/loss", "train/kl", "train/uniform_groups"} <= set(read.Tags()["scalars"])


def test_bad_settings_are_refused(start):
    with pytest.raises(UnknownNameError, match="Did you mean 'dr_grpo'"):
        variant("dr-grpo")
    with pytest.raises(UsageError, match="updates_per_batch must be at least 1"):
        PolicyGradient(updates_per_batch=0)
    with pytest.raises(UsageError, match="kl must be finite and not negative"):
        PolicyGradient(kl=-1.0)
    with pytest.raises(UsageError, match="temperature must be > 0"):
        start(PolicyGradient(), tiny_policy(), temperature=0.0)
    half = tiny_policy()
    half.model.to(torch.bfloat16)
    with pytest.raises(UsageError, match=r"must be torch.float32, got torch.bfloat16"):
        start(PolicyGradient(), half)


def test_a_policy_learns_to_say_one_token(start):
    policy = tiny_policy(seed=1)
    updater = start(PolicyGradient(learning_rate=1e-2), policy)
    rewards = []
    for step in range(30):
        batch = sampled_batch(policy, derive_generator(1, "learn", step), groups=8, attempts=8)
        rewards.append(float(np.mean([episode.reward for episode in batch])))
        updater.step(batch)
    assert rewards[0] < 1.0
    assert np.mean(rewards[-3:]) > 3.5  # of 4 tokens
    assert policy.version == 30
