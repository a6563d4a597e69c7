"""The candidates of a run that evolves instructions: whose children they are, and how they did."""

from pathlib import Path
from typing import Any

from palaestra.evolution.durable import read_json
from palaestra.evolution.updating.in_context.pool import Pool

__all__ = ["pool_of"]

# What a page has room for: the last candidates, and of each the beginning of what it says.
_MOST, _LONGEST = 60, 800


def pool_of(checkpoint: Path | None) -> dict[str, Any] | None:
    """Return the pool as a checkpoint holds it; None where there is none.

    Returns:
        `of`, how many candidates there are; `tasks`, how many they were compared on; and `candidates`, the last ones:
        each with its `number`, `step`, `parents` (numbers), `mean` reward, `best`, at how many tasks nobody is better,
        the `digest` of the context it makes, and `says`, the beginning of its instructions.
    """
    path = None if checkpoint is None else checkpoint / "learner.json"
    try:
        kept = None if path is None or not path.exists() else read_json(path).get("notes", {}).get("pool")
    except FileNotFoundError:  # The run has just put a newer one in its place.
        return None
    if not kept:
        return None
    candidates = Pool.from_json(kept).candidates
    tasks = range(len(candidates[0].scores))
    scores = [[-1.0 if score is None else score for score in one.scores] for one in candidates]
    highest = [max(row[task] for row in scores) for task in tasks]
    told = [
        {
            "number": number,
            "step": one.step,
            "parents": list(one.parents),
            "mean": one.mean,
            "best": sum(scores[number][task] == highest[task] for task in tasks),
            "digest": one.digest,
            "says": one.instructions[:_LONGEST] + ("…" if len(one.instructions) > _LONGEST else ""),
        }
        for number, one in enumerate(candidates)
    ]
    return {"of": len(told), "tasks": len(tasks), "candidates": told[-_MOST:]}
