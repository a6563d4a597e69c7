"""Whether a run learned from what a suite asks: the same task, the same words, or nearly the same words.

What a run learned from is read from its lineage and its experience: all that was observed and said in the episodes that
reached an update, and in those that an update in context has tried out. Four ways of being alike, each task of the
suite counted in the first that holds:

- `exact`: a task of the same prompt and reference was learned from (its fingerprint);
- `text`: a text of the same words and numbers was, whatever its case, spaces and punctuation;
- `near`: a text of nearly the same words, or that holds nearly all of its phrases, with all of its numbers was;
- `template`: of nearly the same words and other numbers. That is how tasks made by a generator are alike, and is
  counted apart: it is no overlap.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from palaestra.agents.episode import Episode
from palaestra.envs.errors import RunError
from palaestra.envs.task import Task
from palaestra.evolution.benchmark.measuring import fields_of
from palaestra.evolution.benchmark.suite import Suite
from palaestra.evolution.refinement.likeness import rouge_l
from palaestra.evolution.run import Run

__all__ = ["KINDS", "FieldOverlap", "Found", "Learned", "Overlap", "look"]

KINDS: Final = ("exact", "text", "near", "template")
NEAR: Final = 0.8
"""Least ROUGE-L, or least share of a task's n-grams that one text holds, of texts that are nearly alike."""
FEWEST_WORDS: Final = 12
"""Of fewer words, likeness of words says nothing: all two-digit sums would be alike."""
_NGRAM: Final = 5
_CANDIDATES: Final = 20
# What so many texts share is a phrase of their template; the first of them stand for the others.
_MOST_PLACES: Final = 50
_EXAMPLES: Final = 5
_WORD: Final = re.compile(r"\w+|[-+*/=<>^%]")
_NUMBER: Final = re.compile(r"\d+")

Words = tuple[str, ...]


@dataclass
class Learned:
    """What runs learned from.

    Attributes:
        fingerprints: Of tasks, with the name of one of their episodes.
        texts: Distinct texts by their words, with where one of them stood.
        episodes: How many episodes there were.
    """

    fingerprints: dict[str, str] = field(default_factory=dict)
    texts: dict[Words, str] = field(default_factory=dict)
    episodes: int = 0

    def add(self, run: Path) -> None:
        """Read a run.

        Raises:
            RunError: If there is none, it is damaged, or nothing was learned in it.
        """
        before = self.episodes
        with Run.open(run, read_only=True) as opened:
            rows = list(opened.lineage())
            used = {name for row in rows for name in row.get("learned_from", ())}
            for shard in opened.experience.shards():
                self._take(run, (episode for episode in opened.experience.read(shard) if episode.id in used))
            # What a context was made of, and chosen by.
            for shard in (shard for row in rows for shard in row.get("context", {}).get("studies", ())):
                self._take(run, opened.studies.read(shard))
        if self.episodes == before:
            raise RunError(f"{run} has learned from nothing yet: no episode of it reached an update.")

    def _take(self, run: Path, episodes: Iterable[Episode]) -> None:
        for episode in episodes:
            self.episodes += 1
            where = f"{run}: {episode.id}"
            self.fingerprints.setdefault(episode.fingerprint, where)
            for turn in episode.turns:
                for text in (turn.observation, turn.reply):
                    if words := _words(text):
                        self.texts.setdefault(words, where)


