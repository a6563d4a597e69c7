"""Ids of environments, resolved lazily, and their registration with Gymnasium."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import gymnasium
from palaestra.envs.adapters import prefixes
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.settings import import_module, loaded, read_settings, settable
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
    World("palaestra/Verify-v0", "palaestra.envs.math.verify:Verify", "Compute sums, and judge answers to them"),
    World(
        "palaestra/Correct-v0",
        "palaestra.envs.math.correcting:Correct",
        "Compute sums, and answer again after feedback",
    ),
    World(
        "palaestra/SetAndSolve-v0",
        "palaestra.envs.arena.dialogues.set_and_solve:SetAndSolve",
        "Compute sums, and set some: both sides of proposer_solver",
        cradle=True,
    ),
    World(
        "palaestra/Workshop-v0",
        "palaestra.envs.writing.workshop:Workshop",
        "Solve tasks of another world, and write such tasks, ?of=SPEC",
        cradle=True,
    ),
    World("palaestra/Ways-v0", "palaestra.envs.math.ways:Ways", "Compute sums, worked out in one of several ways"),
    World("palaestra/Countdown-v0", "palaestra.envs.math.countdown:Countdown", "Reach a target with given numbers"),
    World(
        "palaestra/Math-v0", "palaestra.envs.math.environment:Math", "Algebra, number theory, word problems; ?path=FILE"
    ),
    World("palaestra/Code-v0", "palaestra.envs.code.environment:Code", "Write a program that passes tests; ?path=FILE"),
    World("palaestra/Repair-v0", "palaestra.envs.code.repair:Repair", "Mend a program, ?trace=true shows it running"),
    World("palaestra/Mend-v0", "palaestra.envs.code.mending:Mend", "Mend a tiny program's last line"),
    World(
        "palaestra/Synthesis-v0",
        "palaestra.envs.code.synthesis:Synthesis",
        "Find a function from three examples",
        cradle=True,
    ),
    World(
        "palaestra/Debug-v0",
        "palaestra.envs.code.debugging:Debug",
        "Find a function, and mend it after it was run on the examples",
    ),
    World(
        "palaestra/Toolbox-v0",
        "palaestra.envs.code.toolbox:Toolbox",
        "Define a function with tools that nobody explained, ?box=1",
        cradle=True,
    ),
    World(
        "palaestra/Reading-v0",
        "palaestra.envs.reading.environment:Reading",
        "Find one fact, or a chain, in a long text",
    ),
    World(
        "palaestra/Graph-v0",
        "palaestra.envs.graphs.environment:Graph",
        "Find ways, cycles, colourings, matchings in a graph",
    ),
    World(
        "palaestra/Crawl-v0",
        "palaestra.envs.reading.crawl.environment:Crawl",
        "Write XPaths that extract a field from a site; ?path=FOLDER",
    ),
    World("palaestra/GuessNumber-v0", "palaestra.envs.puzzle.guess_number:GuessNumber", "Find a secret by bisection"),
    World(
        "palaestra/Consult-v0",
        "palaestra.envs.dialogue.consult:Consult",
        "Ask a patient, then name what is hidden",
    ),
    World(
        "palaestra/Codebook-v0",
        "palaestra.envs.puzzle.codebook:Codebook",
        "Decode by a hidden code that earlier tries tell, ?code=1",
        cradle=True,
    ),
    World("palaestra/Question-v0", "palaestra.envs.question:FileQuestions", "Questions from a file, ?path=FILE"),
    World("palaestra/FrozenLake-v0", _TEXT_WORLD, "Cross the ice without falling in", {"env": "FrozenLake-v1"}),
    World("palaestra/Taxi-v0", _TEXT_WORLD, "Fetch a passenger and drop them off", {"env": "Taxi-v4"}),
    World("palaestra/Blackjack-v0", _TEXT_WORLD, "Beat the dealer", {"env": "Blackjack-v1"}),
    World("palaestra/CartPole-v0", _TEXT_WORLD, "Balance a pole", {"env": "CartPole-v1"}),
)
_BY_ID = {entry.id: entry for entry in _WORLDS}
_TRAIN = inspect.Parameter("train", inspect.Parameter.KEYWORD_ONLY, annotation=str)
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
        Card(entry.id, entry.summary, ", ".join(_settable(loaded(entry.entry_point), entry.kwargs)))
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
    `TextWorld` unless it is a `TextEnv` already; or `module:id`, which imports the module first; or one of other
    people's worlds (`reasoning-gym:chain_sum`, see `palaestra.envs.adapters.prefixes`). The name of an arena stands
    for a seat in it, with the others moving at random, where its moves can be listed.

    Of every world that takes tasks, `train=FILE` puts the tasks of a file in the place of those that may be learned
    from; what is held out stays the world's own, and what of the file is held out is left aside.

    Args:
        spec: Names the world and its settings.
        tasks: Takes the place of the world's own tasks.

    Raises:
        UnknownNameError: If no world has this name.
        UsageError: If a setting is unknown or has a wrong value.
    """
    adapter = prefixes.adapter_of(spec)
    if adapter is not None and adapter.world:
        return _checked(spec, prefixes.build(spec, tasks=tasks))
    name, _, query = spec.partition("?")
    if not _is_ours(name):
        # Imported late: most environments do without, and it imports this module.
        from palaestra.envs.arena import catalogue as arenas
        from palaestra.envs.arena.world import ArenaWorld

        if arenas.is_arena(spec):
            return ArenaWorld(arenas.make_arena(spec))
    module, _, name = name.strip().rpartition(":")
    if module:
        import_module(module)
    build, fixed = _resolved(name)
    takes_tasks = "tasks" in inspect.signature(build).parameters
    known = _settable(build, fixed)
    ours = takes_tasks and _TRAIN.name not in known
    kwargs = {**fixed, **read_settings(spec, query, {**known, _TRAIN.name: _TRAIN} if ours else known)}
    if ours and (file := kwargs.pop(_TRAIN.name, "")):
        tasks = _trained_on(str(file), build(**kwargs))
    if tasks is not None:
        if not takes_tasks:
            raise UsageError(f"{name} takes no tasks: its class has no argument `tasks`.")
        kwargs["tasks"] = tasks
    return _checked(name, build(**kwargs))


