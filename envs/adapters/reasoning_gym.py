"""The data sets of reasoning-gym as environments: generated questions, judged by the package's own scorers."""

import ast
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from palaestra.envs.adapters.chance import Chance
from palaestra.envs.adapters.expressions import unsafe
from palaestra.envs.adapters.foreign import Answer, ForeignWorld, verdict_of
from palaestra.envs.adapters.prefixes import needing
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.settings import read_value
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Status, Verdict

__all__ = ["ReasoningWorld", "reasoning_world"]

_EXTRA: Final = "reasoning-gym"
_OURS: Final = ("seed", "size")
# Far more than any answer; some scorers take time with the square of it.
_LONGEST: Final = 20_000
# Its scorer compares whether both answers are empty, and so takes every reply for right; here it is text.
_PAY_ANYTHING: Final = frozenset(("game_of_life_halting",))
# Their scorers call Python's `eval` on the reply, to read a list.
_READ_LITERALS: Final = frozenset(("binary_matrix", "n_queens", "spiral_matrix", "string_insertion"))
# Their scorers hand the reply to sympy's `parse_expr`, which evaluates it, or make a fraction of 1e999999999.
_READ_FORMULAS: Final = frozenset(
    (
        "coin_flip",
        "countdown",
        "intermediate_integration",
        "polynomial_multiplication",
        "puzzle24",
        "simple_integration",
    )
)


class ReasoningWorld(ForeignWorld):
    """One data set of reasoning-gym.

    A reply's score, from 0 to 1, is its reward: CORRECT from 1, PARTIAL above 0, WRONG at 0. Where a scorer raises, it
    is asked about the package's own answer: if it can score that, the reply is to blame and UNPARSED, else the episode
    is invalid.

    Some scorers of the package evaluate the reply as Python. Here they read literals and nothing else; a reply to the
    six that read formulas must be one by `palaestra.envs.adapters.expressions`, else it is UNPARSED and pays 0.

    Args:
        name: The data set's.
        dataset: It.
        tasks: Take the place of its own; their metadata say which entries they are.
        render_mode: None or `"ansi"`.
    """

    def __init__(self, name: str, dataset: Any, tasks: TaskSet | None = None, render_mode: str | None = None) -> None:
        self._name, self._dataset = name, dataset
        if name in _READ_LITERALS:
            vars(sys.modules[type(dataset).__module__])["eval"] = ast.literal_eval
        self._formulas = name in _READ_FORMULAS
        self._entries: Mapping[int, dict[str, Any]]
        own, self._entries = _drawn(name, dataset)
        super().__init__(tasks or own, render_mode=render_mode)
        self._entry: dict[str, Any] = {}

    def start(self, task: Task) -> str:  # noqa: D102
        number = task.metadata.get("entry")
        entry = self._entries.get(number) if isinstance(number, int) else None
        if entry is None or _reference(entry) != task.reference:
            raise UsageError(f"Task {task.id!r} is not one of this data set, of this seed and these settings.")
        self._entry = entry
        return task.prompt

    def act(self, action: str) -> Answer:  # noqa: D102
        if self._formulas and (why := unsafe(action)):
            return _unread(why)
        if len(action) > _LONGEST:
            return _unread(f"it has {len(action)} characters, more than {_LONGEST}")
        try:
            score = self._score(action, self._entry)
        except Exception as error:  # whatever a scorer raises
            if self._scores_itself(self._entry):
                return _unread(f"the scorer raised {type(error).__name__}: {str(error)[:200]}")
            raise
        verdict = verdict_of(score, f"scored {score:g}")
        return Answer("Correct." if score >= 1.0 else "That is not correct.", score, True, False, verdict)

    def _score(self, reply: str, entry: dict[str, Any]) -> float:
        if self._name in _PAY_ANYTHING:
            return float(reply.strip().lower() == str(entry["answer"]).strip().lower())
        with Chance():
            return float(self._dataset.score_answer(reply, entry))

    def solution(self, task: Task) -> Sequence[str] | None:
        """Return the package's own answer, where it gives one and scores it with 1."""
        number = task.metadata.get("entry")
        entry = self._entries.get(number) if isinstance(number, int) else None
        return (str(entry["answer"]),) if entry is not None and self._scores_itself(entry) else None

    def _scores_itself(self, entry: dict[str, Any]) -> bool:
        """Whether the package gives an answer and its scorer takes it for right."""
        try:
            return isinstance(entry["answer"], str) and self._score(entry["answer"], entry) >= 1.0
        except Exception:  # a scorer that cannot read its own answer
            return False


def _unread(why: str) -> Answer:
    return Answer("No answer could be read.", 0.0, True, False, Verdict(0.0, Status.UNPARSED, why))


def _reference(entry: Mapping[str, Any]) -> str | None:
    answer = entry["answer"]
    return None if answer is None else str(answer)


def _drawn(name: str, dataset: Any) -> tuple[TaskSet, dict[int, dict[str, Any]]]:
    """Return the entries as tasks, each question once, and by their number."""
    tasks: dict[str, Task] = {}
    entries: dict[int, dict[str, Any]] = {}
    with Chance():
        for number in range(len(dataset)):
            entry = dataset[number]
            task = Task(f"{name}/{number}", str(entry["question"]), _reference(entry), {"entry": number})
            if task.fingerprint not in tasks:
                tasks[task.fingerprint], entries[number] = task, entry
    return TaskSet(tasks.values(), f"reasoning-gym:{name}", endless=True), entries


def reasoning_world(
    name: str,
    *,
    size: int = 500,
    seed: int = 0,
    tasks: TaskSet | None = None,
    render_mode: str | None = None,
    **config: Any,
) -> ReasoningWorld:
    """Return a data set of reasoning-gym as an environment.

    Args:
        name: Such as `"chain_sum"`.
        size: How many questions are drawn; those that come twice are left out.
        seed: Of the draw.
        tasks: Take the place of the data set's own, and are of it.
        render_mode: None or `"ansi"`.
        **config: The data set's own settings; a list is given with commas: `operators=+,-`.

    Raises:
        UnknownNameError: If there is no such data set or setting.
        UsageError: If the package is not installed or refuses the settings.
    """
    with needing(_EXTRA):
        import reasoning_gym  # noqa: F401  (it registers the data sets)
        from reasoning_gym.factory import DATASETS, create_dataset
    if name not in DATASETS:
        raise UnknownNameError("data set of reasoning-gym", name, DATASETS)
    fields = {field.name: field for field in dataclasses.fields(DATASETS[name][1])}
    for key in config:
        if key not in fields:
            raise UnknownNameError(f"setting of {name}", key, [*(set(fields) - set(_OURS)), *_OURS])
    given = {key: _fitted(fields[key], value) for key, value in config.items()}
    try:
        with Chance():
            dataset = create_dataset(name, seed=seed, size=size, **given)
            return ReasoningWorld(name, dataset, tasks, render_mode)
    except UsageError:
        raise
    except Exception as error:  # whatever it raises for settings it dislikes
        raise UsageError(
            f"reasoning-gym cannot draw {size} of {name} with {given}: {type(error).__name__}: {error}"
        ) from error


def _fitted(field: dataclasses.Field[Any], value: Any) -> Any:
    """Return a setting as a sequence where the data set has one by default."""
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    if isinstance(default, list | tuple) and not isinstance(value, list | tuple):
        parts = [read_value(part) for part in str(value).split(",")]
        return tuple(parts) if isinstance(default, tuple) else parts
    return value
