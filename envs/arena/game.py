"""Arenas whose games are `Rules`."""

import copy
from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping
from itertools import accumulate
from typing import Any, Final

import numpy as np
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.moves import Illegal
from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from palaestra.envs.arena.talk import Told
from palaestra.envs.errors import UsageError
from pettingzoo.utils.conversions import aec_to_parallel_wrapper, turn_based_aec_to_parallel_wrapper
from pettingzoo.utils.env import ParallelEnv
from pettingzoo.utils.wrappers import OrderEnforcingWrapper

__all__ = ["GameArena", "forms", "in_parallel", "ordered"]

# States met again are not worked out again; games with more of them than this forget and begin anew.
_REMEMBERED: Final = 50_000


class _Node:
    """One state with all that is asked about it, each worked out once."""

    __slots__ = ("after", "bounds", "legal", "outcomes", "returns", "state", "told", "turn", "words")

    def __init__(self, rules: Rules[Any], state: Hashable) -> None:
        self.state = state
        self.turn = rules.turn(state)
        self.after: dict[int, _Node] = {}
        self.told: list[Told | None] = [None] * rules.seats
        self.legal: Mapping[str, int] = {}
        self.words: tuple[str, ...] = ()
        if self.turn == CHANCE:
            self.outcomes = rules.legal(state)
            # Rounding may leave the last sum below 1, so the last outcome takes what is left.
            self.bounds = tuple(accumulate(rules.chances(state)))[:-1]
        elif self.turn == OVER:
            self.returns = rules.returns(state)
        else:
            self.legal = {rules.word(state, action): action for action in rules.legal(state)}
            self.words = tuple(self.legal)


class GameArena(Arena):
    """A game of ours as an arena.

    Args:
        rules: The game.
        explain: Whether a player is told the rules before its first move, and the legal moves at each.
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
            node = self._after(node, self.rules.legal(node.state)[0])
        return tuple(words)

    @property
    def state(self) -> Any:
        """The state of the game, as its rules know it."""
        return self._node.state

    def __deepcopy__(self, memo: dict[int, Any]) -> "GameArena":
        twin = copy.copy(self)
        memo[id(self)] = twin
        # What is remembered of the rules is true of every copy.
        shared = ("rules", "_known", "_root", "_node")
        twin.__dict__.update({k: copy.deepcopy(v, memo) for k, v in self.__dict__.items() if k not in shared})
        return twin

    def go_to(self, state: Hashable) -> None:
        """Go to a state that is nobody's turn of chance and not over, as if the game had come there; for analysis."""
        self._moved.update({self.seat} if self._node is not self._root else ())
        self._node = self._met(state)
        self._go_on()

    def _met(self, state: Hashable) -> _Node:
        node = self._known.get(state)
        if node is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
                self._root.after = {}
            node = self._known[state] = _Node(self.rules, state)
        return node

    def _after(self, node: _Node, action: int) -> _Node:
        after = node.after.get(action)
        if after is None:
            after = node.after[action] = self._met(self.rules.next(node.state, action))
        return after

    def begin(self, generator: np.random.Generator) -> None:  # noqa: D102
        self._node = self._root
        self._cast(generator)

    def _cast(self, generator: np.random.Generator) -> None:
        """Let chance have its turns."""
        node = self._node
        while node.turn == CHANCE:
            node = self._after(node, node.outcomes[bisect_right(node.bounds, generator.random())])
        self._node = node

    def _asked(self, seat: int) -> _Node:
        """Return where a seat chooses: here, or, where all move at the same time, later in this round.

        What it may do does not depend on the moves that it does not see, so any will do for those.
        """
        node = self._node
        while self.rules.simultaneous and 0 <= node.turn < seat:
            node = self._after(node, node.legal[node.words[0]])
        return node

    def mover(self) -> int:  # noqa: D102
        return self._node.turn if self._node.turn >= 0 else -1

    def tell(self, seat: int) -> Told:  # noqa: D102
        node = self._node
        told = node.told[seat]
        if told is None:
            asked = self._asked(seat)
            moves = f"\nMoves: {', '.join(asked.words)}" if self.explanation and asked.turn == seat else ""
            told = node.told[seat] = Told(self.rules.describe(node.state, seat) + moves)
        return told

    def legal(self) -> Mapping[str, int]:  # noqa: D102
        return self._node.legal

    def offered(self, seat: int) -> tuple[str, ...]:  # noqa: D102
        return self._asked(seat).words

    def play(self, move: int, text: str) -> None:  # noqa: D102
        del text
        self._node = self._after(self._node, move)
        if self._node.turn == CHANCE:
            self._cast(self._generator)

    def returns(self) -> tuple[float, ...]:  # noqa: D102
        return self._node.returns

    def forfeit(self, seat: int) -> tuple[float, ...]:  # noqa: D102
        return self.rules.forfeit(seat)

    def picture(self) -> str:  # noqa: D102
        return self.rules.picture(self._node.state)


def ordered(arena: Arena) -> Any:
    """Wrap an arena as PettingZoo's `env()` functions do, so that wrong use is told."""
    return OrderEnforcingWrapper(arena)


def in_parallel(arena: Arena) -> ParallelEnv[str, str, str]:
    """Return PettingZoo's parallel form: everybody moves at once, or, in a game of turns, only one move counts.

    Raises:
        UsageError: If everybody moves at once and illegal moves should be tried again, by one seat alone.
    """
    if arena.metadata["is_parallelizable"]:
        if arena.illegal is Illegal.RETRY:
            raise UsageError(
                f"{arena.title}: illegal='retry' asks one seat again, but here all move at once; "
                "use 'lose' or 'random', or env() instead of parallel_env()."
            )
        return aec_to_parallel_wrapper(arena)
    return turn_based_aec_to_parallel_wrapper(arena)


def forms(raw_env: Callable[..., Arena]) -> tuple[Callable[..., Any], Callable[..., ParallelEnv[str, str, str]]]:
    """Return a module's `env` and `parallel_env`, which take the arguments of its `raw_env`."""

    def env(**kwargs: Any) -> Any:
        """Return the arena in PettingZoo's wrapper that tells of wrong use; arguments as in `raw_env`."""
        return ordered(raw_env(**kwargs))

    def parallel_env(**kwargs: Any) -> ParallelEnv[str, str, str]:
        """Return the arena in PettingZoo's parallel form; arguments as in `raw_env`."""
        return in_parallel(raw_env(**kwargs))

    return env, parallel_env
