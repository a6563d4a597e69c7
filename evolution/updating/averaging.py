"""Average the weights of policies that went different ways from one beginning.

Source: Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without
increasing inference time"; of reward-tuned ones Rame et al. 2024, "WARM".
"""

from collections.abc import Sequence

import torch
from palaestra.agents.local import LocalPolicy
from palaestra.envs.errors import UsageError
from peft import PeftModel, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer

__all__ = ["average_into"]


def average_into(policies: Sequence[LocalPolicy], shares: Sequence[float] = ()) -> LocalPolicy:
    """Give the first of some policies the mean of the weights of all, and return it.

    Of adapters each factor is averaged by itself, as is usual. The product of two means is not the mean of the
    products, but near it where the adapters went apart little.

    Args:
        policies: Of one architecture and vocabulary; where there are adapters, these alone may differ.
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
    if isinstance(first.model, PeftModel) and isinstance(other.model, PeftModel):
        _refuse_other_base(first, other, one, state)


def _refuse_other_base(
    first: LocalPolicy, other: LocalPolicy, one: dict[str, torch.Tensor], state: dict[str, torch.Tensor]
) -> None:
    """Refuse adapters that add to other weights, or add otherwise: the mean is saved without the weights below it."""
    saved = {
        weight.data_ptr() for weight in get_peft_model_state_dict(first.model, save_embedding_layers=False).values()
    }
    below = [name for name, weight in one.items() if weight.data_ptr() not in saved]
    if odd := [name for name in below if not torch.equal(one[name].cpu(), state[name].cpu())]:
        raise UsageError(
            f"The adapters of {other.name} and {first.name} stand on different models: below them {len(odd)} weights "
            f"differ, the first is {odd[0]!r}. Average adapters of one model, or merge each into its model first "
            "(merge_and_unload) and average these."
        )
    scales = [_scales(policy.model) for policy in (first, other)]
    if odd := sorted(name for name in scales[0] if scales[0][name] != scales[1].get(name)):
        raise UsageError(
            f"The adapters of {other.name} and {first.name} are scaled differently (lora_alpha, use_rslora) in "
            f"{len(odd)} layers, the first is {odd[0]!r}: {scales[1].get(odd[0])} and {scales[0][odd[0]]}. Average "
            "adapters of one run, or merge each into its model first (merge_and_unload) and average these."
        )


def _scales(model: torch.nn.Module) -> dict[str, dict[str, float]]:
    """Return by what each layer multiplies what its adapters add."""
    return {name: layer.scaling for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
