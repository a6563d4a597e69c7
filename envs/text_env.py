"""The contract of an environment: a `gymnasium.Env` whose observations and actions are text and which has tasks."""

import copy
import string
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Verdict

__all__ = ["TOLD", "Info", "TextEnv", "Words"]

Info = dict[str, Any]
TOLD = " (told)"
"""How the id of a task ends that tells more than is asked: the answer, a critic's words, principles."""


class Words(spaces.Text):
    """All text up to a length: `gymnasium.spaces.Text` without an alphabet.

    Sampling draws printable ASCII; membership allows every character, because people and models write more
    than any alphabet that could be listed.

    Args:
        max_length: Longest text, in characters.
    """

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length=max_length, min_length=0, charset=string.printable)

    def contains(self, x: object) -> bool:
        """Return whether `x` is text of at most `max_length` characters."""
        return isinstance(x, str) and len(x) <= self.max_length


class TextEnv(gymnasium.Env[str, str]):
    """A world spoken in text, with a set of tasks it can be reset to.

    `reset(seed=..., options={"task": task_or_id})` plays that task; without one, a task is drawn from
    `self.np_random`, so the same seed gives the same episode. `info` holds `"task"` (the id) and, once
    something was judged, `"verdict"`; the last verdict of an episode is the episode's. Actions longer than the
    action space allows are the environment's to judge, never an exception.

    Subclasses implement `begin` and `step`, and give `solution` where they know one.

    Args:
        tasks: The tasks of this world.
        max_chars: Longest observation and action, in characters.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it on the instance)
        "render_modes": ["ansi"],
        "render_fps": 1,
        # Steps take microseconds and never wait: the rollout may run them inline. Anything else says False.
        "instant": True,
    }

    def __init__(self, tasks: TaskSet, *, max_chars: int = 100_000, render_mode: str | None = None) -> None:
        if len(tasks) == 0:
            raise UsageError(f"{type(self).__name__} needs at least one task, got an empty set {tasks.name!r}.")
        if render_mode not in (None, "ansi"):
            raise UsageError(f"render_mode must be None or 'ansi', got {render_mode!r}.")
        self.tasks = tasks
        self.render_mode = render_mode
        self.observation_space = Words(max_chars)
        self.action_space = Words(max_chars)
        self.task: Task | None = None
        self.observation = ""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, Info]:
        """Start an episode and return its first observation and info.

        Args:
            seed: Reseeds `self.np_random`.
            options: `{"task": Task or task id}` chooses the task; other keys are refused.

        Raises:
            UsageError: If the options are not understood or the task id is unknown.
        """
        super().reset(seed=seed)
        self.task = self._chosen(options)
        self.observation = self.begin(self.task)
        return self.observation, {"task": self.task.id}

    def _chosen(self, options: dict[str, Any] | None) -> Task:
        unknown = set(options or {}) - {"task"}
        if unknown:
            raise UsageError(f"Unknown reset options {sorted(unknown)}; the only option is 'task'.")
        choice = (options or {}).get("task")
        if choice is None:
            return self.tasks[int(self.np_random.integers(len(self.tasks)))]
        if isinstance(choice, Task):
            return choice
        if isinstance(choice, str):
            return self.tasks.by_id(choice)
        raise UsageError(f"options['task'] must be a Task or a task id, got {type(choice).__name__}.")

    @abstractmethod
    def begin(self, task: Task) -> str:
        """Set the state for `task` and return the first observation. Randomness comes from `self.np_random`."""

    @abstractmethod
    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        """Judge or carry out one action; see `gymnasium.Env.step`."""

    def render(self) -> str | None:
        """Return the last observation when the render mode is `"ansi"`; a world of several turns keeps it current."""
        return self.observation if self.render_mode == "ansi" else None

    def outcome(self, verdict: Verdict | None = None) -> Info:
        """Build the info of a step of the current task."""
        info: Info = {"task": self.task.id if self.task else ""}
        if verdict is not None:
            info["verdict"] = verdict
        return info

    def solution(self, task: Task) -> Sequence[str] | None:
        """Return actions that solve `task` from its start to a reward of 1, or None where none is known."""
        del task
        return None

    def demonstration(self, task: Task) -> Sequence[str] | None:
        """Return actions to learn the ways of this world from; its solution, where that is what should be learned."""
        return self.solution(task)

    @property
    def tells_all(self) -> bool:
        """Whether each observation tells all that matters, so that nothing that was said before need be remembered."""
        return False

    def odds(self, task: Task) -> float:
        """Return how probable the demonstration is from one who knows the ways of this world; 1 if there is one way."""
        del task
        return 1.0

    def follows(self, task: Task) -> bool:
        """Return whether the answer follows from what is told; else a newborn learns to guess, and is not asked it."""
        del task
        return True

    def hinted(self, task: Task) -> Task | None:
        """Return `task` with its answer in the prompt, and an id that ends with `TOLD`; None where that is not done.

        It is there to be explained: what reaches an answer that one knows may show how to reach it.
        """
        del task
        return None

    def criticised(self, task: Task, actions: Sequence[str]) -> Task | None:
        """Return `task` with what a critic says of an attempt at it in the prompt, and an id that ends with `TOLD`.

        The critic may know what is right and does not give it away; None where nobody criticises.

        Args:
            task: The task that was attempted.
            actions: What was done, in order.
        """
        del task, actions
        return None

    @property
    def explained(self) -> bool:
        """Whether solutions say how they are reached, so that one born to this world learns to explain what it is told.

        A nursery policy then is shown the right way only where the answer is told (`hinted`), and slips elsewhere.
        """
        return False

    @property
    def words(self) -> tuple[str, ...]:
        """Return texts that a policy born to this world reads as one token each; others it reads by characters."""
        return ()

    @property
    def mastered(self) -> bool:
        """Whether one born to this world masters it, because what is left to learn lies in tasks of another sort."""
        return False

    @property
    def slight(self) -> bool:
        """Whether a narrow policy learns this world as well as a wider one, and in less time."""
        return self.tells_all

    def answer(self, action: str) -> str | None:
        """Return what an action comes down to, so that equal answers are equal text; None where there is none.

        It is read without knowing what is right: for votes among several replies.
        """
        return action.strip() or None

    def tried_out(self, task: Task, action: str) -> str | None:
        """Try an action out on what the task itself shows, such as examples in its prompt; the world stays as it is.

        Returns:
            What is told of the trial, or None where the action stands up to it. That it stands need not mean that it
            is right.

        Raises:
            UsageError: If this world shows nothing to try an action on.
            InfrastructureError: If the trial itself failed.
        """
        del task, action
        raise UsageError(
            f"{type(self).__name__} shows nothing in its tasks to try an answer on. Choose a world that does, such as "
            "palaestra/Synthesis-v0, or let the policy be asked."
        )

    def slip(self, task: Task) -> Sequence[str] | None:
        """Return the actions of someone who knows the way and makes a typical mistake, or None where none is known.

        A nursery policy is shown such demonstrations among right ones, so that there is something to unlearn.
        """
        del task
        return None

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw an action that a player without any skill would try in the current state."""
        del generator
        return ""

    def clone(self) -> "TextEnv":
        """Return an independent instance that shares the (immutable) tasks; subclasses with inner state override."""
        twin = copy.copy(self)
        twin.task = None
        twin._np_random = None
        twin._np_random_seed = None
        return twin
