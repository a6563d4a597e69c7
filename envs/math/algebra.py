"""Generated problems of algebra: equations, systems, polynomials."""

from fractions import Fraction
from math import gcd

import numpy as np
from palaestra.envs.math.kinds import Kind, Problem, choose, draw, fraction, pair, polynomial, solutions

__all__ = ["KINDS"]

_SOLVE = ("Solve for $x$: ${}$", "Find the value of $x$ such that ${}$.", "What is $x$ if ${}$?")


def _linear(generator: np.random.Generator, level: int) -> Problem:
    """Make a x + b = c x + d; the solution is whole up to level 2, c is 0 at level 1."""
    while True:
        if level == 1:
            a, b, c, x = draw(generator, 2, 9), draw(generator, 1, 20), 0, Fraction(draw(generator, 0, 12))
        else:
            a, c = draw(generator, 2, 12), draw(generator, -9, 12)
            b = draw(generator, -30, 30)
            x = Fraction(draw(generator, -12, 12), 1 if level == 2 else draw(generator, 2, 9))
        d = (a - c) * x + b
        if a != c and d.denominator == 1 and (level < 3 or x.denominator > 1):
            break
    equation = f"{polynomial([a, b])} = {polynomial([c, int(d)])}"
    return Problem(choose(generator, _SOLVE).format(equation), fraction(x))


def _brackets(generator: np.random.Generator, level: int) -> Problem:
    """Make a (x + b) - c (x + d) = e, usually with a fraction as solution at level 5."""
    a, b, d = draw(generator, 2, 9), draw(generator, 1, 9), draw(generator, 1, 9)
    c = draw(generator, 2, 9, without=[a])
    e = draw(generator, -30, 30)
    if level == 4:
        e = (a - c) * draw(generator, -9, 9) + a * b - c * d
    x = Fraction(e - a * b + c * d, a - c)
    equation = f"{a}(x + {b}) - {c}(x + {d}) = {e}"
    return Problem(choose(generator, _SOLVE).format(equation), fraction(x))


def _evaluate(generator: np.random.Generator, level: int) -> Problem:
    degree = min(level, 3)
    coefficients = [draw(generator, 1, 5 if level < 3 else 9)] + [draw(generator, -9, 9) for _ in range(degree)]
    at = draw(generator, 0, 9) if level == 1 else draw(generator, -5, 6)
    value = sum(c * at ** (degree - i) for i, c in enumerate(coefficients))
    form = choose(generator, ("Let $f(x) = {}$. What is $f({})$?", "Evaluate ${}$ at $x = {}$."))
    return Problem(form.format(polynomial(coefficients), at), str(value))


def _composed(generator: np.random.Generator, level: int) -> Problem:
    del level
    outer = [draw(generator, 1, 4), draw(generator, -6, 6), draw(generator, -9, 9)]
    inner = [draw(generator, 2, 6), draw(generator, -9, 9)]
    at = draw(generator, -4, 5)
    middle = inner[0] * at + inner[1]
    value = outer[0] * middle**2 + outer[1] * middle + outer[2]
    prompt = f"Let $f(x) = {polynomial(outer)}$ and $g(x) = {polynomial(inner)}$. What is $f(g({at}))$?"
    return Problem(prompt, str(value))


def _system(generator: np.random.Generator, level: int) -> Problem:
    """Two equations in x and y; whole solutions up to level 4."""
    size = {3: 5, 4: 9, 5: 9}[level]
    while True:
        a, b, d, e = (draw(generator, -size, size, without=[0]) for _ in range(4))
        below = 1 if level < 5 else draw(generator, 2, 6)
        x, y = Fraction(draw(generator, -9, 9), below), Fraction(draw(generator, -9, 9), below)
        c, f = a * x + b * y, d * x + e * y
        whole = x.denominator == y.denominator == 1
        if a * e != b * d and c.denominator == f.denominator == 1 and whole == (level < 5):
            break
    rows = [
        f"{polynomial([p, 0])} {'-' if q < 0 else '+'} {polynomial([abs(q), 0], 'y')} = {r}"
        for p, q, r in ((a, b, c), (d, e, f))
    ]
    prompt = f"Solve the system ${rows[0]}$ and ${rows[1]}$. Give the ordered pair $(x, y)$."
    return Problem(prompt, pair(x, y))


def _quadratic(generator: np.random.Generator, level: int) -> Problem:
    """(p x - q)(r x - s) = 0, both factors monic at level 3 and one at level 4."""
    top = {3: (1, 1), 4: (5, 1), 5: (6, 6)}[level]
    while True:
        p, r = draw(generator, min(2, top[0]), top[0]), draw(generator, min(2, top[1]), top[1])
        q, s = draw(generator, -9, 9), draw(generator, -9, 9)
        if gcd(p, q) == gcd(r, s) == 1:
            break
    coefficients = [p * r, -(p * s + q * r), q * s]
    prompt = f"Find the set of all real solutions of ${polynomial(coefficients)} = 0$."
    return Problem(prompt, solutions([Fraction(q, p), Fraction(s, r)]))


def _factor(generator: np.random.Generator, level: int) -> Problem:
    a, b = sorted(draw(generator, -9 - 3 * (level - 3), 9 + 3 * (level - 3), without=[0]) for _ in range(2))
    coefficients = [1, a + b, a * b]
    prompt = (
        rf"The polynomial ${polynomial(coefficients)}$ factors as $(x + a)(x + b)$ with $a \le b$. "
        "What is the ordered pair $(a, b)$?"
    )
    return Problem(prompt, pair(a, b))


def _root_sums(generator: np.random.Generator, level: int) -> Problem:
    """Vieta's formulas: nothing needs to be solved."""
    del level
    while True:
        a, b, c = draw(generator, 1, 6), draw(generator, -9, 9, without=[0]), draw(generator, -9, 9, without=[0])
        if b * b != 4 * a * c:
            break
    asked, value = choose(
        generator,
        (
            ("sum of the squares of the roots", Fraction(b * b - 2 * a * c, a * a)),
            ("sum of the reciprocals of the roots", Fraction(-b, c)),
        ),
    )
    prompt = f"What is the {asked} (real or complex) of ${polynomial([a, b, c])} = 0$?"
    return Problem(prompt, fraction(value))


KINDS = (
    Kind("linear", (1, 2, 3), _linear),
    Kind("brackets", (4, 5), _brackets),
    Kind("evaluate", (1, 2, 3), _evaluate),
    Kind("composed", (4,), _composed),
    Kind("system", (3, 4, 5), _system),
    Kind("quadratic", (3, 4, 5), _quadratic),
    Kind("factor", (3, 4), _factor),
    Kind("root-sums", (5,), _root_sums),
)
