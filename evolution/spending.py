"""What models on servers were asked for and charged, step by step."""

from collections.abc import Mapping, Sequence
from typing import Any

from palaestra.agents.agent import Agent
from palaestra.agents.http.meter import Metered, Usage

__all__ = ["SERVER", "Spending", "added_up"]

SERVER = "server/"
"""How the names of such figures begin."""

_COUNTED = ("requests", "prompt_tokens", "completion_tokens", "spend")


class Spending:
    """Tells what was spent since it was last asked."""

    def __init__(self) -> None:
        self._before = Usage()

    def since(self, agent: Agent) -> dict[str, float]:
        """Return the figures of an agent on a server, by names that begin with `SERVER`; of another one none."""
        if not isinstance(agent, Metered):
            return {}
        before, self._before = self._before, agent.usage
        pairs = {name: (getattr(self._before, name), getattr(before, name)) for name in _COUNTED}
        return {f"{SERVER}{name}": float(now - (then or 0)) for name, (now, then) in pairs.items() if now is not None}


def added_up(rows: Sequence[Mapping[str, Any]], agent: str) -> list[dict[str, Any]]:
    """Return one row of what an agent's server was asked for in all; none if it has none."""
    found: dict[str, Any] = {}
    for name in _COUNTED:
        values = [row[SERVER + name] for row in rows if row.get(SERVER + name) is not None]
        if values:
            found[name] = sum(values)
    return [{"agent": agent, **found}] if found else []
