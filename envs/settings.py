"""Specs, `name?key=value&key=value`: what may be set, and the values that the text means."""

import importlib
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import unquote

from palaestra.envs.errors import UsageError

__all__ = ["import_module", "loaded", "read_settings", "read_value", "settable"]


def import_module(module: str) -> None:
    """Import the module of a `module:name`, which registers the name.

    Raises:
        UsageError: If it cannot be imported.
    """
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"The module {module!r} that should register the name cannot be imported: {error}") from error


def loaded(entry_point: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return what an entry point, `module:attribute`, names."""
    if callable(entry_point):
        return entry_point
    module, _, attribute = entry_point.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def settable(build: Callable[..., Any], *, except_for: Collection[str] = ()) -> dict[str, inspect.Parameter]:
    """Return the named parameters of a class or function that a spec may set."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(build).parameters
    return {k: p for k, p in parameters.items() if k not in except_for and p.kind not in kinds}


def read_settings(
    spec: str, query: str, parameters: Mapping[str, inspect.Parameter], *, others: bool = False
) -> dict[str, Any]:
    """Read what a spec sets.

    Args:
        spec: The whole spec, for messages.
        query: What stands behind its `?`; values are numbers, true, false or text, with `%26` for `&`.
        parameters: What may be set, with the types that are expected.
        others: Whether anything else may be set too, because whom it is for cannot be asked yet.

    Raises:
        UsageError: If a setting is unknown, comes twice or has a wrong value.
    """
    settings: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        # Not urllib's query parser: it would read the + of operations=+- as a space.
        key, equals, raw = pair.partition("=")
        if not equals or key in settings:
            raise UsageError(f"{spec!r}: expected key=value once for each key, got {pair!r}.")
        if key in parameters:
            settings[key] = _fitted(spec, parameters[key], unquote(raw))
        elif others:
            settings[key] = read_value(unquote(raw))
        else:
            raise UsageError(f"{spec!r} has no parameter {key!r}; its parameters are {', '.join(parameters)}.")
    return settings


def _fitted(spec: str, parameter: inspect.Parameter, raw: str) -> Any:
    """Return the value that the text means, of a type that the parameter takes."""
    value = read_value(raw)
    try:
        if parameter.annotation is inspect.Parameter.empty or isinstance(value, parameter.annotation):
            return value
        if isinstance(value, int) and isinstance(float(value), parameter.annotation):
            return float(value)
        if isinstance(raw, parameter.annotation):
            return raw
    except TypeError:  # an annotation that instances cannot be checked against
        return value
    wanted = getattr(parameter.annotation, "__name__", str(parameter.annotation))
    raise UsageError(f"{spec!r}: {parameter.name} must be {wanted}, got {raw!r}.")


def read_value(raw: str) -> bool | int | float | str:
    """Return the value that the text of a setting means."""
    if raw.lower() in ("true", "false"):
        return raw.lower() == "true"
    if re.fullmatch(r"[+-]?[0-9]{1,18}", raw):
        return int(raw)
    if re.fullmatch(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]{1,3})?", raw):
        return float(raw)
    return raw
