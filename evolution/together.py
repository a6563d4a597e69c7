"""Training with several processes: the first leads the run, the others take part in every update and in nothing else.

What is played, recorded, measured and shown happens once, in the first process. It tells the others what to learn from;
each of them then does what the first one does to its own weights, on rows of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from palaestra.agents.episode import Episode
from palaestra.agents.local import LocalPolicy
from palaestra.agents.specs import checkpoint_spec, load_agent
from palaestra.envs.errors import RunError, UsageError
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.result import Result
from palaestra.evolution.updating.in_context.update import InContext
from palaestra.evolution.updating.peers import Fingerprint, Peers, fingerprint
from palaestra.evolution.updating.unchanged import Unchanged
from palaestra.evolution.updating.updater import Beginning, TakesTurns, Trainable, Updater

__all__ = ["SharedUpdater", "begin_together", "end_together", "refuse_engine", "take_part"]


@dataclass(frozen=True)
class _Begin:
    """Load these weights and begin to learn as the recipe says."""

    recipe: Recipe
    seed: int
    checkpoint: Path
    policy: str
    version: int


@dataclass(frozen=True)
class _Learn:
    """Take a step of the run on these episodes."""

    episodes: list[Episode]
    step: int


@dataclass(frozen=True)
class _Save:
    """Help write what is divided."""

    directory: Path


@dataclass(frozen=True)
class _End:
    """The run is over."""

    result: Result


class SharedUpdater:
    """An updater of the first process, whose steps all processes take with it; see `Updater`.

    Args:
        updater: Its own.
        policy: Whose weights it changes.
        peers: All processes.
    """

    def __init__(self, updater: Updater, policy: Trainable, peers: Peers) -> None:
        self._updater = updater
        self._policy = policy
        self._peers = peers
        self._remembers = False
        self._step = 0

    def turn_to(self, step: int) -> None:
        """See `TakesTurns`."""
        self._step = step

    def step(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Learn together; see `Updater.step`.

        Raises:
            DivergenceError: If the processes no longer hold the same weights.
            PeerError: If another process failed or has ended.
        """
        self._remembers = True
        self._peers.tell(_Learn(list(episodes), self._step))
        metrics = _take(self._updater, self._step, episodes)
        self._peers.agree(self._policy.model)
        return metrics

    def save(self, directory: Path) -> None:
        """See `Updater.save`."""
        # The first checkpoint is written before the others have begun, from which they begin.
        if self._peers.in_step and self._remembers:
            self._peers.tell(_Save(directory))
        self._updater.save(directory)

    def load(self, directory: Path) -> None:
        """See `Updater.load`."""
        self._remembers = True
        self._updater.load(directory)


def _take(updater: Updater, step: int, episodes: Sequence[Episode]) -> dict[str, float]:
    if isinstance(updater, TakesTurns):
        updater.turn_to(step)
    return updater.step(episodes)


def begin_together(peers: Peers, recipe: Recipe, seed: int, checkpoint: Path, policy: LocalPolicy) -> None:
    """Let the others load the checkpoint whose weights `policy` has now.

    Raises:
        PeerError: If one of them cannot.
        DivergenceError: If what one loaded is not what this process has.
    """
    if peers.size > 1:
        peers.tell(_Begin(recipe, seed, checkpoint.resolve(), policy.name, policy.version))
        with peers.as_one():
            pass
        peers.compare(fingerprint(policy.model))


def end_together(peers: Peers, result: Result) -> None:
    """Send the others home."""
    if peers.size > 1:
        peers.tell(_End(result))


def refuse_engine(peers: Peers, engine: str) -> None:
    """Raise `UsageError` if an engine is to sample in a process that others train with."""
    if engine and peers.size > 1:
        raise UsageError(
            f"--engine {engine} takes the process group that {peers.size} processes train in for its own. Leave it "
            "out, or train in one process."
        )


def take_part(peers: Peers) -> Result:
    """Do what the first process tells until the run is over, and return its result.

    Raises:
        PeerError: If another process failed or has ended.
        RunError: If this process does not see the run's directory.
    """
    begin = cast(_Begin, peers.hear())
    with peers.as_one():
        policy, updater, loaded = _begin(begin, peers)
    peers.compare(loaded)
    while not isinstance(said := peers.hear(), _End):
        if isinstance(said, _Save):
            updater.save(said.directory)
            continue
        learn = cast(_Learn, said)
        _take(updater, learn.step, learn.episodes)
        peers.agree(policy.model)
    return said.result


def _begin(begin: _Begin, peers: Peers) -> tuple[LocalPolicy, Updater, Fingerprint]:
    if not begin.checkpoint.is_dir():
        raise RunError(
            f"Process {peers.rank} sees no {begin.checkpoint}. All processes read the run's checkpoints: let --run lie "
            "on a file system that every machine mounts at the same place."
        )
    sampling = begin.recipe.acquire.sampling
    policy = load_agent(checkpoint_spec(begin.checkpoint, begin.policy), sampling=sampling, trainable=True).policy
    assert isinstance(policy, LocalPolicy)
    loaded = fingerprint(policy.model)  # while it is whole
    beginning = Beginning(
        seed=begin.seed,
        planned_steps=begin.recipe.steps,
        sampling=sampling,
        scratch=begin.checkpoint.parent.parent / "scratch",
        peers=peers,
    )
    update = begin.recipe.update
    assert not isinstance(update, InContext | Unchanged)  # which is refused before processes meet
    updater = update.start(policy, beginning)
    updater.load(begin.checkpoint)
    policy.version = begin.version
    return policy, updater, loaded
