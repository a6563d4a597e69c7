"""TextArena's games for several players as arenas."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import numpy as np
from palaestra.envs.adapters.chance import Chance
from palaestra.envs.adapters.textarena import SEEDS, asks_elsewhere, builder, has_opponents, news
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.talk import Told
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.verdict import Status, Verdict

__all__ = ["TextArenaGame", "textarena_arena"]

_MOST_PLAYERS: Final = 15


class TextArenaGame(Arena):
    """A game of TextArena for several players.

    Any text may be a move, and TextArena says what becomes of one that is none: usually it is told and may try once
    more, then it loses. Each seat is told what is new since it was last asked. A game that raises, or pays what is not
    finite, is our failure: `InfrastructureError`.

    Args:
        name: The game.
        build: Builds it.
        players: How many play; None takes the fewest that the game allows.
        render_mode: See `Arena`.
    """

    def __init__(
        self, name: str, build: Callable[[], Any], players: int | None = None, render_mode: str | None = None
    ) -> None:
        self._build = build
        self._chance = Chance()
        self._game = build()
        seats = self._fewest(name) if players is None else players
        super().__init__(f"textarena:{name}", seats, render_mode=render_mode)
        self.instant = not asks_elsewhere(name)
        if players is not None:
            self._check(players)
        self._turn = -1
        self._told = [""] * seats
        self._paid: tuple[float, ...] = ()
        self._blamed = [False] * seats

    def _fewest(self, name: str) -> int:
        for players in range(2, _MOST_PLAYERS + 1):
            try:
                self._check(players)
            except UsageError as error:
                refused = error
            else:
                return players
        raise UsageError(f"{name} begins with none of 2 to {_MOST_PLAYERS} players; the last refusal: {refused}")

    def _check(self, players: int) -> None:
        """Begin a game, to see whether so many may play."""
        try:
            with Chance():
                game = self._build()
                game.reset(num_players=players, seed=0)
                game.get_observation()
        except Exception as error:  # games refuse by assertions, or break
            raise UsageError(f"It does not begin with {players} players: {type(error).__name__}: {error}") from error

    def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            with self._chance:
                return call()
        except Exception as error:  # whatever a foreign game raises
            raise InfrastructureError(f"{self.title} failed: {type(error).__name__}: {str(error)[:300]}") from error

    def begin(self, generator: np.random.Generator) -> None:  # noqa: D102
        seed = int(generator.integers(SEEDS)) if self._seed is None else int(self._seed)
        self._chance.seed(seed)
        seats = len(self.possible_agents)
        self._told, self._paid, self._blamed = [""] * seats, (), [False] * seats
        self._game = self._build()
        self._ask(lambda: self._game.reset(num_players=seats, seed=seed % SEEDS))
        self._hear()

    def _hear(self) -> None:
        """Find whose turn it is and what it is told."""
        seat, told = self._ask(lambda: news(self._game))
        if not 0 <= seat < len(self._told):
            raise InfrastructureError(f"{self.title} gives the turn to player {seat} of {len(self._told)}.")
        self._turn, self._told[seat] = seat, told

    def mover(self) -> int:  # noqa: D102
        return self._turn

    def tell(self, seat: int) -> Told:  # noqa: D102
        return Told(self._told[seat])

    def legal(self) -> None:  # noqa: D102
        return None

    def play(self, move: int, text: str) -> None:  # noqa: D102
        del move
        done, _ = self._ask(lambda: self._game.step(action=text))
        if done:
            self._settle()
        else:
            self._hear()

    def _settle(self) -> None:
        rewards, info = cast(tuple[Mapping[int, Any], Mapping[int, Any]], self._ask(self._game.close))
        seats = range(len(self._told))
        if rewards is None or any(seat not in rewards or not math.isfinite(rewards[seat]) for seat in seats):
            raise InfrastructureError(f"{self.title} paid {rewards}, expected a finite number for each of its players.")
        self._paid = tuple(float(rewards[seat]) for seat in seats)
        about = [info.get(seat, {}) if isinstance(info, Mapping) else {} for seat in seats]
        self._blamed = [bool(of_seat.get("invalid_move")) for of_seat in about]
        reasons = [str(of_seat.get("reason") or "") for of_seat in about]
        self._told = [reason or told for reason, told in zip(reasons, self._told, strict=True)]
        self._turn = -1

    def returns(self) -> tuple[float, ...]:  # noqa: D102
        return self._paid

    def forfeit(self, seat: int) -> tuple[float, ...]:
        """Return -1 for who gives up; with two players the other gets 1, as TextArena has it."""
        others = 1.0 if len(self.possible_agents) == 2 else 0.0
        return tuple(-1.0 if other == seat else others for other in range(len(self.possible_agents)))

    def verdict(self, seat: int, returns: tuple[float, ...]) -> Verdict:
        """Return what the game says of one seat; ILLEGAL for one that TextArena blames for its end."""
        if self.fault is None and self._blamed[seat]:
            return Verdict(returns[seat], Status.ILLEGAL, self._told[seat][:300])
        return super().verdict(seat, returns)

    def clone(self) -> "TextArenaGame":
        """Return an independent arena with a game of its own."""
        twin = cast(TextArenaGame, super().clone())
        twin._chance, twin._game = Chance(), self._build()
        twin._told, twin._blamed, twin._paid, twin._turn = self._told[:], self._blamed[:], (), -1
        return twin


def textarena_arena(
    name: str, *, players: int | None = None, render_mode: str | None = None, **settings: Any
) -> TextArenaGame:
    """Return a game of TextArena for several players as an arena.

    Args:
        name: With its version: `"TicTacToe-v0"`.
        players: How many play; by default the fewest that the game allows.
        render_mode: See `Arena`.
        **settings: The game's own.

    Raises:
        UnknownNameError: If there is no such game.
        UsageError: If the package is not installed, the game refuses the settings, or it is for one player.
    """
    if not has_opponents(name):
        raise UsageError(f"{name} is played alone: it is an environment.")
    return TextArenaGame(name, builder(name, settings), players, render_mode)
