"""Who plays what: every assignment is accepted once or given up once, whatever dies in between.

Assignments are handed out in batches of a fixed size, cut in order, so that what is played together depends on the
assignments alone and on nobody's speed. One batch is in a worker's hands at a time: none hoards what another could
play, and what a lost worker was at work on is known exactly.

A batch whose worker is lost is replayed as it was, then once more with each of its assignments alone: where one of them
kills whoever plays it, the others are not lost with it. One that is lost alone too is given up.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from palaestra.agents.episode import Episode
from palaestra.agents.rollout import Assignment
from palaestra.envs.errors import ContractError

__all__ = ["MOST_TRIES", "Batch", "Entry", "Ledger"]

MOST_TRIES = 3
"""After so many lost workers an assignment is given up; the last try is alone."""


class Entry(NamedTuple):
    """An assignment in the ledger.

    Attributes:
        position: Its place among all; this, not what it is called, makes it one.
        assignment: What to play.
    """

    position: int
    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Batch:
    """What is handed out together.

    Attributes:
        number: Another one each time that something is handed out.
        entries: What to play.
        tries: How many workers were lost over it.
    """

    number: int
    entries: tuple[Entry, ...]
    tries: int


class Ledger:
    """Knows what has been handed out to whom, what is done, and what is to be played again.

    Args:
        assignments: What to play; taken as it is handed out.
        size: Assignments of a batch.
    """

    def __init__(self, assignments: Iterable[Assignment], size: int) -> None:
        self._new = map(Entry._make, enumerate(assignments))
        self._size = size
        self._again: deque[tuple[tuple[Entry, ...], int]] = deque()
        self._held: dict[str, Batch] = {}
        self._number = 0
        self._all_taken = False

    @property
    def done(self) -> bool:
        """Whether every assignment was accepted or given up; certain only once `hand` has returned None."""
        return self._all_taken and not self._again and not self._held

    def hand(self, worker: str) -> Batch | None:
        """Hand out the next batch; None if there is nothing to hand out now, which a loss may change.

        Raises:
            ContractError: If the worker holds one already.
        """
        if worker in self._held:
            raise ContractError(f"{worker} holds batch {self._held[worker].number} already.")
        if self._again:
            entries, tries = self._again.popleft()
        else:
            entries, tries = tuple(islice(self._new, self._size)), 0
            if not entries:
                self._all_taken = True
                return None
        self._number += 1
        batch = self._held[worker] = Batch(self._number, entries, tries)
        return batch

    def accept(self, worker: str, number: int, episodes: Sequence[Episode]) -> list[tuple[int, Episode]]:
        """Accept what a worker played.

        Args:
            worker: Who.
            number: Number of the batch.
            episodes: One for each of its assignments, in order.

        Returns:
            Positions and episodes that count from now on; none where the worker does not hold that batch any more: it
            was taken for lost, and somebody else plays it.

        Raises:
            ContractError: If these are no episodes of the batch.
        """
        batch = self._held.get(worker)
        if batch is None or batch.number != number:
            return []
        wanted, came = [entry.assignment.id for entry in batch.entries], [episode.id for episode in episodes]
        if wanted != came:
            raise ContractError(f"{worker} was to play {wanted[:3]} ... and played {came[:3]} ...")
        del self._held[worker]
        return [(entry.position, episode) for entry, episode in zip(batch.entries, episodes, strict=True)]

    def lose(self, worker: str) -> list[Entry]:
        """A worker is lost, and with it what it held; return what is given up."""
        batch = self._held.pop(worker, None)
        if batch is None:
            return []
        tries = batch.tries + 1
        if tries >= MOST_TRIES:
            return list(batch.entries)
        alone = tries == MOST_TRIES - 1
        pieces = [(entry,) for entry in batch.entries] if alone else [batch.entries]
        self._again.extendleft((piece, tries) for piece in reversed(pieces))
        return []
