"""The agent that speaks with a model on a server.

It keeps the conversation as messages, and the server turns them into tokens. Where the server says which tokens it saw
and sampled, a turn records exactly these; a turn extends the row of the turn before only if the ids that the server saw
begin with all of that row, and else begins a row of its own. So no template and no second encoding can make a row say
what the model never saw.
"""

from copy import copy

import numpy as np
from palaestra.agents.agent import Acting, Move
from palaestra.agents.episode import NO_IDS
from palaestra.agents.http.client import Client
from palaestra.agents.http.endpoint import Endpoint
from palaestra.agents.http.meter import Usage
from palaestra.agents.http.wire import Answer, Question
from palaestra.agents.parse import Parser, whole
from palaestra.agents.policy import IntArray, Sampling
from palaestra.agents.render import Message
from palaestra.envs.place import Place
from palaestra.envs.seeding import derive_seed
from palaestra.envs.task import Task

__all__ = ["HttpAgent"]


class HttpAgent:
    """Speaks with the world as a user of a chat with a served model.

    Args:
        endpoint: The model and its server; nothing is asked of it before the first turn.
        sampling: How it is sampled.
        system: What it is told before everything else; nothing when empty.
        parser: Takes the action out of a reply.
        name: The spec that names this agent.
        stop: Stop strings of its own, which it keeps however it is sampled.

    Raises:
        UsageError: If the key's variable is not set.
    """

    policy: None = None

    def __init__(
        self,
        endpoint: Endpoint,
        sampling: Sampling | None = None,
        *,
        system: str = "",
        parser: Parser = whole,
        name: str = "",
        stop: tuple[str, ...] = (),
    ) -> None:
        self.client = Client(endpoint)
        self.stop = stop
        self.sampling = (sampling or Sampling()).stopped_by(stop)
        self.system = system
        self.parser = parser
        self.name = name or f"http:{endpoint.model}@{endpoint.url}"

    @property
    def usage(self) -> Usage:
        """What was asked of the server so far, by this agent and those made from it."""
        return self.client.meter.read()

    def with_sampling(self, sampling: Sampling) -> "HttpAgent":
        """Return an agent like this one, of the same server, that samples otherwise."""
        twin = copy(self)
        twin.sampling = sampling.stopped_by(self.stop)
        return twin

    def enter(self, env: Place, task: Task, seed: int) -> "_Correspondent":
        """Return a player with a conversation of its own; turn i samples with a seed derived from `seed` and i."""
        del env, task
        return _Correspondent(self, seed)


class _Correspondent:
    """One conversation."""

    def __init__(self, agent: HttpAgent, seed: int) -> None:
        self._agent = agent
        self._seed = seed
        self._turn = 0
        self._messages = [Message("system", agent.system)] if agent.system else []
        self._row = NO_IDS

    def act(self, observation: str) -> Acting:
        """Ask the server for a reply; see `Client.ask` for what may go wrong."""
        agent = self._agent
        self._messages.append(Message("user", observation))
        seed = derive_seed(self._seed, "turn", self._turn)
        answer: Answer = yield agent.client.ask(Question(tuple(self._messages), agent.sampling, seed))
        self._turn += 1
        self._messages.append(Message("assistant", answer.text))
        ids, continues = self._appended(answer)
        return Move(
            action=agent.parser(answer.text),
            reply=answer.text,
            context_ids=ids,
            continues=continues,
            reply_ids=answer.ids,
            logprobs=answer.logprobs,
            finish=answer.finish,
            versions=np.zeros(len(answer.ids), np.int32),
        )

    def _appended(self, answer: Answer) -> tuple[IntArray, bool]:
        """Return what the server saw beyond the row so far; all of it, when that is another row."""
        length, seen = len(self._row), answer.prompt_ids
        continues = 0 < length <= len(seen) and np.array_equal(seen[:length], self._row)
        self._row = np.concatenate([seen, answer.ids])
        return (seen[length:] if continues else seen), continues
