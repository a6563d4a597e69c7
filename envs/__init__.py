"""The worlds: tasks, judges and environments that speak text. Importing this registers every id with Gymnasium."""

from palaestra.envs.catalogue import make, register_all
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Judge, Status, Verdict

__all__ = ["Judge", "Status", "Task", "TaskSet", "Verdict", "make"]

register_all()
