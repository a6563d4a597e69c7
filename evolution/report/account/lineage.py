"""From the objective to a checkpoint: what each update was made of, for as many steps as can be drawn."""

from collections.abc import Iterable, Mapping
from typing import Any

from palaestra.envs.errors import RunError
from palaestra.evolution.report.account.contexts import context_facts
from palaestra.evolution.run import Run

__all__ = ["Lineage"]

_MOST_DRAWN = 24


class Lineage:
    """The lineage of a run, read row by row and kept without the names of the episodes."""

    def __init__(self) -> None:
        self.steps: dict[int, dict[str, Any]] = {}
        self._offsets: dict[int, int] = {}
        self._last = -1

    def read_on(self, run: Run) -> None:
        """Read what was written since, or all again where the log was cut back."""
        try:
            self._read(run)
        except RunError:  # a replay cut the log back and wrote rows of another length
            self.steps, self._offsets, self._last = {}, {}, -1
            self._read(run)

    def _read(self, run: Run) -> None:
        # The last row is read again: it shows whether the log still stands as it stood.
        begin, known = self._offsets.get(self._last, 0), self._last
        for offset, row in run.stream_lineage(begin):
            step = int(row["step"])
            if known >= 0 and step != known:
                break
            known = -1
            self._offsets[step], self._last = offset, step
            self.steps[step] = _kept(row)
        if known >= 0:
            raise RunError(f"The lineage of {run.directory} was cut back. Read it again.")

    def learned(self, run: Run, step: int) -> frozenset[str]:
        """Return the ids of the episodes that a step's update learned from."""
        if step not in self._offsets:
            return frozenset()
        row = next(run.stream_lineage(self._offsets[step]), None)
        return frozenset(row[1].get("learned_from") or ()) if row else frozenset()

    def drawn(self, checkpoints: Iterable[int], evaluations: Mapping[int, float | None]) -> dict[str, Any]:
        """Return the steps to draw: the first, and every so many-eth counted back from the last.

        Counted so they mostly are steps that were evaluated after, which come every round number of steps.

        Args:
            checkpoints: Steps that have a checkpoint.
            evaluations: Accuracy by step.
        """
        every = max(1, -(-len(self.steps) // _MOST_DRAWN))
        steps = sorted(self.steps)
        chosen = sorted({*steps[::-1][::every], *steps[:1]})
        kept = set(checkpoints)
        return {
            "of": len(steps),
            "every": every,
            "checkpoints": sorted(kept),
            "evaluations": sorted(evaluations),
            "steps": [
                self.steps[step] | {"checkpoint": step in kept, "accuracy": evaluations.get(step)} for step in chosen
            ],
        }


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {"context": context_facts(row["context"])} if row.get("context") else {}
    return {
        "step": int(row["step"]),
        "objective": row.get("objective", ""),
        "shard": row.get("experience", ""),
        "refined": dict(row.get("refined") or {}),
        "learned": len(row.get("learned_from") or ()),
        "before": row.get("version_before"),
        "after": row.get("version_after"),
        "evaluation": row.get("last_evaluation"),
        **told,
    } | {name: row[name] for name in ("best_paid", "audit_failure") if name in row}
