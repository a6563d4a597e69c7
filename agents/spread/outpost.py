"""A process on some machine that plays what it is handed, with a policy, environments and a sandbox of its own."""

import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from palaestra.agents.episode import Episode
from palaestra.agents.policy import Policy
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.spread.parcel import Saved, Weights, put, unpack, unsave
from palaestra.agents.spread.plain import plain_errors

__all__ = ["Order", "Outpost"]


@dataclass(frozen=True, slots=True)
class Order:
    """A batch to be played, and with what.

    What is large is named here and fetched only by an outpost that does not have it.

    Attributes:
        assignments: What to play.
        agent: Who plays: a reference to packed bytes, in a list, because Ray would fetch one that stands alone.
        agent_digest: By which an outpost knows whether it has this agent.
        weights: A reference to `Weights` in a list; empty for an agent without a local policy.
        weights_digest: By which it knows whether it has these.
        version: Version of the weights.
    """

    assignments: tuple[Assignment, ...]
    agent: list[Any]
    agent_digest: str
    weights: list[Any]
    weights_digest: str = ""
    version: int = 0


class Outpost:
    """Plays; free of Ray but for what it is given to fetch references with.

    Args:
        fetch: Returns what a reference names.
    """

    def __init__(self, fetch: Callable[[Any], Any]) -> None:
        self._fetch = fetch
        self._policy: Any = None
        self._make: bytes = b""
        self._rollout: Rollout | None = None
        self._agent_digest = self._weights_digest = ""
        self._worker: int | None = None

    def open(self, saved: list[Any], make: bytes) -> None:
        """Load the policy; whoever is made without an error can play.

        Args:
            saved: A reference to `Saved` in a list; empty for an agent without a local policy.
            make: Packed; builds the environment of a spec.

        Raises:
            SynchronisationError: If what was loaded is not what the trainer has.
        """
        with plain_errors(), self._at_work():
            for reference in saved:
                found: Saved = self._fetch(reference)
                self._policy = unsave(found)
            self._make = make

    def play(self, order: Order) -> bytes:
        """Return the episodes of a batch, in order, and the seconds in which policy and worlds were at work, pickled.

        As bytes, because arrays that lie in memory shared between processes would fill it for as long as they live.

        Raises:
            SynchronisationError: If the weights are not what the trainer has.
            RefusedError: If a service that the agent asks refuses to go on.
        """
        with plain_errors(), self._at_work():
            rollout = self._prepared(order)
            before = rollout.meter.read()
            episodes: list[Episode] = rollout.play(order.assignments)
            spent = {kind: seconds - before.get(kind, 0.0) for kind, seconds in rollout.meter.read().items()}
        return pickle.dumps((episodes, spent))

    def pulse(self) -> float | None:
        """Return how much processor time the thread that is at work has had, in seconds; None where none is at work.

        To be asked from another thread, now and then. Work uses some at any time: sampling does, and a drive that only
        waits turns now and then. A thread that waits for what never comes uses none. Where a thread's time cannot be
        told, as on macOS, this is None: that there is an answer is the only sign of life.
        """
        worker = self._worker
        if worker is None or not hasattr(time, "pthread_getcpuclockid"):
            return None
        return time.clock_gettime(time.pthread_getcpuclockid(worker))

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self._worker = threading.get_ident()
        try:
            yield
        finally:
            self._worker = None

    def _prepared(self, order: Order) -> Rollout:
        """Have the agent and the weights of an order."""
        if order.weights and order.weights_digest != self._weights_digest:
            weights: Weights = self._fetch(order.weights[0])
            put(weights, self._policy)
            self._weights_digest = weights.digest
        if self._policy is not None:
            self._policy.version = order.version
        if self._rollout is None or order.agent_digest != self._agent_digest:
            policy: Policy | None = self._policy
            agent = unpack(self._fetch(order.agent[0]), policy)
            made = self._rollout or Rollout(agent, make=unpack(self._make, None))
            self._rollout, self._agent_digest = made.played_by(agent), order.agent_digest
        return self._rollout
