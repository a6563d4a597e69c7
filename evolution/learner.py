"""What changes in a run: a policy's weights, or what an agent is told. The loop turns alike for both."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.agents.local import LocalPolicy
from palaestra.envs.errors import UsageError
from palaestra.evolution.engine import Sampler
from palaestra.evolution.together import SharedUpdater
from palaestra.evolution.updating.peers import Peers
from palaestra.evolution.updating.updater import Beginning, TakesTurns, Update, Updater

__all__ = ["FixedLearner", "Learned", "Learner", "WeightLearner", "save_spelling"]


class Learned(NamedTuple):
    """What came of one update.

    Attributes:
        metrics: Figures of the step.
        lineage: Facts for the run's lineage, plain JSON.
    """

    metrics: dict[str, float]
    lineage: dict[str, Any]


class Learner(Protocol):
    """Whoever learns in a run."""

    @property
    def agent(self) -> Agent:
        """Who plays and is measured, as it is now."""
        ...

    @property
    def version(self) -> int:
        """Version of what is learned."""
        ...

    def begin(self) -> None:
        """Get ready to play, after a start or a restoration."""
        ...

    def learn(self, episodes: Sequence[Episode], env: str, step: int) -> Learned:
        """Learn from a step's episodes, of which there is at least one."""
        ...

    def save(self, directory: Path) -> None:
        """Write into a checkpoint all that the next steps depend on."""
        ...

    def load(self, directory: Path, version: int) -> None:
        """Continue what `save` wrote, as if never interrupted."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


def save_spelling(agent: Agent, directory: Path) -> None:
    """Write the tokenizer beside a checkpoint without weights, so that the ids on record can be read as words later.

    Nothing is written where the ids are not known here, as with a model on a server.
    """
    policy = agent.policy
    core = None if policy is None else getattr(policy.tokenizer, "backend_tokenizer", None)
    if core is not None:
        core.save(str(directory / "tokenizer.json"))


class WeightLearner:
    """A policy whose weights are updated in place.

    Args:
        agent: Speaks for the policy.
        name: What the policy is called from now on.
        update: The method.
        beginning: What it begins with.
        engine: Who samples, see `palaestra.evolution.engine`; nothing for the policy itself.

    Attributes:
        policy: The policy.

    Raises:
        UsageError: If the agent has no weights here.
    """

    def __init__(self, agent: Agent, name: str, update: Update, beginning: Beginning, engine: str) -> None:
        if not isinstance(agent.policy, LocalPolicy):
            raise UsageError(
                f"{agent.name} has no weights that could be trained here: an agent without a policy, or whose model is "
                "on a server, can be benchmarked, play in arenas, and learn in context (reflexion, expel, voyager). "
                "Train local: or nursery:."
            )
        self.policy = agent.policy
        self.policy.name = name
        peers: Peers = beginning.peers
        self.updater: Updater = update.start(self.policy, beginning)
        if peers.size > 1:
            self.updater = SharedUpdater(self.updater, self.policy, peers)
        # After the trainer, which would take an engine's process group for its own.
        self._sampler = Sampler(agent, self.policy, engine, beginning.scratch / "engine")

    @property
    def agent(self) -> Agent:
        """Who samples for the policy."""
        return self._sampler.agent

    @property
    def version(self) -> int:
        """Version of the weights."""
        return self.policy.version

    def begin(self) -> None:
        """Give the weights to an engine; a restored policy's version is known only now."""
        self._sampler.follow()

    def learn(self, episodes: Sequence[Episode], env: str, step: int) -> Learned:
        """Update the weights."""
        del env
        if isinstance(self.updater, TakesTurns):
            self.updater.turn_to(step)
        return Learned({**self.updater.step(episodes), **self._sampler.follow()}, {})

    def save(self, directory: Path) -> None:
        """Write weights and what the updater remembers."""
        self.policy.save(directory)
        self.updater.save(directory)

    def load(self, directory: Path, version: int) -> None:
        """Load what the updater remembers; the weights are the policy's already."""
        self.updater.load(directory)
        self.policy.version = version

    def close(self) -> None:
        """Stop an engine."""
        self._sampler.close()


class FixedLearner:
    """Nobody learns: the effect of a method lies in how the agent is asked. Its checkpoints hold no weights.

    Args:
        agent: Who is asked.
    """

    version = 0

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def begin(self) -> None:
        """Nothing is to be made ready."""

    def learn(self, episodes: Sequence[Episode], env: str, step: int) -> Learned:
        """Pass episodes over."""
        del episodes, env, step
        return Learned({}, {})

    def save(self, directory: Path) -> None:
        """Nothing is remembered, but how the ids on record are spelled."""
        save_spelling(self.agent, directory)

    def load(self, directory: Path, version: int) -> None:
        """Nothing was remembered."""

    def close(self) -> None:
        """Nothing is held."""
