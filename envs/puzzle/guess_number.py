"""Find a secret number by guessing; every guess is told whether the secret is higher or lower."""

import numpy as np
from palaestra.envs.errors import UsageError
from palaestra.envs.math.answers import final_number, shown
from palaestra.envs.question import QuestionEnv
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Status, Verdict

__all__ = ["GuessNumber"]

# More secrets than these are drawn, not listed.
_LISTED = 1_000


class GuessNumber(QuestionEnv):
    """Guess a whole number from 1 to `high`.

    The reply's final number is the guess; a reply without one, or one out of range, uses up a guess too. Reward 1 for
    hitting the secret within the allowed guesses, else 0. Each secret is a task.

    Args:
        high: Largest secret, at least 2.
        guesses: How many guesses; by default just enough for bisection, `high.bit_length()`.
        seed: Seed of the tasks' order.
        tasks: Takes the place of generated tasks; the reference is the secret.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        high: int = 100,
        guesses: int | None = None,
        seed: int = 0,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if not 2 <= high <= 10**15:
            raise UsageError(f"high must be from 2 to 10**15, got {high}.")
        tries = high.bit_length() if guesses is None else guesses
        self.high = high
        tasks = tasks if tasks is not None else _secrets(high, tries, seed)
        super().__init__(tasks, self.judge_guess, tries=tries, render_mode=render_mode)

    def judge_guess(self, task: Task, reply: str) -> Verdict:
        """Judge one guess."""
        guess = final_number(reply)
        if guess is None:
            return Verdict(0.0, Status.UNPARSED, f"There is no number in {shown(reply[-60:])}.")
        if guess.denominator != 1 or not 1 <= guess <= self.high:
            return Verdict(0.0, Status.ILLEGAL, f"Only whole numbers from 1 to {self.high} are allowed.")
        if guess == task.reference:
            return Verdict(1.0, Status.CORRECT, f"{guess} is right.")
        way = "Higher" if guess < task.reference else "Lower"  # type: ignore[operator]
        return Verdict(0.0, Status.WRONG, f"{way} than {guess}.")

    def feedback(self, verdict: Verdict) -> str:
        """Return the judge's words, which never name the secret."""
        return verdict.detail if verdict.valid else super().feedback(verdict)

    def solution(self, task: Task) -> tuple[str, ...]:
        """Return the guesses of a bisection; where they are too many, the last one allowed is the secret."""
        secret, low, high = int(task.reference), 1, self.high  # type: ignore[arg-type]
        guesses: list[int] = []
        while secret not in guesses:
            middle = (low + high) // 2 if len(guesses) + 1 < self.tries else secret
            guesses.append(middle)
            low, high = (middle + 1, high) if middle < secret else (low, middle - 1)
        return tuple(map(str, guesses))

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw a guess."""
        return str(generator.integers(1, self.high + 1))


def _secrets(high: int, tries: int, seed: int) -> TaskSet:
    name = f"guess-number({high})"
    generator = derive_generator(seed, "tasks", name)
    prompt = (
        f"I am thinking of a whole number from 1 to {high}. You have {tries} guesses; after each I say whether my "
        "number is higher or lower. Reply with one number."
    )
    if high <= _LISTED:
        numbers = [int(n) + 1 for n in generator.permutation(high)]
    else:
        numbers = list(dict.fromkeys(int(n) for n in generator.integers(1, high + 1, size=_LISTED)))
    return TaskSet(
        (Task(f"secret-{n}", prompt, n, {"difficulty": tries}) for n in numbers), name, endless=high > _LISTED
    )
