"""The arena of a negotiation: a game of `Negotiation`, in which words go beside the moves."""

import re
from typing import Final

import numpy as np
from palaestra.envs.arena.dialogues.bargain import Negotiation
from palaestra.envs.arena.dialogues.speech import quoted, tidy
from palaestra.envs.arena.game import GameArena
from palaestra.envs.arena.moves import read_move
from palaestra.envs.arena.talk import Told
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Status, Verdict

__all__ = ["NegotiationArena"]

_MOVE: Final = re.compile(r"\[[^\[\]\n]{1,200}\]")
_LONGEST: Final = 1_000


class NegotiationArena(GameArena):
    """A negotiation in words and numbers.

    What a player writes beside its move reaches the other with the next observation, and binds nobody.

    Args:
        rules: The game.
        message: Most characters of the words beside one move that reach the other; 0 lets none through.
        explain: Whether a player is told the rules before its first move.
        illegal: See `Arena`.
        tries: See `Arena`.
        render_mode: See `Arena`.
    """

    rules: Negotiation

    def __init__(
        self,
        rules: Negotiation,
        *,
        message: int = 300,
        explain: bool = True,
        illegal: str = "lose",
        tries: int = 3,
        render_mode: str | None = None,
    ) -> None:
        if not 0 <= message <= _LONGEST:
            raise UsageError(f"message must be 0 to {_LONGEST} characters, got {message}.")
        super().__init__(rules, explain=explain, illegal=illegal, tries=tries, render_mode=render_mode)
        self.message = message
        self.messages: list[tuple[int, str]] = []
        self._heard = ""

    def begin(self, generator: np.random.Generator) -> None:  # noqa: D102
        self.messages = []
        super().begin(generator)

    def step(self, action: str | None) -> None:  # noqa: D102
        self._heard = action if isinstance(action, str) else ""
        super().step(action)

    def play(self, move: int, text: str) -> None:  # noqa: D102
        words = self._beside(move)
        if words:
            self.messages.append((self.seat, words))
        super().play(move, text)

    def _beside(self, move: int) -> str:
        """Return what was said beside the move; nothing where another move was made for the player."""
        heard = self._heard[-4 * _LONGEST :]
        if not self.message or read_move(heard, self.legal())[0] != move:
            return ""
        found = list(_MOVE.finditer(heard))
        if found:
            return tidy(heard[: found[-1].start()] + heard[found[-1].end() :], self.message)
        return tidy("\n".join([line for line in heard.splitlines() if line.strip()][:-1]), self.message)

    def tell(self, seat: int) -> Told:  # noqa: D102
        node = self._node
        told = node.told[seat]
        if told is None:
            told = node.told[seat] = Told(self.rules.describe(self.state, seat) + self._ways(seat))
        if not self.messages:
            return told
        said = "\n".join(quoted("you" if who == seat else "they", words) for who, words in self.messages)
        return Told(f"Said so far:\n{said}\n{told}")

    def _ways(self, seat: int) -> str:
        """Say what can be done; there are too many offers to list them all."""
        if self._node.turn != seat:
            return ""
        legal, pool = list(self._node.legal), self.state.pool
        ways = [word for word in legal if not word.startswith("offer")]
        if len(ways) < len(legal):
            ways.insert(0, f"offer {' '.join('0' * len(pool))} to offer {' '.join(map(str, pool))} (what you keep)")
        return f"\nMoves: {', '.join(ways)}"

    def verdict(self, seat: int, returns: tuple[float, ...]) -> Verdict:
        """Return PARTIAL for a deal, which pays each seat its share, and WRONG for none."""
        if self.fault is not None and self.fault.seat == seat:
            return super().verdict(seat, returns)
        if self.fault is not None or self.state.moves[-1] != self.rules.accept:
            return Verdict(returns[seat], Status.WRONG, "no deal")
        return Verdict(returns[seat], Status.PARTIAL, f"a deal worth {returns[seat]:.0%}")

    def clone(self) -> "NegotiationArena":  # noqa: D102
        twin = super().clone()
        assert isinstance(twin, NegotiationArena)
        twin.messages = []
        return twin
