"""A world whose steps take a while, some of them much longer, and some for ever."""

import threading
import time

import gymnasium
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv
from palaestra.envs.verdict import Status, Verdict

TASKS = TaskSet([Task(f"t{i}", f"say {i}", i) for i in range(400)])


class Say(TextEnv):
    """Two turns; each pays half the share of lower-case letters in what is said.

    Args:
        seconds: Mean time of a step; times are exponential, and a function of the episode's seed.
        stuck: Share of the tasks whose first step never ends.
        broken: Whether every step fails.
    """

    metadata = {**TextEnv.metadata, "instant": False}  # noqa: RUF012

    def __init__(self, seconds: float = 0.0, stuck: float = 0.0, broken: bool = False) -> None:
        super().__init__(TASKS)
        self.seconds, self.stuck, self.broken = seconds, stuck, broken

    def begin(self, task: Task) -> str:
        self.left, self.earned = 2, 0.0
        return task.prompt

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        if self.task is not None and int(self.task.reference) < self.stuck * len(TASKS):
            threading.Event().wait(600)
        if self.broken:
            raise ConnectionError("nobody is there")
        time.sleep(self.seconds * float(self.np_random.exponential()))
        reward = 0.5 * sum(c.islower() for c in action) / max(1, len(action))
        self.left, self.earned = self.left - 1, self.earned + reward
        status = Status.CORRECT if self.earned > 0.9 else Status.PARTIAL
        return "go on", reward, self.left == 0, False, self.outcome(Verdict(self.earned, status))


gymnasium.register("late/Say-v0", entry_point=Say)
