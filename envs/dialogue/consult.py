"""Consultations: a patient hides a condition and answers questions; the agent asks, then names it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

import numpy as np
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import TOLD, Info, TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Consult", "consultations"]


class _Aspect(NamedTuple):
    """One of the things that tell conditions apart.

    Attributes:
        question: How it is asked about.
        asks: A word that only such a question has.
        critic: How a critic names it.
        told: What a patient says of it, by its value.
    """

    question: str
    asks: str
    critic: str
    told: tuple[str, ...]


_ASPECTS: Final = (
    _Aspect(
        "Where is it?",
        "where",
        "where it is",
        ("It is my head.", "It is my chest.", "It is my belly.", "It is my back."),
    ),
    _Aspect("Since when?", "when", "since when", ("For hours.", "For days.", "For weeks.")),
    _Aspect("How does it feel?", "how", "how it feels", ("It stabs.", "It presses.", "It burns.")),
)
_NAMES: Final = (
    *("Amaria", "Belonia", "Corvia"),
    *("Dumia", "Eskria", "Fenoria"),
    *("Galia", "Horvia", "Ilmia"),
    *("Jadria", "Kelvia", "Lorria"),
)
"""Three conditions for each place; the book is made up, and nothing in it is medicine."""
_BY_NAME: Final = MappingProxyType({name.lower(): name for name in _NAMES})
_AGES: Final = (18, 90)
_WORD: Final = re.compile(r"[a-z]+")
_READ_CHARS: Final = 1_000
_AGAIN: Final = "(Critic: {advice})"
_BOOK: Final = (
    "You are consulted. Ask one question at a time, about where it is, since when, and how it feels, or name the "
    "condition, which ends the consultation. What you need not ask costs. The book:\n{rows}\n\nThe patient: "
)


class Consult(TextEnv):
    """Ask a patient what must be known, then name the condition.

        I am 34. It is my chest.
        Since when?
        For days.
        How does it feel?
        It burns.
        Dumia

    A condition follows from where it is, since when and how it feels, by a book of 36 rows; two of the three alone
    leave three conditions or four. The patient opens with one of them. A reply that names one condition, and asks
    nothing, ends the consultation: reward 1 for the right one, less `cost` for each question beyond the two that are
    needed, and 0 for a wrong one. Any other reply is a question, and the patient answers the first thing that it asks
    about; after `patience` questions the patient leaves, which pays 0.

    Args:
        explain: Whether the patient's first words come with the book and what to do. One who was not told it must have
            learned it.
        cost: What a question too many takes off, 0 to 1.
        patience: Questions after which the patient leaves, at least 2.
        size: How many patients.
        seed: Seed of the patients.
        tasks: Takes the place of generated patients.
        render_mode: None or `"ansi"`.

    Versions: v0.

    Source: the form of Tu et al. 2024, "Towards conversational diagnostic AI" (AMIE): simulated consultations, and a
    critic who knows the truth.
    """

    def __init__(
        self,
        *,
        explain: bool = True,
        cost: float = 0.1,
        patience: int = 6,
        size: int = 4_000,
        seed: int = 0,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if not 0.0 <= cost <= 1.0 or patience < len(_ASPECTS) - 1:
            raise UsageError(f"cost is from 0 to 1 and patience at least 2, got {cost} and {patience}.")
        tasks = tasks if tasks is not None else consultations(size=size, seed=seed)
        super().__init__(tasks, render_mode=render_mode)
        self.explain, self.cost, self.patience = explain, cost, patience
        self._asked = 0
        self._over = True

    def begin(self, task: Task) -> str:
        """Let the patient speak first."""
        self._asked, self._over = 0, False
        return (_BOOK.format(rows=_book()) if self.explain else "") + task.prompt

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        """Answer a question, or judge a condition."""
        task = self.task
        if task is None or self._over:
            raise UsageError("There is no open consultation: call reset() before step().")
        named = _named(action)
        if named:
            self._over = True
            verdict = self._judged(task, named)
            self.observation = "Thank you." if verdict.status is Status.CORRECT else "That is not it."
        else:
            self._asked += 1
            self._over = self._asked >= self.patience
            verdict = Verdict(0.0, Status.WRONG, "no condition was named")
            self.observation = "I must leave." if self._over else _reply(task, action)
        return self.observation, verdict.reward, self._over, False, self.outcome(verdict)

    def _judged(self, task: Task, named: Sequence[str]) -> Verdict:
        right = _condition(_aspects(task))
        if list(named) != [right]:
            return Verdict(0.0, Status.WRONG, f"expected {right}, got {', '.join(named)}")
        surplus = max(0, self._asked - (len(_ASPECTS) - 1))
        return Verdict(max(0.0, 1.0 - self.cost * surplus), Status.CORRECT, f"{surplus} questions too many")

    @property
    def words(self) -> tuple[str, ...]:
        """Return what is said here, sentence by sentence, and the ages."""
        said = [text for aspect in _ASPECTS for text in (aspect.question, *aspect.told)]
        told = [_AGAIN.format(advice=_advice(missing)) for missing in _SUBSETS]
        return (*said, *_NAMES, *told, "I am ", *map(str, range(*_AGES)))

    @property
    def explained(self) -> bool:
        """Whether one born here is shown the right way only where a critic says what was missed."""
        return True

    def solution(self, task: Task) -> tuple[str, ...]:
        """Ask about what the patient did not say, in order, and name the condition."""
        return (*(_ASPECTS[i].question for i in _unsaid(task)), _condition(_aspects(task)))

    def slip(self, task: Task) -> tuple[str, ...]:
        """Return the consultation of someone in haste, who asks once and names one of those that are left."""
        digit = int(task.fingerprint[-1], 16)  # says nothing of whether the task is held out
        asked = _unsaid(task)[digit % 2]
        guess = list(_aspects(task))
        missing = next(i for i in _unsaid(task) if i != asked)
        guess[missing] = 0
        return (_ASPECTS[asked].question, _condition(tuple(guess)))

    def criticised(self, task: Task, actions: Sequence[str]) -> Task | None:
        """Return the same patient with what a critic says of a consultation; None where there is nothing to say."""
        asked = {found for action in actions if (found := _asked_about(action)) is not None and not _named(action)}
        missing = tuple(i for i in _unsaid(task) if i not in asked)
        named = _named(actions[-1]) if actions else []
        if not missing and named == [_condition(_aspects(task))]:
            return None
        return replace(task, id=f"{task.id}{TOLD}", prompt=f"{task.prompt} {_AGAIN.format(advice=_advice(missing))}")

    def hinted(self, task: Task) -> Task | None:
        """Return the patient with what a critic says of one who was in haste."""
        return self.criticised(task, self.slip(task))

    def answer(self, action: str) -> str | None:
        """Return the conditions that are named."""
        return " ".join(_named(action)) or None

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw a question or a condition."""
        return str(generator.choice([*(aspect.question for aspect in _ASPECTS), *_NAMES]))


