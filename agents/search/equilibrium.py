"""An agent that plays the average policy of counterfactual regret minimisation."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from palaestra.agents.search.cfr import solve
from palaestra.agents.search.player import Choose, SearchAgent, key_of, once
from palaestra.agents.search.tabular import TabularPolicy
from palaestra.envs.arena.rules import Rules
from palaestra.envs.errors import UsageError

__all__ = ["EquilibriumAgent"]

_SOLVED: dict[Hashable, TabularPolicy] = {}


@dataclass(frozen=True)
class EquilibriumAgent(SearchAgent):
    """Plays near an equilibrium; a game is solved when it is first met in a process, and kept.

    Attributes:
        iterations: How many iterations a game is solved by.

    Raises:
        UsageError: If there are none.
    """

    iterations: int = 2_000

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise UsageError(f"iterations must be at least 1, got {self.iterations}.")

    @property
    def name(self) -> str:
        """The spec that names this agent."""
        return f"search:cfr?iterations={self.iterations}"

    def prepare(self, rules: Rules[Any]) -> Choose:
        """Return a draw from the average policy."""
        policy = once(_SOLVED, (key_of(rules), self.iterations), lambda: solve(rules, self.iterations))

        def choose(state: Any, seat: int, generator: np.random.Generator) -> int:
            chosen = policy[seat, rules.information(state, seat)]
            point = generator.random()
            for action, probability in chosen.items():
                point -= probability
                if point < 0.0:
                    return action
            # Rounding may leave a trace: then it is the last action that is ever taken.
            return [action for action, probability in chosen.items() if probability > 0.0][-1]

        return choose
