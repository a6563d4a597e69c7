"""Where work is spread to, as it stands in a spec."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from palaestra.agents.specs import parse_options
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["FORM", "Spread", "parse_spread"]

FORM = "ray[?address=HOST:PORT&actors=4&cpus=2&gpus=1&batch=64]"


@dataclass(frozen=True)
class Spread:
    """How work is spread over a Ray cluster.

    Attributes:
        address: Of the cluster's head; empty for the one that `RAY_ADDRESS` names, or else one of this machine alone.
        actors: Processes that play at the same time; 0 for as many as the cluster has room for at the start.
        cpus: Processors that each is given.
        gpus: GPUs that each is given; a part of one where several share it.
        batch: Episodes that are handed out together and played side by side.
    """

    address: str = ""
    actors: int = 0
    cpus: float = 1.0
    gpus: float = 0.0
    batch: int = 64


def parse_spread(spec: str, options: Collection[str] = ()) -> Spread:
    """Return what a spec such as `ray?address=10.0.0.1:6379&actors=8` names.

    Args:
        spec: The spec.
        options: Those that have a meaning here; by default all.

    Raises:
        UnknownNameError: If it is not Ray, or an option is not known.
        UsageError: If a value is not understood.
    """
    name, _, query = spec.partition("?")
    if name != "ray":
        raise UnknownNameError("executor", name, ["ray"], f"Write {FORM}; without one all happens in this process.")
    known = options or [field.name for field in fields(Spread)]
    given: dict[str, Any] = {}
    for key, value in parse_options(query).items():
        if key not in known:
            raise UnknownNameError("option of ray here", key, known)
        given[key] = value if key == "address" else _amount(key, value)
    return Spread(**given)


def _amount(key: str, value: str) -> float:
    """Return a number of processes or episodes, or of processors, which may be shared."""
    whole = key in ("actors", "batch")
    try:
        number: float = int(value) if whole else float(value)
    except ValueError:
        number = -1
    # Ray shares one processor or GPU, and gives out several only whole.
    given_out = 0 <= number <= 1 or (1 < number < float("inf") and number == int(number))
    if not given_out or (number == 0 and key != "gpus"):
        least = "from 0" if key == "gpus" else "above 0"
        kind = "a whole number" if whole else "a number, whole if it is more than 1,"
        raise UsageError(f"The option {key!r} must be {kind} {least}, got {value!r}.")
    return number