def _checked(name: str, env: object) -> TextEnv:
    if not isinstance(env, TextEnv):
        raise UsageError(f"{name} made a {type(env).__name__}, expected a TextEnv.")
    return env


def _trained_on(file: str, world: TextEnv) -> TaskSet:
    """Return the tasks of a file that may be learned from, and the held-out tasks of a world."""
    from palaestra.envs.sources import load_tasks

    learned = load_tasks(file).tasks.split().train
    mine = {task.id for task in learned}
    held = (task for task in world.tasks.split().test if task.id not in mine)
    return TaskSet((*learned, *held), f"{world.tasks.name}[{file}]", endless=world.tasks.endless)


def _is_ours(name: str) -> bool:
    try:
        return bool(world(name))
    except UnknownNameError:
        return False


def _resolved(name: str) -> tuple[Callable[..., Any], Mapping[str, Any]]:
    """Return what builds the world of a name, and the arguments that belong to the name."""
    foreign = gymnasium.registry.get(name) if name not in _BY_ID else None
    if foreign is not None and foreign.entry_point is not None:
        build = loaded(foreign.entry_point)
        if inspect.isclass(build) and issubclass(build, TextEnv):
            return build, foreign.kwargs
        return loaded(_TEXT_WORLD), {"env": name}
    try:
        entry = world(name)
    except UnknownNameError:
        # Where nothing is near, the whole of Gymnasium would be too long a list.
        near = get_close_matches(name, gymnasium.registry, cutoff=0.5)
        known = [*_BY_ID, *(entry.short for entry in _WORLDS), *near]
        advice = "`palaestra envs` lists ours; any other id registered with Gymnasium works too (module:id imports it)."
        raise UnknownNameError("environment", name, known, advice) from None
    return loaded(entry.entry_point), entry.kwargs


def _settable(build: Callable[..., Any], fixed: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters a spec may set: those of the class, and for a wrapped world those of the world."""
    inner = fixed.get("env")
    if not isinstance(inner, str):
        return settable(build, except_for=_NOT_SETTABLE)
    entry_point = gymnasium.spec(inner).entry_point
    within = settable(loaded(entry_point), except_for=_NOT_SETTABLE) if entry_point is not None else {}
    limit = inspect.Parameter("max_episode_steps", inspect.Parameter.KEYWORD_ONLY)
    return {**within, **settable(build, except_for=_NOT_SETTABLE), limit.name: limit}
