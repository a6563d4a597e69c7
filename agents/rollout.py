"""Many episodes at once: every episode at its own turn, their requests to the policy in one batch.

An episode is a generator (`_live`) that yields what it waits for: a `Request` to the policy, or a `Step` of a world
that may block or of an agent's tool. The rollout drives hundreds of them. Steps of instant worlds run inline; the
others run on threads, so that a slow world or tool stalls nobody else. With instant worlds and no tools the batches,
and so the episodes bit for bit, depend only on the assignments; otherwise the composition of batches depends on
timing, and log-probabilities may differ by rounding.
"""

import copy
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from palaestra.agents.agent import Agent, ContextFullError, HoldsResources, Move, Player
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import Request
from palaestra.envs import catalogue
from palaestra.envs.errors import ContractError, InfrastructureError
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Assignment", "Rollout", "play"]

# Worlds that never end are cut here; an episode this long is a defect of the world, not of the agent.
MAX_TURNS = 1_000
# How long a small batch waits for worlds that are about to answer, as a share of the last batch's time.
LINGER = 0.25


@dataclass(frozen=True, slots=True)
class Assignment:
    """One episode to be played; the fields become those of the `Episode`."""

    id: str
    env: str
    task: Task
    seed: int
    group: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """A call into a world or tool that may block."""

    call: Callable[[], Any]


_Awaited: TypeAlias = Request | _Step
_Life: TypeAlias = Generator[_Awaited, Any, Episode]


def play(env: TextEnv, agent: Agent, task: Task | None = None, *, seed: int = 0) -> Episode:
    """Play one episode in `env` and return it.

    Args:
        env: The world; it is reset.
        agent: Who plays.
        task: The task to play; None plays the one that `seed` draws.
        seed: Names the randomness of world and agent.
    """
    if task is None:
        env.reset(seed=seed)
        task = env.task
        if task is None:
            raise ContractError(f"{type(env).__name__}.reset must set `task`; derive it from TextEnv.")
    spec = env.spec.id if env.spec else type(env).__name__
    rollout = Rollout(agent, make=lambda _: env)
    return rollout.play([Assignment(f"{task.id}#{seed}", spec, task, seed)])[0]


