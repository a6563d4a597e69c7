"""A copy of a local policy that samples while the original learns."""

import copy
import threading
from collections.abc import Mapping, Sequence

import torch
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Request, Sample
from palaestra.envs.errors import ContractError

__all__ = ["Twin", "trained_weights"]


def trained_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return what training changes of a model, by the names of its parameters; of a model with adapters, the adapters.

    The tensors are the model's own.
    """
    return {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}


class Twin(LocalPolicy):
    """A local policy with weights of its own, which takes those of another; see `TakesWeights`.

    New weights are laid aside at once and put in place between two batches, so that a batch is of one version and
    nobody waits: neither who hands them over for the batch to end, nor the batch for who learns.
    """

    _own: dict[str, torch.nn.Parameter]
    _lock: threading.Lock
    _aside: tuple[dict[str, torch.Tensor], int] | None

    @classmethod
    def of(cls, policy: LocalPolicy) -> "Twin":
        """Copy a policy; the copy is not trained."""
        trained = set(trained_weights(policy.model))
        twin = cls(copy.deepcopy(policy.model), policy.tokenizer, policy.name, policy.version)
        twin._own = {name: weight for name, weight in twin.model.named_parameters() if name in trained}
        twin.model.requires_grad_(False)
        twin.model.train(False)
        twin.batch_bytes = policy.batch_bytes
        twin._lock, twin._aside = threading.Lock(), None
        return twin

    def take(self, weights: Mapping[str, torch.Tensor], version: int) -> None:
        """Lay weights aside for the next batch; see `TakesWeights.take`.

        Raises:
            ContractError: If they are not all those that training changes.
        """
        if set(weights) != set(self._own):
            odd = sorted(set(weights) ^ set(self._own))
            raise ContractError(f"Expected the {len(self._own)} trained weights of {self.name}; {odd[0]!r} differs.")
        copied = {name: weight.detach().clone() for name, weight in weights.items()}
        with self._lock:
            self._aside = copied, version

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        """Continue every context with the latest weights; see `LocalPolicy.sample`."""
        with self._lock:
            aside, self._aside = self._aside, None
        if aside is not None:
            weights, self.version = aside
            with torch.no_grad():
                for name, weight in self._own.items():
                    weight.copy_(weights[name])
        return super().sample(requests)
