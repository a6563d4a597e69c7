"""Environments of verifiers (its `v1`): a task set, its rewards, and the environment's own run against one agent."""

import asyncio
import importlib.util
import inspect
import queue
import sys
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from palaestra.envs.adapters.background import begun
from palaestra.envs.adapters.foreign import Answer, ForeignWorld, verdict_of
from palaestra.envs.adapters.prefixes import needing
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.task import Task, TaskSet

__all__ = ["VerifiersWorld", "verifiers_world"]

_EXTRA: Final = "verifiers"


class VerifiersWorld(ForeignWorld):
    """An environment of verifiers whose one agent is ours.

    The environment's own `setup`, `run` and `finalize` are at work, and the tasks' hooks, stops and rewards; the
    agent's program (the harness) is left out, because our agent is it. So there is neither a sandbox nor a tool. The
    reward at the end is the weighted sum of the rewards; an error anywhere, or no reward at all, makes the episode
    invalid.

    Args:
        name: The task set's.
        env: The environment.
        outside: Its tasks.
        tasks: Take the place of them, and are of them.
        render_mode: None or `"ansi"`.
        endless: Whether there are more than these.
    """

    def __init__(
        self,
        name: str,
        env: Any,
        outside: Sequence[Any],
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
        endless: bool = False,
    ) -> None:
        self._env = env
        self._outside: dict[str, Any] = {}
        own: list[Task] = []
        for number, task in enumerate(outside):
            known = _known(name, number, task)
            if known.fingerprint not in self._outside:
                self._outside[known.fingerprint] = task
                own.append(known)
        super().__init__(tasks or TaskSet(own, f"verifiers:{name}", endless=endless), render_mode=render_mode)
        self._talk: _Talk | None = None
        self._life: Future[Any] | None = None

    def start(self, task: Task) -> str:  # noqa: D102
        outside = self._outside.get(task.fingerprint)
        if outside is None:
            raise UsageError(f"Task {task.id!r} is none of this environment of verifiers.")
        self.close()
        self._talk = _Talk()
        self._life = begun(_lived(self._env, outside, self._talk))
        told = self._talk.heard()
        if not isinstance(told, str):
            raise InfrastructureError("the environment ended before it asked anything")
        return told

    def act(self, action: str) -> Answer:  # noqa: D102
        assert self._talk is not None
        self._talk.reply(action)
        told = self._talk.heard()
        if isinstance(told, str):
            return Answer(told)
        paid = told.reward
        rewards = {name: reward.score for name, reward in told.rewards.items() if reward is not None}
        if not rewards:
            raise InfrastructureError("no reward was given")
        detail = ", ".join(f"{name} {score:g}" for name, score in rewards.items())
        cut = bool(told.is_truncated)
        return Answer(f"It is over: {detail}.", paid, not cut, cut, verdict_of(paid, detail[:300]))

    def close(self) -> None:
        """Give up an episode that is under way."""
        life, self._life = self._life, None
        if life is not None:
            life.cancel()

    def clone(self) -> "VerifiersWorld":
        """Return an independent instance."""
        twin = super().clone()
        assert isinstance(twin, VerifiersWorld)
        twin._talk, twin._life, twin._over = None, None, True
        return twin


def _known(name: str, number: int, task: Any) -> Task:
    """Return a task of verifiers as one of ours."""
    data = task.data
    reference = data.model_dump(mode="json", exclude={"idx", "prompt", "system_prompt"}, exclude_defaults=True)
    asked = "\n\n".join(filter(None, (data.system_prompt, data.prompt_text))) or f"{name}, task {number}"
    return Task(f"{name}/{data.id or data.name or number}", asked, reference)


class _Talk:
    """What passes between an episode that is lived in the background and whoever steps it."""

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._reply: Future[str] = Future()

    def heard(self) -> Any:
        """Wait for what is said next, or for the trace of an episode that is over.

        Raises:
            Exception: What the environment raised.
        """
        told = self._told.get()
        if isinstance(told, BaseException):
            raise told
        return told

    def reply(self, text: str) -> None:
        """Answer what was said."""
        self._reply.set_result(text)

    def tell(self, what: Any) -> None:
        """Say something, or end with a trace or an error."""
        self._told.put(what)

    async def asked(self, text: str) -> str:
        """Say something and wait for the answer."""
        self._reply = Future()
        self.tell(text)
        return await asyncio.wrap_future(self._reply)


async def _lived(env: Any, task: Any, talk: _Talk) -> None:
    """Live one episode of an environment, as its own `run_episode` does."""
    import verifiers.v1 as vf

    try:
        (role,) = env._agent_specs
        about = vf.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash)
        episode = vf.Episode(env=vf.EnvInfo(id=env.config.env_id), task=about)
        agents = _Seats(role, _Seat(role, env._agent_specs[role], talk, episode))
        await env.setup(agents)
        await env.run(task, agents)
        await env.finalize(task, episode)
        if len(episode.traces) != 1:
            raise InfrastructureError(f"the agent was run {len(episode.traces)} times, expected once")
        talk.tell(episode.traces[0])
    except Exception as error:
        talk.tell(error)


class _Seats:
    """The agents of an episode by role, as an environment is given them."""

    def __init__(self, role: str, seat: "_Seat") -> None:
        setattr(self, role, seat)


