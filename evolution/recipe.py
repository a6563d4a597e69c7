"""A recipe: one choice for each of the four phases."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, Protocol, TypeVar, get_args, get_origin, get_type_hints, runtime_checkable

from palaestra.agents.episode import Episode
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.evaluation.record import Played, Score
from palaestra.evolution.updating.in_context.update import InContext
from palaestra.evolution.updating.unchanged import Unchanged
from palaestra.evolution.updating.updater import Update
from palaestra.evolution.yard import Yard

__all__ = [
    "Acquire",
    "Evaluate",
    "Recalls",
    "Recipe",
    "Refine",
    "Requires",
    "Situated",
    "configure",
    "describe",
    "refuse_recalling",
]


class Acquire(Protocol):
    """First phase."""

    @property
    def sampling(self) -> Sampling:
        """How the policy samples while it acquires."""
        ...

    def require(self, env: str) -> None:
        """Raise `UsageError` if there is nothing to acquire in an environment, whatever its settings."""
        ...

    def prepare(self, yard: Yard, step: int) -> None:
        """Do what a step begins with; also done when its episodes are then read from the record."""
        ...

    def __call__(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return the episodes of one step; a pure function of the weights, the yard and the step."""
        ...


@runtime_checkable
class Recalls(Protocol):
    """A first phase that also takes up what was acquired in earlier steps; it is not recorded again."""

    def recall(self, yard: Yard, env: str, step: int) -> list[Episode]:
        """Return recorded episodes (`Yard.recorded`) to learn from besides those of the step, in order."""
        ...


def refuse_recalling(parts: Iterable[Acquire], within: str) -> None:
    """Raise `UsageError` if one of the parts of another first phase, named `within`, takes up earlier steps itself."""
    for part in parts:
        if isinstance(part, Recalls):
            raise UsageError(
                f"{type(part).__name__} takes up what earlier steps of the run acquired, which {within} would not let "
                "it do. Make it the recipe's whole first phase."
            )


class Refine(Protocol):
    """Part of the second phase."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return what is worth learning from, in order."""
        ...


@runtime_checkable
class Situated(Protocol):
    """A part of the second phase that must know where and when it is; what it then is does the work."""

    def at(self, yard: Yard, step: int) -> Refine:
        """Return the part as it is in a step of a run; a pure function of the weights, the yard and the step."""
        ...


class Evaluate(Protocol):
    """Fourth phase."""

    def play(self, yard: Yard, env: str, step: int) -> Played:
        """Play what is to be measured; a pure function of the weights, the yard and the step."""
        ...

    def scores(self, env: str, episodes: Sequence[Episode], figures: Mapping[str, float]) -> tuple[Score, ...]:
        """Summarise what was played in one environment, the score that objectives read first."""
        ...

    def settle(self, yard: Yard, env: str, episodes: Sequence[Episode], step: int) -> None:
        """Draw the consequences for the league, also when the episodes were read from the record."""
        ...


@runtime_checkable
class Requires(Protocol):
    """A fourth phase that cannot measure everywhere."""

    def require(self, env: str) -> None:
        """Raise `UsageError` if there is nothing to measure in an environment."""
        ...


@dataclass(frozen=True)
class Recipe:
    """One choice for each of the four phases, and how often.

    Attributes:
        name: Name on the command line.
        acquire: Where experience comes from.
        refine: What is done to it, in order; invalid episodes are always gone first.
        update: How it changes the weights, or what the agent is told.
        evaluate: How the result is measured.
        steps: Turns of the loop.
        evaluate_every: Steps between evaluations; the start and the end are always evaluated.
        checkpoint_every: Steps between checkpoints; what lies between is replayed from recorded experience.
    """

    name: str
    acquire: Acquire
    refine: tuple[Refine | Situated, ...]
    update: Update | InContext | Unchanged
    evaluate: Evaluate
    steps: int
    evaluate_every: int = 10
    checkpoint_every: int = 10

    def __post_init__(self) -> None:
        for field in ("steps", "evaluate_every", "checkpoint_every"):
            if getattr(self, field) < 1:
                raise UsageError(f"{field} must be at least 1, got {getattr(self, field)}.")


_Part = TypeVar("_Part")


def configure(part: _Part, settings: Mapping[str, object]) -> _Part:
    """Return a copy with values set by dotted path, such as `{"update.learning_rate": 1e-4, "refine.2.limit": 8}`.

    Raises:
        UnknownNameError: If a path leads nowhere, or a value is none of the known ones, with the names that would do.
        UsageError: If a value has another type than the one it replaces.
    """
    for path, value in settings.items():
        part = _set(part, path, path, value)
    return part


def _set(part: Any, path: str, whole: str, value: object) -> Any:
    name, _, rest = path.partition(".")
    if isinstance(part, tuple):
        if not name.isdigit() or int(name) >= len(part):
            raise UnknownNameError("option", whole, [str(i) for i in range(len(part))])
        index = int(name)
        changed = _set(part[index], rest, whole, value) if rest else _converted(part[index], value, whole)
        return (*part[:index], changed, *part[index + 1 :])
    known = [field.name for field in fields(part)] if is_dataclass(part) else []
    if name not in known:
        raise UnknownNameError("option", whole, [whole.removesuffix(path) + k for k in known if k != "name"])
    current = getattr(part, name)
    new = _set(current, rest, whole, value) if rest else _converted(current, value, whole)
    hint = get_type_hints(type(part))[name]
    if get_origin(hint) is Literal and new not in get_args(hint):
        raise UnknownNameError(f"value of {whole}", str(new), map(str, get_args(hint)))
    return replace(part, **{name: new})


def _converted(current: object, value: object, path: str) -> object:
    """Return `value` as the type of `current`, where that loses nothing."""
    if is_dataclass(current):
        raise UsageError(f"{path} is a part with options of its own: {', '.join(f.name for f in fields(current))}.")
    if isinstance(current, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(current, tuple) and isinstance(value, list):
        return tuple(value)
    if current is not None and type(value) is not type(current):
        kind = "list" if isinstance(current, tuple) else type(current).__name__
        raise UsageError(f"{path} must be {kind} (it is {current!r}), got {type(value).__name__} {value!r}.")
    return value


def describe(part: object) -> Any:
    """Return a recipe, or a part of one, as plain JSON values with the names of its classes."""
    if is_dataclass(part):
        return {"kind": type(part).__name__} | {f.name: describe(getattr(part, f.name)) for f in fields(part)}
    if isinstance(part, Mapping):
        return {str(key): describe(value) for key, value in part.items()}
    if isinstance(part, (tuple, list)):
        return [describe(item) for item in part]
    return part if isinstance(part, (str, int, float, bool, type(None))) else str(part)
