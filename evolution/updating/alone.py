"""How a trainer that is one of several sees the world: as if it were alone."""

from typing import Any

import torch
from palaestra.evolution.updating.zero import Zero

__all__ = ["Alone"]


class Alone:
    """An accelerator as the trainer of one among several processes sees it: losses and figures are of its own rows.

    Args:
        accelerator: The real one.
        zero: Who is given gradients to sum, if not the weights.
    """

    num_processes = 1

    def __init__(self, accelerator: Any, zero: Zero | None = None) -> None:
        self._accelerator = accelerator
        self._zero = zero

    def __getattr__(self, name: str) -> Any:
        return getattr(self._accelerator, name)

    def backward(self, loss: torch.Tensor, **more: Any) -> None:
        """Run a loss back through the model."""
        if self._zero is None:
            self._accelerator.backward(loss, **more)
        else:
            self._zero.backward(loss)

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor: there is nobody to gather from."""
        return tensor

    gather_for_metrics = gather

    def reduce(self, tensor: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
        """Return the tensor, which is its own sum and mean."""
        del reduction
        return tensor
