"""Memory of many episodes that are alive at the same time.

    python benchmarks/live_memory.py

A scripted agent plays episodes of eight turns in a world that waits, so that all of them are alive at once: each is
somewhere in mid-life, waiting for its world. For 1,000 and for 10,000 in flight, each in a process of its own:
- the resident memory of the process when the episodes are in mid-life, less what it was before the first;
- what Python allocated, from a second process, because tracing slows everything down;
- the same when three and when four times as many have been played, streamed: what is over must leave nothing behind.
An observation has 200 characters and is new each turn, as the experience that is recorded of it must be.

Predicted: 15 KiB a live episode, most of it the record of its turns; nothing left behind by episodes that are over.
Came: 11 to 14 KiB, and nothing left behind.
Target: at most 32 KiB a live episode; growth from the third round of episodes to the fourth below 5 %.
"""

import gc
import json
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.scripted import RandomAgent
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv
from palaestra.envs.verdict import Status, Verdict
from record import keep

TURNS, CHARACTERS = 8, 200
ROUNDS = 4
COUNTS = (1_000, 10_000)
TARGET_BYTES = 32 * 1024


class Turnstile(TextEnv):
    """Lets everyone take four turns, and then waits until everyone has."""

    metadata = {**TextEnv.metadata, "instant": False}  # noqa: RUF012

    def begin(self, task: Task) -> str:
        """See `TextEnv`."""
        self.turn = 0
        return f"{task.id:>{CHARACTERS}}"

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        """Say something new."""
        self.turn += 1
        observation = f"{action} {self.turn} {self.np_random.random():>{CHARACTERS}}"
        verdict = Verdict(0.0, Status.PARTIAL)
        return observation, 0.0, self.turn == TURNS, False, self.outcome(verdict)


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    line = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def measure(in_flight: int, *, traced: bool) -> dict[str, float]:
    """Play four times as many episodes as are alive at a time, and look whenever all are about half-way."""
    tasks = TaskSet([Task(f"t{i}", "go") for i in range(100)])
    looks: list[int] = []
    steps, lock = 0, threading.Lock()

    def memory() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] if traced else resident()

    class Watched(Turnstile):
        def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
            nonlocal steps
            with lock:
                steps += 1
                # The crew serves all episodes in turn, so all of them are about as far.
                if steps % (TURNS * in_flight) == TURNS * in_flight // 2:
                    looks.append(memory())
            return super().step(action)

    rollout = Rollout(RandomAgent(), in_flight=in_flight, make=lambda _: Watched(tasks))
    rollout.play([Assignment(f"warm/{i}", "turnstile", tasks[0], i) for i in range(50)])
    steps = 0
    looks.clear()
    if traced:
        tracemalloc.start()
    before = memory()
    plan = (Assignment(f"{i}", "turnstile", tasks[i % 100], i) for i in range(ROUNDS * in_flight))
    rollout.stream(plan, lambda _: None)
    live = [look - before for look in looks]
    return {"bytes_per_live_episode": max(live) / in_flight, "growth": live[-1] / live[-2] - 1.0}


def main() -> None:
    """Measure each case in a process of its own, and keep the figures."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]), traced=sys.argv[2] == "traced")))
        return
    rows: dict[str, dict[str, float]] = {}
    for count in COUNTS:
        for kind in ("resident", "traced"):
            command = [sys.executable, __file__, str(count), kind]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows[f"{count:,} in flight, {kind}"] = json.loads(done.stdout)
            print(f"{count:>6,} {kind:>8}: {rows[f'{count:,} in flight, {kind}']}")
    most = max(row["bytes_per_live_episode"] for row in rows.values())
    growth = max(row["growth"] for row in rows.values())
    keep(
        "live_memory",
        {
            "target": "at most 32 KiB a live episode; growth from the third round of episodes to the fourth below 5 %",
            "met": most <= TARGET_BYTES and growth < 0.05,
            "turns": TURNS,
            "characters_of_an_observation": CHARACTERS,
            "cases": rows,
        },
    )


if __name__ == "__main__":
    main()
