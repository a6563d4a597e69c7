"""A trainer whose loss is a function of how probable whole episodes are to the policy, and nothing else."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from palaestra.evolution.updating.arguments import common_arguments, placeholder
from palaestra.evolution.updating.batching import Inputs
from palaestra.evolution.updating.driver import Driver
from palaestra.evolution.updating.finetune import RecordedSFTTrainer
from palaestra.evolution.updating.updater import Beginning, Trainable
from transformers import PreTrainedModel
from trl import SFTConfig

__all__ = ["Objective", "RowTrainer", "row_driver"]

Figures: TypeAlias = dict[str, torch.Tensor]

Objective: TypeAlias = Callable[[torch.Tensor, Inputs], tuple[torch.Tensor, Figures]]
"""`objective(logprobs, inputs) -> (losses, figures)`: `[E]` log-probabilities of whole episodes in nats, the tensors of
the part; `[N]` losses, one an example, and `[N]` figures to be averaged over examples."""


class RowTrainer(RecordedSFTTrainer):
    """`SFTTrainer` for its model, its precision and its output head; the loss is an `Objective`.

    Each part holds the tensors of `Batch.next_token`, `owner` `[R]` (the number of each row's episode within the part)
    and what the objective reads. Losses are summed and divided by the examples of the whole optimiser step.
    """

    objective: Objective

    def compute_loss(
        self, model: torch.nn.Module, inputs: Inputs, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Return the part's share of the step's mean loss."""
        del return_outputs
        losses, figures = self.objective(self.episode_logprobs(model, inputs), inputs)
        for name, values in figures.items():
            self._metrics["train"][name] += values.detach().float().tolist()
        share: torch.Tensor = losses.sum() / num_items_in_batch
        return share

    def episode_logprobs(self, model: torch.nn.Module, inputs: Inputs) -> torch.Tensor:
        """Return `[E]` log-probabilities in nats of all that was sampled in each of a part's episodes."""
        with self.accelerator.autocast():
            outputs = model(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                labels=inputs["labels"],
                use_cache=False,
                fused_lm_head=True,
            )
        by_row = outputs.log_probs.float().sum(dim=1)  # zero where nothing was sampled
        owner = inputs["owner"]
        return torch.zeros(int(owner.max()) + 1, device=by_row.device).index_add(0, owner, by_row)


def row_driver(policy: Trainable, objective: Objective, learning_rate: float, beginning: Beginning) -> Driver:
    """Return a driver of a `RowTrainer` at a constant learning rate."""
    arguments = SFTConfig(
        **common_arguments(policy, beginning),
        learning_rate=learning_rate,
        lr_scheduler_type="constant",
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )

    def build(model: PreTrainedModel) -> RowTrainer:
        trainer = RowTrainer(
            model=model,
            args=arguments,
            train_dataset=placeholder(input_ids=[[0]], labels=[[0]]),
            processing_class=policy.tokenizer,
        )
        trainer.objective = objective
        return trainer

    return Driver(build, policy, beginning, optimiser_steps=1)
