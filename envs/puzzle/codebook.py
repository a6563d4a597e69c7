"""A code that differs from world to world, and that nobody can know but from what became of earlier tries."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from palaestra.envs.errors import UsageError
from palaestra.envs.question import QuestionEnv
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.telling import (
    FAILED,
    LESSON,
    NOTES,
    OPERATIONS,
    SOLVED,
    lesson_prompt,
    operation_prompt,
    told,
)
from palaestra.envs.verdict import Status, Verdict

__all__ = ["WORDS", "Codebook", "usual_code"]

WORDS = ("ba", "de", "fi", "go", "bu", "da", "fe", "gi", "bo", "du")
_PROMPT = "Each word stands for a digit. Answer like ba=1 de=2: "
_FACT = re.compile(r"\b([a-z]{2})=(\d)")
_NOT = ", not "
_ADD, _EDIT, _UPVOTE = "ADD: ", "EDIT {}: ", "UPVOTE {}"
_READ_CHARS = 2_000
# Of the tasks that raise a newborn: shares that ask for a lesson and for an operation on notes.
_LESSONS, _OPERATIONS = 0.1, 0.2
_MOST_NOTES = 4


def usual_code() -> dict[str, int]:
    """Return what each word stands for where nothing else is said."""
    return {word: (7 * number + 3) % 10 for number, word in enumerate(WORDS)}


class Codebook(QuestionEnv):
    """Decode `ba de go du`, as `ba=3 de=0 go=4 du=6`.

    Each of ten words stands for a digit. Usually they stand for what `usual_code` says; behind `code=1` and every
    higher number lies another code, in which a share of the words has changed. Which ones, nothing says but the judge:
    of a wrong reply he names the first word that is wrong, and its digit. So what is learned from one task helps in
    others, and only who remembers it can decode held-out tasks.

    With `code=0` a newborn policy is raised: each task has a code of its own, which notes or solved tasks in its prompt
    tell, as an agent is told what it remembers (see `palaestra.envs.telling`); words that nothing is said of have their
    usual digits. Some tasks ask for the lesson of a failed try, or for an operation on the notes.

    Reward 1 where every word is right, else 0.

    Args:
        code: Which code; 0 tells one with every task.
        changed: Share of the words that the code has changed, 0 to 1.
        length: How many words, 1 to 8, all different.
        size: Most tasks.
        seed: Seed of the tasks.
        tries: How many replies an episode allows; after each, the first wrong word is told.
        tasks: Takes the place of generated tasks.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        code: int = 0,
        changed: float = 0.3,
        length: int = 4,
        size: int = 6_000,
        seed: int = 0,
        tries: int = 1,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if code < 0 or not 0.0 <= changed <= 1.0 or not 1 <= length <= 8 or size < 1:
            raise UsageError(
                f"code is 0 or more, changed a share, length 1 to 8 and size at least 1; got {code}, {changed}, "
                f"{length} and {size}."
            )
        self._raising = code == 0
        self.book = usual_code() if code == 0 else _changed(code, changed)
        if tasks is None:
            name = f"codebook({code}, {changed}, {length})"
            make = (lambda g: _taught(g, length)) if code == 0 else (lambda g: _asked(_some(g, length), self.book))
            tasks = TaskSet.generated(make, size=size, seed=seed, name=name)
        super().__init__(tasks, self.judge_reply, tries=tries, render_mode=render_mode)

    def judge_reply(self, task: Task, reply: str) -> Verdict:
        """Judge a reply: as a note or an operation if the task asks for one, else word by word."""
        if not isinstance(task.reference, dict):
            expected, said = str(task.reference), reply.strip()
            right = said == expected
            detail = "" if right else f"expected {expected}"
            return Verdict(float(right), Status.CORRECT if right else Status.WRONG, detail)
        found = dict(_FACT.findall(reply[-_READ_CHARS:]))
        if not found:
            return Verdict(0.0, Status.UNPARSED, "No word=digit could be found in that reply.")
        for word, digit in task.reference.items():
            if found.get(word) != str(digit):
                return Verdict(0.0, Status.WRONG, f"{word}={digit}{_NOT}{found.get(word, 'told')}.")
        return Verdict(1.0, Status.CORRECT)

    def feedback(self, verdict: Verdict) -> str:
        """Return the judge's words."""
        return verdict.detail if verdict.status is Status.WRONG else super().feedback(verdict)

    def answer(self, action: str) -> str | None:
        """Return the last digit that a reply gives each word, in the words' order."""
        return _said(dict(sorted(_FACT.findall(action[-_READ_CHARS:])))) or None

    def hinted(self, task: Task) -> Task | None:
        """Return None: an answer that is told would tell the code."""
        del task
        return None

    def solution(self, task: Task) -> tuple[str]:
        """Return every word with its digit, or the note or operation that is asked for."""
        return (_said(task.reference) if isinstance(task.reference, dict) else str(task.reference),)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw digits for the words of the task."""
        reference = self.task.reference if self.task else None
        words = list(reference) if isinstance(reference, dict) else [str(generator.choice(WORDS))]
        return _said({word: int(generator.integers(10)) for word in words})

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words, each with each digit too, and the pieces of what is told and asked."""
        facts = (f"{word}={digit}" for word in WORDS for digit in range(10))
        numbers = range(1, _MOST_NOTES + 1)
        lines, verbs = (f"{n}. " for n in numbers), (form.format(n) for n in numbers for form in (_EDIT, _UPVOTE))
        pieces = (_PROMPT, NOTES, SOLVED, *FAILED, LESSON, *OPERATIONS, _NOT, _ADD)
        return (*WORDS, *facts, *lines, *verbs, *pieces)

    @property
    def slight(self) -> bool:
        """Whether a narrow policy will do: it will."""
        return True

    @property
    def mastered(self) -> bool:
        """Whether the code is told: what is left to learn then is what the notes should say."""
        return self._raising


