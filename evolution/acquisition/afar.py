"""Acquire on many machines while the policy learns here.

Batches of what the desk hands out go to outposts, each with the weights that were handed over last, and are played to
their end with them: so every token of an episode is of one version, and a batch that takes longer than the bound on
staleness allows is dropped when it comes home.
"""

from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.agents.rollout import Assignment
from palaestra.agents.spread.rollout import SpreadRollout
from palaestra.evolution.acquisition.ahead import HELD, Ahead, PlaysAhead
from palaestra.evolution.acquisition.desk import AbandonedError, Desk, Job
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.yard import Yard

__all__ = ["Afar", "source_ahead"]


def source_ahead(groups: SampleGroups, yard: Yard, experience: ExperienceStore, staleness: int) -> PlaysAhead:
    """Return what plays ahead where the yard plays; see `Ahead`."""
    if isinstance(yard.rollout, SpreadRollout):
        return Afar(groups, yard, experience, staleness, yard.rollout)
    return Ahead(groups, yard, experience, staleness)


class Afar(PlaysAhead):
    """Plays by a rollout over many machines.

    Args:
        groups: What to play.
        yard: Where; its policy is the one that learns.
        experience: What is recorded already: of that, nothing is played again.
        staleness: Most versions by which an episode may be behind the policy that learns from it.
        rollout: The yard's, which plays there.
    """

    def __init__(
        self, groups: SampleGroups, yard: Yard, experience: ExperienceStore, staleness: int, rollout: SpreadRollout
    ) -> None:
        self._rollout = rollout
        super().__init__(groups, yard, experience, staleness, rollout.meter)

    def _hand_over(self) -> None:
        self._rollout.hand_over()

    def _play_on(self, desk: Desk) -> None:
        feed = _Feed(desk, self._stop)
        while True:
            with self._rollout.meter(HELD):
                feed.wait()
            self._rollout.follow(feed, feed.ended, feed.watch)


class _Feed:
    """What the desk hands out, as far as it does so now.

    Args:
        desk: Who hands out.
        stop: Holds what is to be raised, once playing is to end.
    """

    def __init__(self, desk: Desk, stop: Future[None]) -> None:
        self._desk, self._stop = desk, stop
        self._asked: Future[Job | None] = desk.next()
        # What was taken and has not ended, by its place among what was taken since the last wait.
        self._jobs: dict[int, Job] = {}
        self._taken = 0

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> Assignment:
        self.watch()
        if not self._asked.done() or (job := self._asked.result()) is None:
            raise StopIteration
        self._asked = self._desk.next()
        self._jobs[self._taken] = job
        self._taken += 1
        return job.assignment

    def wait(self) -> None:
        """Wait until there is something to play; all that was taken before has ended."""
        self._taken = 0
        either: list[Future[Any]] = [self._asked, self._stop]
        wait(either, return_when=FIRST_COMPLETED)
        self.watch()
        if self._asked.done() and self._asked.result() is None:
            wait([self._stop])
            self.watch()

    def watch(self) -> None:
        """Raise what ends playing, if it has come to that."""
        if self._stop.done():
            self._stop.result()

    def ended(self, place: int, episode: Episode) -> None:
        """Hand in an episode, if somebody waits for it."""
        job = self._jobs.pop(place)
        versions = [turn.versions for turn in episode.turns if len(turn.versions)]
        try:
            self._desk.sampled(job, np.concatenate(versions) if versions else np.zeros(0, np.int32))
        except AbandonedError:
            return
        self._desk.ended(job, episode)
