"""Which episodes a page holds: both sides of held-out tasks, and whole groups of training, evenly over the run.

Shards are streamed, each once: shards are facts, so what was read of one stays true while a run goes on.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from palaestra.agents.episode import Episode
from palaestra.envs.task import Json
from palaestra.evolution.experience import ExperienceStore, Outcomes
from palaestra.evolution.report.account.comparing import Comparison
from palaestra.evolution.report.account.encode import Fact, encode_unit, fact_of
from palaestra.evolution.report.account.pieces import Spell
from palaestra.evolution.report.account.thinning import Thinned
from palaestra.evolution.report.page import compact_json

__all__ = ["GREEDY", "HeldOutSide", "Training", "Unit", "judged"]

GREEDY = "greedy"
"""Group of the held-out episodes that accuracy is measured on, where there is such a group."""

# Episodes of a group belong together if they lie within so many rows; further ones (games against one opponent may be
# thousands) are another unit, for a shard is never held whole.
_SPAN = 256
# What an episode takes in the columns that it is found by, besides the names in them.
_FACT_BYTES = 36


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A few episodes that are in the page together or not at all.

    Attributes:
        shard: Name of their shard.
        step: Step of the run.
        held_out: Whether they were played to measure.
        facts: What each is found by.
        content: The unit as JSON, see `encode`.
        size: Bytes that it takes in a page, about.
        cut: Whether some of the episodes that belong to it had no room.
    """

    shard: str
    step: int
    held_out: bool
    facts: tuple[Fact, ...]
    content: str
    size: int
    cut: bool = False

    @classmethod
    def of(
        cls,
        shard: str,
        step: int,
        held_out: bool,
        facts: tuple[Fact, ...],
        content: Sequence[Json],
        *,
        cut: bool = False,
    ) -> "Unit":
        """Return a unit of what `encode_unit` made."""
        text = compact_json(content)
        # In a script a "<" takes six bytes.
        named = sum(len(name.encode()) for name in {name for fact in facts for name in (fact.task, fact.group)})
        size = len(text.encode()) + 5 * text.count("<") + named + _FACT_BYTES * len(facts)
        return cls(shard, step, held_out, facts, text, size, cut)


@dataclass
class Training:
    """The training episodes in a page: every k-th group of the run, whole.

    Of a group that alone is larger than the budget the first attempts are kept.

    Attributes:
        budget: Most bytes.
        statuses: Number of episodes by status, by step.
        episodes: How many there are, in the page or not.
    """

    budget: int
    statuses: dict[int, Counter[str]] = field(default_factory=dict)
    episodes: int = 0

    def __post_init__(self) -> None:
        self._thinned: Thinned[Unit] = Thinned(self.budget)

    @property
    def units(self) -> list[Unit]:
        """What the page holds."""
        return self._thinned.kept

    @property
    def cut(self) -> int:
        """How many of the groups that it holds are not whole."""
        return sum(unit.cut for unit in self.units)

    @property
    def every(self) -> int:
        """Every how many-eth group it holds."""
        return self._thinned.every

    def add(
        self,
        store: ExperienceStore,
        shard: str,
        step: int,
        learned: frozenset[str],
        spell: Spell,
        comparison: Comparison,
    ) -> None:
        """Read one more shard; shards come in order.

        Args:
            store: Where it lies.
            shard: Its name.
            step: Its step.
            learned: Ids of the episodes that the step's update learned from.
            spell: What its ids spell.
            comparison: How its turns are compared.
        """
        outcomes = store.outcomes(shard)
        self.statuses[step] = Counter(outcomes.statuses)
        self.episodes += len(outcomes.ids)
        units = _units(outcomes.groups)
        thinned, begin = self._thinned, self._thinned.seen
        if not any(thinned.wants(ahead) for ahead in range(len(units))):
            thinned.skip(len(units))
            return
        better = comparison(outcomes)
        unit_of = {row: number for number, rows in enumerate(units) for row in rows}
        lived = store.stream(shard, lambda row: (begin + unit_of[row]) % thinned.every == 0)
        for number, rows, episodes in _gathered(lived, unit_of, units):
            thinned.skip(begin + number - thinned.seen)
            unit = self._unit(shard, step, episodes, rows, learned, spell, better)
            thinned.offer(unit, unit.size)
        thinned.skip(begin + len(units) - thinned.seen)

    def _unit(
        self,
        shard: str,
        step: int,
        episodes: Sequence[Episode],
        rows: Sequence[int],
        learned: frozenset[str],
        spell: Spell,
        better: Mapping[int, Sequence[float]],
    ) -> Unit:
        """Return a group as a unit, or as many of its first attempts as there is room for."""
        room = len(rows)
        while True:
            facts = tuple(fact_of(episode, learned=episode.id in learned) for episode in episodes[:room])
            content = encode_unit(episodes[:room], rows[:room], spell, better)
            unit = Unit.of(shard, step, False, facts, content, cut=room < len(rows))
            if unit.size <= self.budget or room == 1:
                return unit
            room //= 2


