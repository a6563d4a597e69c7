"""Questions about long documents of which one segment, or a chain of several, holds the answer."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.math.answers import shown
from palaestra.envs.question import QuestionEnv
from palaestra.envs.reading.facts import DIRECTIONS, KINDS, Fact, Kind, asked, names, words_of
from palaestra.envs.task import Json, Task, TaskSet
from palaestra.envs.verdict import Status, Verdict

__all__ = ["NamesJudge", "Reading"]

_POSITIONS = ("uniform", "ends")
# What counts as near the beginning or the end of a document.
_END = 0.15
# Facts in a short document, from and to.
_SHORT = (2, 4)
# Words of a document of two facts, whatever its kind.
_SHORTEST = _SHORT[0] * max(len(kind.triple.split()) for kind in KINDS.values())
# Names to draw from for each of the three places: so many at least, and so many a fact of the longest document.
_NAMES, _NAMES_A_FACT = 24, 2
# Facts of two names are words of their own if there are at most so many names in each place.
_PAIRED = 48
_WORD = re.compile(r"[A-Za-z]+")
_READ_CHARS = 1_000
# Tasks that are made unless their number is set.
_FEWEST, _MOST, _ALL_WORDS = 200, 10_000, 5_000_000


class Reading(QuestionEnv):
    """Read a document, then answer a question about one of its facts, or about a chain of them.

    A document is made of segments that each join two names, or three: sentences (`document`), functions (`code`) or
    rows (`database`). The question gives one of them and asks for what stands behind it (`forward`), before it
    (`backward`), or on both sides of the middle one (`both`). All facts look alike, so only who finds the right segment
    can answer. With `chain` above 1 the last name of a segment leads to the segment that begins with it, and so on; the
    segments of the chain lie anywhere.

    Tasks tell in their metadata where the answer lies: `positions` of the segments of the chain, 0 (the first segment
    of the document) to 1 (the last), and `position`, their mean; short documents have no `position`.

    The reply must be the names asked for, in order, and nothing else; case and punctuation do not matter. Reward 1 if
    it is, else 0.

    Args:
        length: Words of a document, such as 12000 for a model that reads 32 K tokens: names are two tokens or three.
        kinds: Some of `document,code,database`.
        directions: Some of `forward,backward,both`.
        positions: `uniform` over the document, or `ends`, its first and last 15 %.
        short: Share of tasks whose document has 2 to 4 segments, whatever `length` and `positions` say, 0 to 1.
        chain: How many segments the answer takes.
        size: How many tasks; 0 is 10,000, and fewer where documents are long, so that all have some 5 million words.
        seed: Seed of the tasks.
        tasks: Takes the place of generated tasks.
        render_mode: None or `"ansi"`.

    Versions: v0.

    Source: An et al. 2024, "Make your LLM fully utilize the context" (information-intensive training, and the probing
    of document, code and database contexts in three directions).
    """

    def __init__(
        self,
        *,
        length: int = 60,
        kinds: str = ",".join(KINDS),
        directions: str = ",".join(DIRECTIONS),
        positions: str = "uniform",
        short: float = 0.0,
        chain: int = 1,
        size: int = 0,
        seed: int = 0,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        _chosen("kind of document", kinds, KINDS)
        _chosen("direction", directions, DIRECTIONS)
        self._writer = writer = _Writer(length, kinds, directions, positions, short, chain)
        if tasks is None:
            name = f"reading({', '.join(str(part) for part in vars(writer).values())})"
            tasks = TaskSet.generated(writer, size=size or _size(length), seed=seed, name=name)
        super().__init__(tasks, NamesJudge(), render_mode=render_mode)

    @property
    def words(self) -> tuple[str, ...]:
        """Return the names, whole facts of two names where these are few, and pieces of other facts and of questions.

        A policy of two layers soon learns to find a fact that is one token; of one in pieces it first has to bind the
        pieces to each other, which takes very many steps.
        """
        known, third = self._writer.names, len(self._writer.names) // 3
        few = self._writer.chain == 1 and third <= _PAIRED
        ends = (known[third : 2 * third], known[2 * third :]) if few else ((), ())
        forms = [(kind, direction) for kind in self._writer.used for direction in self._writer.asked]
        pieces = [piece for kind, direction in forms for piece in words_of(kind, direction, *ends)]
        return (*known, *dict.fromkeys(pieces))

    @property
    def mastered(self) -> bool:
        """Whether the answers lie at the ends: what is left to learn then is the middle."""
        return self._writer.positions == "ends"

    def solution(self, task: Task) -> tuple[str]:
        """Return the names."""
        return (str(task.reference),)

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw a name."""
        return str(generator.choice(self._writer.names))


@dataclass(frozen=True)
class NamesJudge:
    """Compare the words of a reply, all of them, with those of the reference, without regard to case."""

    def answer_of(self, reply: str) -> str | None:
        """Return the words of a reply in lower case."""
        return " ".join(_words_in(reply)) or None

    def __call__(self, task: Task, reply: str) -> Verdict:
        """Judge a reply; the reference is a text."""
        expected = _words_in(str(task.reference)) if isinstance(task.reference, str) else []
        if not expected:
            detail = f"the reference {shown(str(task.reference))} holds no name"
            return Verdict(0.0, Status.BROKEN_TASK, detail)
        found = _words_in(reply)
        if not found:
            return Verdict(0.0, Status.UNPARSED, f"no word in {shown(reply[:60])}")
        if found == expected:
            return Verdict(1.0, Status.CORRECT)
        return Verdict(0.0, Status.WRONG, f"expected {task.reference}, got {shown(reply)}")


