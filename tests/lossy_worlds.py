"""Worlds that take whoever plays them along: found by outposts in their own processes."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
from palaestra.envs.errors import RefusedError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv
from palaestra.envs.verdict import Status, Verdict

TASKS = TaskSet([Task(f"t{i}", f"say {i}", i) for i in range(400)])


class Lossy(TextEnv):
    """Two turns; pays a draw of its own chance.

    Args:
        seconds: Time of a step.
        busy: Processor time of a step.
        late: Share of steps that take thirty times as long.
        raising: Share of the tasks whose second step raises.
        deadly: Number of a task whose first step ends the process; -1 for none.
        how: It ends by being killed, it is stopped (`stop`) or its thread waits for what never comes (`wait`).
        once: A file; where it exists, the deadly task ends nobody any more.
        refusing: Number of a task whose first step says that a service refuses.
        log: A folder; every episode that begins leaves a file there, see `begun`.
    """

    metadata = {**TextEnv.metadata, "instant": False}  # noqa: RUF012

    def __init__(
        self,
        seconds: float = 0.0,
        busy: float = 0.0,
        late: float = 0.0,
        raising: float = 0.0,
        deadly: int = -1,
        how: str = "kill",
        once: str = "",
        refusing: int = -1,
        log: str = "",
    ) -> None:
        super().__init__(TASKS)
        self.seconds, self.busy, self.late, self.raising = seconds, busy, late, raising
        self.deadly, self.how, self.once, self.refusing, self.log = deadly, how, once, refusing, log

    def begin(self, task: Task) -> str:
        self.turn = 0
        if self.log:
            (Path(self.log) / f"{time.monotonic_ns()} {task.id} {os.getpid()}").touch()
        return task.prompt

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        self.turn += 1
        number = int(self.task.reference) if self.task else 0
        if number == self.deadly and not (self.once and Path(self.once).exists()):
            if self.once:
                Path(self.once).touch()
            if self.how == "wait":
                threading.Event().wait()
            os.kill(os.getpid(), signal.SIGSTOP if self.how == "stop" else signal.SIGKILL)
        if number == self.refusing:
            raise RefusedError("the service wants a key")
        if self.turn == 2 and raises(number, self.raising):
            raise ConnectionError("nobody is there")
        end = time.thread_time() + self.busy
        while time.thread_time() < end:
            pass
        time.sleep(self.seconds * (30 if self.np_random.random() < self.late else 1))
        reward = float(self.np_random.random())
        return "go on", reward, self.turn == 2, False, self.outcome(Verdict(reward, Status.PARTIAL))

    def sample_action(self, generator: np.random.Generator) -> str:
        return "x" * int(generator.integers(1, 9))


def raises(number: int, share: float) -> bool:
    """Whether the task of this number does."""
    return number * 7 % 20 < 20 * share


class Instant(Lossy):
    """The same, called inline, so that what is played side by side does not depend on timing."""

    metadata = TextEnv.metadata


class Begun(NamedTuple):
    """An episode that has begun somewhere."""

    at: int
    task: str
    process: int


def begun(log: Path) -> list[Begun]:
    """Return the episodes that have begun, in order."""
    found = (path.name.split() for path in log.iterdir())
    return sorted(Begun(int(at), task, int(process)) for at, task, process in found)


gymnasium.register("lossy/World-v0", entry_point=Lossy)
gymnasium.register("lossy/Instant-v0", entry_point=Instant)
