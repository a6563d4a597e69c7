"""Preference updates: their losses are TRL's on the same numbers, on whole episodes, and resume bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import Dataset
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.updating.batching import assemble
from palaestra.evolution.updating.kto import Kto, mismatched
from palaestra.evolution.updating.pairs import BestWorst, EveryPair, ReferenceOwn, SuccessFailure
from palaestra.evolution.updating.preference import Preference, pair_losses
from tiny import A, B, interrupted, largest_difference, make_episode, plain_logprobs, sampled_batch, tiny_policy
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer


class OfflineDPO(DPOTrainer):
    def _send_telemetry(self):
        pass


class OfflineKTO(KTOTrainer):
    def _send_telemetry(self):
        pass


def paid(policy, name, reward, turns, **settings):
    """An episode paid on its last turn; its verdict says the same."""
    episode = make_episode(policy, turns, [0.0] * (len(turns) - 1) + [reward], **settings)
    verdict = Verdict(reward, Status.CORRECT if reward == 1.0 else Status.WRONG)
    return replace(episode, id=name, verdict=verdict if episode.valid else episode.verdict)


def shown(episode):
    return replace(episode, turns=tuple(replace(t, logprobs=np.zeros(0, np.float32)) for t in episode.turns))


def names(pairs):
    return [(pair.better.id, pair.worse.id) for pair in pairs]


def test_pairs_are_what_they_say():
    policy = tiny_policy()
    rewards = {"a": 0.2, "b": 1.0, "c": 0.0, "d": 0.2}
    g = [paid(policy, name, reward, [([2], [A])], group="g") for name, reward in rewards.items()]
    u = [paid(policy, name, 0.5, [([2], [A])], group="u") for name in "ef"]
    broken = paid(policy, "x", 9.0, [([2], [A])], group="g", valid=False)
    assert names(BestWorst()([*g, *u, broken])) == [("b", "c")]
    every = {("b", "a"), ("a", "c"), ("b", "c"), ("b", "d"), ("d", "c")}
    assert set(names(EveryPair()([*g, *u, broken]))) == every
    teacher = shown(paid(policy, "t", 1.0, [([2], [B])]))
    other = replace(g[0], fingerprint="another")
    assert names(ReferenceOwn()([g[0], g[1], other, teacher, broken])) == [("t", "a"), ("t", "b")]
    assert names(SuccessFailure()([*g, teacher, broken])) == [("b", "a"), ("t", "c"), ("b", "d")]
    assert SuccessFailure()([g[0], g[2]]) == []


def conversations(policy):
    """Two turns with the world's ids between them against a shorter row; and a pair of single turns."""
    return [
        paid(policy, "a", 1.0, [([2, 3], [4, 5]), ([6], [7])], group="1"),
        paid(policy, "b", 0.0, [([2, 3], [8])], group="1"),
        paid(policy, "c", 0.0, [([5], [A, A, B])], group="2"),
        paid(policy, "d", 1.0, [([5], [B, 9])], group="2"),
    ]


def trl_arguments(kind, tmp_path, **settings):
    return kind(
        output_dir=str(tmp_path / "theirs"),
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        **settings,
    )


def padded(rows, masks):
    width = max(len(row) for row in rows)
    pad = lambda arrays: torch.tensor([[*a, *[0] * (width - len(a))] for a in arrays])  # noqa: E731
    return {
        "input_ids": pad(rows),
        "attention_mask": pad([[1] * len(row) for row in rows]),
        "completion_mask": pad(masks),
    }


ROWS = {
    "a": ([2, 3, 4, 5, 6, 7], [0, 0, 1, 1, 0, 1]),
    "b": ([2, 3, 8], [0, 0, 1]),
    "c": ([5, A, A, B], [0, 1, 1, 1]),
    "d": ([5, B, 9], [0, 1, 1]),
}


def log_ratios(policy, other):
    return {
        name: sum((plain_logprobs(policy.model, ids) - plain_logprobs(other.model, ids)) * np.array(mask))
        for name, (ids, mask) in ROWS.items()
    }


