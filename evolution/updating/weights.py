"""A copy of the weights that are trained, to go back to or to compare with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from palaestra.evolution.updating.division import divided_alike
from torch.distributed.tensor import DTensor

__all__ = ["Snapshot"]


class Snapshot:
    """The trained weights of a model at one moment; of a model with adapters, the adapters alone.

    Args:
        model: The model.
        whole: Where its weights are to be had whole, if the model itself holds a part of each (see `division`).
    """

    def __init__(self, model: torch.nn.Module, whole: torch.nn.Module | None = None) -> None:
        self._model = model
        self.tensors = {name: weight.detach().clone() for name, weight in _trained(whole or model)}

    def replace(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Hold other weights of the same names and shapes."""
        for name, kept in self.tensors.items():
            kept.copy_(divided_alike(tensors[name], kept))

    def write_back(self) -> None:
        """Give the model these weights."""
        with torch.no_grad():
            for name, weight in _trained(self._model):
                weight.copy_(divided_alike(self.tensors[name], weight))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Lend the model these weights for a while; without copying, but for divided ones, which have a place."""
        if any(isinstance(weight, DTensor) for _, weight in _trained(self._model)):
            kept = Snapshot(self._model)
            try:
                self.write_back()
                yield
            finally:
                kept.write_back()
            return
        own = {name: weight.data for name, weight in _trained(self._model)}
        try:
            for name, weight in _trained(self._model):
                weight.data = self.tensors[name]
            yield
        finally:
            for name, weight in _trained(self._model):
                weight.data = own[name]


def _trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)
