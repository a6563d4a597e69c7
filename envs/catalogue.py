"""Ids of environments, resolved lazily, and their registration with Gymnasium."""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any
from urllib.parse import unquote

import gymnasium
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.task import TaskSet
from palaestra.envs.text_env import TextEnv

__all__ = ["Card", "World", "cards", "make", "register_all", "world", "worlds"]


@dataclass(frozen=True)
class World:
    """One entry of the catalogue.

    Attributes:
        id: Gymnasium id, `namespace/Name-vN`; changed behaviour is a new version.
        entry_point: `module:Class`, imported when the world is first made.
        summary: One line for people.
        kwargs: Arguments that make the class this world.
        cradle: Whether a nursery policy is born to it in about a minute, with something left to learn.
    """

    id: str
    entry_point: str
    summary: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    cradle: bool = False

    @property
    def short(self) -> str:
        """The id without namespace and version, in lower case: what people may write instead."""
        return self.id.rpartition("/")[2].rpartition("-v")[0].lower()


@dataclass(frozen=True)
class Card:
    """What a list of worlds shows of one.

    Attributes:
        id: Its id.
        summary: One line for people.
        parameters: What a spec may set, behind `?`.
    """

    id: str
    summary: str
    parameters: str


_TEXT_WORLD = "palaestra.envs.text:TextWorld"
_WORLDS = (
    World("palaestra/Arithmetic-v0", "palaestra.envs.math.arithmetic:Arithmetic", "Compute 37 + 48 = ?", cradle=True),
    World("palaestra/Countdown-v0", "palaestra.envs.math.countdown:Countdown", "Reach a target with given numbers"),
    World(
        "palaestra/Math-v0", "palaestra.envs.math.environment:Math", "Algebra, number theory, word problems; ?path=FILE"
    ),
    World("palaestra/Code-v0", "palaestra.envs.code.environment:Code", "Write a program that passes tests; ?path=FILE"),
    World("palaestra/Repair-v0", "palaestra.envs.code.repair:Repair", "Mend a program, ?trace=true shows it running"),
    World(
        "palaestra/Synthesis-v0",
        "palaestra.envs.code.synthesis:Synthesis",
        "Find a function from three examples",
        cradle=True,
    ),
    World("palaestra/GuessNumber-v0", "palaestra.envs.puzzle.guess_number:GuessNumber", "Find a secret by bisection"),
    World("palaestra/Question-v0", "palaestra.envs.question:FileQuestions", "Questions from a file, ?path=FILE"),
    World("palaestra/FrozenLake-v0", _TEXT_WORLD, "Cross the ice without falling in", {"env": "FrozenLake-v1"}),
    World("palaestra/Taxi-v0", _TEXT_WORLD, "Fetch a passenger and drop them off", {"env": "Taxi-v4"}),
    World("palaestra/Blackjack-v0", _TEXT_WORLD, "Beat the dealer", {"env": "Blackjack-v1"}),
    World("palaestra/CartPole-v0", _TEXT_WORLD, "Balance a pole", {"env": "CartPole-v1"}),
)
_BY_ID = {entry.id: entry for entry in _WORLDS}
# These are the caller's, not a spec's.
_NOT_SETTABLE = {"tasks", "render_mode", "describe", "parse", "success", "env"}


def worlds() -> tuple[World, ...]:
    """Return every world of ours."""
    return _WORLDS


def world(name: str) -> World:
    """Return the world of an id or short name (`arithmetic`), whatever its case.

    Raises:
        UnknownNameError: If there is none, or several versions share the short name.
    """
    if name in _BY_ID:
        return _BY_ID[name]
    found = [entry for entry in _WORLDS if name.lower() in (entry.id.lower(), entry.short)]
    if len(found) == 1:
        return found[0]
    raise UnknownNameError("environment", name, [*_BY_ID, *(entry.short for entry in _WORLDS)])


def cards() -> tuple[Card, ...]:
    """Return what a list of the worlds shows."""
    return tuple(
        Card(entry.id, entry.summary, ", ".join(_settable(_loaded(entry.entry_point), entry.kwargs)))
        for entry in _WORLDS
    )


def register_all() -> None:
    """Register every id with Gymnasium, once."""
    for entry in _WORLDS:
        if entry.id not in gymnasium.registry:
            gymnasium.register(id=entry.id, entry_point=entry.entry_point, kwargs=dict(entry.kwargs))


