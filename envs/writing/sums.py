"""How a sum is made a harder one, or another: what newborn policies are shown of evolving."""

import re

import numpy as np
from palaestra.envs.writing.prompts import BROADEN

__all__ = ["evolved_sum"]

_PLAIN = re.compile(r"[0-9]+(?:\+[0-9]+)+")


def evolved_sum(text: str, operation: str, generator: np.random.Generator, *, digits: int, operands: int) -> str | None:
    """Return a sum such as `7+8` as an operation makes it; None where the bounds leave no room for that.

    One more number is one more requirement; a number taken apart into two is a step more; a longer number goes deeper.

    Args:
        text: Numbers and plus signs.
        operation: See `palaestra.envs.writing.prompts.OPERATIONS`.
        generator: Draws.
        digits: Most digits of a number.
        operands: Most numbers.
    """
    if not _PLAIN.fullmatch(text):
        return None
    numbers = [int(number) for number in text.split("+")]

    def drawn() -> int:
        return int(generator.integers(10**digits))

    def at() -> int:
        return int(generator.integers(len(numbers)))

    room = operands - len(numbers)
    if operation == BROADEN:
        numbers = [drawn() for _ in numbers]
    elif operation == "constrain" and room >= 1:
        numbers.append(drawn())
    elif operation == "reason" and room >= 1:
        numbers += [drawn() for _ in range(min(2, room))]
    elif operation == "complicate" and room >= 1:
        numbers.insert(at(), drawn())
    elif operation == "concretise" and room >= 1:
        place = at()
        part = int(generator.integers(numbers[place] + 1))
        numbers[place : place + 1] = [part, numbers[place] - part]
    elif operation == "deepen" and (short := [i for i, n in enumerate(numbers) if n < 10 ** (digits - 1)]):
        place = short[int(generator.integers(len(short)))]
        numbers[place] += int(generator.integers(1, 10)) * 10 ** max(1, len(str(numbers[place])))
    else:
        return None
    return "+".join(map(str, numbers))
