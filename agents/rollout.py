"""Many episodes at once: every episode at its own turn, their requests to the policy in one batch.

An episode is a life (see `palaestra.agents.driving`). Steps of instant worlds run inline; the others, and an agent's
tools, run on threads, so that a slow one stalls nobody else; one that never answers makes its episode invalid after a
while. With instant worlds and no tools the episodes bit for bit depend only on the assignments.
"""

import copy
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from palaestra.agents.acting import act, turn
from palaestra.agents.agent import Agent, ContextFullError, HoldsResources
from palaestra.agents.attending import JUDGING, Attendant, Meter
from palaestra.agents.crew import Crew
from palaestra.agents.driving import Drive, Life, Step
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import IntArray
from palaestra.envs import catalogue
from palaestra.envs.errors import ContractError, RefusedError
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Assignment", "Rollout", "play"]

# Worlds that never end are cut here; an episode this long is a defect of the world, not of the agent.
MAX_TURNS = 1_000
# Longer than any step that is at work; only one that hangs takes as long.
STEP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Assignment:
    """One episode to be played; the fields become those of the `Episode`."""

    id: str
    env: str
    task: Task
    seed: int
    group: str = ""
    attempt: int = 0


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
        step_seconds: How long one reset, step or use of a tool may take on its thread. After that it is left to itself
            and its episode is invalid; None waits for ever. Instant worlds are called inline and not watched.
        make: Builds the environment of a spec.

    Attributes:
        meter: Wall-clock in which policy and worlds were at work, see `palaestra.agents.attending`.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        in_flight: int = 512,
        workers: int = 32,
        step_seconds: float | None = STEP_SECONDS,
        make: Callable[[str], TextEnv] = catalogue.make,
    ) -> None:
        self.agent = agent
        self.in_flight = in_flight
        self.workers = workers
        self.step_seconds = step_seconds
        self.meter = Meter()
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

    def apart(self, agent: Agent) -> "Rollout":
        """Return a rollout of another agent for another thread, with environments of its own."""
        other = copy.copy(self)
        other.agent = agent
        other.meter = Meter()
        other._first, other._idle = {}, {}
        other._make = lambda spec: self.env(spec).clone()
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

        Raises:
            RefusedError: If a service that the agent asks refuses to go on.
        """
        with self.attendant() as attendant:
            return Drive(partial(self.live, attendant), self.in_flight, 1, on_episode).run(assignments)

    def stream(self, assignments: Iterable[Assignment], on_episode: Callable[[Episode], None]) -> None:
        """Play assignments as they come and keep none of the episodes: memory is that of the episodes alive.

        Args:
            assignments: What to play; the next one is taken when an episode ends.
            on_episode: Called with each episode as it ends.
        """
        left = iter(assignments)

        def one_after_another(_: int) -> Life[None]:
            for assignment in left:
                on_episode((yield from self.live(attendant, assignment)))

        with self.attendant() as attendant:
            Drive(one_after_another, self.in_flight, 1).run(range(self.in_flight))

    def close(self) -> None:
        """Give back what is held beyond this process: nothing, here."""

    @contextmanager
    def attendant(self) -> Iterator[Attendant]:
        """Open what `live` needs, for a drive of one's own."""
        with Crew(self.workers, self.step_seconds) as crew:
            yield Attendant(crew, self.meter)

    def live(
        self, attendant: Attendant, assignment: Assignment, on_versions: Callable[[IntArray], None] | None = None
    ) -> Life[Episode]:
        """Live one episode; see `Attendant.attend`."""
        env = self._borrow(assignment.env)
        who = f"Episode {assignment.id!r} in {assignment.env}"
        life = _live(env, self.agent, assignment, self.meter)
        episode = yield from attendant.attend(life, who, on_versions)
        # A world that failed may be broken inside: the next episode gets a fresh one.
        if episode.verdict.status is not Status.INFRASTRUCTURE:
            self._idle[assignment.env].append(env)
        return episode

    def _borrow(self, spec: str) -> TextEnv:
        first = self.env(spec)
        idle = self._idle[spec]
        return idle.pop() if idle else first.clone()


def _call(env: TextEnv, meter: Meter, call: Callable[[], Any]) -> Generator[Step, Any, Any]:
    """Call into a world: inline when its steps are instant, else by whoever drives this life."""
    if env.metadata.get("instant", False):
        with meter(JUDGING):
            return call()
    return (yield Step(call))


def _live(env: TextEnv, agent: Agent, assignment: Assignment, meter: Meter) -> Life[Episode]:
    """Live one episode from reset to its end."""
    began = time.perf_counter()
    task = assignment.task
    turns: list[Turn] = []
    verdict: Verdict | None = None
    truncated = False
    player = agent.enter(env, task, assignment.seed)
    try:
        observation, _ = yield from _call(env, meter, lambda: env.reset(seed=assignment.seed, options={"task": task}))
        ended = False
        while not ended:
            observation, move, asked = yield from act(agent, player, observation, turns)
            acted = time.perf_counter()
            answer, reward, terminated, truncated, info = yield from _call(env, meter, partial(env.step, move.action))
            verdict = info.get("verdict", verdict)
            turns.append(turn(observation, move, (asked, acted), float(reward), info.get("verdict")))
            observation = answer
            truncated = bool(truncated) or (len(turns) >= MAX_TURNS and not terminated)
            ended = terminated or truncated
    except ContextFullError as error:
        truncated = True
        if not turns:
            verdict = Verdict(0.0, Status.BROKEN_TASK, str(error))
    except RefusedError:  # the next episode would fare alike
        raise
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
