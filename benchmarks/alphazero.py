"""Search and learn from a newborn policy in Nim, seeds 0-2.

    python benchmarks/alphazero.py [--steps 30]

A policy born to Nim with piles of 3, 4 and 5 knows how to play and not how to win. Whoever begins can win, and against
`search:minimax` nobody else can, so the most that can be won is half. The policy itself plays; nothing is searched.

One run on seed 0 was seen before this was written (44 % after 25 steps, and 90 % against the random player). Predicted
for all three: from below 5 % against minimax to at least 35 %, and against the random player at least 80 %. Came first:
41 % (39 to 44), and against the random player 79, 81 and 73 %. Since then newborn policies of such games are narrower
and read frequent words as one token; nothing was tuned for that, and the same was predicted again. Came: 46 to 48 %,
and 83 to 85 %, in half of the time.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from record import bootstrap, keep

ENV = "nim?piles=3,4,5"


def evolve(seed: int, steps: int, cache: str) -> dict[str, Any]:
    """Run one seed with the command line and return its figures."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "result.json"
        command = ["palaestra", "evolve", "alphazero", "--env", ENV, "--seed", str(seed), "--steps", str(steps)]
        command += ["--set", "evaluate.games=1000", "--set", f"evaluate_every={steps}"]
        command += ["--run", f"{scratch}/run", "--json", str(out)]
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        result = json.loads(out.read_text())
    ends = [{s["measure"].rpartition(" ")[2]: s["accuracy"] for s in e["scores"]} for e in result["evaluations"]]
    return {
        "seed": seed,
        "minimax_before": ends[0]["search:minimax"],
        "minimax": ends[-1]["search:minimax"],
        "random_before": ends[0]["scripted:random"],
        "random": ends[-1]["scripted:random"],
        "steps": result["steps"],
        "seconds": result["seconds"],
        "birth_seconds": result["birth_seconds"],
    }


def main() -> None:
    """Run the seeds and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    steps = parser.parse_args().steps
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as cache:
        for seed in range(3):
            rows.append(evolve(seed, steps, cache))
            print(json.dumps(rows[-1]), flush=True)
    names = ("minimax_before", "minimax", "random_before", "random")
    keep(
        "alphazero",
        {
            "target": "against minimax from below 5 % to 35 % of at most 50 %; against random at least 80 %",
            "met": all(
                row["minimax_before"]["value"] < 0.05
                and row["minimax"]["value"] >= 0.35
                and row["random"]["value"] >= 0.8
                for row in rows
            ),
            **{name: bootstrap([row[name]["value"] for row in rows]) for name in names},
            "seconds": bootstrap([row["seconds"] for row in rows]),
            "seeds": rows,
        },
    )


if __name__ == "__main__":
    main()