def _words_in(text: str) -> list[str]:
    # A longer reply is no list of names; what is cut off would not make it right, only the rest wrong.
    return ["", ""] if len(text) > _READ_CHARS else [word.lower() for word in _WORD.findall(text)]


@dataclass(frozen=True)
class _Writer:
    """Draws tasks; settings as in `Reading`."""

    length: int
    kinds: str
    directions: str
    positions: str
    short: float
    chain: int

    def __post_init__(self) -> None:
        if self.positions not in _POSITIONS:
            raise UnknownNameError("choice of positions", self.positions, _POSITIONS)
        if self.length < _SHORTEST:
            raise UsageError(f"length is in words and at least {_SHORTEST}, got {self.length}.")
        if not 0.0 <= self.short <= 1.0:
            raise UsageError(f"short is a share, 0 to 1; got {self.short}.")
        fewest = min(self._counts)
        room = len(self._places(fewest))
        if not 1 <= self.chain <= room or (self.short and self.chain > _SHORT[0]):
            raise UsageError(
                f"chain must be from 1 to the number of segments that may be asked about, got {self.chain}: documents "
                f"of {self.length} words have {room} of those{', short ones 2' if self.short else ''}. Raise length."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The names that facts are made of."""
        return names(3 * max(_NAMES, _NAMES_A_FACT * max(self._counts)))

    @property
    def used(self) -> tuple[Kind, ...]:
        """The kinds of documents."""
        return tuple(KINDS[name] for name in self.kinds.split(","))

    @property
    def asked(self) -> tuple[str, ...]:
        """The directions of questions."""
        return tuple(self.directions.split(","))

    @property
    def _counts(self) -> list[int]:
        return [self.length // kind.words(direction) for kind in self.used for direction in self.asked]

    def _places(self, count: int) -> list[int]:
        """Return which of `count` segments may be asked about."""
        near = [place for place in range(count) if min(place, count - 1 - place) <= _END * (count - 1)]
        return near if self.positions == "ends" else list(range(count))

    def __call__(self, generator: np.random.Generator) -> Task:
        kind_name = str(generator.choice(self.kinds.split(",")))
        direction = str(generator.choice(self.asked))
        kind = KINDS[kind_name]
        brief = bool(generator.random() < self.short)
        count = int(generator.integers(_SHORT[0], _SHORT[1] + 1)) if brief else self.length // kind.words(direction)
        places = [int(p) for p in generator.permutation(range(count) if brief else self._places(count))[: self.chain]]
        facts = _facts(generator, self.names, count, places, triple=direction == "both")
        question, answer = asked(kind, direction, [facts[place] for place in places])
        document = "".join(kind.form(direction).format(**fact._asdict()) for fact in facts)
        where = [place / (count - 1) for place in places]
        metadata: dict[str, Json] = {"kind": kind_name, "direction": direction, "segments": count, "positions": where}
        if not brief:
            metadata["position"] = sum(where) / len(where)
        return Task("", document + question, answer, metadata)


def _size(length: int) -> int:
    return max(_FEWEST, min(_MOST, _ALL_WORDS // length))


def _chosen(what: str, listed: str, known: Collection[str]) -> list[str]:
    chosen = listed.split(",")
    for name in chosen:
        if name not in known:
            raise UnknownNameError(what, name, known)
    return chosen


def _facts(
    generator: np.random.Generator, known: tuple[str, ...], count: int, places: list[int], *, triple: bool
) -> list[Fact]:
    """Draw facts of two names or three, in which every name is at most once first, once in the middle and once last.

    Those at `places` are a chain: the last name of each is the first of the next. Names that end one fact and begin
    another are there only where chains are asked for; else every name comes once.
    """
    third = len(known) // 3
    middle = _drawn(generator, known[:third], {}, count) if triple else [""] * count
    if len(places) == 1:
        first, last = (_drawn(generator, known[n * third : (n + 1) * third], {}, count) for n in (1, 2))
    else:
        links = [known[third + i] for i in generator.permutation(2 * third)[: len(places) + 1]]
        first = _drawn(generator, known[third:], dict(zip(places, links[:-1], strict=True)), count)
        last = _drawn(generator, known[third:], dict(zip(places, links[1:], strict=True)), count)
    return [Fact(*fact) for fact in zip(first, middle, last, strict=True)]


def _drawn(generator: np.random.Generator, known: tuple[str, ...], given: dict[int, str], count: int) -> list[str]:
    """Draw `count` different names, of which some are given by their place."""
    taken = set(given.values())
    rest = iter(name for i in generator.permutation(len(known)).tolist() if (name := known[i]) not in taken)
    return [given[place] if place in given else next(rest) for place in range(count)]
