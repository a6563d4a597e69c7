"""Find a judge by name, and ask it without being hurt by what it raises."""

import importlib
from typing import Any

from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task
from palaestra.envs.verdict import Judge, Verdict

__all__ = ["judged", "load_judge"]


def load_judge(spec: str) -> Judge:
    """Return the judge that `module:attribute` names; a class is instantiated without arguments.

    Raises:
        UsageError: If there is none.
    """
    module, colon, attribute = spec.partition(":")
    if not (module and colon and attribute):
        raise UsageError(f"A judge is named as module:attribute, got {spec!r}.")
    try:
        found: Any = importlib.import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
        judge = found() if isinstance(found, type) else found
    except Exception as error:
        raise UsageError(f"{spec!r} cannot be loaded ({type(error).__name__}: {error}).") from error
    if not callable(judge):
        raise UsageError(f"{spec!r} is a {type(judge).__name__}, expected a judge(task, reply) -> Verdict.")
    made: Judge = judge
    return made


def judged(judge: Judge, task: Task, reply: str) -> Verdict | str:
    """Return the verdict, or in words why there is none."""
    try:
        verdict: object = judge(task, reply)
    except BaseException as error:
        return f"raised {type(error).__name__}: {error}"[:300]
    if not isinstance(verdict, Verdict):
        return f"returned a {type(verdict).__name__}, expected a Verdict"
    try:
        verdict.detail.encode()
    except UnicodeEncodeError:  # a file of experience is UTF-8, and a reply must not be able to break it
        return f"returned a detail that no file can hold: {ascii(verdict.detail)[:200]}"
    return verdict
