from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
from palaestra.agents.episode import Episode
from palaestra.agents.policy import Sampling
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.updating.policy_gradient import PolicyGradient
from palaestra.evolution.updating.sharing import Packing, pack, takes_packing
from palaestra.evolution.updating.updater import Beginning
from tiny import TinyPolicy, interrupted, largest_difference, make_episode, tiny_policy
from transformers import (
    FalconConfig,
    FalconForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

Starter: TypeAlias = Callable[..., Any]

SIZES = {"vocab_size": 40, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
PROMPTS = [[5, 6, 7, 8], [9, 10], [11, 12, 13, 14, 15, 16]]
REPLIES = [[[20, 21, 22], [23], [24, 25]], [[26, 27, 28, 29]], [[30, 31], [32, 33, 34]]]


def model() -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(**SIZES))


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rows = [(p, r) for prompt, replies in zip(PROMPTS, REPLIES, strict=True) for r in replies for p in [prompt]]
    order = [3, 0, 5, 1, 4, 2]  # the members of a group need not stand together
    rows = [rows[i] for i in order]
    ids = torch.zeros(len(rows), max(len(p) + len(r) for p, r in rows), dtype=torch.long)
    for i, (prompt, reply) in enumerate(rows):
        ids[i, : len(prompt) + len(reply)] = torch.tensor(prompt + reply)
    lengths = torch.tensor([len(p) + len(r) for p, r in rows])
    return ids, lengths, torch.tensor([len(p) for p, _ in rows])


def one_by_one(net: PreTrainedModel, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    mask = torch.arange(ids.size(1)) < lengths[:, None]
    logprobs = net(input_ids=ids, attention_mask=mask.long()).logits.log_softmax(-1)
    return torch.cat([torch.zeros(len(ids), 1), logprobs[:, :-1].gather(-1, ids[:, 1:, None])[..., 0]], dim=1)


def packed(net: PreTrainedModel, packing: Packing) -> torch.Tensor:
    logits = net(input_ids=packing.ids, attention_mask=packing.visible, position_ids=packing.positions).logits
    labels = packing.labels[:, 1:].clamp(min=0)
    return packing.unpack(logits.log_softmax(-1)[:, :-1].gather(-1, labels[..., None])[..., 0])


def test_packed_rows_have_the_same_scores_and_gradients() -> None:
    ids, lengths, starts = batch()
    split = 2
    packing = pack(ids, lengths, starts, split)
    assert packing is not None
    assert packing.ids.numel() < ids.numel()
    place = torch.arange(split, ids.size(1))
    assert torch.equal(packing.scored, (place >= starts[:, None]) & (place < lengths[:, None]))
    plain_net, packed_net = model(), model()
    plain, ours = one_by_one(plain_net, ids, lengths)[:, split:], packed(packed_net, packing)
    torch.testing.assert_close(ours, torch.where(packing.scored, plain, 0.0), atol=1e-5, rtol=0)
    weights = torch.linspace(-1, 1, packing.scored.sum())
    (plain[packing.scored] * weights).sum().backward()
    (ours[packing.scored] * weights).sum().backward()
    for one, other in zip(plain_net.parameters(), packed_net.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-4)


def test_no_reply_sees_another() -> None:
    ids, lengths, starts = batch()
    net = model()
    before = packed(net, pack(ids, lengths, starts, 2))
    changed = ids.clone()
    changed[1, 4:7] = torch.tensor([1, 2, 3])  # the reply [20, 21, 22]
    after = packed(net, pack(changed, lengths, starts, 2))
    others = [0, 2, 3, 4, 5]
    torch.testing.assert_close(before[others], after[others], atol=1e-6, rtol=0)
    assert (before[1] - after[1]).abs().max() > 1e-2


def test_rows_without_shared_prompts_are_left_alone() -> None:
    ids = torch.arange(1, 25).reshape(4, 6)
    assert pack(ids, torch.full((4,), 6), torch.full((4,), 3), 3) is None


def test_windows_and_other_kernels_are_not_packed() -> None:
    assert takes_packing(model())
    eager = model()
    eager.set_attn_implementation("eager")
    assert not takes_packing(eager)
    windowed = Gemma2ForCausalLM(Gemma2Config(**SIZES, num_key_value_heads=4, head_dim=8, sliding_window=4))
    assert not takes_packing(windowed)


@pytest.mark.parametrize("name", ["ids", "positions", "labels"])
def test_the_layout_by_hand(name: str) -> None:
    ids = torch.tensor([[5, 6, 7, 8, 0], [5, 6, 9, 0, 0], [5, 6, 7, 7, 7]])
    packing = pack(ids, torch.tensor([4, 3, 5]), torch.tensor([2, 2, 2]), 2)
    assert packing is not None
    expected = {
        "ids": [[5, 6, 7, 8, 6, 9, 6, 7, 7, 7]],
        "positions": [[0, 1, 2, 3, 1, 2, 1, 2, 3, 4]],
        "labels": [[-100, -100, 7, 8, -100, 9, -100, 7, 7, 7]],
    }
    assert getattr(packing, name).tolist() == expected[name]


def test_an_update_runs_shared_prompts_once(tmp_path: Path) -> None:
    policy = tiny_policy()
    episodes = [
        make_episode(policy, [([2, 3, 4, 5, 6, 7], reply)], [float(i % 2)])
        for i, reply in enumerate([[2, 3], [4], [5, 6], [7]])
    ]
    updater = PolicyGradient().start(policy, Beginning(0, 1, Sampling(), tmp_path))
    widths: list[int] = []
    policy.model.model.register_forward_hook(lambda module, args, out: widths.append(out[0].shape[0]))
    updater.step(episodes)
    assert widths == [4, 1, 1]  # tried row by row and packed without gradient, then learned from packed


def groups(policy: TinyPolicy, step: int) -> list[Episode]:
    """Replies to one prompt of 16 ids, which are worth to be laid end to end."""
    draw = derive_generator(0, "groups", step)
    prompt, replies = draw.integers(2, 12, 16).tolist(), draw.integers(2, 12, (6, 3)).tolist()
    return [make_episode(policy, [(prompt, reply)], [float(i % 2)]) for i, reply in enumerate(replies)]


def test_trying_leaves_no_trace_where_a_run_with_dropout_goes_on(start: Starter, tmp_path: Path) -> None:
    """What is saved knows nothing of the try, so a run that is continued tries again."""
    sampler = tiny_policy()
    batches = [groups(sampler, step) for step in range(4)]
    straight, first, second, *_ = interrupted(start, PolicyGradient(learning_rate=1e-2), batches, tmp_path)
    assert largest_difference(straight.weights, second.weights) == 0.0
    assert largest_difference(first.weights, second.weights) > 0.0


def test_dropout_does_not_keep_rows_from_being_packed(start: Starter) -> None:
    policy = tiny_policy(attention_dropout=0.5)
    updater = start(PolicyGradient(), policy)
    updater.step(groups(policy, 0))
    assert updater.driver.trainer.shares_prompts is True


def test_a_model_that_knows_no_such_mask_is_trained_row_by_row(start: Starter) -> None:
    sizes = {name: size for name, size in SIZES.items() if name != "intermediate_size"}
    policy = tiny_policy()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        policy.model = FalconForCausalLM(FalconConfig(**sizes, alibi=True)).eval()
    assert takes_packing(policy.model)
    updater = start(PolicyGradient(), policy)
    assert updater.step(groups(policy, 0))["grad_norm"] > 0.0
    assert updater.driver.trainer.shares_prompts is False


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate")])
def test_want_of_memory_is_not_taken_for_a_model_that_differs(error: Exception, start: Starter) -> None:
    policy = tiny_policy()
    updater = start(PolicyGradient(), policy)

    def fail(module: object, args: object, out: tuple[torch.Tensor]) -> None:
        if out[0].shape[0] == 1:  # all rows in one line
            raise error

    policy.model.model.register_forward_hook(fail)
    with pytest.raises(type(error)):
        updater.step(groups(policy, 0))
