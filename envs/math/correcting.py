"""Sums to work out, with what may follow an answer: true feedback, a request to review it, the answers of others."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from palaestra.envs.errors import UsageError
from palaestra.envs.feedback import ASK, IT_STANDS, REVISE, SOMETHING_WRONG, WORDS, others_said, told
from palaestra.envs.math.answers import NumberJudge
from palaestra.envs.math.arithmetic import LEVELS, Arithmetic, arithmetic_tasks
from palaestra.envs.question import QuestionEnv
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info

__all__ = ["Correct"]

_TOLD, _ASKED, _SHOWN = "told", "asked", "shown"
_KINDS: Final = (_TOLD, _ASKED, _SHOWN)
# Of one who is told that he is wrong; and how often one is asked, or shown others, besides the first answer.
_TRIES: Final = 3
_ROUNDS: Final = 1
# Now and then anybody miscounts by one, and one who is told that he was wrong may be wrong again.
_MISCOUNTS, _AGAIN = 0.04, 0.1


class _Said(NamedTuple):
    """An answer, and how probable it is."""

    answer: str
    odds: float


class _Adder(NamedTuple):
    """What people say to one sum.

    Attributes:
        right: The sum.
        slip: The sum without carries.
        near: Sums that are miscounted.
    """

    right: str
    slip: str
    near: tuple[str, ...]

    def draw(self, generator: np.random.Generator, careful: float) -> _Said:
        """Draw an answer that is right with the probability `careful`, but for miscounts."""
        if generator.random() < _MISCOUNTS:
            answer = self.near[generator.integers(len(self.near))]
        else:
            answer = self.right if generator.random() < careful else self.slip
        return _Said(answer, self.odds(answer, careful))

    def odds(self, answer: str, careful: float) -> float:
        """Return how probable `draw` makes an answer."""
        missed = self.near.count(answer) / len(self.near)
        drawn = careful * (answer == self.right) + (1 - careful) * (answer == self.slip)
        return _MISCOUNTS * missed + (1 - _MISCOUNTS) * drawn


class Correct(QuestionEnv):
    """Answer `37 + 48 = ?`, and answer again after what is said to it.

    What follows an answer depends on the task: `told`, a wrong answer is called wrong until it is right; `asked`, one
    is asked to review the answer and to answer again, whatever one says; `shown`, one is shown what two others answer
    and answers again. Nothing but `told` tells whether an answer is right. Only the last answer is paid: 1 for the
    right number, else 0.

    The demonstrators are careless in a share of first answers. Told that they were wrong they think again; asked to
    review they work it out anew, and are right as often as `checks` says; shown others' answers they take the one that
    most have. So a policy born to this world corrects what it is told is wrong, and judges itself no better than
    `checks`.

    Args:
        level: A step of `arithmetic`'s `LEVELS`; 2, the default, is the sum of two numbers up to 99. Only sums.
        careless: Share of first answers that forget the carries.
        checks: Share of right answers of one who reviews his own; 1 is one who always knows whether he was right.
        size: Most sums.
        seed: Seed of the tasks.
        tasks: Takes the place of the generated sums.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        level: int = 2,
        careless: float = 0.4,
        checks: float = 0.6,
        size: int = 10_000,
        seed: int = 0,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if level not in (1, 2):
            raise UsageError(f"level must be 1 or 2, the sums of {', '.join(map(str, sorted(LEVELS)))}; got {level}.")
        for name, share in (("careless", careless), ("checks", checks)):
            if not 0.0 <= share <= 1.0:
                raise UsageError(f"{name} is a share, 0 to 1; got {share}.")
        sums = arithmetic_tasks(LEVELS[level], size=size, seed=seed) if tasks is None else tasks
        name = f"correct({sums.name}, {careless:g} careless, {checks:g} checked)"
        self._careful, self._checks = 1.0 - careless, checks
        mixed = self._mixed(sums, derive_generator(seed, "tasks", name)) if tasks is None else sums
        super().__init__(
            TaskSet(mixed, name, endless=sums.endless), NumberJudge(), tries=_TRIES, render_mode=render_mode
        )
        self._reviewing = False
        self._others: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """What is asked and told, and the signs of sums."""
        return (*WORDS, " + ", " = ?")

    def begin(self, task: Task) -> str:
        """Ask for the sum."""
        self._reviewing = False
        others = task.metadata.get("others", ())
        self._others = tuple(map(str, others)) if isinstance(others, list | tuple) else ()
        observation = super().begin(task)
        if task.metadata.get("kind", _TOLD) != _TOLD:
            self._left = 1 + _ROUNDS
        return observation

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        """Hear an answer, or what is said of it."""
        task = self.task
        if task is not None and self._reviewing:
            self._reviewing = False
            self.observation = REVISE
            return REVISE, 0.0, False, False, self.outcome()
        kind = _TOLD if task is None else task.metadata.get("kind", _TOLD)
        if kind == _TOLD or self._left <= 1:
            said, reward, over, cut, info = super().step(action)
            self.observation = said if over else told(said.partition(" Tries left")[0])
            return self.observation, reward, over, cut, info
        assert task is not None
        self._left -= 1
        if kind == _ASKED:
            self._reviewing = True
            self.observation = ASK
        else:
            self.observation = others_said(self._others)
            self._others = (_most((action.strip(), *self._others)),) * len(self._others)
        return self.observation, 0.0, False, False, self.outcome(self.judgement(task, action))

    def solution(self, task: Task) -> tuple[str, ...]:
        """Return the answer as often as it is asked for."""
        right, kind = str(task.reference), task.metadata.get("kind", _TOLD)
        if kind == _ASKED:
            return (right, *(IT_STANDS, right) * _ROUNDS)
        return (right,) * (1 if kind == _TOLD else 1 + _ROUNDS)

    def demonstration(self, task: Task) -> Sequence[str]:
        """Return what a demonstrator says, right or wrong."""
        said = task.metadata.get("said")
        return tuple(map(str, said)) if isinstance(said, list | tuple) else self.solution(task)

    def odds(self, task: Task) -> float:
        """Return how probable the demonstration is."""
        return float(str(task.metadata.get("odds", 1.0)))

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw a number of about the right size, or a word where one is asked for."""
        return SOMETHING_WRONG if self._reviewing else str(generator.integers(200))

    def _mixed(self, sums: TaskSet, generator: np.random.Generator) -> Iterator[Task]:
        careless = Arithmetic(tasks=sums)
        for task in sums:
            kind, right = _KINDS[int(generator.choice(3, p=(0.4, 0.3, 0.3)))], str(task.reference)
            near = tuple(str(int(right) + off) for off in (1, -1, 10, -10) if int(right) + off >= 0)
            adder = _Adder(right, (careless.slip(task) or (right,))[0], near)
            others = [adder.draw(generator, self._careful).answer for _ in range(2)] if kind == _SHOWN else []
            said, odds = self._demonstrated(kind, adder, others, generator)
            yield Task(
                task.id, task.prompt, task.reference, {"kind": kind, "said": said, "odds": odds, "others": others}
            )

    def _demonstrated(
        self, kind: str, adder: _Adder, others: Sequence[str], generator: np.random.Generator
    ) -> tuple[list[str], float]:
        """Return what is said in an episode, and how probable that is."""
        draft, odds = adder.draw(generator, self._careful)
        said = [draft]
        if kind == _TOLD and draft != adder.right:
            wrong = [answer for answer in adder.near if answer != draft]
            again = generator.random() < _AGAIN
            said += [wrong[generator.integers(len(wrong))]] * again + [adder.right]
            odds *= _AGAIN / len(wrong) if again else 1 - _AGAIN
        for _ in range(_ROUNDS if kind == _ASKED else 0):
            checked = adder.draw(generator, self._checks)
            said += [IT_STANDS if checked.answer == said[-1] else SOMETHING_WRONG, checked.answer]
            odds *= checked.odds
        if kind == _SHOWN:
            said += [_most((draft, *others))] * _ROUNDS
        return said, odds


def _most(answers: Sequence[str]) -> str:
    """Return the answer that most give; of equally many the earlier."""
    return max(dict.fromkeys(answers), key=answers.count)
