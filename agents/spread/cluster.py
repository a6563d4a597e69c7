"""Ray, where it is installed: a cluster to work in, found or begun."""

import os
import socket
from types import ModuleType

from palaestra.envs.errors import InfrastructureError, UsageError

__all__ = ["connect", "knock", "load_ray", "room"]

_KNOCK_SECONDS = 10.0


def load_ray() -> ModuleType:
    """Return Ray.

    Raises:
        UsageError: If it is not installed.
    """
    # Unless a person says otherwise, nothing is told to anybody.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            f"Work on many machines goes through Ray, which cannot be imported ({error}): pip install 'palaestra[ray]'."
        ) from error
    module: ModuleType = ray
    return module


def connect(address: str) -> bool:
    """Join a cluster, or begin one on this machine; return whether this call did, and should be undone.

    Args:
        address: Of its head; empty for the one that `RAY_ADDRESS` names, else a new one.

    Raises:
        UsageError: If Ray is not installed, or nobody is at the address.
        InfrastructureError: If a cluster cannot be begun.
    """
    ray = load_ray()
    if ray.is_initialized():
        return False
    knock(address)
    found = address or os.environ.get("RAY_ADDRESS", "")
    begun = {} if found else {"include_dashboard": False}
    try:
        ray.init(address=found or None, log_to_driver=False, logging_level="warning", **begun)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        if found:
            raise _nobody(found, reason) from error
        raise InfrastructureError(f"Ray could not begin a cluster on this machine: {reason}") from error
    return True


def knock(address: str) -> None:
    """Refuse the address of a cluster where nobody is; Ray itself tries for minutes.

    Args:
        address: As of `connect`; only a host and port can be knocked at.

    Raises:
        UsageError: If nobody is there.
    """
    found = address or os.environ.get("RAY_ADDRESS", "")
    host, _, port = found.rpartition(":")
    if host and port.isdecimal() and "//" not in found:
        try:
            socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise _nobody(found, f"{error}.") from error


def _nobody(address: str, reason: str) -> UsageError:
    return UsageError(
        f"There is no Ray cluster to join at {address!r}: {reason} Start one with `ray start --head`, with the same "
        "versions of Python, Ray and Palaestra, and give its HOST:PORT."
    )


def room(cpus: float, gpus: float) -> int:
    """Return how many workers of a size the machines of the cluster have room for, at least 1."""
    ray = load_ray()
    count = 0
    for node in ray.nodes():
        if node["Alive"]:
            has = node["Resources"]
            by_gpus = has.get("GPU", 0.0) / gpus if gpus else float("inf")
            count += int(min(has.get("CPU", 0.0) / cpus, by_gpus))
    return max(1, count)
