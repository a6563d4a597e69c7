"""Answers revised in the light of others': everybody answers, reads the others' answers, and answers again."""

import numpy as np
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.dialogues.debate import check_size, room
from palaestra.envs.arena.dialogues.questions import Questions
from palaestra.envs.arena.dialogues.speech import quoted, tidy
from palaestra.envs.arena.talk import Told
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Revision"]


class Revision(Arena):
    """Several seats answer one question, round after round; the world's own judge says what the last answer is worth.

    All answer at the same time. From the second round on each sees its own last answer and those of all others, and
    may change its mind. It is no contest: each gets the reward of its own last answer.

    Args:
        questions: Where questions come from.
        debaters: How many answer, 2 to 10.
        rounds: How often, 1 to 10.
        speech: Most characters of an answer that the others see; all of it is judged.
        explain: Whether a seat is told what it is about before it first answers.
        render_mode: See `Arena`.

    Attributes:
        question: The question of this game.
        answers: All answers, in turn: `answers[seat][round]`.

    Source: Du et al. 2023, "Improving factuality and reasoning in language models through multiagent debate".
    """

    def __init__(
        self,
        questions: Questions,
        *,
        debaters: int = 2,
        rounds: int = 2,
        speech: int = 500,
        explain: bool = True,
        render_mode: str | None = None,
    ) -> None:
        check_size(rounds, speech)
        if not 2 <= debaters <= 10:
            raise UsageError(f"debaters must be 2 to 10, got {debaters}.")
        super().__init__(
            "debate_v0",
            debaters,
            explanation=_explanation(debaters, rounds) if explain else "",
            render_mode=render_mode,
            max_chars=room(questions, debaters, speech),
            parallel=True,
        )
        self.instant = questions.instant
        self.questions = questions
        self.rounds, self.speech = rounds, speech
        self.question: Task | None = None
        self.answers: list[list[str]] = []
        self._verdicts: list[Verdict] = []

    def begin(self, generator: np.random.Generator) -> None:  # noqa: D102
        self.question = self.questions.any(generator)
        self.answers = [[] for _ in self.possible_agents]
        self._verdicts = []

    @property
    def _asked(self) -> Task:
        if self.question is None:
            raise UsageError("There is no question yet: call reset() first.")
        return self.question

    def mover(self) -> int:  # noqa: D102
        counts = [len(given) for given in self.answers]
        return -1 if counts[-1] == self.rounds else counts.index(min(counts))

    def tell(self, seat: int) -> Told:  # noqa: D102
        told = self._asked.prompt
        heard = min(len(given) for given in self.answers)
        if not heard:
            return Told(told)
        lines = [
            quoted("you" if other == seat else f"player_{other}", tidy(given[heard - 1], self.speech) or "(nothing)")
            for other, given in enumerate(self.answers)
        ]
        again = f"\nAnswer again. Round {heard + 1} of {self.rounds}." if heard < self.rounds else ""
        return Told("\n".join([told, f"Answers of round {heard}:", *lines]) + again)

    def legal(self) -> None:
        """Return None: any text may be an answer."""

    def play(self, move: int, text: str) -> None:  # noqa: D102
        del move
        self.answers[self.mover()].append(text)

    def returns(self) -> tuple[float, ...]:  # noqa: D102
        self._verdicts = [self.questions.judged(self._asked, given[-1]) for given in self.answers]
        return tuple(verdict.reward for verdict in self._verdicts)

    def forfeit(self, seat: int) -> tuple[float, ...]:
        """Return what each seat gets when one gives up: what the last answer was worth; that one nothing."""
        nothing = Verdict(0.0, Status.BROKEN_TASK, "the game was over before it could answer")
        self._verdicts = [
            self.questions.judged(self._asked, given[-1]) if given and other != seat else nothing
            for other, given in enumerate(self.answers)
        ]
        return tuple(0.0 if other == seat else verdict.reward for other, verdict in enumerate(self._verdicts))

    def verdict(self, seat: int, returns: tuple[float, ...]) -> Verdict:
        """Return the world's verdict on a seat's last answer."""
        if self.fault is not None and self.fault.seat == seat:
            return super().verdict(seat, returns)
        return self._verdicts[seat]

    def task(self, seat: int) -> Task:
        """Return a seat as a task, for records: the question, by whose fingerprint it is held out or not."""
        if self.question is None:
            return super().task(seat)
        role = self.possible_agents[seat]
        return Task(
            f"{self.title}/{role}",
            self.question.prompt,
            self.question.reference,
            {"role": role, "question": self.question.id},
        )

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw an answer of a player without any skill."""
        return self.questions.world.sample_action(generator)

    def clone(self) -> "Revision":  # noqa: D102
        twin = super().clone()
        assert isinstance(twin, Revision)
        twin.questions = self.questions.clone()
        twin.answers = []
        return twin


def _explanation(debaters: int, rounds: int) -> str:
    return (
        f"{debaters} players answer the same question in {rounds} rounds. From the second round on each sees the "
        "answers of all, and may keep or change its own. Only your last answer counts, and only for you: whether it "
        "is right."
    )
