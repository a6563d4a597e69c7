"""Which tasks that were written are taken: what was not there before, in a fit form, and says more than its parent."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from palaestra.envs.errors import UsageError
from palaestra.envs.writing.language import words_of
from palaestra.envs.writing.prompts import BROADEN
from palaestra.evolution.acquisition.orders import Order
from palaestra.evolution.acquisition.pool import Entry
from palaestra.evolution.refinement.likeness import rouge_l

__all__ = ["Fate", "Gaining", "Novel", "Refusal", "Vet", "Worded", "most_alike"]


class Fate(StrEnum):
    """Why a text that was written is not in the pool."""

    NO_TASK = "no task"
    """The world cannot read it, or it has no answer that could be checked."""
    HELD_OUT = "held out"
    """It is a task that evaluations keep back, or nearly one."""
    KNOWN = "known"
    """It is in the pool."""
    ALIKE = "alike"
    """It is nearly the same as one of the pool."""
    WORDING = "wording"
    """It is too short or too long, or holds words that no task should."""
    NO_GAIN = "no gain"
    """It asks for no more than its parent."""
    UNSOLVED = "unsolved"
    """No attempt was right: too hard, or not to be understood."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a text is not taken.

    Attributes:
        fate: In a word.
        why: One line for a person.
    """

    fate: Fate
    why: str


class Vet(Protocol):
    """A test that a task must pass."""

    def __call__(self, text: str, order: Order, pool: Sequence[Entry]) -> Refusal | None:
        """Return why a task is not taken, or None.

        Args:
            text: The task as the world writes it.
            order: What it was written on.
            pool: All that is there, the tasks taken before it in the same step among them.
        """
        ...


@dataclass(frozen=True)
class Novel:
    """Refuse what is too like a task that is there.

    Source: Wang et al. 2023, "Self-Instruct": highest ROUGE-L below 0.7.

    Attributes:
        most: Highest `rouge_l` with any task of the pool that is still novel, exclusively; above 1 refuses nothing.
    """

    most: float = 0.7

    def __call__(self, text: str, order: Order, pool: Sequence[Entry]) -> Refusal | None:
        """See `Vet`."""
        del order
        if self.most > 1.0:
            return None
        words = words_of(text)
        for entry in pool:
            likeness = rouge_l(words, words_of(entry.text))
            if likeness >= self.most:
                return Refusal(Fate.ALIKE, f"ROUGE-L {likeness:.2f} with {entry.task.id}")
        return None


@dataclass(frozen=True)
class Worded:
    """Refuse by simple signs: too few or too many words, or words of things that text cannot show.

    Source: Wang et al. 2023, "Self-Instruct" (3 to 150 words, no pictures); Xu et al. 2023, "WizardLM" (nothing copied
    from what asked for the task).

    Attributes:
        fewest: Fewest words; a digit or a sign is one.
        most: Most words.
        without: What none may hold, in lower case.
    """

    fewest: int = 3
    most: int = 150
    without: tuple[str, ...] = ("image", "picture", "diagram", "given task", "new task", "rewritten task")

    def __post_init__(self) -> None:
        if not 0 <= self.fewest <= self.most:
            raise UsageError(f"Worded needs 0 <= fewest <= most, got {self.fewest} and {self.most}.")

    def __call__(self, text: str, order: Order, pool: Sequence[Entry]) -> Refusal | None:
        """See `Vet`."""
        del order, pool
        count = len(words_of(text))
        if not self.fewest <= count <= self.most:
            return Refusal(Fate.WORDING, f"{count} words, expected {self.fewest} to {self.most}")
        found = next((word for word in self.without if word in text.lower()), None)
        return Refusal(Fate.WORDING, f"it speaks of {found!r}") if found else None


@dataclass(frozen=True)
class Gaining:
    """Refuse an evolution that is its parent over again, or that was to be harder and says no more.

    Source: Xu et al. 2023, "WizardLM" (elimination of evolutions without gain); a model is asked there, words are
    counted here, since each operation is to add 10 to 20 of them.

    Attributes:
        most: Most words that a harder task may have beyond its parent's.
    """

    most: int = 60

    def __call__(self, text: str, order: Order, pool: Sequence[Entry]) -> Refusal | None:
        """See `Vet`."""
        del pool
        words, parent = words_of(text), words_of(order.parents[0].text)
        if Counter(words) == Counter(parent):
            return Refusal(Fate.NO_GAIN, "the words of its parent")
        more = len(words) - len(parent)
        if order.operation != BROADEN and not 0 < more <= self.most:
            return Refusal(Fate.NO_GAIN, f"{more:+} words, expected 1 to {self.most} more")
        return None


def most_alike(texts: Sequence[str]) -> list[float]:
    """Return how alike each text is to the most alike of the others (`rouge_l`, 0 to 1); 0 where there are none."""
    words = [words_of(text) for text in texts]
    highest = [0.0] * len(words)
    for i, one in enumerate(words):
        for j in range(i):
            likeness = rouge_l(one, words[j])
            highest[i], highest[j] = max(highest[i], likeness), max(highest[j], likeness)
    return highest
