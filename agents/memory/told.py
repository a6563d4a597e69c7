"""An agent that is told a context before each task."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from types import MappingProxyType

from palaestra.agents.agent import Acting, Agent, HoldsResources, Player, SpeaksFor
from palaestra.agents.http.meter import Metered, Usage
from palaestra.agents.memory.budgets import rough_tokens
from palaestra.agents.memory.context import Context
from palaestra.agents.policy import Policy, Sampling
from palaestra.envs.errors import UsageError
from palaestra.envs.place import Place
from palaestra.envs.task import Task

__all__ = ["MeteredToldAgent", "ToldAgent", "counter", "with_context"]


def counter(agent: Agent) -> Callable[[str], int]:
    """Return what counts tokens for an agent: its policy's tokenizer, or an estimate where it has none."""
    policy = agent.policy
    if policy is None:
        return rough_tokens
    tokenizer = policy.tokenizer
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


class ToldAgent:
    """Any agent, told a context in front of the first observation of each episode.

    The episode records what the world said as its observation, and what the policy read, with the context, as ids.

    Args:
        agent: Who acts.
        context: What it is told.
        beside: Further notes for single tasks, by their ids.
    """

    def __init__(
        self,
        agent: Agent,
        context: Context,
        beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self.agent = agent
        self.context = context
        self.beside = beside
        self.count = counter(agent)

    @property
    def name(self) -> str:
        """The agent's name and the digest of what it is told; the name alone where that is nothing."""
        return self.agent.name if self.context.empty else f"{self.agent.name}+context@{self.context.digest}"

    @property
    def policy(self) -> Policy | None:
        """The agent's policy."""
        return self.agent.policy

    def with_sampling(self, sampling: Sampling) -> "ToldAgent":
        """Return the same agent, told the same, that samples otherwise."""
        twin = copy(self)
        twin.agent = self.agent.with_sampling(sampling)
        return twin

    def with_policy(self, policy: Policy) -> "ToldAgent":
        """Return the same agent, told the same, for another policy of the same tokenizer."""
        if not isinstance(self.agent, SpeaksFor):
            raise UsageError(f"{self.agent.name} speaks for no policy that another could take the place of.")
        twin = copy(self)
        twin.agent = self.agent.with_policy(policy)
        return twin

    def enter(self, env: Place, task: Task, seed: int) -> "_Listener":
        """Return a player who is told the context when the world first speaks."""
        notes = tuple(self.beside.get(task.id, ()))
        return _Listener(self.agent.enter(env, task, seed), self, notes)

    def __reduce__(self) -> tuple[type["ToldAgent"], tuple[Agent, Context, dict[str, Sequence[str]]]]:
        """Travel without what counts."""
        return type(self), (self.agent, self.context, dict(self.beside))


class MeteredToldAgent(ToldAgent):
    """The same, of an agent that counts what it costs."""

    @property
    def usage(self) -> Usage:
        """What the agent has cost."""
        return self.agent.usage if isinstance(self.agent, Metered) else Usage()


def with_context(agent: Agent, context: Context) -> ToldAgent:
    """Return an agent that is told a context, and counts what it costs if the agent does."""
    return (MeteredToldAgent if isinstance(agent, Metered) else ToldAgent)(agent, context)


class _Listener:
    """One episode of an agent that is told something."""

    def __init__(self, player: Player, agent: ToldAgent, notes: Sequence[str]) -> None:
        self._player = player
        self._agent = agent
        self._notes = notes
        self._told = False

    def act(self, observation: str) -> Acting:
        if self._told:
            return self._player.act(observation)
        self._told = True
        return self._player.act(self._agent.context.tell(observation, self._agent.count, self._notes))

    def close(self) -> None:
        if isinstance(self._player, HoldsResources):
            self._player.close()