class Rollout:
    """Plays episodes concurrently.

    Args:
        agent: Who plays all of them.
        in_flight: Most episodes alive at a time, which bounds memory and the policy's batch.
        workers: Threads for the steps of worlds that may block, and for tools.
        make: Builds the environment of a spec.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        in_flight: int = 512,
        workers: int = 32,
        make: Callable[[str], TextEnv] = catalogue.make,
    ) -> None:
        self.agent = agent
        self.in_flight = in_flight
        self.workers = workers
        self._make = make
        self._first: dict[str, TextEnv] = {}
        self._idle: dict[str, list[TextEnv]] = {}

    def env(self, spec: str) -> TextEnv:
        """Return the environment of a spec, to read its tasks from; it is built once."""
        if spec not in self._first:
            self._first[spec] = self._make(spec)
            self._idle[spec] = [self._first[spec]]
        return self._first[spec]

    def played_by(self, agent: Agent) -> "Rollout":
        """Return the same rollout with another agent; the environments are shared."""
        other = copy.copy(self)
        other.agent = agent
        return other

    def play(
        self, assignments: Sequence[Assignment], on_episode: Callable[[Episode], None] | None = None
    ) -> list[Episode]:
        """Play every assignment.

        Args:
            assignments: What to play.
            on_episode: Called with each episode as it ends, in order of ending.

        Returns:
            Episodes in the order of the assignments. One that our own machinery or its world broke is there, invalid.
        """
        threads = ThreadPoolExecutor(self.workers, thread_name_prefix="world")
        try:
            return _Sweep(self, assignments, threads, on_episode).run()
        finally:
            # After an interruption nobody waits for worlds whose answer nobody will read.
            threads.shutdown(wait=False, cancel_futures=True)

    def _borrow(self, spec: str) -> TextEnv:
        first = self.env(spec)
        idle = self._idle[spec]
        return idle.pop() if idle else first.clone()


class _Sweep:
    """One call of `Rollout.play`: who is alive, and who waits for what."""

    def __init__(
        self,
        rollout: Rollout,
        assignments: Sequence[Assignment],
        threads: ThreadPoolExecutor,
        on_episode: Callable[[Episode], None] | None,
    ) -> None:
        self.rollout = rollout
        self.threads = threads
        self.on_episode = on_episode
        self.queue = deque(enumerate(assignments))
        self.done: list[Episode | None] = [None] * len(assignments)
        self.lives: dict[int, tuple[_Life, str, TextEnv]] = {}
        self.asking: list[tuple[int, Request]] = []
        self.stepping: dict[Future[Any], int] = {}
        self.batch_seconds = 0.0

    def run(self) -> list[Episode]:
        while self.queue or self.lives:
            while self.queue and len(self.lives) < self.rollout.in_flight:
                self.begin(*self.queue.popleft())
            self.collect()
            if self.asking:
                self.answer()
        return [episode for episode in self.done if episode is not None]

    def begin(self, index: int, assignment: Assignment) -> None:
        env = self.rollout._borrow(assignment.env)
        self.lives[index] = (_live(env, self.rollout.agent, assignment), assignment.env, env)
        self.advance(index)

    def advance(self, index: int, answer: Any = None, error: BaseException | None = None) -> None:
        """Let one life go on with what it waited for until it waits again, and note for what."""
        life, spec, env = self.lives[index]
        try:
            awaited = life.send(answer) if error is None else life.throw(error)
        except StopIteration as end:
            self.end(index, end.value, spec, env)
            return
        if isinstance(awaited, Request):
            self.asking.append((index, awaited))
        else:
            self.stepping[self.threads.submit(awaited.call)] = index

    def end(self, index: int, episode: Episode, spec: str, env: TextEnv) -> None:
        del self.lives[index]
        # A world that failed may be broken inside: the next episode gets a fresh one.
        if episode.verdict.status is not Status.INFRASTRUCTURE:
            self.rollout._idle[spec].append(env)
        self.done[index] = episode
        if self.on_episode:
            self.on_episode(episode)

    def collect(self) -> None:
        """Let the worlds that have answered go on; wait only when there is little or nothing else to do."""
        if not self.stepping:
            return
        if not self.asking:
            timeout = None
        elif 2 * len(self.asking) < len(self.lives):
            timeout = LINGER * self.batch_seconds
        else:
            timeout = 0.0
        ready, _ = wait(self.stepping, timeout=timeout, return_when=FIRST_COMPLETED)
        # Not the set's own order: it differs from process to process.
        for future in sorted(ready, key=self.stepping.__getitem__):
            index = self.stepping.pop(future)
            error = future.exception()
            if error is None:
                self.advance(index, future.result())
            else:
                self.advance(index, error=error)

    def answer(self) -> None:
        """Sample for everyone who asks, in one batch."""
        asking, self.asking = self.asking, []
        policy = self.rollout.agent.policy
        if policy is None:
            raise ContractError(f"The agent {self.rollout.agent.name} asked for a sample but has no policy.")
        began = time.perf_counter()
        try:
            samples = policy.sample([request for _, request in asking])
        except InfrastructureError as error:
            for index, _ in asking:
                self.advance(index, error=error)
            return
        self.batch_seconds = time.perf_counter() - began
        for (index, _), sample in zip(asking, samples, strict=True):
            self.advance(index, sample)


def _call(env: TextEnv, call: Callable[[], Any]) -> Generator[_Step, Any, Any]:
    """Call into a world: inline when its steps are instant, else by whoever drives this life."""
    if env.metadata.get("instant", False):
        return call()
    return (yield _Step(call))


def _act(player: Player, observation: str, turns: list[Turn]) -> Generator[_Awaited, Any, tuple[str, Move, float]]:
    """Let a player act; each use of a tool on the way becomes a turn.

    Returns:
        What was observed last (by a tool, if any was used), the move that answers it, and when it was asked for.
    """
    acting = player.act(observation)
    asked, answer = time.perf_counter(), None
    while True:
        try:
            awaited = acting.send(answer)
        except StopIteration as end:
            return observation, end.value, asked
        if isinstance(awaited, Request):
            answer = yield awaited
            continue
        acted = time.perf_counter()
        answer = yield _Step(awaited.call)
        turns.append(_turn(observation, awaited.move, (asked, acted)))
        observation, asked = answer, time.perf_counter()


def _turn(
    observation: str,
    move: Move,
    since: tuple[float, float],
    reward: float = 0.0,
    verdict: Verdict | None = None,
) -> Turn:
    """Record a turn that ends now; `since` says when the policy was asked and when it had answered."""
    asked, acted = since
    return Turn(
        observation,
        move.reply,
        move.action,
        reward,
        verdict,
        move.context_ids,
        move.continues,
        move.reply_ids,
        move.logprobs,
        move.finish,
        move.version,
        acted - asked,
        time.perf_counter() - acted,
    )


def _live(env: TextEnv, agent: Agent, assignment: Assignment) -> _Life:
    """Live one episode from reset to its end."""
    began = time.perf_counter()
    task = assignment.task
    turns: list[Turn] = []
    verdict: Verdict | None = None
    truncated = False
    player = agent.enter(env, task, assignment.seed)
    try:
        observation, _ = yield from _call(env, lambda: env.reset(seed=assignment.seed, options={"task": task}))
        ended = False
        while not ended:
            observation, move, asked = yield from _act(player, observation, turns)
            acted = time.perf_counter()
            answer, reward, terminated, truncated, info = yield from _call(env, partial(env.step, move.action))
            verdict = info.get("verdict", verdict)
            turns.append(_turn(observation, move, (asked, acted), float(reward), info.get("verdict")))
            observation = answer
            truncated = bool(truncated) or (len(turns) >= MAX_TURNS and not terminated)
            ended = terminated or truncated
    except ContextFullError as error:
        truncated = True
        if not turns:
            verdict = Verdict(0.0, Status.BROKEN_TASK, str(error))
    except Exception as error:  # a world may fail in any way; what it broke is no experience
        verdict = Verdict(0.0, Status.INFRASTRUCTURE, f"{type(error).__name__}: {error}")
    finally:
        if isinstance(player, HoldsResources):
            player.close()
    if verdict is None:
        verdict = Verdict(sum(turn.reward for turn in turns), Status.PARTIAL, "the world gave no verdict")
    return Episode(
        assignment.id,
        assignment.env,
        task.id,
        task.fingerprint,
        assignment.group,
        assignment.attempt,
        assignment.seed,
        agent.name,
        tuple(turns),
        verdict,
        truncated,
        time.perf_counter() - began,
    )
