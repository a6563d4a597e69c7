"""Environments behind an OpenEnv server."""

import contextlib
import http.client
import json
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

from palaestra.envs.adapters.foreign import Answer, ForeignWorld, seeds
from palaestra.envs.adapters.prefixes import needing
from palaestra.envs.errors import InfrastructureError, UnknownNameError, UsageError
from palaestra.envs.task import Task

__all__ = ["OpenEnvWorld", "openenv_world"]

_EXTRA: Final = "openenv"
_SEEDS: Final = 2**31
# Names under which observations carry what is to be read, in order.
_SAID: Final = ("prompt", "message", "text", "output", "result", "content")


class OpenEnvWorld(ForeignWorld):
    """One session with an OpenEnv server, by its own client.

    A task is a seed, which the server is given and need not heed. What the agent says is one field of the action; the
    text of the observation is one of its fields, or all of it as JSON. Rewards pass through. A server that fails, goes
    away or answers with an error makes the episode invalid.

    Args:
        address: Of the server: `"http://127.0.0.1:8000"`.
        action: The field of the action that holds what the agent says.
        fixed: The action's other fields.
        observation: The field to read out; `""` takes the first of the usual ones, else everything.
        size: How many seeds are tasks.
        seconds: How long the server may take for one answer.
        render_mode: None or `"ansi"`.
    """

    def __init__(
        self,
        address: str,
        *,
        action: str,
        fixed: Mapping[str, Any],
        observation: str = "",
        size: int = 1_000,
        seconds: float = 60.0,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(seeds(f"openenv:{address}", size), render_mode=render_mode)
        self._address, self._action, self._fixed = address, action, dict(fixed)
        self._read, self._seconds = observation, seconds
        self._client: Any = None

    def _connected(self) -> Any:
        if self._client is None:
            from openenv.core.generic_client import GenericEnvClient

            self._client = GenericEnvClient(base_url=self._address, message_timeout_s=self._seconds).sync()
        return self._client

    def start(self, task: Task) -> str:  # noqa: D102
        if not isinstance(task.reference, int):
            raise UsageError(f"The reference of task {task.id!r} must be a seed, got {task.reference!r}.")
        try:
            result = self._connected().reset(seed=task.reference % _SEEDS)
        except Exception:
            self.close()
            raise
        if result.done:
            raise InfrastructureError("the server began with an episode that is over")
        return self._told(result.observation)

    def act(self, action: str) -> Answer:  # noqa: D102
        try:
            result = self._connected().step({**self._fixed, self._action: action})
        except Exception:
            # A session in an unknown state is not gone on with.
            self.close()
            raise
        reward = 0.0 if result.reward is None else float(result.reward)
        return Answer(self._told(result.observation), reward, bool(result.done))

    def _told(self, observation: Any) -> str:
        if not isinstance(observation, Mapping):
            return str(observation)
        names = (self._read,) if self._read else _SAID
        for name in names:
            if isinstance(observation.get(name), str):
                return str(observation[name])
        if self._read:
            raise InfrastructureError(f"the observation has no text {self._read!r}: it has {', '.join(observation)}")
        return json.dumps(observation, sort_keys=True, ensure_ascii=False)

    def close(self) -> None:
        """End the session."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()

    def clone(self) -> "OpenEnvWorld":
        """Return an independent instance with a session of its own."""
        twin = super().clone()
        assert isinstance(twin, OpenEnvWorld)
        twin._client, twin._over = None, True
        return twin


def openenv_world(
    address: str,
    *,
    action: str = "",
    observation: str = "",
    size: int = 1_000,
    seconds: float = 60.0,
    render_mode: str | None = None,
    **fixed: Any,
) -> OpenEnvWorld:
    """Return the environment of a running OpenEnv server.

    Args:
        address: `"http://HOST:PORT"`.
        action: The field of the action that holds what the agent says; by default its only text that must be given.
        observation: The field of the observation that is read out.
        size: How many seeds are tasks.
        seconds: How long the server may take for one answer.
        render_mode: None or `"ansi"`.
        **fixed: The action's other fields.

    Raises:
        UsageError: If the package is not installed, no such server answers, or its action has no such field.
    """
    with needing(_EXTRA):
        import openenv.core  # noqa: F401
    fields, required = _action_fields(address)
    free = [name for name in required if name not in fixed and fields[name].get("type") == "string"]
    if not action and len(free) != 1:
        raise UsageError(
            f"The action of {address} has the fields {', '.join(fields)}: say which one the agent speaks in, "
            f"openenv:{address}?action=FIELD."
        )
    for name in (action, *fixed):
        if name and name not in fields:
            raise UnknownNameError(f"field of the action of {address}", name, fields)
    return OpenEnvWorld(
        address,
        action=action or free[0],
        fixed=fixed,
        observation=observation,
        size=size,
        seconds=seconds,
        render_mode=render_mode,
    )


def _action_fields(address: str) -> tuple[dict[str, Any], list[str]]:
    """Ask a server what its actions are made of, and which parts must be given."""
    if not address.startswith(("http://", "https://")):
        raise UsageError(f"An OpenEnv server is named by its address, openenv:http://HOST:PORT, got {address!r}.")
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/schema", timeout=30) as answer:
            schema = json.load(answer)["action"]
        fields = {name: about for name, about in schema.get("properties", {}).items() if name != "metadata"}
        return fields, [name for name in schema.get("required", []) if name in fields]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(
            f"No OpenEnv server answers at {address}: {type(error).__name__}: {error}. Start one there, or mend the "
            "address."
        ) from error