@dataclass(frozen=True)
class Overlap:
    """A task of a suite that is like something learned from.

    Attributes:
        kind: How it is alike.
        task: Its id.
        prompt: What it asks.
        where: Run and episode.
        text: What was learned from, shortened; the same words for `exact` and `text`.
        likeness: ROUGE-L, 1 for `exact` and `text`.
    """

    kind: str
    task: str
    prompt: str
    where: str
    text: str
    likeness: float

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class FieldOverlap:
    """What was found of one environment.

    Attributes:
        env: Its name in the suite.
        split: Which of its tasks.
        tasks: How many.
        short: How many of them have too few words to be called nearly alike.
        found: By kind, the tasks.
    """

    env: str
    split: str
    tasks: int
    short: int
    found: dict[str, list[Overlap]]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values: counts, and a few examples of each kind."""
        kinds = {kind: len(of_kind) for kind, of_kind in self.found.items()}
        examples = [one.as_json() for of_kind in self.found.values() for one in of_kind[:_EXAMPLES]]
        about = {"env": self.env, "split": self.split, "tasks": self.tasks, "too_short_for_near": self.short}
        return about | kinds | {"examples": examples}


@dataclass(frozen=True)
class Found:
    """What a check found.

    Attributes:
        suite: Name of the suite.
        runs: What was looked in.
        episodes: How many episodes were learned from.
        texts: How many distinct texts they hold.
        fields: By environment.
    """

    suite: str
    runs: tuple[str, ...]
    episodes: int
    texts: int
    fields: tuple[FieldOverlap, ...]

    @property
    def overlaps(self) -> int:
        """How many tasks were learned from in one of the first three ways."""
        return sum(len(one.found[kind]) for one in self.fields for kind in KINDS[:3])

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "suite": self.suite,
            "runs": list(self.runs),
            "learned_episodes": self.episodes,
            "learned_texts": self.texts,
            "overlaps": self.overlaps,
            "environments": [one.as_json() for one in self.fields],
        }


def look(suite: Suite, runs: Sequence[Path], tell: Callable[[str], None] = lambda _: None) -> Found:
    """Look for a suite's tasks in what runs learned from.

    Raises:
        UsageError: If an environment of the suite is not there.
        RunError: If a run cannot be read, or has learned from nothing.
    """
    _, fields = fields_of(suite)
    learned = Learned()
    for run in runs:
        tell(f"reading {run}")
        learned.add(run)
    index = _Index(list(learned.texts))
    found = []
    for one in fields:
        tell(f"comparing {one.course.name}")
        overlaps: dict[str, list[Overlap]] = {kind: [] for kind in KINDS}
        for task in one.tasks:
            if (overlap := _overlap(task, learned, index)) is not None:
                overlaps[overlap.kind].append(overlap)
        short = sum(len(_words(task.prompt)) < FEWEST_WORDS for task in one.tasks)
        found.append(FieldOverlap(one.course.name, one.course.split, len(one.tasks), short, overlaps))
    return Found(suite.name, tuple(map(str, runs)), learned.episodes, len(learned.texts), tuple(found))


def _overlap(task: Task, learned: Learned, index: "_Index") -> Overlap | None:
    words = _words(task.prompt)

    def of(kind: str, where: str, text: Words, likeness: float = 1.0) -> Overlap:
        return Overlap(kind, task.id, task.prompt[:300], where, " ".join(text)[:300], likeness)

    if (where := learned.fingerprints.get(task.fingerprint)) is not None:
        return of("exact", where, words)
    if words and words in learned.texts:
        return of("text", learned.texts[words], words)
    likeness, text = index.nearest(words)
    if likeness < NEAR:
        return None
    return of("near" if _holds(text, words) else "template", learned.texts[text], text, likeness)


def _words(text: str) -> Words:
    """Return a text's words and numbers in lower case: what is left of it without case, spaces and punctuation."""
    # Signs that make another problem of the same numbers stay.
    return tuple(_WORD.findall(text.lower()))


def _holds(text: Words, words: Words) -> bool:
    """Whether a text has all the numbers of another."""
    return not _numbers(words) - _numbers(text)


def _numbers(words: Words) -> Counter[str]:
    return Counter(word for word in words if _NUMBER.fullmatch(word))


def _ngrams(words: Words) -> Iterator[Words]:
    return (words[at : at + _NGRAM] for at in range(len(words) - _NGRAM + 1))


class _Index:
    """Finds the text that is most like another, among those that share phrases with it."""

    def __init__(self, texts: Iterable[Words]) -> None:
        self._texts = [text for text in texts if len(text) >= _NGRAM]
        self._places: dict[Words, list[int]] = {}
        for number, text in enumerate(self._texts):
            for phrase in set(_ngrams(text)):
                places = self._places.setdefault(phrase, [])
                if len(places) < _MOST_PLACES:
                    places.append(number)

    def nearest(self, words: Words) -> tuple[float, Words]:
        """Return the greatest likeness, 0 to 1, and the text; 0 for what has too few words.

        It is the greater of ROUGE-L and the share of its phrases that the text holds, so that a task within a longer
        text is found too. Of several, one with the same numbers goes first.
        """
        if len(words) < FEWEST_WORDS:
            return 0.0, ()
        phrases = set(_ngrams(words))
        shared = Counter(number for phrase in phrases for number in self._places.get(phrase, ()))
        best: tuple[bool, float, Words] = (False, 0.0, ())
        for number, count in islice(shared.most_common(), _CANDIDATES):
            text = self._texts[number]
            likeness = max(rouge_l(words, text), count / len(phrases))
            same = likeness >= NEAR and _holds(text, words)
            best = max(best, (same, likeness, text), key=lambda one: one[:2])
        return best[1], best[2]