class _Seat:
    """Our agent, as an environment knows an agent."""

    def __init__(self, role: str, config: Any, talk: _Talk, episode: Any) -> None:
        self.config, self.trainable = config, True
        self._role, self._talk, self._episode = role, talk, episode

    async def run(self, task: Any, **others: Any) -> Any:
        """Have a task answered once."""
        del others
        async with self.interaction(task) as interaction:
            await interaction.turn()
        return interaction.trace

    @asynccontextmanager
    async def interaction(self, task: Any, **others: Any) -> AsyncIterator["_Interaction"]:
        """Hold a conversation about a task open; it is scored when it is closed."""
        import verifiers.v1 as vf
        from verifiers.v1.state import state_cls
        from verifiers.v1.utils.decorators import invoke

        del others
        trace = vf.Trace(
            task=vf.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash),
            state=state_cls(type(task))(),
            agent=vf.AgentInfo(config=self.config, name=self._role, trainable=self.trainable),
        )
        hooks = {"trace": trace, "runtime": None}
        await invoke(task.setup, hooks)
        yield _Interaction(task, trace, self._talk, self.config.max_turns)
        trace.stop("user_closed")
        await invoke(task.finalize, hooks)
        await task.score(trace, None)
        trace.is_completed, trace.ok = True, True
        self._episode.traces.append(trace)


class _Interaction:
    """One conversation, as an environment leads it."""

    def __init__(self, task: Any, trace: Any, talk: _Talk, max_turns: int | None) -> None:
        from verifiers.v1.session import RolloutLimits

        self.trace = trace
        self._task, self._talk = task, talk
        self._limits = RolloutLimits(max_turns=max_turns)
        self._unsaid: list[str] = []
        self._begun = False

    async def turn(self, message: str | None = None) -> Any:
        """Say something, or have the task's prompt answered, and return the answer as a segment."""
        import verifiers.v1 as vf
        from verifiers.v1.types import content_text

        data = self._task.data
        if not self._begun:
            self._begun = True
            if data.system_prompt:
                self._add(vf.SystemMessage(content=data.system_prompt), data.system_prompt)
            prompt = [vf.UserMessage(content=data.prompt)] if isinstance(data.prompt, str) else data.prompt
            for said in prompt or ():
                self._add(said, content_text(said.content))
        if message is not None:
            self._add(vf.UserMessage(content=message), message)
        if await self._stopped():
            return vf.Segment(messages=[], terminated=True)
        text, self._unsaid = "\n\n".join(self._unsaid), []
        answer = vf.AssistantMessage(content=await self._talk.asked(text))
        self._add(answer, "", sampled=True)
        return vf.Segment(messages=[answer])

    def _add(self, message: Any, text: str, *, sampled: bool = False) -> None:
        from verifiers.v1.graph import MessageNode

        parent = len(self.trace.nodes) - 1
        self.trace.nodes.append(MessageNode(parent=parent if parent >= 0 else None, message=message, sampled=sampled))
        if text:
            self._unsaid.append(text)

    async def _stopped(self) -> bool:
        """Whether a limit or one of the task's stops ends the conversation before the next turn."""
        from verifiers.v1.session import call_hook
        from verifiers.v1.trace import Trace

        reached = self._limits.reached(self.trace)
        for stop in () if reached else self._task.hooks("stop"):
            if await call_hook(stop, {Trace: self.trace}):
                reached = stop.__name__
        if reached:
            self.trace.stop(reached)
        return bool(reached)


def verifiers_world(
    name: str, *, size: int = 1_000, tasks: TaskSet | None = None, render_mode: str | None = None, **settings: Any
) -> VerifiersWorld:
    """Return an environment of verifiers.

    Args:
        name: Id of an installed task set, or the path of a file that exports one.
        size: Most tasks that are read.
        tasks: Take the place of its tasks, and are of them.
        render_mode: None or `"ansi"`.
        **settings: Of the task set.

    Raises:
        UsageError: If the package is not installed, there is no such task set, it refuses the settings, or it needs
            what there is not here: several agents, tools, a container.
    """
    with needing(_EXTRA):
        import verifiers.v1 as vf
    identifier = _imported(name) if name.endswith(".py") else name
    try:
        config = vf.resolve_env_config({"taskset": {"id": identifier, **settings}})
        env = vf.load_environment(config)
        outside = list(env.taskset.take(size + 1))
    except Exception as error:  # whatever somebody else's code raises
        raise UsageError(f"verifiers cannot load {name!r} with {settings}: {type(error).__name__}: {error}") from error
    if not outside:
        raise UsageError(f"{name!r} has no tasks.")
    _check_holds(name, env, outside)
    return VerifiersWorld(name, env, outside[:size], tasks, render_mode, endless=len(outside) > size)


def _imported(path: str) -> str:
    """Import a file under its own name, by which verifiers then knows it."""
    file = Path(path).resolve()
    if not file.is_file():
        raise UsageError(f"There is no file {path!r} with an environment of verifiers.")
    # verifiers looks modules up in lower case.
    name = file.stem.replace("-", "_").lower()
    known = sys.modules.get(name)
    if known is None or getattr(known, "__file__", None) != str(file):
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[name])
        except Exception as error:
            del sys.modules[name]
            raise UsageError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return name


def _check_holds(name: str, env: Any, outside: Sequence[Any]) -> None:
    """Refuse what cannot be held by an agent that speaks and does nothing else."""
    task = outside[0]
    needs = []
    if len(env._agent_specs) != 1:
        needs.append(f"agents {', '.join(env._agent_specs)}, where one is ours")
    if type(task).NEEDS_CONTAINER or any(one.data.image for one in outside):
        needs.append("a container")
    if task.toolsets(task.config) or env.taskset.toolsets(env.taskset.config):
        needs.append("tools")
    for hook in (*task.hooks("reward"), *task.hooks("metric")):
        parameter = inspect.signature(hook).parameters.get("runtime")
        if parameter is not None and parameter.default is inspect.Parameter.empty:
            needs.append(f"a runtime for {hook.__name__}")
    if needs:
        raise UsageError(f"{name!r} needs {'; '.join(needs)}, which there is not here.")
