"""Outposts as Ray actors: placed over the nodes, handed batches, replaced when they die or are not heard of any more.

An outpost that is at work is asked for its pulse now and then, see `Outpost.pulse`. One that does not answer for long,
or whose work does not move on, is killed and counts as lost. So a process that was stopped, or waits for what never
comes, and a machine behind a broken network are noticed, however long a batch may take.
"""

import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from palaestra.agents.episode import Episode
from palaestra.agents.rollout import Assignment
from palaestra.agents.spread.cluster import load_ray, room
from palaestra.agents.spread.ledger import MOST_TRIES, Batch, Ledger
from palaestra.agents.spread.outpost import Order, Outpost
from palaestra.agents.spread.pulse import Pulse
from palaestra.agents.spread.settings import Spread
from palaestra.envs.errors import InfrastructureError

__all__ = ["Posts", "Work"]

# As long as no outpost is ready and none can be placed. A model of several GB takes a while to load.
START_SECONDS = 600.0
# So many that were lost one after another before they could play: something is wrong with all of them.
MOST_FAILED_STARTS = 5
_LOOK_SECONDS = 1.0
# The same where something new may come at any time, and somebody is free to play it.
_GLANCE_SECONDS = 0.02
_PULSE = "pulse"


@dataclass(eq=False, slots=True)
class _Post:
    """An actor.

    Attributes:
        name: What it is called; no two are called the same.
        actor: The actor.
        waiting: What it was last asked, None when it is free.
        ready: Whether it has opened.
        batch: What it plays.
        pulse: Its signs of life.
        asked: It was asked for one and has not answered.
    """

    name: str
    actor: Any
    waiting: Any
    ready: bool = False
    batch: Batch | None = None
    pulse: Pulse = field(default_factory=Pulse)
    asked: Any = None


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, and who is told of it.

    Attributes:
        ledger: What to play.
        order: Makes an order of assignments.
        accept: Told of each episode that counts, with its position.
        give_up: Told of each assignment that is given up, with its position and the reason.
        spent: Told of the seconds in which an outpost's policy and worlds were at work.
        patient: Whether nothing new comes while all that was handed out is being played.
        watch: Called now and then; what it raises ends the work.
    """

    ledger: Ledger
    order: Callable[[tuple[Assignment, ...]], Order]
    accept: Callable[[int, Episode], None]
    give_up: Callable[[int, Assignment, str], None]
    spent: Callable[[dict[str, float]], None]
    patient: bool = True
    watch: Callable[[], None] = lambda: None


class Posts:
    """The outposts of a rollout; nothing is started before there is work, and one piece of work is done at a time.

    Args:
        spread: How many, and what each is given.
        saved: Reference to the policy they load, in a list; empty for none.
        make: Packed; builds environments.
    """

    def __init__(self, spread: Spread, saved: list[Any], make: bytes) -> None:
        self._ray = load_ray()
        self._spread = spread
        self._opening = saved, make
        self.count = spread.actors or room(spread.cpus, spread.gpus)
        self._posts: list[_Post] = []
        self._names = count()
        self._failed_starts = 0
        self._reason = ""
        self._unable_since: float | None = None
        self._felt = 0.0
        self._turn, self._waiting = threading.Condition(), 0
        self._busy = False

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for work that goes on to end."""
        return self._waiting > 0

    @contextmanager
    def _alone(self, gives_way: bool) -> Iterator[None]:
        """Wait for one's turn; who gives way comes after all who do not."""
        with self._turn:
            self._waiting += not gives_way
            self._turn.wait_for(lambda: not self._busy and not (gives_way and self._waiting))
            self._waiting -= not gives_way
            self._busy = True
        try:
            yield
        finally:
            with self._turn:
                self._busy = False
                self._turn.notify_all()

    def do(self, work: Work) -> None:
        """Play everything in a ledger, when it is its turn: after what others have begun.

        Raises:
            InfrastructureError: If no outpost can be started.
            Exception: What an outpost's own work raises: see `Outpost`.
        """
        with self._alone(gives_way=not work.patient):
            self._unable_since = None
            try:
                while True:
                    work.watch()
                    self._staff()
                    self._hand_out(work)
                    if work.ledger.done:
                        return
                    self._wait(work)
            finally:
                # After an error or an interruption nobody waits for what is being played.
                for post in [post for post in self._posts if post.batch is not None]:
                    self._dismiss(post)

    def close(self) -> None:
        """Let all outposts go."""
        for post in list(self._posts):
            self._dismiss(post)

    def _staff(self) -> None:
        """Have as many outposts as there should be, those that are starting included."""
        # Their pulse is felt on a thread of its own.
        kind = self._ray.remote(concurrency_groups={_PULSE: 1})(Outpost)
        while len(self._posts) < self.count:
            # Placed where there is room, spread over the nodes. Ray restarts none: the ledger must know of every loss.
            placed = {"num_cpus": self._spread.cpus, "num_gpus": self._spread.gpus, "scheduling_strategy": "SPREAD"}
            actor = kind.options(max_restarts=0, max_task_retries=0, **placed).remote(self._ray.get)
            self._posts.append(_Post(f"outpost {next(self._names)}", actor, actor.open.remote(*self._opening)))

    def _hand_out(self, work: Work) -> None:
        for post in self._posts:
            if post.waiting is None and (batch := work.ledger.hand(post.name)) is not None:
                order = work.order(tuple(entry.assignment for entry in batch.entries))
                post.batch, post.waiting = batch, post.actor.play.remote(order)
                post.pulse.begin()

    def _wait(self, work: Work) -> None:
        """Wait until an outpost has something to say, and hear it."""
        waiting = {post.waiting: post for post in self._posts if post.waiting is not None}
        glances = not work.patient and any(post.waiting is None for post in self._posts)
        said, _ = self._ray.wait(list(waiting), num_returns=1, timeout=_GLANCE_SECONDS if glances else _LOOK_SECONDS)
        for reference in said:
            self._hear(waiting[reference], work)
        self._feel_pulses(work)
        self._refuse_waiting_for_ever()

    def _feel_pulses(self, work: Work) -> None:
        """Lose those at work that have given no sign of life for too long."""
        now = time.monotonic()
        if now - self._felt < _LOOK_SECONDS:
            return
        # While this process was held up itself, nobody looked.
        passed, self._felt = min(now - self._felt, 2 * _LOOK_SECONDS), now
        for post in [post for post in self._posts if post.waiting is not None]:
            post.pulse.look(passed)
            if post.asked is not None and self._ray.wait([post.asked], timeout=0)[0]:
                asked, post.asked = post.asked, None
                with suppress(self._ray.exceptions.RayError):  # what it is at work on will say so, too
                    post.pulse.answer(self._ray.get(asked))
            post.asked = post.asked or post.actor.pulse.options(concurrency_group=_PULSE).remote()
            if post.pulse.lost:
                since = datetime.fromtimestamp(time.time() - post.pulse.silent).astimezone()
                self._lose(post, work, f"{post.name} has given no sign of life since {since:%Y-%m-%d %H:%M:%S %Z}.")

    def _hear(self, post: _Post, work: Work) -> None:
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(post.waiting)
        except errors.RayTaskError as error:
            if not isinstance(error.cause, errors.RayError):
                raise (error.cause if isinstance(error.cause, Exception) else error) from error
            self._lose(post, work, _words(error.cause))
        except errors.RayError as error:
            self._lose(post, work, _words(error))
        else:
            post.waiting = None
            if post.batch is None:
                post.ready, self._failed_starts = True, 0
                return
            batch, post.batch = post.batch, None
            episodes, seconds = pickle.loads(answer)
            work.spent(seconds)
            for position, episode in work.ledger.accept(post.name, batch.number, episodes):
                work.accept(position, episode)

    def _lose(self, post: _Post, work: Work, reason: str) -> None:
        """An outpost is gone, or is taken for gone: nobody listens to it any more, and it is killed."""
        self._dismiss(post)
        if not post.ready:
            self._failed_starts, self._reason = self._failed_starts + 1, reason
            if self._failed_starts >= MOST_FAILED_STARTS:
                raise InfrastructureError(
                    f"{self._failed_starts} outposts one after another were lost before they could play; the last: "
                    f"{reason} Look into Ray's logs on that machine; is there memory for a copy of the policy?"
                )
        for position, assignment in work.ledger.lose(post.name):
            work.give_up(
                position, assignment, f"{MOST_TRIES} outposts were lost while playing this; the last: {reason}"
            )

    def _dismiss(self, post: _Post) -> None:
        self._posts.remove(post)
        # Without a connection any more the actor is gone, and asking for it would make a new one.
        if self._ray.is_initialized():
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(post.actor)

    def _refuse_waiting_for_ever(self) -> None:
        if any(post.ready for post in self._posts):
            self._unable_since = None
            return
        now = time.monotonic()
        self._unable_since = self._unable_since or now
        if now - self._unable_since > START_SECONDS:
            wanted, free = self._spread, self._ray.available_resources()
            raise InfrastructureError(
                f"No outpost became ready within {START_SECONDS:g} s. Each needs {wanted.cpus:g} processors and "
                f"{wanted.gpus:g} GPUs on one machine; free in the whole cluster are {free.get('CPU', 0):g} and "
                f"{free.get('GPU', 0):g}. {self._reason}"
            )


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}"
