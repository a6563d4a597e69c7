"""Measure a suite: cell by cell, into a folder that appears when all of it is there."""

import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

from palaestra.agents.agent import Agent
from palaestra.agents.http.meter import Metered, Usage
from palaestra.agents.rollout import Rollout
from palaestra.agents.scripted import RandomAgent
from palaestra.agents.specs import load_agent
from palaestra.envs.errors import RefusedError, RunError, UsageError
from palaestra.evolution.benchmark.cache import Cache
from palaestra.evolution.benchmark.contrasts import CORRECTION, compare_all, overall
from palaestra.evolution.benchmark.identity import key_of, policy_identity
from palaestra.evolution.benchmark.playing import Field, PlayedCell, Ready, play_cell
from palaestra.evolution.benchmark.result import FORMAT, ResultFolder, has_figures, write_tasks
from palaestra.evolution.benchmark.suite import Entrant, Suite
from palaestra.evolution.benchmark.summary import MOST_INVALID, compares_answers, summarise_cell
from palaestra.evolution.durable import discard, replacing, write_json
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.lock import Lock
from palaestra.evolution.provenance import commit, machine

__all__ = ["conclude", "fields_of", "measure"]

# These are known at once, so a mistake in one is told before the minutes begin.
_LIGHT = ("http", "scripted", "search")

Tell = Callable[[str], None]


def fields_of(suite: Suite) -> tuple[Rollout, list[Field]]:
    """Return the courses of a suite with their worlds, and a rollout that has these built.

    Raises:
        UsageError: If an environment or a task that the suite names is not there.
    """
    rollout = Rollout(RandomAgent())
    fields = []
    for course in suite.courses:
        try:
            fields.append(Field.of(course, rollout))
        except UsageError as error:
            raise UsageError(f"{suite.source or suite.name}, environment {course.name!r}: {error}") from error
    return rollout, fields


def measure(
    suite: Suite, cache: Cache, out: Path, tell: Tell = lambda _: None
) -> tuple[ResultFolder, dict[str, Usage]]:
    """Play what is missing of a suite and write its result.

    Killed at any moment, the same call goes on: what had ended is in the cache.

    Args:
        suite: What to measure.
        cache: What was played before.
        out: The folder of the result; a place that is free, or holds a result of the same suite that is not complete.
        tell: Called with what is being done.

    Returns:
        The result, and what servers were asked in this process, by policy.

    Raises:
        UsageError: If the suite cannot be measured, or `out` is taken.
        RunError: If another process is at the same.
    """
    _refuse_taken(suite, out)
    rollout, fields = fields_of(suite)
    agents = {e.name: _loaded(e) for e in suite.entrants if e.spec.partition(":")[0] in _LIGHT}
    aside = out.with_name(f".{out.name}.superseded")
    with _alone(cache, out):
        _remove(aside)
        with replacing(out) as folder:
            folder.mkdir()
            usages = _measure_into(folder, suite, cache, rollout, fields, agents, tell)
            if out.exists():  # a result of the same suite that was not complete
                out.rename(aside)
        _remove(aside)
    return ResultFolder.open(out), usages


def _measure_into(
    folder: Path,
    suite: Suite,
    cache: Cache,
    rollout: Rollout,
    fields: Sequence[Field],
    agents: dict[str, Agent],
    tell: Tell,
) -> dict[str, Usage]:
    """Write all of a result; return what servers were asked."""
    cells: list[dict[str, Any]] = []
    policies: list[dict[str, Any]] = []
    usages: dict[str, Usage] = {}
    store = ExperienceStore(folder / "episodes")
    for entrant in suite.entrants:
        tell(f"loading {entrant.name}")
        agent = agents.pop(entrant.name, None) or _loaded(entrant)
        ready = Ready(entrant, agent, policy_identity(entrant.spec, agent))
        policies.append(
            {"name": entrant.name, "spec": entrant.spec, "comment": entrant.comment, "identity": ready.identity}
        )
        cells += _cells(cache, rollout, ready, fields, store, tell)
        if isinstance(agent, Metered):
            usages[entrant.name] = agent.usage
        del agent, ready  # before the next one is loaded
    tell("writing")
    write_tasks(folder, {field.course.name: field.tasks for field in fields})
    about = _about(suite) | {"policies": policies, "environments": [_world(rollout, field) for field in fields]}
    write_json(folder / "result.json", conclude(about, cells))
    return usages


