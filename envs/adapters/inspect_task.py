"""The data set and the scorer of an inspect_ai task, as an environment of one reply."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from palaestra.envs.adapters.background import waited
from palaestra.envs.adapters.foreign import Answer, ForeignWorld, verdict_of
from palaestra.envs.adapters.prefixes import needing
from palaestra.envs.errors import InfrastructureError, UnknownNameError, UsageError
from palaestra.envs.task import Task, TaskSet

__all__ = ["InspectWorld", "inspect_world"]

_EXTRA: Final = "inspect"


class InspectWorld(ForeignWorld):
    """Asks a sample's input and scores the reply as the task's scorer does.

    CORRECT from a score of 1 (`C`), PARTIAL above 0 (`P`), else WRONG. A scorer that raises, says that it could not
    score, or returns several values makes the episode invalid. The task's own solver is left out: the agent is it.

    Args:
        name: The task's.
        samples: Its samples.
        scorer: Its scorer.
        tasks: Take the place of the samples, and are of them.
        render_mode: None or `"ansi"`.
    """

    def __init__(
        self,
        name: str,
        samples: Sequence[Any],
        scorer: Any,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        self._scorer = scorer
        self._samples = {str(sample.id if sample.id is not None else n): sample for n, sample in enumerate(samples, 1)}
        own = TaskSet((_task(name, key, sample) for key, sample in _once(self._samples).items()), f"inspect:{name}")
        super().__init__(tasks or own, render_mode=render_mode)

    def start(self, task: Task) -> str:  # noqa: D102
        self._sample(task)
        return task.prompt

    def _sample(self, task: Task) -> Any:
        sample = self._samples.get(str(task.metadata.get("sample")))
        if sample is None:
            raise UsageError(f"Task {task.id!r} is no sample of this inspect_ai task.")
        return sample

    def act(self, action: str) -> Answer:  # noqa: D102
        assert self.task is not None
        score = waited(_scored(self._scorer, self._sample(self.task), action))
        paid = _paid(score)
        verdict = verdict_of(paid, str(getattr(score, "explanation", None) or f"scored {paid:g}")[:300])
        return Answer("Correct." if paid >= 1.0 else "That is not correct.", paid, True, False, verdict)

    def solution(self, task: Task) -> Sequence[str] | None:
        """Return the target, where the scorer takes it for right as it stands."""
        sample = self._sample(task)
        target = sample.target if isinstance(sample.target, str) else next(iter(sample.target), "")
        answer = f"ANSWER: {target}"
        for reply in (answer, target) if sample.choices else (target, answer):
            try:
                if target and _paid(waited(_scored(self._scorer, sample, reply))) >= 1.0:
                    return (reply,)
            except Exception:  # a scorer that needs a model, or a sandbox, knows no solution
                return None
        return None


def _once(samples: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out samples that come twice."""
    first: dict[str, str] = {}
    return {
        key: sample
        for key, sample in samples.items()
        if first.setdefault(_task("", key, sample).fingerprint, key) == key
    }


def _task(name: str, key: str, sample: Any) -> Task:
    target = sample.target if isinstance(sample.target, str) else list(sample.target)
    return Task(f"{name}/{key}", _asked(sample), target, {"sample": key})


def _asked(sample: Any) -> str:
    """Return what a sample asks, with its choices as inspect_ai's own solver of choices writes them."""
    said = sample.input if isinstance(sample.input, str) else "\n\n".join(message.text for message in sample.input)
    if not sample.choices:
        return str(said)
    from inspect_ai.solver import MultipleChoiceTemplate
    from inspect_ai.solver._task_state import Choices

    template = MultipleChoiceTemplate.SINGLE_ANSWER
    if not isinstance(sample.target, str) and len(sample.target) > 1:
        template = MultipleChoiceTemplate.MULTIPLE_ANSWER
    return str(Choices(sample.choices).prompt(question=said, template=template.value))


async def _scored(scorer: Any, sample: Any, reply: str) -> Any:
    """Have a reply scored, as if a model had given it."""
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelName, ModelOutput
    from inspect_ai.scorer import Target
    from inspect_ai.solver import TaskState
    from inspect_ai.solver._multiple_choice import parse_answers, set_choices_based_on_generated_response

    asked = sample.input if not isinstance(sample.input, str) else [ChatMessageUser(content=sample.input)]
    state = TaskState(
        model=ModelName("mockllm/palaestra"),
        sample_id=sample.id or 0,
        epoch=1,
        input=sample.input,
        messages=[*asked, ChatMessageAssistant(content=reply)],
        target=Target(sample.target),
        choices=sample.choices,
        output=ModelOutput.from_content("mockllm/palaestra", reply),
        completed=True,
        metadata=dict(sample.metadata or {}),
    )
    if sample.choices:
        several = not isinstance(sample.target, str) and len(sample.target) > 1
        answers = parse_answers(state, multiple_correct=several)
        if answers:
            set_choices_based_on_generated_response(state, answers)
    return await scorer(state, Target(sample.target))


def _paid(score: Any) -> float:
    """Return a score as a number.

    Raises:
        InfrastructureError: If there is none, or more than one.
    """
    from inspect_ai.scorer import value_to_float

    value = getattr(score, "value", None)
    if isinstance(value, Mapping) and len(value) == 1:
        value = next(iter(value.values()))
    if not isinstance(value, str | int | float | bool):
        raise InfrastructureError(f"the scorer gave {value!r}, expected one value")
    paid = float(value_to_float()(value))
    if not math.isfinite(paid):
        raise InfrastructureError(f"the scorer could not score it: {getattr(score, 'reason', None) or value}")
    return paid


def inspect_world(
    name: str, *, tasks: TaskSet | None = None, render_mode: str | None = None, **arguments: Any
) -> InspectWorld:
    """Return an inspect_ai task as an environment.

    Args:
        name: As `inspect eval` takes it: `"file.py@task"`, a file with one task, or `"package/task"`.
        tasks: Take the place of its samples, and are of them.
        render_mode: None or `"ansi"`.
        **arguments: The task's own.

    Raises:
        UnknownNameError: If there is no such task in the file or the package.
        UsageError: If the package is not installed, the task cannot be made, or has no scorer or more than one.
    """
    with needing(_EXTRA):
        from inspect_ai._eval.loader import load_tasks
    file, _, task = name.partition("@")
    if file.endswith(".py"):
        if not Path(file).is_file():
            raise UsageError(f"There is no file {file!r} with an inspect_ai task.")
        _check_named(file, task)
    try:
        found = load_tasks([name], arguments)
    except Exception as error:  # whatever somebody else's file raises
        raise UsageError(f"inspect_ai cannot load {name!r}: {type(error).__name__}: {error}") from error
    if len(found) != 1:
        raise UsageError(f"{name!r} names {len(found)} inspect_ai tasks, expected one: write FILE.py@TASK.")
    scorers = found[0].scorer or []
    if len(scorers) != 1:
        raise UsageError(f"The inspect_ai task {name!r} has {len(scorers)} scorers; exactly one can be a judge.")
    if found[0].sandbox is not None or any(sample.sandbox or sample.files for sample in found[0].dataset):
        raise UsageError(f"The inspect_ai task {name!r} needs a sandbox of inspect_ai's, which there is none of here.")
    return InspectWorld(name, list(found[0].dataset), scorers[0], tasks, render_mode)


def _check_named(file: str, task: str) -> None:
    from inspect_ai._eval.list import parse_tasks

    known = [info.name for info in parse_tasks(Path(file), Path.cwd(), absolute=True)]
    if task and task not in known:
        raise UnknownNameError(f"task of {file}", task, known)
