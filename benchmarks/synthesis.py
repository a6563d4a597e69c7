"""Reinforcement learning with the code judge as the only reward, over seeds 0-2, each with a fresh cache.

    python benchmarks/synthesis.py [--steps 40]

A policy born to `palaestra/Synthesis-v0` finds a function from three examples; every reply is run against hidden
inputs in the sandbox. Measured on held-out tasks, greedily, before and after.

Predicted before the first full run: from about 45 % to at least 85 % on every seed, most of it in the first ten steps.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from record import bootstrap, keep


def main() -> None:
    """Run the seeds and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    steps = parser.parse_args().steps
    rows = []
    for seed in range(3):
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "result.json"
            command = ["palaestra", "evolve", "grpo", "--env", "palaestra/Synthesis-v0", "--seed", str(seed)]
            command += ["--steps", str(steps), "--run", f"{scratch}/run", "--json", str(out)]
            environment = {**os.environ, "XDG_CACHE_HOME": f"{scratch}/cache"}
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
            result = json.loads(out.read_text())
        keys = (
            "seed",
            "before",
            "interval_before",
            "after",
            "interval",
            "episodes",
            "episodes_used",
            "episodes_invalid",
        )
        keys += ("steps", "seconds", "birth_seconds")
        rows.append({key: result[key] for key in keys})
        print(json.dumps(rows[-1]), flush=True)
    met = all(row["interval"][0] > row["interval_before"][1] for row in rows)
    keep(
        "synthesis",
        {
            "target": "held-out accuracy rises on every seed, with 95 % intervals that do not touch",
            "met": met,
            "before": bootstrap([row["before"] for row in rows]),
            "after": bootstrap([row["after"] for row in rows]),
            "gain": bootstrap([row["after"] - row["before"] for row in rows]),
            "seconds": bootstrap([row["seconds"] for row in rows]),
            "seeds": rows,
        },
    )
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
