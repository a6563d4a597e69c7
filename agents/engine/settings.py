"""Settings of an engine, as they stand in specs."""

from collections.abc import Mapping
from typing import Any

from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["engine_settings"]

_DTYPES = ("bfloat16", "float16", "float32")


def engine_settings(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of `VllmPolicy` that the options of a spec name.

    Raises:
        UnknownNameError: If an option or a type of numbers is not known.
        UsageError: If a number is none.
    """
    settings: dict[str, Any] = {}
    for key, value in options.items():
        if key == "dtype":
            if value not in _DTYPES:
                raise UnknownNameError("dtype", value, _DTYPES)
            settings["dtype"] = value
        elif key == "context":
            settings["context_limit"] = _positive(key, value, int)
        elif key == "cache_gib":
            settings["cache_gib"] = _positive(key, value, float)
        else:
            raise UnknownNameError("option of vllm", key, ["dtype", "context", "cache_gib"])
    return settings


def _positive(key: str, value: str, kind: type[int] | type[float]) -> float:
    try:
        number = kind(value)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise UsageError(f"The option {key!r} must be a number above 0, got {value!r}.")
    return number
