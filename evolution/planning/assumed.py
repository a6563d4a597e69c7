"""Unit costs of devices that are not here: published figures of the hardware, and shares of them that are reached.

A stand-in until `palaestra plan --save` has run on the device itself; every number here is an assumption.
"""

from dataclasses import dataclass

from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.planning.costs import UnitCosts

__all__ = ["DEVICES", "Device", "assumed_costs"]

# Shares of the published peaks; what engines and trainers commonly report for models of 1 to 10 B parameters.
TRAINING, READING, WRITING, BANDWIDTH, LINK = 0.4, 0.5, 0.4, 0.6, 0.7


@dataclass(frozen=True)
class Device:
    """Published figures.

    Attributes:
        flops: Dense bfloat16 operations a second.
        bandwidth: Bytes of its memory a second.
        memory_bytes: Of its memory.
        link: Bytes a second to another device of its host, one way.
        network: Bytes a second to a device of another host, one way.
    """

    flops: float
    bandwidth: float
    memory_bytes: float
    link: float
    network: float = 50e9  # 400 Gbit/s a device, as in DGX H100 systems


DEVICES = {
    # NVIDIA's data sheets: A100 80GB SXM (2021), H100 SXM (2023), H200 SXM (2024).
    "a100": Device(312e12, 2.039e12, 80e9, 300e9, 25e9),
    "h100": Device(989e12, 3.35e12, 80e9, 450e9),
    "h200": Device(989e12, 4.8e12, 141e9, 450e9),
}


def assumed_costs(spec: str, *, hosts: int = 1) -> UnitCosts:
    """Return the costs of a device by its figures.

    Args:
        spec: `DEVICE:PARAMETERS`, such as `h100:1.5e9`.
        hosts: Above 1, weights and gradients go over the network.

    Raises:
        UsageError: If the spec is none.
    """
    name, _, number = spec.partition(":")
    if name not in DEVICES:
        raise UnknownNameError("device", name, DEVICES, "Measure another there: palaestra plan --save FILE.")
    try:
        parameters = float(number)
    except ValueError:
        parameters = 0.0
    if not 0 < parameters < float("inf"):
        raise UsageError(f"--assume expects DEVICE:PARAMETERS such as h100:1.5e9, got {spec!r}.")
    device = DEVICES[name]
    # Grouped-query models of this size keep about this much (28 layers, 2 heads of 128 and more, bfloat16).
    cache = 2.0 * 28 * 2 * 128 * 2 * max(1.0, parameters / 1.5e9) ** 0.5
    memory = BANDWIDTH * device.bandwidth
    wire = LINK * (device.network if hosts > 1 else device.link)
    return UnitCosts(
        name=f"{name}, {parameters:.2g} parameters (assumed)",
        decode_step=2 * parameters / memory,
        decode_token=2 * parameters / (WRITING * device.flops),
        cache_token=cache / memory,
        prefill=2 * parameters / memory,
        prefill_token=2 * parameters / (READING * device.flops),
        caches_prefixes=True,
        episode=2e-4,
        step=0.5,
        # AdamW reads and writes weights, gradients and two moments in float32.
        train_step=28 * parameters / memory,
        train_token=6 * parameters / (TRAINING * device.flops),
        sync_byte=0.5 / wire,  # bfloat16 is sent: half of the four bytes a weight is counted with
        reduce_byte=1 / wire,
        weight_bytes=2 * parameters,
        trained=parameters,
        cache_bytes=cache,
        memory_bytes=device.memory_bytes,
    )
