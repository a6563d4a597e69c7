"""Arenas whose games are `Rules`."""

from collections.abc import Hashable, Mapping
from typing import Any, Final

import numpy as np
from palaestra.envs.arena.arena import Arena, Told
from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from pettingzoo.utils.conversions import aec_to_parallel_wrapper, turn_based_aec_to_parallel_wrapper
from pettingzoo.utils.env import ParallelEnv
from pettingzoo.utils.wrappers import OrderEnforcingWrapper

__all__ = ["GameArena", "in_parallel", "ordered"]

# States met again are not worked out again; games with more of them than this forget and begin anew.
_REMEMBERED: Final = 50_000


class _Node:
    """One state with all that is asked about it, each worked out once."""

    __slots__ = ("after", "cumulative", "legal", "state", "told", "turn")

    def __init__(self, rules: Rules[Any], state: Hashable) -> None:
        self.state = state
        self.turn = rules.turn(state)
        self.after: dict[int, _Node] = {}
        self.told: list[Told | None] = [None] * rules.seats
        self.cumulative: list[float] = []
        self.legal: Mapping[str, int] = {}
        if self.turn == CHANCE:
            self.cumulative = np.cumsum(rules.chances(state)).tolist()
        elif self.turn != OVER:
            self.legal = {rules.word(state, action): action for action in rules.legal(state)}


class GameArena(Arena):
    """A game of ours as an arena.

    Args:
        rules: The game.
        explain: Whether a player is told the rules before its first move.
        illegal: See `Arena`.
        tries: See `Arena`.
        render_mode: See `Arena`.
        version: Version of the arena.
    """

    def __init__(
        self,
        rules: Rules[Any],
        *,
        explain: bool = True,
        illegal: str = "lose",
        tries: int = 3,
        render_mode: str | None = None,
        version: int = 0,
    ) -> None:
        self.rules = rules
        self._known: dict[Hashable, _Node] = {}
        self._root = self._node = _Node(rules, rules.initial())
        super().__init__(
            f"{rules.name}_v{version}",
            rules.seats,
            explanation=rules.explanation if explain else "",
            illegal=illegal,
            tries=tries,
            words=self._vocabulary(),
            render_mode=render_mode,
            parallel=rules.simultaneous,
        )

    def _vocabulary(self) -> tuple[str, ...]:
        """Return the moves of the first turns, for samples."""
        words: dict[str, None] = {}
        node = self._root
        for _ in range(20):
            if node.turn == OVER:
                break
            words |= dict.fromkeys(node.legal)
            node = self._met(self.rules.next(node.state, self.rules.legal(node.state)[0]))
        return tuple(words)

    @property
    def state(self) -> Any:
        """The state of the game, as its rules know it."""
        return self._node.state

    def _met(self, state: Hashable) -> _Node:
        node = self._known.get(state)
        if node is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
                self._root.after = {}
            node = self._known[state] = _Node(self.rules, state)
        return node

    def begin(self, generator: np.random.Generator) -> None:  # noqa: D102
        del generator
        self._node = self._root
        self._cast()

    def _follow(self, action: int) -> None:
        node = self._node
        after = node.after.get(action)
        if after is None:
            after = node.after[action] = self._met(self.rules.next(node.state, action))
        self._node = after

    def _cast(self) -> None:
        """Let chance have its turns."""
        while self._node.turn == CHANCE:
            drawn, outcomes = self._generator.random(), self.rules.legal(self._node.state)
            index = next((i for i, bound in enumerate(self._node.cumulative) if drawn < bound), len(outcomes) - 1)
            self._follow(outcomes[index])

    def mover(self) -> int:  # noqa: D102
        return self._node.turn if self._node.turn >= 0 else -1

    def tell(self, seat: int) -> Told:  # noqa: D102
        node = self._node
        told = node.told[seat]
        if told is None:
            moves = f"\nMoves: {', '.join(node.legal)}" if node.turn == seat else ""
            told = node.told[seat] = Told(self.rules.describe(node.state, seat) + moves)
        return told

    def legal(self) -> Mapping[str, int]:  # noqa: D102
        return self._node.legal

    def play(self, move: int, text: str) -> None:  # noqa: D102
        del text
        self._follow(move)
        if self._node.turn == CHANCE:
            self._cast()

    def returns(self) -> tuple[float, ...]:  # noqa: D102
        return self.rules.returns(self._node.state)

    def forfeit(self, seat: int) -> tuple[float, ...]:  # noqa: D102
        return self.rules.forfeit(seat)

    def picture(self) -> str:  # noqa: D102
        return self.rules.picture(self._node.state)


def ordered(arena: Arena) -> Any:
    """Wrap an arena as PettingZoo's `env()` functions do, so that wrong use is told."""
    return OrderEnforcingWrapper(arena)


def in_parallel(arena: Arena) -> ParallelEnv[str, str, str]:
    """Return PettingZoo's parallel form: everybody moves at once, or, in a game of turns, only one move counts."""
    if arena.metadata["is_parallelizable"]:
        return aec_to_parallel_wrapper(arena)
    return turn_based_aec_to_parallel_wrapper(arena)
