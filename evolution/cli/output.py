"""What the commands give back: JSON, tables, and one red line when something is wrong."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palaestra.envs.errors import PalaestraError, UsageError
from palaestra.evolution.durable import dump_json, write_json
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from palaestra.agents.http.meter import Usage

__all__ = ["check_writable", "complain", "console_for", "hush_libraries", "usage_json", "usage_lines", "write"]

STANDARD_OUTPUT = Path("-")


def console_for(json_file: Path | None) -> Console:
    """Return where people read: standard output, unless that carries the JSON."""
    return Console(stderr=json_file == STANDARD_OUTPUT)


def check_writable(file: Path | None, option: str = "--json") -> None:
    """Make the folder that the file of an option shall lie in; a run of minutes must not end at a missing one.

    Raises:
        UsageError: If nothing can be written there.
    """
    if file is None or file == STANDARD_OUTPUT:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{option} {file}: the folder cannot be made ({error.strerror}). Name another.") from error
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        raise UsageError(f"{option} {file} must be a file in a folder that can be written to. Name another.")


def write(json_file: Path | None, value: Mapping[str, Any]) -> None:
    """Write JSON to a file (whole or not at all), to standard output for `-`, nowhere for None."""
    if json_file is None:
        return
    if json_file == STANDARD_OUTPUT:
        sys.stdout.write(dump_json(value, indent=2) + "\n")
        sys.stdout.flush()
    elif json_file.exists() and not json_file.is_file():  # a device or pipe must not be replaced by a file
        json_file.write_text(dump_json(value, indent=2) + "\n", encoding="utf-8")
    else:
        check_writable(json_file)
        write_json(json_file, value)


def hush_libraries() -> None:
    """Switch off the progress bars that transformers draws while it loads and saves: a view of ours is on screen."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def usage_json(usages: "Mapping[str, Usage]") -> dict[str, Any]:
    """Return what agents cost, by their specs, as JSON values under one name; nothing when none of them counts it."""
    return {"usage": [{"agent": spec} | usage.as_json() for spec, usage in usages.items()]} if usages else {}


def usage_lines(usages: "Mapping[str, Usage]") -> list[str]:
    """Return what agents cost, a line each."""
    return [f"{spec}: {usage}" for spec, usage in usages.items()]


def complain(error: PalaestraError) -> int:
    """Print an error of ours as one red line and return the exit code: 2 when other words would help, else 1."""
    line = " ".join(str(error).split())
    Console(stderr=True).print(Text(f"error: {line}", "red"), soft_wrap=True)
    return 2 if isinstance(error, UsageError) else 1
