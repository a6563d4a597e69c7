"""Small games written out by hand."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from palaestra.envs.arena.rules import CHANCE, OVER, Rules


@dataclass(frozen=True)
class Turn:
    """A seat's turn: what follows each action, and what the seat knows (by default, all)."""

    seat: int
    after: Mapping[int, Any]
    knows: Hashable = None


@dataclass(frozen=True)
class Chance:
    """A turn of chance: outcomes from 0, with their probabilities."""

    after: Sequence[tuple[float, Any]] = field(default_factory=tuple)


class GivenGame(Rules[tuple[int, ...]]):
    """A game written as nested turns that end in returns; a state is what was done so far."""

    name = "given_game"
    explanation = "A game written out by hand."

    def __init__(self, root: Any, seats: int = 2, *, perfect_information: bool = False, zero_sum: bool = True) -> None:
        self.root, self.seats, self.actions = root, seats, 10
        self.perfect_information, self.zero_sum = perfect_information, zero_sum

    def at(self, state: tuple[int, ...]) -> Any:
        node = self.root
        for action in state:
            node = node.after[action][1] if isinstance(node, Chance) else node.after[action]
        return node

    def initial(self) -> tuple[int, ...]:
        return ()

    def turn(self, state: tuple[int, ...]) -> int:
        node = self.at(state)
        return node.seat if isinstance(node, Turn) else CHANCE if isinstance(node, Chance) else OVER

    def legal(self, state: tuple[int, ...]) -> tuple[int, ...]:
        node = self.at(state)
        return tuple(range(len(node.after))) if isinstance(node, Chance) else tuple(sorted(node.after))

    def chances(self, state: tuple[int, ...]) -> tuple[float, ...]:
        return tuple(probability for probability, _ in self.at(state).after)

    def next(self, state: tuple[int, ...], action: int) -> tuple[int, ...]:
        return (*state, action)

    def returns(self, state: tuple[int, ...]) -> tuple[float, ...]:
        return tuple(self.at(state))

    def information(self, state: tuple[int, ...], seat: int) -> Hashable:
        node = self.at(state)
        return state if node.knows is None else node.knows

    def describe(self, state: tuple[int, ...], seat: int) -> str:
        return f"{state} {seat}"

    def word(self, state: tuple[int, ...], action: int) -> str:
        return str(action)
