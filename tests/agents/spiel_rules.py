"""Any game of OpenSpiel as our `Rules`, so that solvers can be held against its own."""

from typing import Any

import pyspiel
from palaestra.envs.arena.rules import CHANCE, OVER, Rules


class SpielRules(Rules[tuple[int, ...]]):
    """A state is what was done so far."""

    name = "spiel"
    explanation = "A game of OpenSpiel."

    def __init__(self, spec: str) -> None:
        self.game: Any = pyspiel.load_game(spec)
        self.name = spec
        self.seats = self.game.num_players()
        self.actions = self.game.num_distinct_actions()
        self.lowest, self.highest = self.game.min_utility(), self.game.max_utility()
        kind = self.game.get_type()
        self.zero_sum = kind.utility == pyspiel.GameType.Utility.ZERO_SUM
        self.perfect_information = kind.information == pyspiel.GameType.Information.PERFECT_INFORMATION
        self._met = {(): self.game.new_initial_state()}

    def spiel(self, state: tuple[int, ...]) -> Any:
        """Return OpenSpiel's own state."""
        if state not in self._met:
            self._met[state] = self.spiel(state[:-1]).child(state[-1])
        return self._met[state]

    def initial(self) -> tuple[int, ...]:
        return ()

    def turn(self, state: tuple[int, ...]) -> int:
        met = self.spiel(state)
        return OVER if met.is_terminal() else CHANCE if met.is_chance_node() else met.current_player()

    def legal(self, state: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(self.spiel(state).legal_actions()))

    def chances(self, state: tuple[int, ...]) -> tuple[float, ...]:
        return tuple(chance for _, chance in sorted(self.spiel(state).chance_outcomes()))

    def next(self, state: tuple[int, ...], action: int) -> tuple[int, ...]:
        return (*state, action)

    def returns(self, state: tuple[int, ...]) -> tuple[float, ...]:
        return tuple(self.spiel(state).returns())

    def information(self, state: tuple[int, ...], seat: int) -> str:
        return str(self.spiel(state).information_state_string(seat))

    def describe(self, state: tuple[int, ...], seat: int) -> str:
        return self.information(state, seat)

    def word(self, state: tuple[int, ...], action: int) -> str:
        return str(action)
