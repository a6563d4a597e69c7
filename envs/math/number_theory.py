"""Generated problems of number theory: divisors, remainders, bases."""

from collections.abc import Sequence
from math import gcd, lcm

import numpy as np
from palaestra.envs.math.kinds import Kind, Problem, choose, draw, solutions

__all__ = ["KINDS"]


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"


def _common(generator: np.random.Generator, level: int) -> list[int]:
    """Two numbers, three from level 3, that usually share a divisor."""
    shared = draw(generator, 1, (0, 9, 20, 30, 60)[level])
    numbers: list[int] = []
    for _ in range(2 if level < 3 else 3):
        numbers.append(shared * draw(generator, 2, (0, 9, 15, 12, 40)[level], without=[n // shared for n in numbers]))
    return numbers


def _gcd(generator: np.random.Generator, level: int) -> Problem:
    numbers = _common(generator, level)
    form = choose(generator, ("What is the greatest common divisor of {}?", "Find the largest number that divides {}."))
    return Problem(form.format(_listed(numbers)), str(gcd(*numbers)))


def _lcm(generator: np.random.Generator, level: int) -> Problem:
    numbers = _common(generator, min(level, 3))
    form = choose(
        generator,
        (
            "What is the least common multiple of {}?",
            "Find the smallest positive number that is divisible by each of {}.",
        ),
    )
    return Problem(form.format(_listed(numbers)), str(lcm(*numbers)))


def _remainder(generator: np.random.Generator, level: int) -> Problem:
    top = 100 if level == 1 else 10_000
    number, modulus = draw(generator, 20, top), draw(generator, 3, 12 if level == 1 else 60)
    form = choose(generator, ("What is the remainder when {} is divided by {}?", r"Compute ${} \bmod {}$."))
    return Problem(form.format(number, modulus), str(number % modulus))


def _power(generator: np.random.Generator, level: int) -> Problem:
    base, exponent = draw(generator, 2, 5 * level), draw(generator, 10 * level, 100 if level == 3 else 1_000)
    modulus = draw(generator, 5, 11 if level == 3 else 40)
    prompt = f"What is the remainder when ${base}^{{{exponent}}}$ is divided by {modulus}?"
    return Problem(prompt, str(pow(base, exponent, modulus)))


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]


def _divisor_list(generator: np.random.Generator, level: int) -> Problem:
    number = draw(generator, 4, 40 if level == 1 else 100)
    prompt = f"Find the set of all positive divisors of {number}."
    return Problem(prompt, solutions(_divisors(number)))


def _divisor_count(generator: np.random.Generator, level: int) -> Problem:
    number = draw(generator, 24, 120 if level == 2 else 1_000)
    return Problem(f"How many positive divisors does {number} have?", str(len(_divisors(number))))


def _divisor_sum(generator: np.random.Generator, level: int) -> Problem:
    number = draw(generator, 24, 120 if level == 3 else 600)
    return Problem(f"What is the sum of all positive divisors of {number}?", str(sum(_divisors(number))))


def _digits(number: int, base: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, base)
        text = f"{digit}{text}"
    return text or "0"


def _into_base(generator: np.random.Generator, level: int) -> Problem:
    number = draw(generator, 5, {2: 63, 3: 500}[level])
    base = 2 if level == 2 else draw(generator, 3, 9)
    form = choose(
        generator,
        (
            "Write the number {} in base {}. Give its digits alone.",
            "What are the digits of {} when written in base {}?",
        ),
    )
    return Problem(form.format(number, base), _digits(number, base))


def _between_bases(generator: np.random.Generator, level: int) -> Problem:
    """From one base to another; at level 5 neither is 2."""
    number = draw(generator, 20, 200 * (level - 3))
    old = draw(generator, 2 if level == 4 else 3, 9)
    new = draw(generator, 2 if level == 4 else 3, 9, without=[old])
    written = _digits(number, old)
    prompt = (
        f"The number ${written}_{{{old}}}$ is written in base {old}. Write it in base {new}; give its digits alone."
    )
    return Problem(prompt, _digits(number, new))


def _inverse(generator: np.random.Generator, level: int) -> Problem:
    modulus = draw(generator, 7, 30 if level == 4 else 200)
    while gcd(number := draw(generator, 2, modulus - 1), modulus) != 1:
        pass
    prompt = rf"Find the $x$ from 1 to {modulus - 1} such that ${number}x \equiv 1 \pmod{{{modulus}}}$."
    return Problem(prompt, str(pow(number, -1, modulus)))


def _congruences(generator: np.random.Generator, level: int) -> Problem:
    """The Chinese remainder theorem, with two moduli at level 4 and three at level 5."""
    count = level - 2
    moduli: list[int] = []
    while len(moduli) < count:
        modulus = draw(generator, 3, 13)
        if all(gcd(modulus, other) == 1 for other in moduli):
            moduli.append(modulus)
    number = draw(generator, 1, lcm(*moduli) - 1)
    clauses = [f"{number % m} when divided by {m}" for m in moduli]
    prompt = (
        "What is the smallest non-negative whole number that leaves the remainder "
        f"{', '.join(clauses[:-1])} and {clauses[-1]}?"
    )
    return Problem(prompt, str(number))


KINDS = (
    Kind("gcd", (1, 2, 3, 4), _gcd),
    Kind("lcm", (1, 2, 3), _lcm),
    Kind("remainder", (1, 2), _remainder),
    Kind("power", (3, 4, 5), _power),
    Kind("divisor-list", (1, 2), _divisor_list),
    Kind("divisor-count", (2, 3), _divisor_count),
    Kind("divisor-sum", (3, 4), _divisor_sum),
    Kind("into-base", (2, 3), _into_base),
    Kind("between-bases", (4, 5), _between_bases),
    Kind("inverse", (4, 5), _inverse),
    Kind("congruences", (4, 5), _congruences),
)
