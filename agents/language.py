"""The agent that puts a policy into words: observations become chat messages, replies become actions."""

from copy import copy
from urllib.parse import quote

from palaestra.agents.agent import Acting, ContextFullError, Move
from palaestra.agents.parse import Parser, whole
from palaestra.agents.policy import FinishReason, Policy, Request, Sample, Sampling
from palaestra.agents.render import Message, Renderer, Transcript
from palaestra.agents.stopping import said
from palaestra.envs.place import Place
from palaestra.envs.seeding import derive_seed
from palaestra.envs.task import Task

__all__ = ["LanguageAgent"]


class LanguageAgent:
    """Speaks with the world as a user of a chat: the whole conversation is the context of each reply.

    Args:
        policy: Who replies.
        sampling: How it is sampled.
        system: What it is told before everything else; nothing when empty.
        parser: Takes the action out of a reply.
        stop: Stop strings of its own, which it keeps however it is sampled.
    """

    def __init__(
        self,
        policy: Policy,
        sampling: Sampling | None = None,
        *,
        system: str = "",
        parser: Parser = whole,
        stop: tuple[str, ...] = (),
    ) -> None:
        self.policy: Policy = policy
        self.stop = stop
        self.sampling = (sampling or Sampling()).stopped_by(stop)
        self.system = system
        self.parser = parser
        self.renderer = Renderer(policy.tokenizer)

    @property
    def name(self) -> str:
        """The policy's name, with the stop strings of this agent."""
        options = "&".join(f"stop={quote(text, safe='')}" for text in self.stop)
        return self.policy.name + (f"{'&' if '?' in self.policy.name else '?'}{options}" if options else "")

    def with_sampling(self, sampling: Sampling) -> "LanguageAgent":
        """Return an agent like this one, of the same policy, that samples otherwise."""
        twin = copy(self)
        twin.sampling = sampling.stopped_by(self.stop)
        return twin

    def with_policy(self, policy: Policy) -> "LanguageAgent":
        """Return an agent like this one that speaks for another policy of the same tokenizer."""
        twin = copy(self)
        twin.policy = policy
        return twin

    def enter(self, env: Place, task: Task, seed: int) -> "_Speaker":
        """Return a player with a conversation of its own; turn i samples with a seed derived from `seed` and i."""
        del env, task
        return _Speaker(self, seed)


class _Speaker:
    """One conversation."""

    def __init__(self, agent: LanguageAgent, seed: int) -> None:
        self._agent = agent
        self._seed = seed
        self._turn = 0
        self._transcript: Transcript | None = None
        self._last: Sample | None = None

    def act(self, observation: str) -> Acting:
        """Ask the policy for a reply.

        Raises:
            ContextFullError: If the conversation leaves no room for a single token. A reply that merely finds less
                room than `max_tokens` is cut by its length.
        """
        agent = self._agent
        heard = (Message("user", observation),)
        if self._transcript is None or self._last is None:
            before = (Message("system", agent.system),) if agent.system else ()
            self._transcript = Transcript(agent.renderer, before + heard)
            ids, continues = self._transcript.context, False
        else:
            stopped = self._last.finish is FinishReason.STOP
            ids, continues = self._transcript.extend(self._last.ids, heard, stopped=stopped)
        context = self._transcript.context
        if len(context) >= agent.policy.context_limit:
            raise ContextFullError(
                f"The conversation has {len(context)} tokens and {agent.name} takes {agent.policy.context_limit} with "
                "the reply: shorten the observations or the replies, or take a policy with a longer context."
            )
        sample = yield Request(context, agent.sampling, derive_seed(self._seed, "turn", self._turn))
        self._turn += 1
        self._last = sample
        reply = said(agent.policy.tokenizer, sample, agent.sampling.stop)
        return Move(
            action=agent.parser(reply),
            reply=reply,
            context_ids=ids,
            continues=continues,
            reply_ids=sample.ids,
            logprobs=sample.logprobs,
            finish=sample.finish,
            versions=sample.versions,
        )
