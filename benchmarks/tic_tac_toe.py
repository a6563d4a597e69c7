"""Self-play from a newborn policy in tic-tac-toe, measured against perfect play, seeds 0-2.

    python benchmarks/tic_tac_toe.py [--steps 300] [--seeds 3]

A policy born to `tic_tac_toe` has seen games of random moves: it knows which moves are legal, and not how to win. It
then plays itself alone; nothing tells it what is best. `search:minimax` never loses, so what counts is the share of
games that the policy does not lose, half of them in each seat. Policies sample at temperature 0.2, before and after: at
1 a policy held near random play by the price of divergence loses by its last doubts, and at 0 games repeat each other.

Tuning was on seed 0 only, so seeds 1 and 2 are fresh. Looks at it that led here: without the price of divergence, or
with little (0.02 to 0.05), the share rises to anything up to 75 % and falls again, as each seat learns to beat what the
other does just now; with 0.1 and 0.3, and a learning rate that falls to nothing, it stayed (88 to 98 %). Predicted:
from below 20 % to at least 70 % on every seed, within ten minutes with the birth.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from record import bootstrap, keep

SETTINGS = (
    "update.kl=0.3",
    "update.learning_rate=1e-3",
    "update.schedule=linear",
    "update.updates_per_batch=4",
    "acquire.games=256",
    'evaluate.opponents=["search:minimax", "scripted:random", "start"]',
    "evaluate.games=1000",
    "evaluate.sampling.temperature=0.2",
)


def evolve(seed: int, steps: int, cache: str) -> dict[str, Any]:
    """Run one seed with the command line and return its figures."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "result.json"
        command = ["palaestra", "evolve", "spiral", "--env", "tic_tac_toe", "--seed", str(seed), "--steps", str(steps)]
        for setting in (*SETTINGS, f"evaluate_every={steps}"):
            command += ["--set", setting]
        command += ["--run", f"{scratch}/run", "--json", str(out)]
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        result = json.loads(out.read_text())
    ends = [{s["measure"].rpartition(" ")[2]: s for s in e["scores"]} for e in result["evaluations"]]
    return {
        "seed": seed,
        "not_lost_before": ends[0]["search:minimax"]["figures"]["not_lost"],
        "not_lost": ends[-1]["search:minimax"]["figures"]["not_lost"],
        "random_before": ends[0]["scripted:random"]["accuracy"]["value"],
        "random": ends[-1]["scripted:random"]["accuracy"]["value"],
        "start": ends[-1]["start"]["accuracy"]["value"],
        "steps": result["steps"],
        "seconds": result["seconds"],
        "birth_seconds": result["birth_seconds"],
    }


def main() -> None:
    """Run the seeds and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as cache:
        for seed in range(options.seeds):
            rows.append(evolve(seed, options.steps, cache))
            print(json.dumps(rows[-1]), flush=True)
    met = all(
        row["not_lost_before"] < 0.2 and row["not_lost"] >= 0.7 and row["seconds"] + row["birth_seconds"] < 600
        for row in rows
    )
    keep(
        "tic_tac_toe",
        {
            "target": "share of games not lost to minimax from below 20 % to at least 70 % within ten minutes",
            "met": met,
            **{
                name: bootstrap([row[name] for row in rows])
                for name in ("not_lost_before", "not_lost", "random_before", "random", "start", "seconds")
            },
            "seeds": rows,
        },
    )
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
