"""Generated word problems: shopping, rates, percentages, ages, mixtures."""

from fractions import Fraction

import numpy as np
from palaestra.envs.math.kinds import Kind, Problem, choose, draw, fraction

__all__ = ["KINDS"]

_NAMES = ("Amara", "Ben", "Chloe", "Dmitri", "Elif", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Kira", "Luis")
_GOODS = ("pencils", "apples", "stickers", "candles", "postcards", "oranges", "marbles", "notebooks")
_PLACES = (("the village", "the lake"), ("the harbour", "the castle"), ("the school", "the museum"))


def _names(generator: np.random.Generator, count: int) -> list[str]:
    return [_NAMES[i] for i in generator.permutation(len(_NAMES))[:count]]


def _goods(generator: np.random.Generator, count: int) -> list[str]:
    return [_GOODS[i] for i in generator.permutation(len(_GOODS))[:count]]


def _shopping(generator: np.random.Generator, level: int) -> Problem:
    """What is paid; what is left of a banknote from level 2."""
    (name,), (first, second) = _names(generator, 1), _goods(generator, 2)
    m, n, p, q = (draw(generator, 2, 6 * level) for _ in range(4))
    cost = m * p + n * q
    bought = f"{m} {first} at ${p} each and {n} {second} at ${q} each"
    if level == 1:
        form = choose(
            generator,
            (
                "{name} buys {bought}. How many dollars does {name} pay?",
                "{name} sells {bought}. How many dollars is that?",
            ),
        )
        return Problem(form.format(name=name, bought=bought), str(cost))
    paid = (cost // 50 + 1) * 50
    prompt = f"{name} buys {bought} and pays with ${paid}. How many dollars of change does {name} get?"
    return Problem(prompt, str(paid - cost))


def _sharing(generator: np.random.Generator, level: int) -> Problem:
    del level
    first, second = _names(generator, 2)
    (goods,) = _goods(generator, 1)
    own, given, friends = draw(generator, 10, 40), draw(generator, 2, 30), draw(generator, 2, 6)
    given += -(own + given) % friends
    form = choose(
        generator,
        (
            "{a} has {own} {goods} and gets {given} more from {b}. {a} then shares all of them equally among {n} "
            "friends. How many {goods} does each friend get?",
            "{a} has {own} {goods} and {b} has {given}. They put them together and fill {n} boxes with equally many. "
            "How many {goods} are in each box?",
        ),
    )
    prompt = form.format(a=first, b=second, own=own, given=given, goods=goods, n=friends)
    return Problem(prompt, str((own + given) // friends))


def _rate(generator: np.random.Generator, level: int) -> Problem:
    """Proportion: so much in so many minutes; at level 3 the answer is usually a fraction."""
    (name,), (goods,) = _names(generator, 1), _goods(generator, 1)
    minutes = draw(generator, 2, 12)
    made = draw(generator, 2, 20) if level == 3 else minutes * draw(generator, 2, 9)
    asked = draw(generator, 5, 60, without=[minutes])
    form = choose(
        generator,
        (
            "{name} packs {made} {goods} in {minutes} minutes. At that rate, how many {goods} (perhaps with a fraction "
            "of one) does {name} pack in {asked} minutes?",
            "A machine prints {made} labels for {goods} in {minutes} minutes. At that rate, how many labels (perhaps "
            "with a fraction of one) does it print in {asked} minutes?",
        ),
    )
    prompt = form.format(name=name, made=made, goods=goods, minutes=minutes, asked=asked)
    answer = fraction(Fraction(made * asked, minutes))
    return Problem(prompt, answer)


def _percentage(generator: np.random.Generator, level: int) -> Problem:
    """A price up or down by a percentage; by two, one after the other, at level 3."""
    (name,) = _names(generator, 1)
    price = 20 * draw(generator, 2, 40)
    changes = [5 * draw(generator, 1, 10) * choose(generator, (1, -1)) for _ in range(level - 1)]
    value = Fraction(price)
    for change in changes:
        value = value * (100 + change) / 100
    words = [f"{'rises' if change > 0 else 'falls'} by {abs(change)}%" for change in changes]
    thing = choose(generator, ("bicycle", "guitar", "coat", "telescope"))
    prompt = (
        f"{name} wants to buy a {thing} that costs ${price}. Its price {' and then '.join(words)}. "
        "How many dollars does it cost now? Give an exact answer."
    )
    return Problem(prompt, fraction(value))


def _ages(generator: np.random.Generator, level: int) -> Problem:
    """One is k times as old as the other; in (level 3) or for (level 4) some years it is, or was, another multiple."""
    old, young = _names(generator, 2)
    while True:
        now, times, later = draw(generator, 3, 20), draw(generator, 3, 6), draw(generator, 2, 15)
        years = later if level == 3 else -later
        multiple = Fraction(times * now + years, now + years) if now + years > 0 else Fraction(1, 2)
        if multiple.denominator == 1 and multiple not in (1, times):
            break
    when = f"In {later} years {old} will be" if level == 3 else f"{later} years ago {old} was"
    prompt = (
        f"{old} is {times} times as old as {young}. {when} {multiple} times as old as {young}. "
        f"How old is {young if level == 3 else old} now?"
    )
    answer = now if level == 3 else times * now
    return Problem(prompt, str(answer))


def _together(generator: np.random.Generator, level: int) -> Problem:
    """Two (level 4) or three (level 5) who work at once."""
    names = _names(generator, level - 2)
    hours = [draw(generator, 2, 12) for _ in names]
    job = choose(generator, ("paint a fence", "pick an orchard", "clean a hall", "fill a pool"))
    alone = [f"{name} needs {n} hours" for name, n in zip(names, hours, strict=True)]
    prompt = (
        f"To {job} alone, {', '.join(alone[:-1])} and {alone[-1]}. "
        "How many hours do they need when they work together? Give an exact answer."
    )
    return Problem(prompt, fraction(1 / sum((Fraction(1, n) for n in hours), Fraction(0))))


def _mixture(generator: np.random.Generator, level: int) -> Problem:
    """The strength of a mixture (level 4), or how much must be added to reach a strength (level 5)."""
    first, second = draw(generator, 1, 12), draw(generator, 1, 12)
    weak, strong = 5 * draw(generator, 1, 7), 5 * draw(generator, 10, 18)
    if level == 4:
        prompt = (
            f"{first} litres of a {weak}% salt solution are mixed with {second} litres of a {strong}% one. "
            "What percentage of the mixture is salt? Give the exact number of percent."
        )
        answer = Fraction(first * weak + second * strong, first + second)
        return Problem(prompt, fraction(answer))
    goal = 5 * draw(generator, weak // 5 + 1, strong // 5 - 1)
    prompt = (
        f"How many litres of a {strong}% acid solution must be added to {first} litres of a {weak}% one "
        f"to get a {goal}% one? Give an exact answer."
    )
    answer = Fraction(first * (goal - weak), strong - goal)
    return Problem(prompt, fraction(answer))


def _average_speed(generator: np.random.Generator, level: int) -> Problem:
    del level
    (name,), (start, end) = _names(generator, 1), choose(generator, _PLACES)
    out, back = draw(generator, 4, 30), draw(generator, 4, 30)
    prompt = (
        f"{name} cycles from {start} to {end} at {out} km/h and returns the same way at {back} km/h. "
        "What is the average speed of the whole trip in km/h? Give an exact answer."
    )
    return Problem(prompt, fraction(Fraction(2 * out * back, out + back)))


def _two_prices(generator: np.random.Generator, level: int) -> Problem:
    """Two purchases, two unknown prices in cents."""
    del level
    (first, second), (a, b) = _names(generator, 2), _goods(generator, 2)
    while True:
        m, n, k, j = (draw(generator, 1, 9) for _ in range(4))
        if m * j != n * k:
            break
    p, q = draw(generator, 5, 90), draw(generator, 5, 90)
    prompt = (
        f"{first} buys {m} boxes of {a} and {n} boxes of {b} for {m * p + n * q} cents. {second} buys {k} boxes of {a} "
        f"and {j} boxes of {b} for {k * p + j * q} cents at the same prices. How many cents does one box of {a} cost?"
    )
    return Problem(prompt, str(p))


KINDS = (
    Kind("shopping", (1, 2), _shopping),
    Kind("sharing", (1,), _sharing),
    Kind("rate", (1, 2, 3), _rate),
    Kind("percentage", (2, 3), _percentage),
    Kind("ages", (3, 4), _ages),
    Kind("together", (4, 5), _together),
    Kind("mixture", (4, 5), _mixture),
    Kind("average-speed", (5,), _average_speed),
    Kind("two-prices", (5,), _two_prices),
)
