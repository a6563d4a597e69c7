"""Every kind of generated problem, solved anew from its words by another way."""

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import sympy
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.math.kinds import polynomial, solutions
from palaestra.envs.math.problems import LEVELS, TOPICS, problem_tasks
from palaestra.envs.task import Task

X, Y = sympy.symbols("x y")


def read(answer: str) -> Any:
    """Read an answer: a number, a tuple of them, or a frozenset."""
    if answer.startswith("("):
        return tuple(read(part) for part in answer[1:-1].split(", "))
    if answer.startswith(r"\{"):
        return frozenset(read(part) for part in answer[2:-2].split(", "))
    found = re.fullmatch(r"(-?)\\frac\{([0-9]+)\}\{([0-9]+)\}", answer)
    return Fraction(int(found[1] + found[2]), int(found[3])) if found else Fraction(answer)


def formulas(prompt: str) -> list[str]:
    """Return what stands in dollars, as Python."""
    texts = re.findall(r"\$([^$]*)\$", prompt)
    return [re.sub(r"([0-9)])(?=[a-z(])", r"\1*", text).replace("^", "**") for text in texts]


def numbers(prompt: str) -> list[int]:
    return [int(n) for n in re.findall(r"[0-9]+", prompt)]


def exact(value: Any) -> Fraction:
    value = sympy.nsimplify(sympy.simplify(value))
    return Fraction(int(value.p), int(value.q))


def equation(text: str) -> Any:
    left, right = text.split(" = ")
    return sympy.sympify(left) - sympy.sympify(right)


def of_equation(prompt: str) -> Fraction:
    (found,) = sympy.solve(equation(formulas(prompt)[0] if "=" in formulas(prompt)[0] else formulas(prompt)[1]), X)
    return exact(found)


def of_value(prompt: str) -> Fraction:
    first, second = formulas(prompt)
    text = first.removeprefix("f(x) = ")
    return exact(sympy.sympify(text).subs(X, int(re.search(r"-?[0-9]+", second)[0])))  # type: ignore[index]


def of_composition(prompt: str) -> Fraction:
    f, g, asked = formulas(prompt)
    at = int(re.search(r"-?[0-9]+", asked)[0])  # type: ignore[index]
    inner = sympy.sympify(g.removeprefix("g(x) = ")).subs(X, at)
    return exact(sympy.sympify(f.removeprefix("f(x) = ")).subs(X, inner))


def of_system(prompt: str) -> tuple[Fraction, ...]:
    found = sympy.linsolve([equation(text) for text in formulas(prompt)[:2]], X, Y)
    (pair,) = found
    return tuple(exact(value) for value in pair)


def of_quadratic(prompt: str) -> frozenset[Fraction]:
    return frozenset(exact(root) for root in sympy.roots(equation(formulas(prompt)[0]), X))


def of_factors(prompt: str) -> tuple[Fraction, ...]:
    asked = sympy.sympify(formulas(prompt)[0])
    ((a, b),) = [
        (a, b)
        for a, b in product(range(-15, 16), repeat=2)
        if a <= b and sympy.Poly(asked, X).all_coeffs() == [1, a + b, a * b]
    ]
    return Fraction(a), Fraction(b)


def of_roots(prompt: str) -> Fraction:
    first, second = sympy.roots(equation(formulas(prompt)[0]), X)
    return exact(sympy.expand(first**2 + second**2 if "squares" in prompt else (first + second) / (first * second)))


def divisors(n: int) -> list[int]:
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})


def of_base(prompt: str) -> Fraction:
    number, base = numbers(prompt)
    return Fraction(np.base_repr(number, base))


def of_bases(prompt: str) -> Fraction:
    written, old, again, new = numbers(prompt)
    assert old == again
    return Fraction(np.base_repr(int(str(written), old), new))


def of_congruences(prompt: str) -> Fraction:
    found = numbers(prompt)
    pairs = list(zip(found[::2], found[1::2], strict=True))
    return Fraction(next(n for n in range(10_000) if all(n % m == r for r, m in pairs)))


def of_shopping(prompt: str) -> Fraction:
    m, p, n, q, *paid = numbers(prompt)
    cost = sum([p] * m) + sum([q] * n)
    return Fraction(paid[0] - cost if paid else cost)


def of_sharing(prompt: str) -> Fraction:
    own, given, friends = numbers(prompt)
    return Fraction(own + given, friends)


def of_rate(prompt: str) -> Fraction:
    made, minutes, asked = numbers(prompt)
    return Fraction(made, minutes) * asked


def of_percentage(prompt: str) -> Fraction:
    price, *_ = map(Fraction, numbers(prompt))
    for word, percent in re.findall(r"(rises|falls) by ([0-9]+)%", prompt):
        price += price * int(percent) / 100 * (1 if word == "rises" else -1)
    return price


def of_ages(prompt: str) -> Fraction:
    found = numbers(prompt)
    times, years, multiple = found if "ago" not in prompt else (found[0], -found[1], found[2])
    (young,) = [n for n in range(1, 200) if n + years > 0 and times * n + years == multiple * (n + years)]
    older = prompt.split()[0] == prompt.rpartition("How old is ")[2].split()[0]
    return Fraction(times * young if older else young)


