"""Keep a benchmark's figures with the commit and the hardware they were measured on."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from palaestra.evolution.provenance import commit, machine

RESULTS = Path(__file__).parent / "results"


def keep(name: str, figures: Mapping[str, Any]) -> Path:
    """Write `results/NAME.json` and return its path."""
    path = RESULTS / f"{name}.json"
    head = {"benchmark": name, "date": datetime.now(UTC).date().isoformat(), "commit": commit(), "machine": machine()}
    path.write_text(json.dumps(head | dict(figures), indent=1) + "\n")
    print(f"kept in {path}")
    return path


def bootstrap(values: Sequence[float], draws: int = 10_000) -> dict[str, float]:
    """Return the mean of independent values with its 95 % percentile-bootstrap interval."""
    array = np.asarray(values, dtype=float)
    means = np.random.default_rng(0).choice(array, (draws, len(array))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(array.mean()), "low": float(low), "high": float(high)}
