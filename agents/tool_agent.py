"""An agent that may use tools before it answers.

A reply with a fenced block that bears a tool's name is a call. The block's content goes to the tool, and what the tool
says comes back as a user's message with a block named `output`, in the same conversation: ids that were sampled stay
as sampled, and the tool's output is never trained on. The first reply without a call answers the world.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from palaestra.agents.agent import Acting, HoldsResources, Move, Player, ToolCall
from palaestra.agents.language import LanguageAgent
from palaestra.agents.parse import after_think
from palaestra.agents.policy import Policy, Sampling
from palaestra.agents.tools import Tool, ToolState
from palaestra.envs.errors import UsageError
from palaestra.envs.place import Place
from palaestra.envs.seeding import derive_seed
from palaestra.envs.task import Task

__all__ = ["Call", "ToolAgent", "find_call"]

_FENCE = "```"
_NO_CALLS_LEFT = "No calls are left: answer now."


class Call(NamedTuple):
    """What a reply asks of a tool."""

    tool: str
    text: str


def find_call(reply: str, tools: Sequence[str]) -> Call | None:
    """Return the call in a reply, or None.

    The first block that bears a tool's name decides which tool; further blocks of that name belong to the same call,
    because whoever wrote them wants all of them run. Blocks that were never closed and those within `<think>` are no
    calls.

    Args:
        reply: What the agent said.
        tools: Names of the tools.
    """
    blocks = [(name, text) for name, text in _blocks(after_think(reply)) if name in tools]
    if not blocks:
        return None
    first = blocks[0][0]
    return Call(first, "\n".join(text for name, text in blocks if name == first))


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and content of every fenced block that was closed; fences stand on lines of their own."""
    name, inside = "", None
    for line in text.split("\n"):
        mark = line.strip()
        if inside is None:
            if mark.startswith(_FENCE):
                name, inside = mark.removeprefix(_FENCE).strip(), list[str]()
        elif mark == _FENCE:
            yield name, "\n".join(inside)
            inside = None
        else:
            inside.append(line)


class ToolAgent:
    """A language agent with tools.

    Args:
        agent: Who speaks; its system text is followed by a description of the tools.
        tools: What it may use.
        calls: Most calls before each answer to the world. A call beyond them is taken as the answer.

    Raises:
        UsageError: If no tool is given, two share a name, or no call is allowed.
    """

    def __init__(self, agent: LanguageAgent, tools: Sequence[Tool], *, calls: int = 4) -> None:
        self.tools = {tool.name: tool for tool in tools}
        if not tools or len(self.tools) < len(tools):
            raise UsageError(f"Tools need names of their own, got {[tool.name for tool in tools]}.")
        if calls < 1:
            raise UsageError(f"calls must be at least 1, got {calls}; an agent without calls is a LanguageAgent.")
        self.calls = calls
        self.speaker = copy(agent)
        self.speaker.system = "\n\n".join(part for part in (agent.system, _instructions(tools)) if part)

    @property
    def name(self) -> str:
        """The speaker's name and the tools'."""
        return "+".join([self.speaker.name, *self.tools])

    @property
    def policy(self) -> Policy:
        """The speaker's policy."""
        return self.speaker.policy

    def with_sampling(self, sampling: Sampling) -> "ToolAgent":
        """Return an agent like this one, of the same policy and tools, that samples otherwise."""
        twin = copy(self)
        twin.speaker = self.speaker.with_sampling(sampling)
        return twin

    def with_policy(self, policy: Policy) -> "ToolAgent":
        """Return an agent like this one, of the same tools, that speaks for another policy of the same tokenizer."""
        twin = copy(self)
        twin.speaker = self.speaker.with_policy(policy)
        return twin

    def enter(self, env: Place, task: Task, seed: int) -> "_Worker":
        """Return a player with a conversation and tools of its own."""
        tools = {n: tool.open(task, derive_seed(seed, "tool", n)) for n, tool in self.tools.items()}
        return _Worker(self.speaker.enter(env, task, seed), tools, self.calls)


def _instructions(tools: Sequence[Tool]) -> str:
    told = [f"`{tool.name}`: {tool.description}" for tool in tools]
    return "\n".join(
        [
            "You may use tools before you answer. To call one, end your reply with a block of its name:",
            f"```{tools[0].name}\n...\n```",
            "You are then shown its output. A reply without such a block is your answer.",
            *told,
        ]
    )


class _Worker:
    """One conversation with tools at hand."""

    def __init__(self, speaker: Player, tools: dict[str, ToolState], calls: int) -> None:
        self._speaker = speaker
        self._tools = tools
        self._calls = calls

    def act(self, observation: str) -> Acting:
        move: Move = yield from self._speaker.act(observation)
        for left in reversed(range(self._calls)):
            call = find_call(move.reply, tuple(self._tools))
            if call is None:
                break
            used = replace(move, action=call.text)
            output = yield ToolCall(used, partial(self._use, call, left))
            move = yield from self._speaker.act(output)
        return move

    def _use(self, call: Call, left: int) -> str:
        output = f"```output\n{self._tools[call.tool].call(call.text)}\n```"
        return output if left else f"{output}\n{_NO_CALLS_LEFT}"

    def close(self) -> None:
        for tool in self._tools.values():
            tool.close()
        if isinstance(self._speaker, HoldsResources):
            self._speaker.close()
