"""What all worlds of other people's code have in common: their failures are nobody's reward."""

import math
from abc import abstractmethod
from typing import NamedTuple

from palaestra.envs.errors import InfrastructureError, PalaestraError, UsageError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Answer", "ForeignWorld", "seeds", "verdict_of"]


class Answer(NamedTuple):
    """What a world answers to an action.

    Attributes:
        observation: What it says.
        reward: What it pays.
        terminated: Whether the episode is over.
        truncated: Whether it was cut short.
        verdict: What is thought of the whole episode; None leaves it to the return.
    """

    observation: str
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    verdict: Verdict | None = None


def verdict_of(paid: float, detail: str = "") -> Verdict:
    """Return what a reward means where 1 is all there is to get.

    Raises:
        InfrastructureError: If it is not finite.
    """
    if not math.isfinite(paid):
        raise InfrastructureError(f"the world paid {paid}, expected a finite number")
    status = Status.CORRECT if paid >= 1.0 else Status.PARTIAL if paid > 0.0 else Status.WRONG
    return Verdict(paid, status, detail or f"paid {paid:g}")


def seeds(name: str, size: int) -> TaskSet:
    """Return the seeds from 0 as tasks of a world.

    Raises:
        UsageError: If there are none.
    """
    if size < 1:
        raise UsageError(f"size must be at least 1, got {size}.")
    return TaskSet(
        (Task(f"{name}#{seed}", f"{name} from seed {seed}", seed) for seed in range(size)), name, endless=True
    )


class ForeignWorld(TextEnv):
    """A world that is somebody else's code.

    Whatever it raises, and a reward that is not finite, is a failure: it cannot be started (`InfrastructureError`), or
    its episode ends as INFRASTRUCTURE. The verdict at the end carries the return: CORRECT from 1, PARTIAL above 0, else
    WRONG, where the world has no verdict of its own.

    Subclasses implement `start` and `act`, and override `clone` where they hold something.

    Args:
        tasks: What it can be reset to.
        render_mode: None or `"ansi"`.
        max_chars: Longest observation and action; a longer observation is a failure.
    """

    def __init__(self, tasks: TaskSet, *, render_mode: str | None = None, max_chars: int = 1_000_000) -> None:
        super().__init__(tasks, max_chars=max_chars, render_mode=render_mode)
        # Who knows what somebody else's step waits for; worlds that are known not to wait say so.
        self.metadata = {**self.metadata, "instant": False}
        self._return = 0.0
        self._over = True

    @abstractmethod
    def start(self, task: Task) -> str:
        """Start an episode and return the first observation."""

    @abstractmethod
    def act(self, action: str) -> Answer:
        """Carry out an action."""

    def begin(self, task: Task) -> str:
        """Start an episode.

        Raises:
            InfrastructureError: If the world fails.
        """
        self._return, self._over = 0.0, True
        try:
            told = self.start(task)
        except PalaestraError:
            raise
        except Exception as error:  # whatever somebody else's world raises
            raise InfrastructureError(f"{self.tasks.name} failed to start: {_said(error)}") from error
        self._over = False
        return told

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        """Carry out an action."""
        if self._over or self.task is None:
            raise UsageError("There is no running episode: call reset() before step().")
        try:
            answer = self.act(action)
            if not math.isfinite(answer.reward):
                raise InfrastructureError(f"the world paid {answer.reward}, expected a finite number")
            if answer.observation not in self.observation_space:
                raise InfrastructureError("the world said more than fits its observation space")
        except Exception as error:  # as above
            self._over = True
            self.observation = "The world failed."
            failure = Verdict(0.0, Status.INFRASTRUCTURE, _said(error))
            return self.observation, 0.0, True, False, self.outcome(failure)
        self.observation, reward = answer.observation, float(answer.reward)
        self._return += reward
        self._over = bool(answer.terminated or answer.truncated)
        verdict = answer.verdict
        if verdict is not None and not verdict.valid:
            self._over = True
            return self.observation, 0.0, True, False, self.outcome(verdict)
        if verdict is None and self._over:
            verdict = verdict_of(self._return, f"return {self._return:g}")
        return self.observation, reward, bool(answer.terminated), bool(answer.truncated), self.outcome(verdict)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"
