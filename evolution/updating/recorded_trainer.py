"""TRL's `GRPOTrainer` on recorded experience: its loss, and nothing else of it.

The seam is private to TRL, so its minor version is pinned and a test compares loss and weights with the unmodified
trainer's.
"""

from typing import Any

import torch
from palaestra.evolution.updating.sharing import Packing, pack, takes_packing
from trl import GRPOTrainer

__all__ = ["RecordedGRPOTrainer"]

# Most nats that two ways to compute the same log-probability may differ by: in lower precision, and in float32.
_ALIKE = (0.1, 1e-3)


class RecordedGRPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """`GRPOTrainer` on tensors that are ready: no sampling, no rewards, no telemetry."""

    def _prepare_inputs(self, generation_batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return generation_batch

    def _send_telemetry(self) -> None:
        return

    log_ratios: list[torch.Tensor] | None = None
    """Where the log-ratios of each part's sampled tokens are added, `[T]` in nats; None keeps none."""

    shares_prompts: bool | None = None
    """Whether rows that begin alike run their prompt once; None until a first try shows whether that is right."""

    _starts: torch.Tensor | None = None

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        self._starts = inputs["prompt_ids"].size(1) + inputs["tool_mask"].argmax(dim=1)
        try:
            loss: torch.Tensor = super()._compute_loss(model, inputs)
        finally:
            self._starts = None
        if "old_per_token_logps" in inputs:
            sampled = inputs["tool_mask"].bool()
            log_ratios = (self._last_logprobs - inputs["old_per_token_logps"])[sampled]
            self._metrics["train"]["ratio"].append(log_ratios.exp().mean().item())
            if self.log_ratios is not None:
                self.log_ratios.append(log_ratios)
        return loss

    def _get_per_token_logps_and_entropies(
        self, model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor, width: int, *args: Any, **kwargs: Any
    ) -> Any:
        packing = None
        if self._starts is not None and self.shares_prompts is not False:
            packing = pack(ids, mask.sum(dim=1), self._starts, ids.size(1) - width)
        if packing is not None and self.shares_prompts is None:
            self.shares_prompts = self._scores_alike(model, ids, mask, width, packing)
        if packing is not None and self.shares_prompts:
            scored = self._score_packed(model, packing)
        else:
            scored = super()._get_per_token_logps_and_entropies(model, ids, mask, width, *args, **kwargs)
        self._last_logprobs = scored[0].detach()
        return scored

    def _score_packed(self, model: torch.nn.Module, packing: Packing) -> tuple[torch.Tensor, torch.Tensor, None]:
        with self.accelerator.autocast():
            outputs = model(
                input_ids=packing.ids,
                attention_mask=packing.visible,
                position_ids=packing.positions,
                labels=packing.labels,
                fused_lm_head=True,
            )
        return packing.unpack(outputs.log_probs), packing.unpack(outputs.entropy), None

    def _scores_alike(
        self, model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor, width: int, packing: Packing
    ) -> bool:
        """Try once whether the model gives packed rows the log-probabilities it gives them one by one.

        The model does not train meanwhile: dropout would make the two differ, and use up random numbers that a run
        which is continued, and tries again, must not miss.
        """
        if self.aux_loss_enabled or not takes_packing(self.accelerator.unwrap_model(model)):
            return False
        mode = model.training
        model.train(False)
        try:
            with torch.no_grad():
                plain, *_ = super()._get_per_token_logps_and_entropies(model, ids, mask, width)
                packed, *_ = self._score_packed(model, packing)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, RuntimeError) as error:
            if _lacks_memory(error):
                raise
            return False  # what is wrong with the rows themselves shows as they are trained one by one
        finally:
            model.train(mode)
        return bool(((plain - packed).abs()[packing.scored] < _ALIKE[self.accelerator.mixed_precision == "no"]).all())


def _lacks_memory(error: Exception) -> bool:
    """Whether a model failed for want of memory, and not because it does not know a mask of its own for every id."""
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "memory" in words or "alloc" in words
