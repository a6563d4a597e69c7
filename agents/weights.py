"""A model's weights as its checkpoint would hold them, for an engine that loads them."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion

__all__ = ["base_of", "checkpoint_weights"]


def base_of(model: PreTrainedModel) -> PreTrainedModel:
    """Return the model under the adapters, or the model itself."""
    unwrap: Any = getattr(model, "get_base_model", None)
    base: PreTrainedModel = unwrap() if unwrap else model
    return base


def checkpoint_weights(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """Yield names and weights as `save_pretrained` writes them: adapters merged, tied weights once.

    The weights are the model's own, not copies, but for those that adapters change.
    """
    base = base_of(model)
    merged = _merged(base)
    seen: set[int] = set()
    state: dict[str, Tensor] = {}
    for name, weight in base.state_dict().items():
        plain = name.replace(".base_layer.", ".")
        if ".lora_" in name or (weight.numel() and weight.data_ptr() in seen):
            continue
        seen.add(weight.data_ptr())
        state[plain] = merged[plain]() if plain in merged else weight
    yield from revert_weight_conversion(base, state).items()


def _merged(base: PreTrainedModel) -> dict[str, Any]:
    """Return, for every weight that adapters change, what computes it with them."""
    changed: dict[str, Any] = {}
    for name, layer in base.named_modules():
        if hasattr(layer, "get_delta_weight"):
            changed[f"{name}.weight"] = lambda layer=layer: _with_adapters(layer)
    return changed


def _with_adapters(layer: Any) -> Tensor:
    weight: Tensor = layer.base_layer.weight.detach().float()
    for adapter in layer.active_adapters:
        weight = weight + layer.get_delta_weight(adapter).detach().float()
    return weight.to(layer.base_layer.weight.dtype)
