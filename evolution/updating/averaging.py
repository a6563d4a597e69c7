"""Average the weights of policies that went different ways from one beginning.

Source: Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without
increasing inference time"; of reward-tuned ones Rame et al. 2024, "WARM".
"""

from collections.abc import Sequence

import torch
from palaestra.agents.local import LocalPolicy
from palaestra.envs.errors import UsageError

__all__ = ["average_into"]


def average_into(policies: Sequence[LocalPolicy], shares: Sequence[float] = ()) -> LocalPolicy:
    """Give the first of some policies the mean of the weights of all, and return it.

    Args:
        policies: Of one architecture, vocabulary and, where there are some, adapters.
        shares: Weight of each, above 0; they are divided by their sum. None given, all count alike.

    Raises:
        UsageError: If there are fewer than two, shares do not fit, or policies differ in more than numbers.
    """
    if len(policies) < 2:
        raise UsageError(f"An average needs two policies or more, got {len(policies)}.")
    given = [float(share) for share in shares] or [1.0] * len(policies)
    if len(given) != len(policies) or not all(0 < share < float("inf") for share in given):
        raise UsageError(f"Expected {len(policies)} shares above 0, one a policy; got {given}.")
    first, *others = policies
    held = [policy.model.state_dict() for policy in policies]
    for other, state in zip(others, held[1:], strict=True):
        _refuse_unlike(first, other, held[0], state)
    whole = sum(given)
    # All of them before any is written: two names may share one weight.
    means = {}
    for name, weight in held[0].items():
        if weight.is_floating_point():
            mean = torch.zeros(weight.shape, dtype=torch.float64)
            for share, state in zip(given, held, strict=True):
                mean += state[name].cpu() * (share / whole)
            means[name] = mean.to(weight.dtype)
    with torch.no_grad():
        for name, mean in means.items():
            held[0][name].copy_(mean)
    return first


def _refuse_unlike(
    first: LocalPolicy, other: LocalPolicy, one: dict[str, torch.Tensor], state: dict[str, torch.Tensor]
) -> None:
    shapes = [{name: tuple(weight.shape) for name, weight in some.items()} for some in (one, state)]
    odd = sorted(name for name in shapes[0].keys() | shapes[1].keys() if shapes[0].get(name) != shapes[1].get(name))
    if odd:
        raise UsageError(
            f"{other.name} is not built as {first.name}: they differ in {len(odd)} weights, the first is {odd[0]!r}. "
            "Average checkpoints of one model, such as steps of a run or runs from one policy."
        )
    if first.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        raise UsageError(f"{other.name} reads other tokens than {first.name}, so their weights mean different things.")
