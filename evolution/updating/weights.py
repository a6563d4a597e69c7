"""A copy of the weights that are trained, to go back to or to compare with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

__all__ = ["Snapshot"]


class Snapshot:
    """The trained weights of a model at one moment; of a model with adapters, the adapters alone.

    Args:
        model: The model.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self.tensors = {name: weight.detach().clone() for name, weight in self._trained()}

    def _trained(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        return ((name, weight) for name, weight in self._model.named_parameters() if weight.requires_grad)

    def replace(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Hold other weights of the same names and shapes."""
        for name, kept in self.tensors.items():
            kept.copy_(tensors[name])

    def write_back(self) -> None:
        """Give the model these weights."""
        with torch.no_grad():
            for name, weight in self._trained():
                weight.copy_(self.tensors[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Lend the model these weights for a while, without copying."""
        own = {name: weight.data for name, weight in self._trained()}
        try:
            for name, weight in self._trained():
                weight.data = self.tensors[name]
            yield
        finally:
            for name, weight in self._trained():
                weight.data = own[name]
