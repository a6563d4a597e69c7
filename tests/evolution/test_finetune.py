import pytest
import torch
from datasets import Dataset
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.updating.finetune import Finetune
from tiny import A, B, interrupted, largest_difference, make_episode, plain_logprobs, sampled_batch, tiny_policy
from trl import SFTConfig, SFTTrainer


class Offline(SFTTrainer):
    """The unmodified trainer, offline."""

    def _send_telemetry(self):
        pass


def conversations(policy):
    """Two turns with the environment's id between them, and a shorter row."""
    return [
        make_episode(policy, [([2, 3], [4, 5]), ([6], [7])], [1.0, 1.0]),
        make_episode(policy, [([2], [8])], [1.0]),
    ]


def test_loss_is_the_mean_over_sampled_tokens_by_the_models_own_logits(start):
    policy = tiny_policy()
    long = plain_logprobs(policy.model, [2, 3, 4, 5, 6, 7])
    short = plain_logprobs(policy.model, [2, 8])
    broken = make_episode(policy, [([2, 3], [B])], [9.0], valid=False)
    metrics = start(Finetune(), policy).step([*conversations(policy), broken])
    assert metrics["loss"] == pytest.approx(-(long[2] + long[3] + long[5] + short[1]) / 4, rel=1e-5)
    assert (metrics["rows"], metrics["tokens"], metrics["optimiser_steps"]) == (2.0, 4.0, 1.0)
    assert policy.version == 1


def test_one_step_equals_the_unmodified_trainers(start, tmp_path):
    theirs, ours = tiny_policy(), tiny_policy()
    arguments = SFTConfig(
        output_dir=str(tmp_path / "theirs"),
        learning_rate=5e-5,
        lr_scheduler_type="constant",
        per_device_train_batch_size=2,
        max_steps=1,
        logging_steps=1,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
    )
    rows = Dataset.from_dict(
        {"input_ids": [[2, 3, 4, 5, 6, 7], [2, 8]], "labels": [[-100, -100, 4, 5, -100, 7], [-100, 8]]}
    )
    with torch.random.fork_rng():
        trainer = Offline(model=theirs.model, args=arguments, train_dataset=rows, processing_class=theirs.tokenizer)
        trainer.train()
    metrics = start(Finetune(learning_rate=5e-5, micro_rows=1), ours).step(conversations(ours))
    logged = trainer.state.log_history[0]
    assert metrics["loss"] == pytest.approx(logged["loss"], rel=1e-5)
    assert metrics["grad_norm"] == pytest.approx(logged["grad_norm"], rel=1e-5)
    assert largest_difference(theirs.weights, tiny_policy().weights) > 4e-5
    assert largest_difference(theirs.weights, ours.weights) < 1e-6


def test_from_the_base_every_step_begins_anew(start):
    policy = tiny_policy()
    updater = start(Finetune(learning_rate=1e-2), policy)
    lesson = [make_episode(policy, [([2], [A])], [1.0])]
    updater.step(lesson)
    once = policy.weights
    updater.step([make_episode(policy, [([3], [B, B])], [1.0])])
    assert largest_difference(once, policy.weights) > 1e-3
    updater.step(lesson)
    assert largest_difference(once, policy.weights) == 0.0
    before = policy.weights
    assert updater.step([])["rows"] == 0.0
    assert largest_difference(before, policy.weights) == 0.0


def test_from_the_last_every_step_goes_on(start):
    policy = tiny_policy()
    updater = start(Finetune(start_from="last", learning_rate=1e-2), policy)
    lesson = [make_episode(policy, [([5], [A, B, B])], [1.0])]
    losses = [updater.step(lesson)["loss"] for _ in range(30)]
    assert losses[-1] < 0.1 < 1.0 < losses[0]
    assert updater.step(lesson)["accuracy"] == 1.0


@pytest.mark.parametrize("start_from", ["base", "last"])
def test_resumed_is_bitwise_the_same_as_uninterrupted(start_from, start, tmp_path):
    method = Finetune(start_from=start_from, learning_rate=1e-2, epochs=2, batch_rows=8, micro_rows=5)
    batches = [sampled_batch(tiny_policy(), derive_generator(0, "resume", i)) for i in range(4)]
    straight, first, second, figures, _ = interrupted(start, method, batches, tmp_path)
    assert [figure["optimiser_steps"] for figure in figures] == [6.0] * 4
    assert largest_difference(straight.weights, second.weights) == 0.0
    assert largest_difference(first.weights, second.weights) > 0.0


def test_order_of_rows_is_the_seeds_and_nobody_else_is_disturbed(start):
    batch = sampled_batch(tiny_policy(), derive_generator(0, "order"))
    found = []
    for seed in (0, 0, 1):
        policy = tiny_policy()
        torch.manual_seed(3)
        updater = start(Finetune(learning_rate=1e-2, batch_rows=5), policy, seed=seed)
        updater.step(batch)
        assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(3))
        assert "forward" not in policy.model.__dict__
        found.append(policy.weights)
    assert largest_difference(found[0], found[1]) == 0.0
    assert largest_difference(found[0], found[2]) > 0.0


def test_bad_settings_are_refused():
    with pytest.raises(UsageError, match="batch_rows must be at least 1"):
        Finetune(batch_rows=0)
