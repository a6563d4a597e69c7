"""Test scripts that only ask and compare, turned into calls.

A script beside the program takes a process of its own and a crossing for every call. Where a recording shows that it
does nothing but compare `f(question) == answer`, the same questions and answers make a `CallPlan`, once for each task.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from palaestra.envs.code.formats import REMEMBERED
from palaestra.envs.code.literal import call_text
from palaestra.envs.code.plan import CallPlan, ScriptPlan, Test
from palaestra.envs.sandbox.inside.values import shown
from palaestra.envs.sandbox.job import CallJob, Outcome, PackedCalls, Returned, Value

__all__ = ["Recordings", "recording"]

_RECORDER = Path(__file__).with_name("recorder.py").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Equals:
    expected: Value

    def __call__(self, value: Value) -> bool:
        return bool(value == self.expected)


def recording(plan: ScriptPlan) -> CallJob:
    """Return the job that records a script."""
    return CallJob(_RECORDER, "record", [(plan.script, plan.entry_point, plan.tested)])


def _calls(plan: ScriptPlan, outcome: Outcome) -> CallPlan | None:
    result = outcome.results[0] if outcome.results else None
    if not isinstance(result, Returned) or not isinstance(result.value, list):
        return None
    questions, answers = result.value
    tests = tuple(
        Test(call_text(plan.tested, asked), shown(answer), _Equals(answer), (asked, answer))
        for asked, answer in zip(questions, answers, strict=True)
    )
    return CallPlan(plan.tested, PackedCalls(map(tuple, questions)), tests)


class Recordings:
    """What the scripts met so far turned out to be. Thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[ScriptPlan, CallPlan | None] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, plan: ScriptPlan) -> CallPlan | ScriptPlan | None:
        """Return how a script is best carried out, None if it has not been recorded."""
        with self._lock:
            if plan not in self._known:
                return None
            self._known.move_to_end(plan)
            return self._known[plan] or plan

    def keep(self, plan: ScriptPlan, outcome: Outcome) -> CallPlan | ScriptPlan:
        """Read a recording, and return how the script is best carried out."""
        found = _calls(plan, outcome)
        with self._lock:
            # The first stands: a program must not be asked other things than the one before.
            known = self._known.setdefault(plan, found)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return known or plan
