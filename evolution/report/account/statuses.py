"""Which share of a step's episodes ended with each verdict."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from palaestra.envs.verdict import Status

__all__ = ["status_shares"]

_MOST_STEPS = 120


def status_shares(statuses: Mapping[int, Mapping[str, int]]) -> dict[str, Any]:
    """Return counts by status over steps, several steps together where there are many.

    Args:
        statuses: Number of episodes by status, by step.

    Returns:
        `steps`, the first step of each span; `every`, how many steps a span has; `counts` by status, in the order of
        `Status`, those that never came left out.
    """
    steps = sorted(statuses)
    every = max(1, -(-len(steps) // _MOST_STEPS))
    spans = [steps[begin : begin + every] for begin in range(0, len(steps), every)]
    counted = [sum((Counter(statuses[step]) for step in span), Counter[str]()) for span in spans]
    found = {status.value: [count[status.value] for count in counted] for status in Status}
    return {
        "steps": [span[0] for span in spans],
        "every": every,
        "counts": {status: counts for status, counts in found.items() if any(counts)},
    }