@dataclass
class HeldOutSide:
    """The episodes of one evaluation in a page: every k-th task.

    Attributes:
        shard: Name of the shard.
        step: Step of the run.
        outcomes: How all its episodes ended.
    """

    shard: str
    step: int
    outcomes: Outcomes
    _thinned: Thinned[Unit]

    @classmethod
    def read(cls, store: ExperienceStore, shard: str, step: int, spell: Spell, budget: int) -> "HeldOutSide":
        """Read an evaluation.

        Args:
            store: Where it lies.
            shard: Its name.
            step: Its step.
            spell: What its ids spell.
            budget: Most bytes.
        """
        outcomes = store.outcomes(shard)
        place = {row: number for number, row in enumerate(judged(outcomes))}
        thinned: Thinned[Unit] = Thinned(budget)
        for row, episode in store.stream(shard, lambda row: row in place and place[row] % thinned.every == 0):
            thinned.skip(place[row] - thinned.seen)
            facts = (fact_of(episode, learned=False),)
            unit = Unit.of(shard, step, True, facts, encode_unit([episode], [row], spell, {}))
            thinned.offer(unit, unit.size)
        return cls(shard, step, outcomes, thinned)

    @property
    def every(self) -> int:
        """Every how many-eth task it holds."""
        return self._thinned.every

    def units(self, every: int) -> list[Unit]:
        """Return what the page holds when it holds every so many-eth task, a power of two not below `every`."""
        return self._thinned.kept[:: every // self._thinned.every]


def judged(outcomes: Outcomes) -> list[int]:
    """Return the rows of an evaluation that accuracy is measured on: the greedy ones, or all where there are none."""
    greedy = [row for row, group in enumerate(outcomes.groups) if group == GREEDY]
    return greedy or list(range(len(outcomes.groups)))


def _units(groups: Sequence[str]) -> list[list[int]]:
    """Return rows that belong together, those of one group, in the order of their first rows."""
    units: list[list[int]] = []
    unit_of: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        unit = unit_of.get(group)
        if unit is None or row - unit[0] >= _SPAN:
            unit = unit_of[group] = []
            units.append(unit)
        unit.append(row)
    return units


def _gathered(
    lived: Iterator[tuple[int, Episode]], unit_of: Mapping[int, int], units: Sequence[Sequence[int]]
) -> Iterator[tuple[int, list[int], list[Episode]]]:
    """Yield units in order: number, rows and episodes; one of which some rows were no longer wanted is left out."""
    begun: dict[int, list[tuple[int, Episode]]] = {}

    def whole(upto: int) -> Iterator[tuple[int, list[int], list[Episode]]]:
        while begun:
            number = next(iter(begun))
            if units[number][-1] > upto:
                return
            found = begun.pop(number)
            if len(found) == len(units[number]):
                yield number, [row for row, _ in found], [episode for _, episode in found]

    for row, episode in lived:
        begun.setdefault(unit_of[row], []).append((row, episode))
        yield from whole(row)
    yield from whole(len(unit_of))
