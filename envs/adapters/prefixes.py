"""Specs of other people's worlds, `prefix:name?key=value`: which prefixes there are, and what builds them."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from palaestra.envs.errors import UsageError
from palaestra.envs.settings import loaded, read_settings, settable
from palaestra.envs.task import TaskSet

__all__ = ["ADAPTERS", "Adapter", "adapter_of", "build", "is_outside_arena", "needing"]


@dataclass(frozen=True)
class Adapter:
    """Where the worlds of one package come from.

    Attributes:
        prefix: What stands before the colon.
        summary: One line for people.
        world: `module:function` that builds an environment of a name; `""` where there is none.
        arena: `module:function` that builds an arena of a name; `""` where there is none.
        seated: `module:function` that says whether a name is an arena, where a package has both.
    """

    prefix: str
    summary: str
    world: str = ""
    arena: str = ""
    seated: str = ""


_HERE: Final = "palaestra.envs.adapters"
ADAPTERS: Final = {
    adapter.prefix: adapter
    for adapter in (
        Adapter("reasoning-gym", "A data set of reasoning-gym", f"{_HERE}.reasoning_gym:reasoning_world"),
        Adapter(
            "textarena",
            "A game of TextArena, alone or against others",
            f"{_HERE}.textarena:textarena_world",
            f"{_HERE}.textarena_games:textarena_arena",
            f"{_HERE}.textarena:has_opponents",
        ),
        Adapter("gem", "An environment of GEM", f"{_HERE}.gem:gem_world"),
        Adapter("verifiers", "An environment of verifiers", f"{_HERE}.verifiers:verifiers_world"),
        Adapter("openenv", "An OpenEnv server", f"{_HERE}.openenv:openenv_world"),
        Adapter("openspiel", "A game of OpenSpiel", arena=f"{_HERE}.openspiel:openspiel_arena"),
        Adapter("inspect", "The data set and the scorer of an inspect_ai task", f"{_HERE}.inspect_task:inspect_world"),
    )
}
# These are the caller's, not a spec's.
_NOT_SETTABLE: Final = {"name", "tasks", "render_mode"}


def adapter_of(spec: str) -> Adapter | None:
    """Return the adapter that a spec names, None where it names none."""
    prefix, colon, _ = spec.strip().partition(":")
    return ADAPTERS.get(prefix) if colon else None


def is_outside_arena(spec: str) -> bool:
    """Whether a spec with one of the prefixes names an arena."""
    adapter = adapter_of(spec)
    if adapter is None or not adapter.arena:
        return False
    return not adapter.seated or bool(loaded(adapter.seated)(_name(spec)))


def build(spec: str, *, arena: bool = False, tasks: TaskSet | None = None) -> Any:
    """Build the environment or the arena of a spec with one of the prefixes.

    What the adapter does not know of the settings it hands on to the package.

    Raises:
        UsageError: If the package is not installed or refuses, a setting is wrong, or tasks are not taken.
        UnknownNameError: If the package has nothing of this name.
    """
    adapter = adapter_of(spec)
    entry_point = "" if adapter is None else adapter.arena if arena else adapter.world
    if not entry_point:
        raise UsageError(f"{spec!r} names no {'arena' if arena else 'environment'}.")
    make: Callable[..., Any] = loaded(entry_point)
    parameters = inspect.signature(make).parameters
    open_ended = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    query = spec.partition("?")[2]
    settings = read_settings(spec, query, settable(make, except_for=_NOT_SETTABLE), others=open_ended)
    if tasks is not None:
        if "tasks" not in parameters:
            raise UsageError(f"{spec!r} takes no tasks.")
        settings["tasks"] = tasks
    return make(_name(spec), **settings)


def _name(spec: str) -> str:
    name = spec.strip().partition(":")[2].partition("?")[0]
    if not name:
        raise UsageError(f"{spec!r} names nothing behind its colon.")
    return name


@contextmanager
def needing(extra: str, then: str = "") -> Iterator[None]:
    """Say which extra brings a package that cannot be imported, and what is to be done besides.

    Raises:
        UsageError: If what is done inside cannot import something.
    """
    try:
        yield
    except ImportError as error:
        install = f"pip install 'palaestra[{extra}]'" + (f" && {then}" if then else "")
        raise UsageError(f"This needs a package that is not here ({error}): {install}.") from error
