"""The tasks of an environment as a data set for TRL's trainers."""

from collections.abc import Sequence

from datasets import Dataset
from palaestra.envs.catalogue import make
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv

__all__ = ["tasks_for_trl", "training_tasks"]


def training_tasks(env: TextEnv, size: int | None = None) -> Sequence[Task]:
    """Return the tasks of a world that are not held out, in their order, at most `size` of them.

    Raises:
        UsageError: If there are none.
    """
    train = env.tasks.split().train
    chosen = train if size is None else train[:size]
    if not chosen:
        raise UsageError(f"{env.tasks.name} has no task that is not held out; give it a larger size.")
    return chosen


def tasks_for_trl(spec: str, size: int | None = None) -> Dataset:
    """Return the training tasks of an environment as rows of `prompt` and `task`.

    The prompt is a conversation of one empty message that names its task: what the world says first comes from the
    world itself, when an episode begins. Held-out tasks are left out.

    Args:
        spec: Names the environment.
        size: Most rows; None takes all tasks.
    """
    names = [task.id for task in training_tasks(make(spec), size)]
    prompts = [[{"role": "user", "content": "", "task": name}] for name in names]
    return Dataset.from_dict({"prompt": prompts, "task": names})
