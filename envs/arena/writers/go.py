"""The writer of PettingZoo's Go."""

from typing import Any, Final

from palaestra.envs.arena.writers.writer import Writer
from pettingzoo.classic.go import go_base
from pettingzoo.classic.go.go import raw_env
from pettingzoo.utils.wrappers import BaseWrapper

__all__ = ["GoWriter", "OwnBoard", "own_board"]

# As everywhere in Go, the letter I is left out.
_COLUMNS: Final = "abcdefghjklmnopqrstuvwxyz"


class OwnBoard(BaseWrapper):  # type: ignore[misc]
    """PettingZoo's Go, several at once: it keeps the size of its board in a global variable, which this sets right."""

    def _set(self) -> None:
        bare = self.unwrapped
        if bare._N != go_base.N:
            bare._overwrite_go_global_variables(board_size=bare._N)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin a game."""
        self._set()
        self.env.reset(seed=seed, options=options)

    def step(self, action: int | None) -> None:
        """Make a move."""
        self._set()
        self.env.step(action)


def own_board(**settings: Any) -> OwnBoard:
    """Return a game of Go that others of another size do not disturb."""
    return OwnBoard(raw_env(**settings))


class GoWriter(Writer):
    """Go (`go_v5`) on any board: the stones, the captures and the last move; points as in `d4`, or `pass`.

    Args:
        env: The environment, whose size and komi are explained.
    """

    lowest, zero_sum, instant = -1.0, True, True

    def __init__(self, env: Any) -> None:
        size = env._N
        self.points = [f"{_COLUMNS[column]}{size - row}" for row in range(size) for column in range(size)] + ["pass"]
        self.explanation = (
            f"Go on a board of {size} by {size}. black_0 is X and begins, white_0 is O. Stones without a free point "
            "beside them or their kin are taken off; a single stone may not be taken back at once. The game is over "
            "when both have passed; then stones and the empty points that only they surround count, and White gets "
            f"{env._komi:g} more. Stones are not taken off at the end: capture what is dead. Say a point, such as "
            f"{self.points[-2]}, or pass."
        )

    def picture(self, env: Any) -> str:  # noqa: D102
        size = env._N
        rows = [" ".join(["O.X"[stone + 1] for stone in row]) for row in env._go.board.tolist()]
        lines = [f"{size - number:2} {row}" for number, row in enumerate(rows)]
        return "\n".join([*lines, "   " + " ".join(_COLUMNS[:size])])

    def tell(self, env: Any, agent: str, observation: Any) -> str:  # noqa: D102
        del observation
        position, seat = env._go, env.possible_agents.index(agent)
        taken = f"Taken: {position.caps[seat]} by you, {position.caps[1 - seat]} by the other."
        last = ""
        if position.recent:
            point = position.recent[-1].move
            last = f" Last move: {self.points[-1 if point is None else point[0] * env._N + point[1]]}."
        return f"You are {'XO'[seat]}.\n{self.picture(env)}\n{taken}{last}"

    def word(self, env: Any, agent: str, action: int) -> str:  # noqa: D102
        del env, agent
        return self.points[action]
