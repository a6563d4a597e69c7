"""What trainers are told and given, whatever the method."""

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from palaestra.envs.errors import UsageError
from palaestra.evolution.updating.updater import Beginning, Trainable
from transformers import PreTrainedModel

__all__ = ["common_arguments", "placeholder"]

# Below this, casting costs more time than lower precision saves.
_PARAMETERS_WORTH_BF16 = 50_000_000


def common_arguments(policy: Trainable, beginning: Beginning) -> dict[str, Any]:
    """Return the trainer arguments that do not depend on the method.

    Raises:
        UsageError: If the policy has no weights to train, or they are not float32.
    """
    trained = [weight for weight in policy.model.parameters() if weight.requires_grad]
    kinds = {weight.dtype for weight in trained}
    if kinds != {torch.float32}:
        came = ", ".join(sorted(str(kind) for kind in kinds)) or "none"
        raise UsageError(
            f"Weights to train must be torch.float32, got {came}: small updates vanish in lower precision. "
            "Load the policy for training, or train adapters (LoRA) on top of it."
        )
    return {
        "output_dir": str(beginning.scratch),
        "seed": beginning.seed % 2**32,
        "use_cpu": policy.model.device.type == "cpu",
        "bf16": _bf16_pays(policy.model),
        # The trainer writes this into the model's configuration, where sampling reads it.
        "use_cache": bool(getattr(policy.model.config, "use_cache", True)),
        "gradient_checkpointing": False,
        "report_to": list(beginning.report_to) or "none",
        "save_strategy": "no",
        "disable_tqdm": True,
    }


def placeholder(**columns: Sequence[Any]) -> Dataset:
    """Return a data set that satisfies a trainer's constructor; it is never read."""
    return Dataset.from_dict(columns)


def _bf16_pays(model: PreTrainedModel) -> bool:
    if model.dtype != torch.float32 or sum(p.numel() for p in model.parameters()) < _PARAMETERS_WORTH_BF16:
        return False
    if model.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return model.device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