def consultations(*, size: int = 4_000, seed: int = 0) -> TaskSet:
    """Make up to `size` patients."""
    return TaskSet.generated(_drawn, size=size, seed=seed, name="consultations")


def _drawn(generator: np.random.Generator) -> Task:
    aspects = tuple(int(generator.integers(len(aspect.told))) for aspect in _ASPECTS)
    said = int(generator.integers(len(_ASPECTS)))
    prompt = f"I am {generator.integers(*_AGES)}. {_ASPECTS[said].told[aspects[said]]}"
    return Task("", prompt, {"aspects": list(aspects), "said": said}, {"condition": _condition(aspects)})


def _condition(aspects: Sequence[int]) -> str:
    """Return what the book says: for each place, a condition follows from both other aspects and from neither alone."""
    place, since, feel = aspects
    return _NAMES[3 * place + (since + feel) % 3]


def _book() -> str:
    places, sinces, feels = (aspect.told for aspect in _ASPECTS)
    return "\n".join(
        f"{place} {since} {feel} {_condition((p, s, f))}"
        for p, place in enumerate(places)
        for s, since in enumerate(sinces)
        for f, feel in enumerate(feels)
    )


def _hidden(task: Task) -> Mapping[str, Any]:
    """Return what a patient knows: the value of each aspect, and which of them is told at once."""
    return cast(Mapping[str, Any], task.reference)


def _aspects(task: Task) -> tuple[int, ...]:
    return tuple(_hidden(task)["aspects"])


def _unsaid(task: Task) -> list[int]:
    """Return the aspects that the patient did not open with."""
    return [i for i in range(len(_ASPECTS)) if i != _hidden(task)["said"]]


def _reply(task: Task, question: str) -> str:
    found = _asked_about(question)
    return "What do you want to know?" if found is None else _ASPECTS[found].told[_aspects(task)[found]]


def _asked_about(question: str) -> int | None:
    """Return which aspect a question asks about, the first if there are several."""
    for word in _WORD.findall(question[:_READ_CHARS].lower()):
        for i, aspect in enumerate(_ASPECTS):
            if word == aspect.asks:
                return i
    return None


def _named(reply: str) -> list[str]:
    """Return the conditions that a reply names, each once; nothing of a reply that asks, or is very long."""
    if "?" in reply or len(reply) > _READ_CHARS:
        return []
    return list(dict.fromkeys(_BY_NAME[word] for word in _WORD.findall(reply.lower()) if word in _BY_NAME))


def _advice(missing: Sequence[int]) -> str:
    """Return what a critic says who knows the truth, and does not give it away."""
    if not missing:
        return "look it up again."
    return f"ask {' and '.join(_ASPECTS[i].critic for i in missing)}."


_SUBSETS: Final[tuple[tuple[int, ...], ...]] = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
"""What a consultation may have missed."""
