"""Guessing a number in several turns."""

import pytest
from palaestra.envs.errors import UsageError
from palaestra.envs.puzzle.guess_number import GuessNumber
from palaestra.envs.verdict import Status


def test_bisection_always_finds_the_secret_in_the_guesses_allowed() -> None:
    env = GuessNumber()
    assert len(env.tasks) == 100
    for task in env.tasks:
        env.reset(options={"task": task})
        low, high, over, reward = 1, 100, False, 0.0
        while not over:
            guess = (low + high) // 2
            told, reward, over, _, _ = env.step(str(guess))
            if told.startswith("Higher"):
                low = guess + 1
            elif told.startswith("Lower"):
                high = guess - 1
        assert reward == 1.0


def test_feedback_counts_the_guesses_left() -> None:
    env = GuessNumber(guesses=3)
    env.reset(options={"task": "secret-42"})
    assert env.step("I try 50")[0] == "Lower than 50. Tries left: 2."
    assert env.step("10?")[0] == "Higher than 10. Tries left: 1."
    told, reward, over, _, info = env.step("41")
    assert (told, reward, over, info["verdict"].status) == ("Higher than 41.", 0.0, True, Status.WRONG)


@pytest.mark.parametrize(
    ("reply", "status"),
    [("101", Status.ILLEGAL), ("0", Status.ILLEGAL), ("41.5", Status.ILLEGAL), ("hm", Status.UNPARSED)],
)
def test_a_reply_that_is_no_guess_uses_one_up(reply: str, status: Status) -> None:
    env = GuessNumber(guesses=2)
    env.reset(options={"task": "secret-42"})
    told, reward, over, _, info = env.step(reply)
    assert (reward, over, info["verdict"].status) == (0.0, False, status)
    assert told.endswith("Tries left: 1.")
    assert env.step("42")[1] == 1.0


def test_secrets_are_distinct_and_seeded() -> None:
    large = GuessNumber(high=10**9)
    assert len(large.tasks) == 1_000
    assert large.tasks.digest != GuessNumber(high=10**9, seed=1).tasks.digest
    assert large.tries == 30
    with pytest.raises(UsageError, match="high"):
        GuessNumber(high=1)
