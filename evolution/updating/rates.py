"""Learning rates that suit a model's size, for methods that were given none."""

from dataclasses import dataclass

import torch

__all__ = ["UsualRates", "usual_rate"]

SMALL = 10_000_000
"""Parameters below which a model learns from scratch rates, not from fine-tuning rates."""


@dataclass(frozen=True, slots=True)
class UsualRates:
    """What a method usually takes.

    Attributes:
        small: For a model of fewer than `SMALL` parameters, such as a nursery policy.
        adapters: For adapters of a larger model.
        whole: For all weights of a larger model.
    """

    small: float
    adapters: float
    whole: float


def usual_rate(model: torch.nn.Module, rates: UsualRates) -> float:
    """Return the rate for a model by its size and by whether only a part of it is trained."""
    weights = list(model.parameters())
    if sum(weight.numel() for weight in weights) < SMALL:
        return rates.small
    return rates.whole if all(weight.requires_grad for weight in weights) else rates.adapters