@pytest.mark.parametrize(("loss", "theirs"), [("dpo", "sigmoid"), ("ipo", "ipo")])
@pytest.mark.parametrize("micro_rows", [256, 2])
def test_the_loss_of_a_step_is_trls_on_the_same_numbers(loss, theirs, micro_rows, start, tmp_path):
    policy, reference = tiny_policy(), tiny_policy(seed=1)
    rows = [ROWS[name] for name in "adbc"]  # the better ones, then the worse ones
    arguments = trl_arguments(DPOConfig, tmp_path, beta=0.3, loss_type=theirs, precompute_ref_log_probs=True)
    lesson = Dataset.from_dict({"prompt": ["a"], "chosen": ["b"], "rejected": ["c"]})
    twin = policy.twin()
    with torch.random.fork_rng():
        trainer = OfflineDPO(twin.model, args=arguments, train_dataset=lesson, processing_class=twin.tokenizer)
    under = [float(sum(plain_logprobs(reference.model, ids) * np.array(mask))) for ids, mask in rows]
    inputs = padded(*zip(*rows, strict=True))
    inputs |= {"ref_chosen_logps": torch.tensor(under[:2]), "ref_rejected_logps": torch.tensor(under[2:])}
    expected = trainer._compute_loss(twin.model.train(False), inputs, False).detach()

    updater = start(Preference(loss=loss, beta=0.3, learning_rate=0.0, micro_rows=micro_rows), policy)
    updater._reference.replace(dict(reference.model.named_parameters()))
    figures = updater.step(conversations(policy))
    assert figures["loss"] == pytest.approx(float(expected), rel=1e-5)
    ratios = log_ratios(policy, reference)
    margins = [0.3 * (ratios["a"] - ratios["b"]), 0.3 * (ratios["d"] - ratios["c"])]
    assert figures["margin"] == pytest.approx(np.mean(margins), abs=1e-5)
    assert figures["accuracy"] == np.mean([margin > 0 for margin in margins])
    assert (figures["examples"], figures["tokens"], figures["pairs_true"]) == (2.0, 9.0, 1.0)
    assert policy.version == 1


def test_no_share_is_told_of_pairs_that_there_were_none_of(start):
    policy = tiny_policy()
    assert "pairs_true" in start(Preference(), policy).step(conversations(policy))
    assert "pairs_true" not in start(Preference(), policy).step(conversations(policy)[:1])


def test_losses_worked_out_by_hand():
    ratios, tokens = torch.tensor([[2.0, -1.0]]), torch.tensor([[4.0, 2.0]])
    assert float(pair_losses(ratios, tokens, "dpo", 0.5)) == pytest.approx(np.log1p(np.exp(-1.5)))
    assert float(pair_losses(ratios, tokens, "ipo", 0.5)) == pytest.approx((0.5 + 0.5 - 1.0) ** 2)


