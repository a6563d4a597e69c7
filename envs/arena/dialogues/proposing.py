"""One seat sets a task, the others solve it."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.dialogues.proposals import BadTaskError, Kind, Payment, Proposal
from palaestra.envs.arena.moves import Illegal
from palaestra.envs.arena.talk import IllegalMoveError, Told
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict

__all__ = ["ProposerSolver"]

_MOST_SOLVERS: Final = 64
# Earlier tasks a proposer is shown.
_SHOWN: Final = 3


class ProposerSolver(Arena):
    """A proposer and its solvers.

    The proposer says one task. If it is valid, every solver answers it, and none sees what another said; if not, the
    game is over and the solvers' part of it is no experience (their verdicts are `broken_task`).

    Args:
        kind: What tasks are like, and how they are judged.
        solvers: How many solve the task, 1 to 64; the share of them that is right is its p.
        pay: What a task pays to its proposer.
        explain: Whether seats are told what to do, and not only the task.
        illegal: What becomes of what is no task: `"lose"` ends the game and pays as such; `"retry"` tells the proposer
            why and lets it try again; `"random"` sets a task of somebody without any skill instead.
        tries: See `Arena`.
        examples: Earlier tasks as they were proposed; some of them, drawn, are shown to a proposer, to do otherwise.
        render_mode: See `Arena`.

    Attributes:
        proposal: The task of this game; None before there is one, and if it was refused.
        refused: Why what was proposed is no task; None if it is one.
        answers: The verdicts on the solvers so far, in the order of their seats.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        solvers: int = 4,
        pay: Payment = Payment.ABSOLUTE_ZERO,
        explain: bool = True,
        illegal: str = "lose",
        tries: int = 3,
        examples: Sequence[str] = (),
        render_mode: str | None = None,
    ) -> None:
        if not 1 <= solvers <= _MOST_SOLVERS:
            raise UsageError(f"solvers must be 1 to {_MOST_SOLVERS}, got {solvers}.")
        super().__init__("proposer_solver_v0", 1 + solvers, illegal=illegal, tries=tries, render_mode=render_mode)
        self.instant = kind.instant
        self.kind, self.pay, self.explain = kind, pay, explain
        self.examples = tuple(examples)
        self.proposal: Proposal | None = None
        self.refused: BadTaskError | None = None
        self._last: BadTaskError | None = None
        self.answers: list[Verdict] = []
        self._shown: tuple[str, ...] = ()

    @property
    def solvers(self) -> int:
        """How many solve the task."""
        return len(self.possible_agents) - 1

    @property
    def success(self) -> float | None:
        """The share of the answers so far that are right, 0 to 1; None before there is one."""
        if not self.answers:
            return None
        return sum(verdict.status is Status.CORRECT for verdict in self.answers) / len(self.answers)

    def begin(self, generator: np.random.Generator) -> None:  # noqa: D102
        self.proposal = self.refused = self._last = None
        self.answers = []
        count = min(_SHOWN, len(self.examples))
        self._shown = tuple(self.examples[int(i)] for i in generator.permutation(len(self.examples))[:count])

    def mover(self) -> int:  # noqa: D102
        if self.refused is not None:
            return -1
        if self.proposal is None:
            return 0
        return 1 + len(self.answers) if len(self.answers) < self.solvers else -1

    def tell(self, seat: int) -> Told:  # noqa: D102
        if seat == 0:
            earlier = [f"An earlier task, set another one:\n{example}" for example in self._shown]
            told = ["You have set your task."] if self.proposal or self.refused else [*earlier, "Set a task."]
        else:
            told = [self.proposal.prompt if self.proposal else "There is no task yet."]
        return Told("\n\n".join([self._part(seat), *told] if self.explain else told))

    def _part(self, seat: int) -> str:
        if seat:
            return self.kind.how_to_solve
        pays = "You get 1 less the share of them that is right, and nothing where none is."
        if self.pay is Payment.R_ZERO:
            pays = "You get 1 where half of them are right, less the nearer they are to all or none."
        return f"{self.kind.how_to_propose}\n{self.solvers} will try to solve it. {pays}"

    def legal(self) -> None:
        """Return None: any text may be a task or an answer."""

    def play(self, move: int, text: str) -> None:  # noqa: D102
        del move
        if self.proposal is not None:
            self.answers.append(self.kind.judge(self.proposal, text))
            return
        try:
            self.proposal = self.kind.read(text)
        except BadTaskError as error:
            if self.illegal is Illegal.RETRY:
                self._last = error
                raise IllegalMoveError(str(error)) from None
            self.refused = error
        if self.refused is not None and self.illegal is Illegal.RANDOM:
            self.illegal_moves[0] += 1
            self.proposal, self.refused = self.kind.read(self.kind.sample_proposal(self._generator)), None

    def returns(self) -> tuple[float, ...]:  # noqa: D102
        if self.refused is not None:
            return (self.pay.of_bad(self.refused.status), *(0.0,) * self.solvers)
        return (self.pay.of(self.success or 0.0), *(verdict.reward for verdict in self.answers))

    def forfeit(self, seat: int) -> tuple[float, ...]:
        """Return what each seat gets when one gives up.

        A proposer gets what its last try was worth, and without one what is worth the least. A solver has not solved
        the task, and the game ends: the task pays by those who had their turn.
        """
        if seat == 0:
            status = self._last.status if self._last else Status.UNPARSED
            return (self.pay.of_bad(status), *(0.0,) * self.solvers)
        self.answers.append(Verdict(0.0, Status.TIMEOUT, "it gave up"))
        left = self.solvers - len(self.answers)
        return (self.pay.of(self.success or 0.0), *(verdict.reward for verdict in self.answers), *(0.0,) * left)

    def verdict(self, seat: int, returns: tuple[float, ...]) -> Verdict:
        """Return what became of a seat's task or answer."""
        if self.fault is not None and self.fault.seat == seat:
            return super().verdict(seat, returns)
        if seat:
            if seat <= len(self.answers):
                return self.answers[seat - 1]
            return Verdict(0.0, Status.BROKEN_TASK, "there was no task to solve")
        if self.refused is not None:
            return Verdict(returns[0], self.refused.status, str(self.refused))
        right = sum(verdict.status is Status.CORRECT for verdict in self.answers)
        return Verdict(returns[0], Status.PARTIAL, f"{right} of {len(self.answers)} solved it")

    def task(self, seat: int) -> Task:
        """Return a seat as a task, for records.

        Once there is one, a solver's is the task that was set; a sum has the fingerprint that it has in
        `palaestra/Arithmetic-v0`, so whoever learns from it can tell whether it is held out.
        """
        role = "solver" if seat else "proposer"
        name = f"{self.title}/{self.kind.name}/{role}"
        if seat and self.proposal:
            return Task(name, self.proposal.prompt, self.proposal.reference, {"role": role})
        return Task(name, self._part(seat), metadata={"role": role})

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw a task or an answer of somebody without any skill."""
        return self.kind.sample_answer(generator) if self.proposal else self.kind.sample_proposal(generator)

    def picture(self) -> str:
        """Return the task and what became of it."""
        told = self.proposal.prompt if self.proposal else str(self.refused or "There is no task yet.")
        return "\n".join([told, *(f"player_{1 + i}: {verdict.status}" for i, verdict in enumerate(self.answers))])

    def clone(self) -> "ProposerSolver":  # noqa: D102
        twin = super().clone()
        assert isinstance(twin, ProposerSolver)
        twin.answers = []
        return twin
