"""Acquire while the policy learns: a thread plays groups with a copy of the weights, and steps take what has ended.

The copy is handed the new weights at the end of every update and plays on with them, in mid-episode if need be; every
token says which version sampled it. How far playing may run ahead of learning is the desk's business, see `desk`.

A group is whole and of one task; its members, and the tokens of one member, may be of several versions within the
bound, and are compared with each other all the same: each is rewarded for what it did, and how probable that was is
recorded for every token.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import lru_cache, partial

from palaestra.agents.agent import SpeaksFor
from palaestra.agents.attending import Attendant, Meter
from palaestra.agents.driving import Drive, Life
from palaestra.agents.episode import Episode
from palaestra.agents.policy import Policy, TakesWeights
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.twin import Twin, trained_weights
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.evolution.acquisition.desk import AbandonedError, Bounds, Desk
from palaestra.evolution.acquisition.groups import SampleGroups, refuse_total_failure
from palaestra.evolution.acquisition.source import Acquired
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.pace import Pace
from palaestra.evolution.yard import Yard

__all__ = ["HELD", "Ahead", "PlaysAhead"]

HELD = "held"
"""Nothing may be played until the policy has learned more."""

# How long to wait at the end for a batch that is being sampled.
_END_SECONDS = 10.0


class _EndError(Exception):
    """The drive is to stop."""


class PlaysAhead(ABC):
    """A `Source` that plays on a thread of its own.

    Args:
        groups: What to play.
        yard: Where; its policy is the one that learns.
        experience: What is recorded already: of that, nothing is played again.
        staleness: Most versions by which the oldest token of an episode may be behind the policy that learns from it.
        meter: Says when who plays is at work.
    """

    def __init__(
        self, groups: SampleGroups, yard: Yard, experience: ExperienceStore, staleness: int, meter: Meter
    ) -> None:
        self._groups = groups
        self._yard = yard
        self._experience = experience
        self.pace = Pace(meter, staleness)
        # Groups are begun in order, so few draws are in use at a time.
        self._drawn = lru_cache(4)(lambda env, step: groups.drawn(yard, env, step))
        self._bounds = Bounds(groups.groups, groups.rounds, staleness, groups.partial == "drop")
        self._desk: Desk | None = None
        self._stop: Future[None] = Future()
        self._thread = threading.Thread(target=self._play, name="ahead", daemon=True)

    @abstractmethod
    def _hand_over(self) -> None:
        """Give whoever plays the weights of now."""

    @abstractmethod
    def _play_on(self, desk: Desk) -> None:
        """Play what the desk hands out, until it raises what `_stop` holds; the body of the thread."""

    def acquire(self, env: str, step: int) -> Acquired:
        """Wait for a step's episodes; the first call begins to play.

        Raises:
            InfrastructureError: If not one episode was valid.
            BaseException: What ended the thread that plays.
        """
        del step
        self.pace.begin()
        desk = self._desk or self._begin(env)
        batch = desk.gather(env)
        refuse_total_failure(batch.episodes, env)
        return Acquired(batch.episodes, {"groups": batch.groups, "dropped": batch.dropped, "queue": batch.queue})

    def updated(self) -> None:
        """Hand the new weights over."""
        if self._desk is not None:
            self._hand_over()
            self._desk.updated(self._yard.policy.version)

    def close(self) -> None:
        """Stop playing; what has been played and not been taken is lost, and will be played again."""
        if self._desk is not None and self._thread.is_alive():
            self._desk.close()
            if not self._stop.done():
                self._stop.set_exception(_EndError())
            self._thread.join(_END_SECONDS)

    def _begin(self, env: str) -> Desk:
        """Begin to play what is not recorded, with the weights of now."""
        self._yard.split(env)  # what is wrong with the environment is said here, and it is built once
        self._hand_over()
        self._desk = Desk(self._draw, self._bounds, self._numbers(), self._yard.policy.version)
        self._thread.start()
        return self._desk

    def _numbers(self) -> Iterator[int]:
        """Yield the numbers of all groups that no recorded step has taken or dropped."""
        spent: set[int] = set()
        for shard in self._experience.shards():
            lineage = self._experience.lineage(shard)
            spent.update(lineage["groups"], lineage["dropped"])
        number = 0
        while True:
            if number not in spent:
                yield number
            number += 1

    def _draw(self, env: str, number: int) -> Sequence[Assignment]:
        """Return the attempts of a group: those that synchronous steps play in their first round, one after another."""
        step, group = divmod(number, self._groups.groups)
        attempts = self._groups.attempts
        return self._drawn(env, step + 1)[group * attempts : (group + 1) * attempts]

    def _play(self) -> None:
        desk = self._desk
        if desk is None:
            return
        try:
            self._play_on(desk)
            raise InfrastructureError("The thread that plays has ended, and nobody told it to.")
        except _EndError:
            pass
        except BaseException as error:
            desk.fail(error)


class Ahead(PlaysAhead):
    """Plays in this process, with a copy of the policy or an engine.

    Args:
        groups: What to play.
        yard: Where; its policy is the one that learns.
        experience: What is recorded already: of that, nothing is played again.
        staleness: Most versions by which the oldest token of an episode may be behind the policy that learns from it.
        player: Who samples and is handed the weights; by default a copy of the policy, see `Twin`, unless the yard's
            agent speaks for an engine, which is given every update anyway.

    Raises:
        UsageError: If the agent cannot speak for another policy, or the player takes no weights.
    """

    def __init__(
        self,
        groups: SampleGroups,
        yard: Yard,
        experience: ExperienceStore,
        staleness: int,
        player: Policy | None = None,
    ) -> None:
        agent = yard.rollout.agent
        if not isinstance(agent, SpeaksFor):
            raise UsageError(
                f"To play while {agent.name} learns, it must be able to speak for a copy of its policy "
                "(`with_policy`). Use a LanguageAgent, or --staleness 0."
            )
        if player is None and agent.policy is yard.policy:
            player = Twin.of(yard.policy)
        if player is not None and not isinstance(player, TakesWeights):
            raise UsageError(f"{player.name} takes no weights (`take`), so it cannot follow a policy that learns.")
        self._player: TakesWeights | None = player
        self._rollout: Rollout = yard.rollout.apart(agent.with_policy(player) if player else agent)
        super().__init__(groups, yard, experience, staleness, self._rollout.meter)

    def _hand_over(self) -> None:
        policy = self._yard.policy
        if self._player is not None:
            self._player.take(trained_weights(policy.model), policy.version)

    def _play_on(self, desk: Desk) -> None:
        most = (self._bounds.staleness + 1) * self._bounds.groups * self._groups.attempts
        slots = min(self._rollout.in_flight, most)
        with self._rollout.attendant() as attendant:
            self._active = 0
            self._rollout.meter.begin(HELD)

            def slot(number: int) -> Life[None]:
                return self._slot(number, desk, attendant)

            # One life more, which waits for the end.
            Drive(slot, slots + 1, 1).run(range(slots + 1))

    def _slot(self, slot: int, desk: Desk, attendant: Attendant) -> Life[None]:
        """Play one episode after the other; slot 0 ends the drive."""
        if slot == 0:
            yield self._stop
        while (job := (yield desk.next())) is not None:
            self._count(1)
            try:
                episode: Episode = yield from self._rollout.live(attendant, job.assignment, partial(desk.sampled, job))
                desk.ended(job, episode)
            except AbandonedError:
                pass
            finally:
                self._count(-1)

    def _count(self, more: int) -> None:
        """Count the episodes being played; with none, playing is held back."""
        before, self._active = self._active, self._active + more
        if before == 0:
            self._rollout.meter.end(HELD)
        elif self._active == 0:
            self._rollout.meter.begin(HELD)