def make(spec: str, tasks: TaskSet | None = None) -> TextEnv:
    """Build the environment that a spec names, without Gymnasium's wrappers.

    A spec is `id` or `id?key=value&key=value`; values are numbers, true, false or text, with `%26` for `&`. The id is
    one of ours, or its short name (`arithmetic?digits=3`); or any other that Gymnasium knows, which is spoken by
    `TextWorld` unless it is a `TextEnv` already; or `module:id`, which imports the module first.

    Args:
        spec: Names the world and its settings.
        tasks: Takes the place of the world's own tasks.

    Raises:
        UnknownNameError: If no world has this name.
        UsageError: If a setting is unknown or has a wrong value.
    """
    name, _, query = spec.partition("?")
    module, _, name = name.strip().rpartition(":")
    if module:
        _import(module)
    build, fixed = _resolved(name)
    kwargs = {**fixed, **_settings(spec, query, _settable(build, fixed))}
    if tasks is not None:
        if "tasks" not in inspect.signature(build).parameters:
            raise UsageError(f"{name} takes no tasks: its class has no argument `tasks`.")
        kwargs["tasks"] = tasks
    env = build(**kwargs)
    if not isinstance(env, TextEnv):
        raise UsageError(f"{name} made a {type(env).__name__}, expected a TextEnv.")
    return env


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"The module {module!r} that should register the world cannot be imported: {error}") from error


def _loaded(entry_point: str | Callable[..., Any]) -> Callable[..., Any]:
    if callable(entry_point):
        return entry_point
    module, _, attribute = entry_point.partition(":")
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return loaded


def _resolved(name: str) -> tuple[Callable[..., Any], Mapping[str, Any]]:
    """Return what builds the world of a name, and the arguments that belong to the name."""
    foreign = gymnasium.registry.get(name) if name not in _BY_ID else None
    if foreign is not None and foreign.entry_point is not None:
        build = _loaded(foreign.entry_point)
        if inspect.isclass(build) and issubclass(build, TextEnv):
            return build, foreign.kwargs
        return _loaded(_TEXT_WORLD), {"env": name}
    try:
        entry = world(name)
    except UnknownNameError:
        # Where nothing is near, the whole of Gymnasium would be too long a list.
        near = get_close_matches(name, gymnasium.registry, cutoff=0.5)
        known = [*_BY_ID, *(entry.short for entry in _WORLDS), *near]
        advice = "`palaestra envs` lists ours; any other id registered with Gymnasium works too (module:id imports it)."
        raise UnknownNameError("environment", name, known, advice) from None
    return _loaded(entry.entry_point), entry.kwargs


def _settable(build: Callable[..., Any], fixed: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters a spec may set: those of the class, and for a wrapped world those of the world."""
    parameters = dict(inspect.signature(build).parameters)
    inner = fixed.get("env")
    if isinstance(inner, str):
        entry_point = gymnasium.spec(inner).entry_point
        if entry_point is not None:
            parameters = {**inspect.signature(_loaded(entry_point)).parameters, **parameters}
        parameters["max_episode_steps"] = inspect.Parameter("max_episode_steps", inspect.Parameter.KEYWORD_ONLY)
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {k: p for k, p in parameters.items() if k not in _NOT_SETTABLE and p.kind not in kinds}


def _settings(spec: str, query: str, settable: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        # Not urllib's query parser: it would read the + of operations=+- as a space.
        key, equals, raw = pair.partition("=")
        if not equals or key in settings:
            raise UsageError(f"{spec!r}: expected key=value once for each key, got {pair!r}.")
        if key not in settable:
            raise UsageError(f"{spec!r} has no parameter {key!r}; its parameters are {', '.join(settable)}.")
        settings[key] = _fitted(spec, settable[key], unquote(raw))
    return settings


def _fitted(spec: str, parameter: inspect.Parameter, raw: str) -> Any:
    """Return the value that the text means, of a type that the parameter takes."""
    value = _meant(raw)
    try:
        if parameter.annotation is inspect.Parameter.empty or isinstance(value, parameter.annotation):
            return value
        if isinstance(value, int) and isinstance(float(value), parameter.annotation):
            return float(value)
        if isinstance(raw, parameter.annotation):
            return raw
    except TypeError:  # an annotation that instances cannot be checked against
        return value
    wanted = getattr(parameter.annotation, "__name__", str(parameter.annotation))
    raise UsageError(f"{spec!r}: {parameter.name} must be {wanted}, got {raw!r}.")


def _meant(raw: str) -> bool | int | float | str:
    if raw.lower() in ("true", "false"):
        return raw.lower() == "true"
    if re.fullmatch(r"[+-]?[0-9]{1,18}", raw):
        return int(raw)
    if re.fullmatch(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]{1,3})?", raw):
        return float(raw)
    return raw
