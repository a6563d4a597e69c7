"""A model that gives numbers instead of words: a policy's trunk with a head of one value.

It serves as the reward model, read at the end of an episode, and as the critic, read before each sampled id. Its trunk
is a copy, so that what it learns does not disturb the policy.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.envs.errors import InfrastructureError
from palaestra.evolution.updating.batching import Batch, Rows
from palaestra.evolution.updating.driver import Taken
from palaestra.evolution.updating.updater import Trainable
from palaestra.evolution.updating.weights import Snapshot
from torch.optim import AdamW
from transformers import PreTrainedModel

__all__ = ["Scorer", "ScorerTraining"]

_MAX_GRAD_NORM = 1.0


class Scorer(torch.nn.Module):
    """A copy of a model's trunk with a linear head of one value, zero at first.

    Of a model with adapters the copy holds adapters too, and only they and the head are trained.

    Args:
        model: Whose trunk.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        bare = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
        self.trunk = copy.deepcopy(bare.base_model)
        # Training and scoring compute the same: a score has no luck in it.
        self.trunk.train(False)
        # Of what the trunk gives, and the model's own head reads; some trunks project it to another width at their end.
        width = getattr(bare.get_output_embeddings(), "in_features", model.config.get_text_config().hidden_size)
        # Zero, so that nothing is drawn at random and every score begins at the same number.
        self.head = torch.nn.Linear(width, 1, device=model.device)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return `[R, L]` scores, each of the row up to its id.

        Args:
            ids: `[R, L]` token ids.
            mask: `[R, L]` 1 on the row.
        """
        hidden = self.trunk(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        scores: torch.Tensor = self.head(hidden.float()).squeeze(-1)
        return scores


class ScorerTraining:
    """A scorer and its optimiser, AdamW without decay.

    Args:
        policy: Whose trunk is copied.
        learning_rate: Constant rate.
        micro_rows: Most rows that go through the model at once.
    """

    def __init__(self, policy: Trainable, learning_rate: float, micro_rows: int) -> None:
        # The head's first weights would be drawn from the global generator before they are set to zero.
        with torch.random.fork_rng():
            self.scorer = Scorer(policy.model)
        self._micro_rows = micro_rows
        self._trained = [weight for weight in self.scorer.parameters() if weight.requires_grad]
        self._optimizer = AdamW(self._trained, lr=learning_rate, weight_decay=0.0)

    @property
    def device(self) -> torch.device:
        """Where the scorer is."""
        return self.scorer.head.weight.device

    def scores_of(self, batch: Batch, rows: Rows) -> torch.Tensor:
        """Return `[R, L]` scores of some rows, with their gradient."""
        inputs = batch.next_token(rows, self.device)
        scores: torch.Tensor = self.scorer(inputs["input_ids"], inputs["attention_mask"])
        return scores

    @torch.no_grad()
    def score(self, batch: Batch) -> NDArray[np.float64]:
        """Return `[B, L]` scores of all rows, each of the row up to its id; 0 after a row's end."""
        found = np.zeros((len(batch.ids), batch.ids.shape[1]))
        for rows in batch.split(np.arange(len(batch.ids)), self._micro_rows) if len(batch.ids) else []:
            scores = self.scores_of(batch, rows).double().cpu().numpy()
            found[rows, : int(batch.lengths[rows].max())] = scores
        return np.where(np.arange(batch.ids.shape[1]) < batch.lengths[:, None], found, 0.0)

    def take(self, losses: Iterable[torch.Tensor]) -> Taken:
        """Take one optimiser step on the sum of some losses; each is computed when its turn has come.

        Raises:
            InfrastructureError: If the gradient is not finite; the weights are not changed.
        """
        self._optimizer.zero_grad()
        total = 0.0
        for loss in losses:
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        norm = float(torch.nn.utils.clip_grad_norm_(self._trained, _MAX_GRAD_NORM))
        rate = float(self._optimizer.param_groups[0]["lr"])
        if not np.isfinite(norm):
            raise InfrastructureError(
                f"The gradient's norm of a scorer is {norm} at a learning rate of {rate}; its weights were left as "
                "they are. Expected a finite norm: lower the learning rate."
            )
        self._optimizer.step()
        self._optimizer.zero_grad()
        return Taken(total, norm, rate)

    def state(self) -> dict[str, Any]:
        """Return what later scores and steps depend on."""
        return {"weights": Snapshot(self.scorer).tensors, "optimizer": self._optimizer.state_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` returned."""
        kept = Snapshot(self.scorer)
        kept.replace(state["weights"])
        kept.write_back()
        self._optimizer.load_state_dict(state["optimizer"])
