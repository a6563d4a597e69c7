"""What a run took: wall-clock by phase, where it went, tokens, and what servers charged."""

from collections.abc import Mapping, Sequence
from typing import Any

from palaestra.evolution.spending import added_up
from palaestra.evolution.view import SHARE, Phase

__all__ = ["costs"]


def costs(
    rows: Sequence[Mapping[str, Any]], evaluation_seconds: float, birth_seconds: float, agent: str
) -> dict[str, Any]:
    """Return what a run took so far.

    Args:
        rows: The run's figures.
        evaluation_seconds: Wall-clock of its evaluations.
        birth_seconds: Wall-clock of the policy's birth or loading.
        agent: Who is asked, where that is on a server.

    Returns:
        `phases` in seconds; `shares` of the steps' wall-clock (parts that go on side by side may add up to more than
        1) and over how many steps they were measured; `tokens` sampled in training; `usage`, see `spending.added_up`.
    """
    trained = [row for row in rows if row["phase"] == "train"]
    phases = {phase.value: sum(row.get(f"seconds/{phase}") or 0.0 for row in trained) for phase in Phase}
    phases[Phase.EVALUATE.value] += evaluation_seconds
    phases[Phase.BIRTH.value] += birth_seconds
    spent: dict[str, float] = {}
    whole, steps = 0.0, 0
    for row in trained:
        shares = {name[len(SHARE) :]: row[name] for name in row if name.startswith(SHARE) and row[name] is not None}
        if not shares:
            continue
        seconds = sum(row.get(f"seconds/{phase}") or 0.0 for phase in Phase)
        whole, steps = whole + seconds, steps + 1
        for kind, share in shares.items():
            spent[kind] = spent.get(kind, 0.0) + share * seconds
    return {
        "phases": phases,
        "shares": {kind: seconds / whole for kind, seconds in spent.items()} if whole else {},
        "shared_steps": steps,
        "steps": len(trained),
        "tokens": sum(row.get("tokens") or 0.0 for row in trained),
        "episodes": sum(row.get("acquired") or 0.0 for row in trained),
        "used": sum(row.get("used") or 0.0 for row in trained),
        "invalid": sum(row.get("invalid") or 0.0 for row in trained),
        "usage": added_up(rows, agent),
    }
