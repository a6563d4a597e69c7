"""The prisoner's dilemma, again and again."""

from collections.abc import Hashable
from typing import ClassVar, Final, NamedTuple

from palaestra.envs.arena.rules import OVER, Rules
from palaestra.envs.errors import UsageError

__all__ = ["PrisonersDilemma", "Rounds"]

COOPERATE: Final = 0
DEFECT: Final = 1
_WORDS: Final = ("cooperate", "defect")


class Rounds(NamedTuple):
    """What both did in the rounds so far; in the present one what seat 0 did, once it has."""

    played: tuple[tuple[int, int], ...]
    pending: tuple[int, ...]


class PrisonersDilemma(Rules[Rounds]):
    """Cooperate or defect, at the same time, for a fixed number of rounds that both know.

    Args:
        rounds: How many, 1 to 100.
        temptation: What a round pays to the one who defects while the other cooperates.
        reward: What it pays to each when both cooperate.
        punishment: What it pays to each when both defect.
        sucker: What it pays to the one who cooperates while the other defects.

    Source: Axelrod 1984, "The evolution of cooperation", for the payoffs.
    """

    name: ClassVar[str] = "prisoners_dilemma"
    actions = 2
    zero_sum = False
    simultaneous = True
    perfect_information = False

    def __init__(
        self,
        rounds: int = 5,
        temptation: float = 5.0,
        reward: float = 3.0,
        punishment: float = 1.0,
        sucker: float = 0.0,
    ) -> None:
        if not 1 <= rounds <= 100:
            raise UsageError(f"The prisoner's dilemma is played for 1 to 100 rounds, got {rounds}.")
        if not temptation > reward > punishment > sucker:
            came = f"{temptation:g}, {reward:g}, {punishment:g}, {sucker:g}"
            raise UsageError(f"A dilemma needs temptation > reward > punishment > sucker, got {came}.")
        self._rounds, self._reward = rounds, reward
        self._pays = ((reward, sucker), (temptation, punishment))
        self.lowest, self.highest = float(rounds * sucker), float(rounds * temptation)
        self.explanation = (
            f"The prisoner's dilemma, {rounds} rounds. In each round both players say cooperate or defect, without "
            f"knowing what the other says. If both cooperate, each gets {reward:g}; if both defect, each gets "
            f"{punishment:g}; if only one defects, it gets {temptation:g} and the other {sucker:g}. What counts is the "
            "sum of your own rounds, not who has more. Past rounds are shown by the letters C and D."
        )

    def initial(self) -> Rounds:  # noqa: D102
        return Rounds((), ())

    def turn(self, state: Rounds) -> int:  # noqa: D102
        return OVER if len(state.played) == self._rounds else len(state.pending)

    def legal(self, state: Rounds) -> tuple[int, ...]:  # noqa: D102
        del state
        return COOPERATE, DEFECT

    def next(self, state: Rounds, action: int) -> Rounds:  # noqa: D102
        played, pending = state
        return Rounds((*played, (pending[0], action)), ()) if pending else Rounds(played, (action,))

    def _paid(self, state: Rounds, seat: int) -> float:
        return float(sum(self._pays[both[seat]][both[1 - seat]] for both in state.played))

    def returns(self, state: Rounds) -> tuple[float, ...]:  # noqa: D102
        return self._paid(state, 0), self._paid(state, 1)

    def information(self, state: Rounds, seat: int) -> Hashable:  # noqa: D102
        return state.played, state.pending if seat == 0 else ()

    def describe(self, state: Rounds, seat: int) -> str:  # noqa: D102
        played, pending = state
        told = f"You are player_{seat}."
        if len(played) < self._rounds:
            told += f" Round {len(played) + 1} of {self._rounds}."
        if played:
            mine = "".join("CD"[both[seat]] for both in played)
            theirs = "".join("CD"[both[1 - seat]] for both in played)
            told += f" So far you {mine}, they {theirs}."
        return f"{told} You said {_WORDS[pending[0]]}." if pending and seat == 0 else told

    def word(self, state: Rounds, action: int) -> str:  # noqa: D102
        del state
        return _WORDS[action]

    def picture(self, state: Rounds) -> str:  # noqa: D102
        marks = ("\x1b[32mC\x1b[0m", "\x1b[31mD\x1b[0m")
        rows = (" ".join(marks[both[seat]] for both in state.played) for seat in (0, 1))
        return "\n".join(f"player_{seat} {row}  = {self._paid(state, seat):g}" for seat, row in enumerate(rows))

    def forfeit(self, seat: int) -> tuple[float, ...]:
        """Return the least for the one who gives up; the other gets what cooperation throughout would have paid."""
        least = super().forfeit(seat)
        return tuple(paid if s == seat else float(self._rounds * self._reward) for s, paid in enumerate(least))
