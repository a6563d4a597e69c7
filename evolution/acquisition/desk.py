"""What is being played and what has been, between the thread that plays and the one that learns.

Groups are numbered; group `n` is the same task, with the same seeds, in every run of a seed, whichever group ends
first. No more groups are begun than the bound on staleness lets be learned from: with G groups a step and a bound of N,
the step at hand needs G groups and each of the next N steps G more, so at most `(N + 1) G` groups are begun and not yet
learned from. And what would only lie there and grow old is not begun either: what is ready, and what was begun with the
weights of now, are together no more than the step at hand and the next one need. So N is how long a group may take, not
how old experience becomes where playing is faster than learning. What ends too late all the same, overtaken by others,
is dropped and counted.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from palaestra.agents.episode import Episode
from palaestra.agents.policy import IntArray
from palaestra.agents.rollout import Assignment
from palaestra.envs.errors import PalaestraError
from palaestra.evolution.refinement.groups import is_informative

__all__ = ["AbandonedError", "Batch", "Bounds", "Desk", "Job"]


class AbandonedError(PalaestraError):
    """Nobody waits for this episode any more."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be played ahead.

    Attributes:
        groups: Groups a step learns from.
        rounds: At most `rounds * groups` groups are taken for one step, those that teach nothing included; 1 counts
            every group as one that teaches.
        staleness: Most versions by which the oldest token may be behind the policy that learns from it.
        restarts: Whether an episode in mid-life is played anew when the weights change.
    """

    groups: int
    rounds: int
    staleness: int
    restarts: bool


@dataclass(eq=False, slots=True)
class Job:
    """One episode to be played, or being played.

    Attributes:
        group: Number of its group.
        assignment: What to play.
        oldest: Version of the oldest of its tokens; None before the first.
    """

    group: int
    assignment: Assignment
    oldest: int | None = None


class Batch(NamedTuple):
    """What a step gets.

    Attributes:
        episodes: Whole groups, by number of the group.
        groups: The groups' numbers.
        dropped: Numbers of the groups dropped since the last step because they had become too old.
        queue: How many groups stood ready when the step asked.
    """

    episodes: list[Episode]
    groups: list[int]
    dropped: list[int]
    queue: int


@dataclass(eq=False, slots=True)
class _Group:
    number: int
    env: str
    size: int
    begun: int  # version of the weights
    jobs: dict[int, Job] = field(default_factory=dict)  # those that are being played, by attempt
    episodes: dict[int, Episode] = field(default_factory=dict)
    ages: list[int] = field(default_factory=list)  # oldest version of each episode that ended
    teaches: bool = False  # once all have ended

    @property
    def oldest(self) -> float:
        alive = (job.oldest for job in self.jobs.values() if job.oldest is not None)
        return min((*self.ages, *alive), default=float("inf"))


class Desk:
    """Hands out episodes to be played and collects them by group; every method may be called from any thread.

    Args:
        draw: Returns the attempts of the group of a number in an environment.
        bounds: How much may be played ahead.
        numbers: The groups to play, in order: all whose experience is not recorded.
        version: Version of the weights.
    """

    def __init__(
        self, draw: Callable[[str, int], Sequence[Assignment]], bounds: Bounds, numbers: Iterator[int], version: int
    ) -> None:
        self._draw = draw
        self._bounds = bounds
        self._numbers = numbers
        self._version = version
        self._env: str | None = None
        self._changed = threading.Condition()
        self._idle: deque[Future[Job | None]] = deque()
        self._waiting: deque[Job] = deque()
        self._open: dict[int, _Group] = {}
        self._ready: list[_Group] = []
        self._taken = 0  # groups that teach, of those the step at hand has taken
        self._dropped: list[int] = []
        self._closed = False
        self._error: BaseException | None = None

    def next(self) -> Future[Job | None]:
        """Ask for an episode to play; the answer is None once the desk is closed."""
        future: Future[Job | None] = Future()
        with self._changed:
            if self._closed:
                future.set_result(None)
            else:
                self._idle.append(future)
                self._hand_out()
        return future

    def sampled(self, job: Job, versions: IntArray) -> None:
        """Note which versions sampled for an episode.

        Raises:
            AbandonedError: If nobody waits for it any more.
        """
        with self._changed:
            if not self._wanted(job):
                raise AbandonedError(f"{job.assignment.id} is no longer wanted.")
            if len(versions) == 0:
                return
            oldest, newest = int(versions.min()), int(versions.max())
            job.oldest = oldest if job.oldest is None else min(job.oldest, oldest)
            # An engine may have been at work on the answer while the weights changed.
            if job.oldest < self._version - self._bounds.staleness:
                self._drop([self._open[job.group]])
                self._hand_out()
                raise AbandonedError(f"{job.assignment.id} has become too old.")
            if self._bounds.restarts and job.oldest < newest:
                self._play_anew(job)
                self._hand_out()
                raise AbandonedError(f"{job.assignment.id} is played anew.")

    def ended(self, job: Job, episode: Episode) -> None:
        """Hand in an episode; it is passed over if nobody waits for it any more."""
        with self._changed:
            if not self._wanted(job):
                return
            group = self._open[job.group]
            del group.jobs[job.assignment.attempt]
            group.episodes[job.assignment.attempt] = episode
            if episode.valid and job.oldest is not None:
                group.ages.append(job.oldest)
            if len(group.episodes) == group.size:
                del self._open[group.number]
                group.teaches = self._teaches(group)
                self._ready.append(group)
                self._hand_out()
                self._changed.notify_all()

    def gather(self, env: str) -> Batch:
        """Wait until there is enough to learn from in an environment, and take it.

        The oldest groups come first, else those that ended first; what was begun in another environment is dropped.

        Raises:
            BaseException: What `fail` was given.
        """
        taken: list[_Group] = []
        with self._changed:
            if env != self._env:
                self._env = env
                self._drop([g for g in (*self._open.values(), *self._ready) if g.env != env])
                self._hand_out()
            queue = len(self._ready)
            while True:
                if self._error is not None:
                    raise self._error
                self._ready.sort(key=lambda group: group.oldest)
                while self._ready and not self._enough(taken):
                    taken.append(self._ready.pop(0))
                    self._taken += taken[-1].teaches
                self._hand_out()
                if self._enough(taken):
                    break
                self._changed.wait()
            dropped, self._dropped = self._dropped, []
        taken.sort(key=lambda group: group.number)
        episodes = [group.episodes[attempt] for group in taken for attempt in sorted(group.episodes)]
        return Batch(episodes, [group.number for group in taken], dropped, queue)

    def updated(self, version: int) -> None:
        """The weights have changed: what has become too old is dropped, and the next step may be played for."""
        with self._changed:
            self._version = version
            self._taken = 0
            least = version - self._bounds.staleness
            self._drop([group for group in (*self._open.values(), *self._ready) if group.oldest < least])
            if self._bounds.restarts:
                for job in [job for group in self._open.values() for job in group.jobs.values()]:
                    if job.oldest is not None:
                        self._play_anew(job)
            self._hand_out()

    def fail(self, error: BaseException) -> None:
        """Whoever plays has failed; `gather` raises this."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """Hand out nothing any more."""
        with self._changed:
            self._closed = True
            while self._idle:
                self._idle.popleft().set_result(None)

    def _wanted(self, job: Job) -> bool:
        group = self._open.get(job.group)
        return group is not None and group.jobs.get(job.assignment.attempt) is job

    def _play_anew(self, job: Job) -> None:
        again = Job(job.group, job.assignment)
        self._open[job.group].jobs[job.assignment.attempt] = again
        self._waiting.append(again)

    def _teaches(self, group: _Group) -> bool:
        return self._bounds.rounds == 1 or is_informative([group.episodes[a] for a in sorted(group.episodes)])

    def _enough(self, taken: Sequence[_Group]) -> bool:
        bounds = self._bounds
        return self._taken >= bounds.groups or len(taken) >= bounds.rounds * bounds.groups

    def _drop(self, groups: Sequence[_Group]) -> None:
        for group in groups:
            self._open.pop(group.number, None)
            self._dropped.append(group.number)
        gone = set(groups)
        self._ready = [group for group in self._ready if group not in gone]
        self._waiting = deque(job for job in self._waiting if self._wanted(job))

    def _hand_out(self) -> None:
        """Give everyone who asks an episode, as far as the bounds allow."""
        while self._idle and not self._closed:
            if not self._waiting and not self._begin_group():
                return
            self._idle.popleft().set_result(self._waiting.popleft())

    def _begin_group(self) -> bool:
        """Begin the next group, if it would be learned from in time."""
        bounds = self._bounds
        ahead = (bounds.staleness + 1) * bounds.groups
        at_hand = self._taken + sum(group.teaches for group in self._ready)
        young = sum(group.begun == self._version for group in self._open.values())
        if self._env is None or at_hand + len(self._open) >= ahead or at_hand + young >= 2 * bounds.groups:
            return False
        if len(self._open) + len(self._ready) >= bounds.rounds * ahead:
            return False
        number = next(self._numbers)
        attempts = self._draw(self._env, number)
        group = self._open[number] = _Group(number, self._env, len(attempts), self._version)
        for assignment in attempts:
            group.jobs[assignment.attempt] = Job(number, assignment)
        self._waiting.extend(group.jobs.values())
        return True
