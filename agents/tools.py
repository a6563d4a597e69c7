"""Tools: what an agent may use before it answers the world. One tool so far, a Python interpreter in the sandbox.

An agent calls a tool with a fenced block that bears the tool's name (see `palaestra.agents.tool_agent`):

    ```python
    import math
    math.comb(10, 3)
    ```

and observes what came of it as a block named `output`. That is the convention of ToRA, ToRL and ReTool, and what
pretrained models write without being taught.
"""

from contextlib import suppress
from typing import Protocol

from palaestra.envs.errors import InfrastructureError
from palaestra.envs.sandbox import Ended, Limits, Sandbox, Session, SessionEndedError, shared_sandbox
from palaestra.envs.task import Task

__all__ = ["PythonTool", "Tool", "ToolState", "shortened"]

_LIMITS = Limits(wall_seconds=5.0)
_REASONS = {Ended.WALL_LIMIT: "the call took too long", Ended.EXITED: "its process ended"}


class ToolState(Protocol):
    """A tool in use in one episode."""

    def call(self, text: str) -> str:
        """Do what `text` asks and return what the agent shall read; calls come one at a time.

        Whatever the agent wrote, this returns: a mistake of the agent's is told to the agent.

        Raises:
            InfrastructureError: If our own machinery failed; the episode is then invalid.
        """
        ...

    def close(self) -> None:
        """Give back what the episode held. It never raises."""
        ...


class Tool(Protocol):
    """Something an agent may use."""

    @property
    def name(self) -> str:
        """One word: the name of the fenced block that calls it."""
        ...

    @property
    def description(self) -> str:
        """One paragraph for the system prompt: what it does and what it is given."""
        ...

    def open(self, task: Task, seed: int) -> ToolState:
        """Return its state for an episode of `task`; its randomness, if any, derives from `seed`."""
        ...


def shortened(text: str, limit: int) -> str:
    """Cut the middle out of a text longer than `limit` characters, and say how much."""
    if len(text) <= limit:
        return text
    head = limit // 2
    tail = limit - head
    return f"{text[:head]}\n[{len(text) - limit} characters left out]\n{text[-tail:]}"


class PythonTool:
    """A Python interpreter in the sandbox, of which each episode has its own.

    Variables persist from call to call. A call that exceeds its time, memory or output ends the interpreter; the
    agent is told why and that its variables are lost, and the next call starts afresh. Nothing starts before the
    first call, so an episode without one costs nothing; with one, it keeps a process of its own until it ends.

    Args:
        sandbox: Where interpreters run; None takes the process-wide one.
        limits: What an interpreter may use; `wall_seconds` is the time of one call.
        output_chars: Longest output an agent reads; the middle of a longer one is left out.
        name: Name of the block that calls it. In worlds whose answers are blocks of Python themselves, another
            one (such as `"run"`) keeps calls and answers apart.
    """

    def __init__(
        self,
        sandbox: Sandbox | None = None,
        *,
        limits: Limits = _LIMITS,
        output_chars: int = 2_000,
        name: str = "python",
    ) -> None:
        self.name = name
        self.limits = limits
        self.output_chars = output_chars
        self._sandbox = sandbox

    @property
    def description(self) -> str:
        """What an agent is told of it."""
        return (
            "runs Python and shows what is printed and the value of the last expression. Variables stay from one call "
            f"to the next. Standard library only, no files or network, {self.limits.wall_seconds:g} seconds a call."
        )

    @property
    def sandbox(self) -> Sandbox:
        """Where its interpreters run; the process-wide sandbox is started when it is first needed."""
        return self._sandbox or shared_sandbox()

    def open(self, task: Task, seed: int) -> "_Interpreter":
        """Return an interpreter that starts with its first call."""
        del task, seed
        return _Interpreter(self)


class _Interpreter:
    """The interpreter of one episode."""

    def __init__(self, tool: PythonTool) -> None:
        self._tool = tool
        self._session: Session | None = None

    def call(self, text: str) -> str:
        """Run code and return its output and its error, if any."""
        if self._session is None:
            self._session = self._tool.sandbox.session(self._tool.limits)
        try:
            answer = self._session.ask({"code": text})
        except SessionEndedError as end:
            return self._stopped(_REASONS.get(end.ended, str(end.ended)))
        match answer:
            case {"output": str(output), "error": str(error)}:
                said = "\n".join(part for part in (output.rstrip("\n"), error) if part)
                return shortened(said, self._tool.output_chars) or "(no output)"
        # The agent's code shares a process with what answers: a forged answer is the agent's doing, not our failure.
        return self._stopped("it broke its own connection")

    def _stopped(self, why: str) -> str:
        self.close()
        return f"The interpreter was stopped: {why}. Its variables are lost; the next call starts afresh."

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(InfrastructureError, OSError):
                session.close()
