"""Options from a TOML file, and settings by dotted path."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["ConfigFile", "parse_setting", "settings_of"]

_SETTINGS = "palaestra.settings"


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make a TOML file's values the defaults of the command, so that the command line wins over them.

    Top-level keys are the command's options (`seed = 3`, `env = ["..."]`). Where the command has `--set`, tables are
    settings: `learning_rate` in `[update]` is `--set update.learning_rate=...`.

    Raises:
        UsageError: If the file cannot be read.
        UnknownNameError: If a key is no option of this command.
    """
    if path is None:
        return None
    options = {_key(option): option for option in context.command.params if _key(option) not in ("config", "help")}
    defaults: dict[str, Any] = {}
    settings: dict[str, object] = {}
    for key, value in _load(path).items():
        option = options.get(key.replace("-", "_"))
        if option is not None:
            defaults[str(option.name)] = _words(value, several=option.nargs == -1 or getattr(option, "multiple", False))
        elif "set" in options and isinstance(value, (dict, list)):
            settings |= dict(_flat(key, value))
        else:
            raise UnknownNameError("option", key, options, f"It stands in {path}.")
    context.default_map = {**(context.default_map or {}), **defaults}
    context.meta[_SETTINGS] = settings
    return path


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.toml",
        help="Take options from a TOML file; the command line wins over it.",
        callback=read_config,
        is_eager=True,
    ),
]


def settings_of(context: typer.Context, assignments: Sequence[str]) -> dict[str, object]:
    """Return the settings of the configuration file, and over them those of `--set`."""
    return {**context.meta.get(_SETTINGS, {}), **dict(map(parse_setting, assignments))}


def parse_setting(assignment: str) -> tuple[str, object]:
    """Read `path=value`; the value is read as TOML, and as plain text where it is none.

    Raises:
        UsageError: If there is no `=` or no path before it.
    """
    path, equals, value = assignment.partition("=")
    if not equals or not path.strip():
        raise UsageError(f"--set expects path=value such as update.learning_rate=1e-4, got {assignment!r}.")
    try:
        return path.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return path.strip(), value.strip()


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"--config {path} is no TOML: {error}.") from error


def _key(option: Any) -> str:
    """Return an option's name as a file says it."""
    return str(max(option.opts, key=len)).lstrip("-").replace("-", "_")


def _words(value: object, *, several: bool) -> Any:
    """Return a value as the command line would bring it, so that it is checked in the same way."""
    if several:
        return [str(item) for item in value] if isinstance(value, list) else [str(value)]
    return str(value)


def _flat(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield the leaves of nested tables by dotted path; tables in a list count from 0."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}", inner)
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for index, inner in enumerate(value):
            yield from _flat(f"{path}.{index}", inner)
    else:
        yield path, value
