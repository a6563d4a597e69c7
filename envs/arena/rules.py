"""The contract of a game's rules: pure functions of immutable, hashable states.

Everything that plays, searches, solves or tabulates a game uses these and nothing else. Moves made at the same time
are made one after the other, and hidden from those who have not moved yet.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import ClassVar, Final, Generic, TypeVar

from palaestra.envs.errors import ContractError

__all__ = ["CHANCE", "OVER", "Rules"]

S = TypeVar("S", bound=Hashable)

CHANCE: Final = -1
"""The turn is nobody's: a card is dealt, a die is cast."""
OVER: Final = -2
"""The game is over."""


class Rules(ABC, Generic[S]):
    """The rules of one game.

    Actions and outcomes of chance are numbers from 0; `word` says what they are called. A state is a tuple, a frozen
    dataclass or the like. Nothing here draws, remembers or changes anything.

    Attributes:
        name: Such as `"kuhn_poker"`.
        seats: How many play, at least 2.
        actions: How many different actions the players have in all; every action is below it.
        lowest: The least that a seat can get.
        highest: The most that a seat can get.
        zero_sum: Whether what the seats get always adds up to nothing.
        simultaneous: Whether all seats move at the same time: every one in every round, in the order of the seats.
        perfect_information: Whether every seat sees the whole state at each of its turns.
        explanation: The rules for a person or a model, with how a move is written; a few lines.
    """

    name: ClassVar[str]
    seats: int = 2
    actions: int
    lowest: float = -1.0
    highest: float = 1.0
    zero_sum: bool = True
    simultaneous: bool = False
    perfect_information: bool = True
    explanation: str

    @abstractmethod
    def initial(self) -> S:
        """Return the state before the first move."""

    @abstractmethod
    def turn(self, state: S) -> int:
        """Return whose turn it is: a seat from 0, `CHANCE` or `OVER`."""

    @abstractmethod
    def legal(self, state: S) -> tuple[int, ...]:
        """Return what can be done, ascending; at a turn of chance, the outcomes. At least one unless it is over."""

    def chances(self, state: S) -> tuple[float, ...]:
        """Return the probability of each outcome of `legal`, at a turn of chance."""
        count = len(self.legal(state))
        return (1.0 / count,) * count

    @abstractmethod
    def next(self, state: S, action: int) -> S:
        """Return the state after a legal action or an outcome; undefined for any other."""

    @abstractmethod
    def returns(self, state: S) -> tuple[float, ...]:
        """Return what each seat gets, of a state that is over, in the game's own units."""

    @abstractmethod
    def information(self, state: S, seat: int) -> Hashable:
        """Return all that a seat has seen and done so far; equal for states that it cannot tell apart.

        A seat never forgets (perfect recall), so with complete information this may be the state itself.
        """

    @abstractmethod
    def describe(self, state: S, seat: int) -> str:
        """Return what a seat is told of a state, without the legal moves: short, complete, the same for the same."""

    @abstractmethod
    def word(self, state: S, action: int) -> str:
        """Return how an action is written: short, lower case, unique among the legal ones."""

    def picture(self, state: S) -> str:
        """Return the whole state for an onlooker, in lines of text."""
        return "\n".join(f"player_{seat}: {self.describe(state, seat)}" for seat in range(self.seats))

    def forfeit(self, seat: int) -> tuple[float, ...]:
        """Return what each seat gets when one gives up its game, by breaking the rules or the clock.

        It gets the least there is; in a zero-sum game the others share it, in any other they get nothing, unless the
        game says otherwise.
        """
        if not 0 <= seat < self.seats:
            raise ContractError(f"{self.name} has seats 0 to {self.seats - 1}, got {seat}.")
        others = -self.lowest / (self.seats - 1) if self.zero_sum else 0.0
        return tuple(self.lowest if other == seat else others for other in range(self.seats))
