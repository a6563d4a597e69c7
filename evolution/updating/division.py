"""Weights divided among the processes that train them: each holds a part of every weight, its gradient and its moments.

This is FSDP2, torch's `fully_shard`. A weight is whole only while the layer it belongs to runs, so all processes run
their layers in step: each takes as many parts through the model as the others (see `Driver.split`). What is written
down is gathered first, so that a checkpoint does not say by how many processes it was made.
"""

import os
from collections.abc import Mapping
from typing import Any

import torch
from palaestra.envs.errors import UsageError
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

__all__ = ["ASKED", "Division", "divided_alike", "gathered", "wants_division"]

ASKED = "ACCELERATE_USE_FSDP"
"""What accelerate's launcher sets for FSDP."""

# What a configuration may ask for that would not be done; each with the value that asks for nothing.
_REFUSED = {
    "fsdp_offload_params": "false",
    "fsdp_activation_checkpointing": "false",
    "fsdp_ignored_modules": "",
}


def wants_division() -> bool:
    """Return whether accelerate was configured for FSDP.

    Raises:
        UsageError: If it was for more than is done here.
    """
    if os.environ.get(ASKED, "false").lower() != "true":
        return False
    if os.environ.get("FSDP_VERSION", "1") != "2":
        raise UsageError(
            "accelerate was configured for FSDP in its first version, whose flattened weights are not supported. "
            "Write fsdp_version: 2 into its configuration file (--fsdp_version 2)."
        )
    for name, nothing in _REFUSED.items():
        if (value := os.environ.get(name.upper(), nothing).lower()) != nothing:
            raise UsageError(f"accelerate was configured with {name}: {value}, which is not supported. Leave it out.")
    if os.environ.get("FSDP_AUTO_WRAP_POLICY", "").upper() == "SIZE_BASED_WRAP":
        raise UsageError(
            "accelerate was configured with fsdp_auto_wrap_policy: SIZE_BASED_WRAP, which may tear the output head "
            "from where the loss reads it. Take TRANSFORMER_BASED_WRAP or NO_WRAP."
        )
    return True


class Division:
    """How the launched processes divide weights: as accelerate's configuration says; all of them make one at once."""

    def __init__(self) -> None:
        from accelerate import FullyShardedDataParallelPlugin

        try:
            self._plugin: Any = FullyShardedDataParallelPlugin(fsdp_version=2)
        except ValueError as error:
            raise UsageError(f"accelerate was configured for FSDP in a way that it refuses: {error}") from error
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._mesh: DeviceMesh = init_device_mesh(device, (torch.distributed.get_world_size(),))

    def divide(self, model: PreTrainedModel) -> None:
        """Leave of every weight of a model this process's part, in place; all processes hold the same model.

        Raises:
            UsageError: If the configuration names a layer that the model does not have.
        """
        from accelerate.utils.fsdp_utils import fsdp2_prepare_auto_wrap_policy

        try:
            is_layer = fsdp2_prepare_auto_wrap_policy(self._plugin, model)
        except ValueError as error:
            raise UsageError(f"fsdp_transformer_layer_cls_to_wrap does not fit the model: {error}") from error
        reshard = bool(self._plugin.reshard_after_forward)
        layers = [module for module in model.modules() if is_layer is not None and is_layer(module)]
        for layer in reversed(layers):  # inner ones first
            fully_shard(layer, mesh=self._mesh, reshard_after_forward=reshard)
        # The rest, among it both embeddings, is whole for as long as the model runs, and no longer.
        fully_shard(model, mesh=self._mesh, reshard_after_forward=True)
        for module in model.modules():
            if isinstance(module, FSDPModule):
                # Losses are shares of the whole: gradients are summed, not averaged.
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)


def gathered(value: Any, *, keep: bool) -> Any:
    """Put together what is divided in nested mappings and lists; all processes call it alike.

    Args:
        value: What holds divided tensors; all else is returned as it is.
        keep: Whether this process wants the result; for one that does not, divided tensors become None.
    """
    if isinstance(value, DTensor):
        whole: torch.Tensor = value.full_tensor().detach()
        return whole.cpu() if keep else None
    if isinstance(value, Mapping):
        return {key: gathered(one, keep=keep) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(gathered(one, keep=keep) for one in value)
    return value


def divided_alike(whole: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return this process's part of a tensor that every process has, divided as another one; whole if that is."""
    if not isinstance(like, DTensor) or isinstance(whole, DTensor):
        return whole
    # Nobody sends: each takes its part of its own.
    return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
