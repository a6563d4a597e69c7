"""DeepSpeed's ZeRO, stages 1 and 2: every process holds all weights, and a part of the optimiser (and of gradients).

Its engine sums the gradients as they are made, takes the step, and hands the new weights round. It averages over
processes where losses are shares of a whole (see `peers`), so each is taken times their number. All processes run as
many parts as each other (see `Driver.split`), since stage 2 sums after each.

The engine is made when all processes begin to learn, not before: making it is work of all.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from palaestra.envs.errors import RunError, UsageError

__all__ = ["ASKED", "Zero", "configured", "engine_settings"]

ASKED = "ACCELERATE_USE_DEEPSPEED"
"""What accelerate's launcher sets for DeepSpeed."""

_TAG = "zero"
# What a configuration may hold that has another place here; each with the reason.
_REFUSED = {
    "optimizer": "the update names its own optimiser",
    "scheduler": "the update names its own schedule",
    "fp16": "precision is chosen as in one process",
    "bf16": "precision is chosen as in one process",
    "amp": "precision is chosen as in one process",
}
_FIXED: Mapping[str, Any] = {
    "train_micro_batch_size_per_gpu": 1,
    "gradient_accumulation_steps": 1,
    "zero_allow_untested_optimizer": True,
}


def configured() -> dict[str, Any] | None:
    """Return what the engine is told if accelerate was configured for DeepSpeed, else None.

    Raises:
        UsageError: If the configuration asks for what is not done here, or DeepSpeed is not installed.
    """
    if os.environ.get(ASKED, "false").lower() != "true":
        return None
    from accelerate.utils import DeepSpeedPlugin

    try:
        import deepspeed  # noqa: F401

        asked = DeepSpeedPlugin().deepspeed_config
    except ImportError as error:
        raise UsageError(
            f"accelerate was configured for DeepSpeed, which cannot be imported ({error}): DS_BUILD_OPS=0 pip install "
            "--no-build-isolation 'palaestra[deepspeed]'."
        ) from error
    except ValueError as error:
        raise UsageError(f"accelerate was configured for DeepSpeed in a way that it refuses: {error}") from error
    return engine_settings(asked)


def engine_settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what DeepSpeed's engine is told, from what its configuration file says.

    Batch sizes, accumulation and clipping are the update's; all else goes through as it is.

    Raises:
        UsageError: If it asks for what is not done here.
    """
    for name, reason in _REFUSED.items():
        part = asked.get(name)
        if isinstance(part, Mapping) and part.get("enabled", True) not in (False, "auto"):
            raise UsageError(f"DeepSpeed's configuration has a section {name!r}, but {reason}. Leave it out.")
    zero = {key: value for key, value in asked.get("zero_optimization", {}).items() if value != "auto"}
    if zero.get("stage") not in (1, 2):
        raise UsageError(
            f"DeepSpeed's configuration asks for ZeRO stage {zero.get('stage', 0)}; stages 1 and 2 are supported. To "
            "divide the weights, too, launch with distributed_type FSDP and fsdp_version: 2; to divide nothing, with "
            "MULTI_GPU."
        )
    for name in ("offload_optimizer", "offload_param"):
        device = (zero.pop(name, None) or {}).get("device", "none")
        if device not in ("none", None):
            raise UsageError(f"DeepSpeed's configuration has {name} to {device}, which is not supported. Leave it out.")
    zero = {key: value for key, value in zero.items() if not key.startswith("stage3_")}
    ours = {*_REFUSED, *_FIXED, "train_batch_size", "gradient_clipping", "zero_optimization"}
    rest = {key: value for key, value in asked.items() if key not in ours and value not in ("auto", float("inf"))}
    return rest | dict(_FIXED) | {"zero_optimization": zero, "steps_per_print": 2**31 - 1}


class Zero:
    """DeepSpeed's engine for one trainer; all processes call the same methods in the same order.

    Args:
        trainer: Whose model and optimiser it takes, once it begins.
        settings: What `configured` returned.
        processes: How many train together.
    """

    def __init__(self, trainer: Any, settings: Mapping[str, Any], processes: int) -> None:
        self._trainer, self._settings, self._processes = trainer, settings, processes
        self._engine: Any = None
        self._kept: Path | None = None
        self.at_end = False

    def begin(self) -> None:
        """Make the engine, unless there is one."""
        if self._engine is not None:
            return
        import deepspeed

        trainer = self._trainer
        self._engine, _, _, _ = deepspeed.initialize(
            model=trainer.model,
            optimizer=trainer.optimizer.optimizer,
            config={**self._settings, "gradient_clipping": trainer.args.max_grad_norm},
            dist_init_required=False,
        )
        if self._kept is not None:
            self._engine.load_checkpoint(str(self._kept), tag=_TAG, load_lr_scheduler_states=False)

    def backward(self, loss: torch.Tensor) -> None:
        """Add a part's gradients to those of the step; `at_end` says whether it is the step's last part."""
        self._engine.set_gradient_accumulation_boundary(self.at_end)
        self._engine.backward(loss * self._processes)

    def step(self) -> float:
        """Take the optimiser's step, and return the norm of the gradient before clipping."""
        self._engine.step()
        # The engine calls it, where the schedule, which would warn, does not see it.
        self._trainer.optimizer.optimizer._opt_called = True
        return float(self._engine.get_global_grad_norm())

    def refresh(self) -> None:
        """Take over the weights as the model has them now."""
        self._engine.optimizer.refresh_fp32_params()

    def save(self, folder: Path) -> None:
        """Write every process's part of the optimiser; all of them call it. Before the first step there is none."""
        if self._engine is not None:
            self._engine.save_checkpoint(str(folder), tag=_TAG, save_latest=False)

    def load(self, folder: Path) -> None:
        """Go on from what `save` wrote, once all processes begin to learn.

        Raises:
            RunError: If it was written by another number of processes.
        """
        if not folder.is_dir():  # saved before the first step
            return
        parts = len(list((folder / _TAG).glob("*optim_states.pt")))
        if parts != self._processes:
            raise RunError(
                f"{folder} was written by {parts} processes with DeepSpeed, and {self._processes} would go on. Launch "
                "as many as it was written by."
            )
        self._kept = folder