def of_together(prompt: str) -> Fraction:
    return 1 / sum((Fraction(1, n) for n in numbers(prompt)), Fraction(0))


def of_mixture(prompt: str) -> Fraction:
    if "must be added" in prompt:
        strong, litres, weak, goal = numbers(prompt)
        t = sympy.Symbol("t")
        (found,) = sympy.solve(strong * t + weak * litres - goal * (t + litres), t)
        return exact(found)
    first, weak, second, strong = numbers(prompt)
    return Fraction(weak * first + strong * second, first + second)


def of_speed(prompt: str) -> Fraction:
    out, back = numbers(prompt)
    way = out * back  # so far that both ways take whole hours
    return Fraction(2 * way, way // out + way // back)


def of_prices(prompt: str) -> Fraction:
    m, n, first, k, j, second = numbers(prompt)
    a, b = sympy.symbols("a b")
    found = sympy.solve([m * a + n * b - first, k * a + j * b - second], [a, b])
    assert found[b] > 0
    return exact(found[a])


def wrapped(solve: Callable[[list[int]], int]) -> Callable[[str], Fraction]:
    return lambda prompt: Fraction(solve(numbers(prompt)))


SOLVERS: dict[str, Callable[[str], Any]] = {
    "linear": of_equation,
    "brackets": of_equation,
    "evaluate": of_value,
    "composed": of_composition,
    "system": of_system,
    "quadratic": of_quadratic,
    "factor": of_factors,
    "root-sums": of_roots,
    "gcd": wrapped(lambda ns: max(d for d in range(1, min(ns) + 1) if all(n % d == 0 for n in ns))),
    "lcm": wrapped(lambda ns: next(m for m in range(max(ns), 10**7, max(ns)) if all(m % n == 0 for n in ns))),
    "remainder": wrapped(lambda ns: ns[0] - ns[1] * int(ns[0] / ns[1])),
    "power": wrapped(lambda ns: ns[0] ** ns[1] % ns[2]),
    "divisor-list": lambda prompt: frozenset(map(Fraction, divisors(numbers(prompt)[0]))),
    "divisor-count": wrapped(lambda ns: len(divisors(ns[0]))),
    "divisor-sum": wrapped(lambda ns: sum(divisors(ns[0]))),
    "into-base": of_base,
    "between-bases": of_bases,
    "inverse": wrapped(lambda ns: next(x for x in range(1, ns[1] + 1) if ns[2] * x % ns[4] == 1)),
    "congruences": of_congruences,
    "shopping": of_shopping,
    "sharing": of_sharing,
    "rate": of_rate,
    "percentage": of_percentage,
    "ages": of_ages,
    "together": of_together,
    "mixture": of_mixture,
    "average-speed": of_speed,
    "two-prices": of_prices,
}


def cell(topic: str, kind: str, level: int) -> list[Task]:
    return [t for t in problem_tasks([topic], level, size=150) if t.metadata["kind"] == kind][:12]


@pytest.mark.parametrize(
    ("topic", "kind", "level"),
    [(topic, kind.name, level) for topic, kinds in TOPICS.items() for kind in kinds for level in kind.levels],
)
def test_every_answer_is_found_again_by_another_way(topic: str, kind: str, level: int) -> None:
    tasks = cell(topic, kind, level)
    assert len(tasks) >= 5
    for task in tasks:
        assert isinstance(task.reference, str)
        assert SOLVERS[kind](task.prompt) == read(task.reference), task.prompt


def test_every_kind_has_its_own_solver_here() -> None:
    assert set(SOLVERS) == {kind.name for kinds in TOPICS.values() for kind in kinds}


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_has_hundreds_of_problems_at_every_level(topic: str) -> None:
    for level in LEVELS:
        tasks = problem_tasks([topic], level, size=500)
        assert len(tasks) == 500
        assert {t.metadata["level"] for t in tasks} == {level}
        assert len({t.metadata["kind"] for t in tasks}) >= 2


def test_fractions_pairs_and_sets_come_up() -> None:
    answers = [str(task.reference) for task in problem_tasks(size=1_000)]
    for sign in (r"\frac", "(", r"\{", "-"):
        assert sum(sign in answer for answer in answers) >= 20


def test_the_seed_decides() -> None:
    first, again, other = (problem_tasks(size=50, seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest != other.digest
    assert {t.metadata["topic"] for t in problem_tasks(["words", "algebra"], size=50)} == {"words", "algebra"}


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="algebra"):
        problem_tasks(["algebro"])
    with pytest.raises(UsageError, match="level"):
        problem_tasks(level=6)
    with pytest.raises(UsageError, match="size"):
        problem_tasks(size=0)


def test_polynomials_and_sets_are_written_as_in_a_book() -> None:
    assert polynomial([3, -1, 5]) == "3x^2 - x + 5"
    assert polynomial([-1, 0, 0, -2], "y") == "-y^3 - 2"
    assert polynomial([0, 0]) == "0"
    assert solutions([2, Fraction(-1, 2), 2]) == r"\{-\frac{1}{2}, 2\}"