@pytest.mark.parametrize("micro_rows", [256, 2])
def test_the_loss_without_pairs_is_trls_on_the_same_numbers(micro_rows, start, tmp_path):
    policy, reference = tiny_policy(), tiny_policy(seed=1)
    episodes = conversations(policy)
    method = Kto(beta=0.3, learning_rate=0.0, good_weight=1.2, micro_rows=micro_rows)
    # The order in which prompts meet other replies is the seed's.
    draw = derive_generator(0, "examples", 0, 0)
    draw.permutation(4)
    order = draw.permutation(4)
    batch = assemble(episodes)
    crossed = mismatched(batch, np.arange(4), order)
    for row, (prompt, tail) in enumerate(zip(order, np.roll(order, -1), strict=True)):
        (ids, mask), (other, theirs) = ROWS["abcd"[prompt]], ROWS["abcd"[tail]]
        begin, cut = mask.index(1), theirs.index(1)
        length = crossed.lengths[row]
        assert crossed.ids[row, :length].tolist() == ids[:begin] + other[cut:]
        assert crossed.sampled[row, :length].tolist() == [0] * begin + theirs[cut:]

    arguments = trl_arguments(KTOConfig, tmp_path, beta=0.3, desirable_weight=1.2, precompute_ref_log_probs=True)
    lesson = Dataset.from_dict({"prompt": ["a", "b"], "completion": ["c", "d"], "label": [True, False]})
    twin = policy.twin()
    with torch.random.fork_rng():
        trainer = OfflineKTO(twin.model, args=arguments, train_dataset=lesson, processing_class=twin.tokenizer)
    rows = [ROWS[name] for name in "abcd"]

    def under(some):
        return torch.tensor([float(sum(plain_logprobs(reference.model, i) * np.array(m))) for i, m in some])

    joined = [
        (crossed.ids[r, : crossed.lengths[r]].tolist(), crossed.sampled[r, : crossed.lengths[r]].tolist())
        for r in range(4)
    ]
    inputs = padded(*zip(*rows, strict=True))
    inputs |= {f"KL_{name}": value for name, value in padded(*zip(*joined, strict=True)).items()}
    inputs |= {
        "label": torch.tensor([True, False, False, True]),
        "ref_logps": under(rows),
        "ref_KL_logps": under(joined),
    }
    expected = trainer._compute_loss(twin.model.train(False), inputs, False).detach()

    updater = start(method, policy)
    updater._reference.replace(dict(reference.model.named_parameters()))
    figures = updater.step(episodes)
    assert figures["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert figures["kl"] == pytest.approx(trainer._metrics["eval"]["kl"][0], abs=1e-5)
    assert figures["kl"] > 0
    assert figures["good"] == 0.5


def test_an_episode_of_several_rows_is_one_example(start):
    """Where the context was rewritten at the second turn, the log-probabilities of both rows add up."""
    policy, reference = tiny_policy(), tiny_policy(seed=1)
    long = conversations(policy)[0]
    context = np.array([9, 9], np.int32)
    rewritten = replace(long, turns=(long.turns[0], replace(long.turns[1], context_ids=context, continues=False)))
    updater = start(Preference(learning_rate=0.0), policy)
    updater._reference.replace(dict(reference.model.named_parameters()))
    figures = updater.step([rewritten, conversations(policy)[1]])
    first, second = (
        (plain_logprobs(policy.model, ids) - plain_logprobs(reference.model, ids)) for ids in ([2, 3, 4, 5], [9, 9, 7])
    )
    assert figures["rows"] == 3.0
    assert figures["better"] == pytest.approx(0.1 * (first[2] + first[3] + second[2]), abs=1e-6)


def test_the_reference_is_the_start_or_the_iterate_before(start):
    lesson = conversations(tiny_policy())
    for reference, apart in (("start", True), ("previous", False)):
        policy = tiny_policy()
        updater = start(Preference(reference=reference, learning_rate=1e-3), policy)
        assert updater.step(lesson)["margin"] == pytest.approx(0.0, abs=1e-6)
        # In the first optimiser step of the next call the policy is its own previous iterate.
        assert (updater.step(lesson)["margin"] > 1e-3) is apart


@pytest.mark.parametrize("method", [Preference(learning_rate=1e-2), Kto(learning_rate=1e-2)])
def test_what_is_better_becomes_more_probable(method, start):
    policy = tiny_policy()
    updater, generator, shares = start(method, policy), derive_generator(0, "better"), []
    for _ in range(12):
        batch = sampled_batch(policy, generator, groups=8, attempts=4)
        most = [np.mean(episode.turns[0].reply_ids == A) for episode in batch]
        shares.append(np.mean(most))
        good = [
            replace(e, verdict=Verdict(1.0, Status.CORRECT)) if m > 0.3 else e for e, m in zip(batch, most, strict=True)
        ]
        updater.step(good)
    assert shares[0] < 0.35 < 0.7 < shares[-1]


METHODS = {
    "dpo": Preference(learning_rate=1e-2, epochs=2, batch_examples=3, micro_rows=4),
    "spin": Preference(learning_rate=1e-2, reference="previous", epochs=2, batch_examples=3),
    "kto": Kto(learning_rate=1e-2, epochs=2, batch_examples=8, micro_rows=5),
}


@pytest.mark.parametrize("name", METHODS)
def test_resumed_is_bitwise_the_same_as_uninterrupted(name, start, tmp_path):
    method = METHODS[name]
    batches = [sampled_batch(tiny_policy(), derive_generator(0, "resume", i)) for i in range(4)]
    straight, first, second, figures, _ = interrupted(start, method, batches, tmp_path)
    assert all(figure["optimiser_steps"] >= 2.0 for figure in figures)
    assert "forward" not in second.model.__dict__
    assert largest_difference(straight.weights, second.weights) == 0.0
    assert largest_difference(first.weights, second.weights) > 0.0


def test_without_an_example_nothing_changes_and_bad_settings_are_refused(start):
    policy = tiny_policy()
    before = policy.weights
    figures = start(Preference(learning_rate=1.0), policy).step(conversations(policy)[:1])
    assert (figures["examples"], policy.version) == (0.0, 1)
    assert largest_difference(before, policy.weights) == 0.0
    with pytest.raises(UsageError, match="beta"):
        Preference(beta=0.0)
    with pytest.raises(UsageError, match="Weights"):
        Kto(bad_weight=-1.0)