def _remove(folder: Path) -> None:
    if folder.exists():
        discard(folder)


def _refuse_taken(suite: Suite, out: Path) -> None:
    """Raise an error if a result cannot be written to a place without losing another."""
    if not out.exists() or (out.is_dir() and next(out.iterdir(), None) is None):
        return
    try:
        there = ResultFolder.open(out).about
    except RunError as error:
        raise UsageError(f"--out {out} is taken, and by no result: name a place that is free.") from error
    if there.get("complete") or there["suite"].get("digest") != suite.digest:
        words = "a result already" if there.get("complete") else "a result of another suite"
        raise UsageError(f"--out {out} holds {words}, which is never changed: name another place, or remove it.")


@contextmanager
def _alone(cache: Cache, out: Path) -> Iterator[None]:
    """Keep others from writing the same result."""
    place = cache.root / "results" / blake2b(str(out.resolve()).encode(), digest_size=8).hexdigest()
    place.mkdir(parents=True, exist_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = Lock(place / "lock")
    except RunError as error:
        raise RunError(
            f"Another process writes the result {out}. Wait until it ends, or name another --out."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _loaded(entrant: Entrant) -> Agent:
    try:
        return load_agent(entrant.spec)
    except UsageError as error:
        raise UsageError(f"The policy {entrant.name!r} cannot be loaded: {error}") from error


def _cells(
    cache: Cache, rollout: Rollout, ready: Ready, fields: Sequence[Field], store: ExperienceStore, tell: Tell
) -> Iterator[dict[str, Any]]:
    """Yield an entrant's cells as they are played."""
    stopped = ""
    for field in fields:
        names = {"policy": ready.entrant.name, "env": field.course.name}
        where = f"{ready.entrant.name} in {field.course.name}"
        try:
            if stopped:
                raise UsageError(stopped)
            played = play_cell(cache, rollout, ready, field, partial(_progress, tell, where))
        except UsageError as error:  # one that cannot play here costs the others nothing
            stopped = str(error) if isinstance(error, RefusedError) else stopped
            yield {**names, "refused": str(error)}
        else:
            yield {**names, **_cell(rollout, ready, field, store, played)}


def _progress(tell: Tell, where: str, done: int, total: int) -> None:
    tell(f"{where}: {done:,} of {total:,} episodes")


def _cell(rollout: Rollout, ready: Ready, field: Field, store: ExperienceStore, played: PlayedCell) -> dict[str, Any]:
    shard = f"cell-{len(store.shards()):04d}"
    names = {"policy": ready.entrant.name, "environment": field.course.name}
    store.write(shard, played.episodes, {**names, "keys": {str(s): key for s, key in played.keys.items()}})
    cell = summarise_cell(field.course, field.tasks, field.keys, rollout.env(field.course.spec), played.episodes)
    cost = played.cost.as_json() | {"attempts_found": played.found}
    sampling = field.course.sampled(ready.entrant)
    return {"shard": shard, "keys": list(played.keys.values()), "sampling": sampling, **cell, "cost": cost}


def _world(rollout: Rollout, field: Field) -> dict[str, Any]:
    course = field.course
    return {
        "name": course.name,
        "spec": course.spec,
        "comment": course.comment,
        "split": course.split,
        "tasks": len(field.tasks),
        "tasks_digest": key_of({"tasks": sorted(field.keys)}),
        "attempts": course.attempts,
        "seeds": list(course.seeds),
        "votes": compares_answers(rollout.env(course.spec)),
        "identity": field.identity,
    }


def _about(suite: Suite) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "palaestra": version("palaestra"),
        "commit": commit(),
        "machine": {"platform": platform.platform(), **machine()},
        "suite": suite.as_json() | {"digest": suite.digest},
    }


def conclude(about: dict[str, Any], cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a result with what its cells say against each other.

    Args:
        about: What `result.json` says besides.
        cells: Its cells.
    """
    policies = [policy["name"] for policy in about["policies"]]
    envs = [env["name"] for env in about["environments"]]
    measured = {(cell["policy"], cell["env"]): cell for cell in cells if has_figures(cell)}
    return about | {
        "complete": len(measured) == len(policies) * len(envs),
        "most_invalid": MOST_INVALID,
        "cells": cells,
        "overall": overall(policies, envs, measured),
        "comparisons": compare_all(policies, envs, measured),
        "correction": CORRECTION,
    }
