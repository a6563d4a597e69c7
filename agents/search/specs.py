"""Searchers by name: `search:minimax[?depth=4]`, `search:mcts[?simulations=200]`, `search:cfr[?iterations=2000]`."""

from collections.abc import Callable
from typing import Final

from palaestra.agents.search.equilibrium import EquilibriumAgent
from palaestra.agents.search.mcts import MCTSAgent
from palaestra.agents.search.minimax import MinimaxAgent
from palaestra.agents.search.player import SearchAgent
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["load_search"]

# Each takes one number; left out, the agent's own default counts.
_SEARCHERS: Final[dict[str, tuple[str, Callable[..., SearchAgent]]]] = {
    "minimax": ("depth", MinimaxAgent),
    "mcts": ("simulations", MCTSAgent),
    "cfr": ("iterations", EquilibriumAgent),
}


def load_search(name: str, options: dict[str, str]) -> SearchAgent:
    """Return the searcher of a name.

    Args:
        name: `"minimax"`, `"mcts"` or `"cfr"`.
        options: `depth`, `simulations` or `iterations`, as it was written.

    Raises:
        UnknownNameError: If the name or an option is not known.
        UsageError: If an option is not a whole number from 1.
    """
    if name not in _SEARCHERS:
        raise UnknownNameError("searching agent", name, _SEARCHERS)
    option, searcher = _SEARCHERS[name]
    for key in options:
        if key != option:
            raise UnknownNameError(f"option of search:{name}", key, [option])
    if option not in options:
        return searcher()
    value = options[option]
    if not value.isascii() or not value.isdecimal() or int(value) < 1:
        raise UsageError(f"The option {option!r} of search:{name} must be a whole number from 1, got {value!r}.")
    return searcher(int(value))
