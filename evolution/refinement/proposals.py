"""Refine what one policy lived through on both sides of the proposer–solver arena.

An episode is one seat of one game: a proposal, or an answer to it. What belongs together is told by the game, and roles
by the task (`.../proposer`, `.../solver`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from palaestra.agents.episode import Episode
from palaestra.envs.arena.dialogues.proposals import Payment, after_duplicates
from palaestra.envs.arena.dialogues.proposing import ProposerSolver
from palaestra.envs.errors import UsageError
from palaestra.envs.task import HELD_OUT_SHARE, held_out
from palaestra.envs.verdict import Status
from palaestra.evolution.yard import Yard

__all__ = ["ByRole", "DropHeldOut", "KeepMiddle", "PayProposals", "games_of"]

_PROPOSER = "/proposer"


@dataclass(frozen=True)
class _Game:
    """The valid episodes of one game."""

    proposer: Episode | None
    solvers: tuple[Episode, ...]

    @property
    def success(self) -> float:
        """The share of the answers that were paid, 0 to 1; 0 where there are none."""
        return sum(solver.reward for solver in self.solvers) / max(1, len(self.solvers))

    @property
    def episodes(self) -> list[Episode]:
        return [*([self.proposer] if self.proposer else []), *self.solvers]


def games_of(episodes: Sequence[Episode]) -> Mapping[str, _Game]:
    """Return the games that episodes are of, in order of first appearance."""
    seats: dict[str, list[Episode]] = {}
    for episode in episodes:
        seats.setdefault(episode.id.rpartition("/")[0], []).append(episode)
    return {
        name: _Game(
            next((e for e in some if e.task.endswith(_PROPOSER)), None),
            tuple(e for e in some if not e.task.endswith(_PROPOSER)),
        )
        for name, some in seats.items()
    }


@dataclass(frozen=True)
class DropHeldOut:
    """Drop games whose proposal is a held-out task: neither to set it nor to solve it is learned.

    A task is held out by its prompt and answer wherever it is met, so a sum that is proposed here is known as one of
    those that `palaestra/Arithmetic-v0` evaluates.
    """

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the episodes of the other games, in order."""
        games = games_of(episodes).values()
        return [e for game in games if not _held_out(game) for e in game.episodes]


def _held_out(game: _Game) -> bool:
    return any(held_out(solver.fingerprint, HELD_OUT_SHARE) for solver in game.solvers)


@dataclass(frozen=True)
class PayProposals:
    """Pay proposers by how many of their solvers succeed, and solvers for success, whatever the arena has paid.

    Verdicts stay the arena's. A game in which nobody answered validly is dropped, unless the proposal was at fault.

    Attributes:
        rule: What a proposal pays, see `palaestra.envs.arena.dialogues.proposals.Payment`.
        labels: Who says what is right: the arena's `"judge"`, or the `"majority"` of the answers (of answers given
            equally often, the one given first).
        duplicates: Whether the share of the step's proposals that are the same task is taken off, not below 0.
    """

    rule: Literal["absolute_zero", "r_zero"] = "absolute_zero"
    labels: Literal["judge", "majority"] = "judge"
    duplicates: bool = False

    def at(self, yard: Yard, step: int) -> "_Paying":
        """Return the part that reads answers as the arenas of a run do."""
        del step

        def read(episode: Episode) -> str | None:
            arena = yard.arena(episode.env)
            if not isinstance(arena, ProposerSolver):
                raise UsageError(f"{episode.env} has no proposer; take an arena such as proposer_solver?solvers=8.")
            return arena.kind.answer(episode.turns[-1].action) if episode.turns else None

        return _Paying(self, Payment(self.rule), read)


@dataclass(frozen=True)
class _Paying:
    method: PayProposals
    payment: Payment
    answer: Callable[[Episode], str | None]

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the episodes as they are paid, game by game."""
        games = [self._solved(game) for game in games_of(episodes).values()]
        alike = Counter(game.solvers[0].fingerprint for game in games if game.solvers)
        paid: list[Episode] = []
        for game in games:
            if game.solvers:
                worth = self.payment.of(game.success)
                if self.method.duplicates:
                    worth = after_duplicates(worth, alike[game.solvers[0].fingerprint] / alike.total())
                paid += [_paid(game.proposer, worth)] if game.proposer else []
                paid += game.solvers
            elif game.proposer and game.proposer.verdict.status is not Status.PARTIAL:
                paid.append(_paid(game.proposer, self.payment.of_bad(game.proposer.verdict.status)))
        return paid

    def _solved(self, game: _Game) -> _Game:
        answers = [self.answer(solver) for solver in game.solvers]
        right = [solver.correct for solver in game.solvers]
        if self.method.labels == "majority":
            given = Counter(answer for answer in answers if answer is not None).most_common(1)
            right = [bool(given) and answer == given[0][0] for answer in answers]
        return _Game(game.proposer, tuple(_paid(e, float(r)) for e, r in zip(game.solvers, right, strict=True)))


def _paid(episode: Episode, reward: float) -> Episode:
    """Return an episode whose last turn is paid this and the others nothing."""
    turns = [replace(turn, reward=0.0) for turn in episode.turns]
    if turns:
        turns[-1] = replace(turns[-1], reward=reward)
    return replace(episode, turns=tuple(turns))


@dataclass(frozen=True)
class KeepMiddle:
    """Keep answers to proposals of middle difficulty, as they were paid; proposers are all kept.

    Attributes:
        lowest: Smallest share of answers that are right.
        highest: Greatest share.
    """

    lowest: float = 0.3
    highest: float = 0.7

    def __post_init__(self) -> None:
        if not 0.0 <= self.lowest <= self.highest <= 1.0:
            raise UsageError(f"lowest and highest are shares in order, got {self.lowest} and {self.highest}.")

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return proposals, and the answers that are kept, game by game."""
        kept: list[Episode] = []
        for game in games_of(episodes).values():
            middle = self.lowest <= game.success <= self.highest
            kept += game.episodes if middle else game.episodes[: len(game.episodes) - len(game.solvers)]
        return kept


@dataclass(frozen=True)
class ByRole:
    """Compare proposals with each other; and answers too, all of a step or those to one proposal.

    Attributes:
        by_task: Whether answers are compared with those to the same proposal alone.
    """

    by_task: bool = False

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the episodes in these groups, in order."""
        return [replace(episode, group=self._group(episode)) for episode in episodes]

    def _group(self, episode: Episode) -> str:
        if self.by_task and not episode.task.endswith(_PROPOSER):
            return episode.id.rpartition("/")[0]
        return episode.task