def _changed(code: int, share: float) -> dict[str, int]:
    generator, book = derive_generator(code, "codebook"), usual_code()
    for number in generator.permutation(len(WORDS))[: round(share * len(WORDS))]:
        word = WORDS[number]
        book[word] = (book[word] + int(generator.integers(1, 10))) % 10
    return book


def _some(generator: np.random.Generator, count: int) -> list[str]:
    return [WORDS[number] for number in generator.permutation(len(WORDS))[:count]]


def _said(book: Mapping[str, object]) -> str:
    return " ".join(f"{word}={digit}" for word, digit in book.items())


def _asked(words: Sequence[str], book: Mapping[str, int]) -> Task:
    return Task("", _PROMPT + " ".join(words), {word: book[word] for word in words})


def _taught(generator: np.random.Generator, length: int) -> Task:
    """Draw a task that raises a newborn."""
    kind = generator.random()
    book = usual_code() | {word: int(generator.integers(10)) for word in WORDS if generator.random() < 0.4}
    task = _asked(_some(generator, length), book)
    if kind < _LESSONS + _OPERATIONS:
        return _lesson(generator, task, book, operation=kind >= _LESSONS)
    usual = usual_code()
    new = [word for word in _some(generator, len(WORDS)) if book[word] != usual[word]]
    # What is remembered is not all true news: some notes say what is usual.
    notes = [word for word in WORDS if book[word] == usual[word] and generator.random() < 0.2]
    shown: list[str] = []
    if generator.random() < 0.3:  # Some of the news stands in solved tasks.
        for _ in range(int(generator.integers(1, 3))):
            words = _some(generator, length)
            shown.append(f"{_asked(words, book).prompt}\n{_said({word: book[word] for word in words})}")
            new = [word for word in new if word not in words]
    mentioned = [*new, *notes]
    lines = [f"{word}={book[word]}" for word in (mentioned[i] for i in generator.permutation(len(mentioned)))]
    return Task("", told(task.prompt, notes=lines, solved=shown), task.reference, {"kind": "decode"})


def _lesson(generator: np.random.Generator, task: Task, book: Mapping[str, int], *, operation: bool) -> Task:
    """Make a task of a failed try: what is to be noted is what the judge says."""
    words = list(task.reference) if isinstance(task.reference, dict) else []
    wrong = int(generator.integers(len(words)))
    said = {word: book[word] for word in words}
    for number, word in enumerate(words):
        if number == wrong or (number > wrong and generator.random() < 0.5):
            said[word] = (book[word] + int(generator.integers(1, 10))) % 10
    fact = f"{words[wrong]}={book[words[wrong]]}"
    feedback = f"{fact}{_NOT}{said[words[wrong]]}."
    if not operation:
        return Task("", lesson_prompt(task.prompt, _said(said), feedback), fact, {"kind": "lesson"})
    noted = _some(generator, int(generator.integers(0, _MOST_NOTES + 1)))
    notes = {word: book[word] for word in noted}
    if words[wrong] in notes and generator.random() < 0.6:
        notes[words[wrong]] = said[words[wrong]]
    number = noted.index(words[wrong]) + 1 if words[wrong] in noted else 0
    if not number:
        reply = _ADD + fact
    else:
        known = notes[words[wrong]] == book[words[wrong]]
        reply = _UPVOTE.format(number) if known else _EDIT.format(number) + fact
    solved = _said({word: book[word] for word in words})
    lines = [f"{word}={digit}" for word, digit in notes.items()]
    prompt = operation_prompt(lines, task.prompt, _said(said), feedback, solved)
    return Task("", prompt, reply, {"kind": "operation"})
