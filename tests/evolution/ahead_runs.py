"""Runs that play while they learn, small enough to test."""

from pathlib import Path

from newborns import save_newborn
from palaestra.evolution.pace import lags
from palaestra.evolution.run import Run

ENV = "late_worlds:late/Say-v0"
GROUPS, ATTEMPTS = 4, 4


def newborn_policy(folder: Path) -> str:
    """A policy of random weights in a folder; its spec."""
    return f"local:{save_newborn(folder, width=32)}"


def settings(**changes: object) -> dict[str, object]:
    return {
        "steps": 12,
        "evaluate_every": 100,
        "checkpoint_every": 4,
        "acquire.groups": GROUPS,
        "acquire.attempts": ATTEMPTS,
        "acquire.sampling.max_tokens": 3,
        "evaluate.tasks": 4,
        "evaluate.sampling.max_tokens": 3,
        **{name.replace("__", "."): value for name, value in changes.items()},
    }


def learned(place: Path) -> dict[int, list[int]]:
    """By step, by how many versions each token that was learned from was behind."""
    lived, found = Run.open(place, read_only=True), {}
    for row in lived.lineage():
        episodes = [e for e in lived.experience.read(row["experience"]) if e.id in set(row["learned_from"])]
        found[row["step"]] = lags(episodes, row["version_before"]).tolist()
    return found
