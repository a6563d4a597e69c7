"""What a verdict on a mathematical answer costs, against Math-Verify's own parse and verify in the same run.

    python benchmarks/math_equality.py            # keeps benchmarks/results/math_equality.json
    python benchmarks/math_equality.py --quick    # small, keeps nothing

1. GSM8K-like: replies of a few sentences whose answer is a whole number, an amount or a decimal. Predicted: 100 times
   Math-Verify with one worker, because nothing there needs algebra. Target: at least 50 times.
2. Hard: answers as in MATH, with roots, intervals, polynomials, matrices, equations. Predicted: 1.5 times with one
   worker, because Math-Verify does the algebra for both and ours spares it the search of the reply, the signals and
   the answers that are equal as written. Target: at least 1.

Both are measured with one worker (ours sequential, theirs in a plain loop) and with one for each core (ours
`judge_many`, theirs in a process pool that is started and warm before the clock is). `judge_many` takes one core for
what needs no algebra, so that its ratio on GSM8K-like answers falls with the number of cores. Every pair is new in
every repetition, so that no cache helps; in training, where many replies share a reference, ours is faster. Half the
replies are wrong by little. Every verdict is compared: the differences are counted, and shown.
"""

import argparse
import logging
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from math_verify import parse, verify
from palaestra.envs.math.judge import MathJudge
from palaestra.envs.task import Task
from record import keep

PAIRS = {"gsm8k_like": 4_000, "hard": 1_000}
REPEATS = 5
QUICK = 10
TARGETS = {"gsm8k_like": 50.0, "hard": 1.0}

Pair = tuple[str, str]
"""A known answer and a reply."""
Family = Callable[[np.random.Generator], tuple[str, str, str]]
"""Draws a known answer, the same otherwise written, and one that is wrong by little."""


def integer(g: np.random.Generator, low: int = 2, high: int = 20) -> int:
    return int(g.integers(low, high))


def amounts(g: np.random.Generator) -> tuple[str, str, str]:
    n = integer(g, 2, 100_000)
    return (str(n), f"{n:,}", str(n + 1)) if n % 2 else (str(n), str(n), str(n * 10))


def money(g: np.random.Generator) -> tuple[str, str, str]:
    cents = integer(g, 100, 1_000_000)
    return f"{cents / 100:.2f}", f"${cents / 100:,.2f}", f"${(cents + 10) / 100:,.2f}"


def radicals(g: np.random.Generator) -> tuple[str, str, str]:
    a, b = integer(g), integer(g)
    return rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{a * a * b}}}", rf"\sqrt{{{a * a * b + 1}}}"


def quotients(g: np.random.Generator) -> tuple[str, str, str]:
    a, b = integer(g), integer(g)
    return rf"\frac{{\sqrt{{{a}}}}}{{{b}}}", rf"\dfrac{{{a}}}{{{b}\sqrt{{{a}}}}}", rf"\frac{{\sqrt{{{a}}}}}{{{b + 1}}}"


def polynomials(g: np.random.Generator) -> tuple[str, str, str]:
    a, b = integer(g), integer(g)
    return f"x^2 + {a + b}x + {a * b}", f"(x+{a})(x+{b})", f"(x+{a})(x+{b + 1})"


def unions(g: np.random.Generator) -> tuple[str, str, str]:
    a = integer(g)
    b = a + integer(g)
    gold = rf"(-\infty, {a}] \cup [{b}, \infty)"
    return gold, rf"\left[{b},\infty\right)\cup\left(-\infty,{a}\right]", rf"(-\infty, {a}) \cup [{b}, \infty)"


def lines(g: np.random.Generator) -> tuple[str, str, str]:
    a, b = integer(g), integer(g)
    return f"y = {a}x + {b}", f"y={b}+{a}x", f"y={a}x-{b}"


def complexes(g: np.random.Generator) -> tuple[str, str, str]:
    a, b = integer(g), integer(g)
    return f"{a} + {b}i", f"{b}i+{a}", f"{a}-{b}i"


def angles(g: np.random.Generator) -> tuple[str, str, str]:
    a, b = integer(g), integer(g)
    return rf"\frac{{{a}\pi}}{{{b}}}", rf"{a}\pi/{b}", rf"\frac{{{a}\pi}}{{{b + 1}}}"


def logarithms(g: np.random.Generator) -> tuple[str, str, str]:
    a, b = integer(g), integer(g, 2, 4)
    return rf"{b}\ln {a}", rf"\ln {a**b}", rf"\ln {a**b + 1}"


def matrices(g: np.random.Generator) -> tuple[str, str, str]:
    a, b, c, d = (integer(g) for _ in range(4))
    shape = r"\begin{{pmatrix}} {} & {} \\ {} & {} \end{{pmatrix}}"
    return shape.format(a, b, c, d), shape.format(f"{2 * a}/2", b, c, d), shape.format(a, b, d, c + 1)


def points(g: np.random.Generator) -> tuple[str, str, str]:
    a, b = integer(g), integer(g)
    return rf"({a}\sqrt{{2}}, {b})", rf"(\sqrt{{{2 * a * a}}}, {b})", rf"({b}, {a}\sqrt{{2}})"


def inequalities(g: np.random.Generator) -> tuple[str, str, str]:
    a = integer(g)
    return f"x > {a}", f"{a} < x", rf"x \ge {a}"


def as_written(g: np.random.Generator) -> tuple[str, str, str]:
    a, b = integer(g), integer(g)
    return rf"\frac{{{a}-\sqrt{{{b}}}}}{{2}}", rf"\frac{{{a}-\sqrt{{{b}}}}}{{2}}", rf"\frac{{{a}+\sqrt{{{b}}}}}{{2}}"


FAMILIES: dict[str, tuple[Family, ...]] = {
    "gsm8k_like": (amounts, amounts, amounts, money),
    "hard": (
        *(radicals, quotients, polynomials, unions, lines, complexes, angles),
        *(logarithms, matrices, points, inequalities, as_written),
    ),
}
ENDINGS = {
    "gsm8k_like": ("#### {}", "The answer is {}.", r"The total is $\boxed{{{}}}$.", "So there are {} in all."),
    "hard": (r"Hence the answer is $\boxed{{{}}}$.", r"Therefore \[\boxed{{{}}}.\]", r"The final answer is ${}$."),
}


def draw(kind: str, count: int, seed: int) -> tuple[list[Pair], list[bool]]:
    """Draw pairs and whether each is right."""
    generator = np.random.default_rng([seed, len(kind)])
    pairs, right = [], []
    for _ in range(count):
        families, endings = FAMILIES[kind], ENDINGS[kind]
        gold, same, other = families[generator.integers(len(families))](generator)
        a, b, c = (integer(generator, 10, 1000) for _ in range(3))
        reasoning = (
            f"First we look at what is given: {a} of one and {b} of the other, which makes {a} + {b} = {a + b}. "
            f"Every one of these counts {c} times, so that we get {a + b} * {c} = {(a + b) * c} before anything is "
            "taken away. Now we put the two steps together and check that nothing was counted twice.\n"
        )
        right.append(bool(generator.integers(2)))
        pairs.append((gold, reasoning + endings[generator.integers(len(endings))].format(same if right[-1] else other)))
    return pairs, right


def theirs(pairs: Sequence[Pair]) -> list[bool]:
    """Judge as Math-Verify's own documentation does."""
    return [bool(verify(parse(f"${gold}$"), parse(reply))) for gold, reply in pairs]


def timed(work: Callable[[], list[bool]]) -> tuple[float, list[bool]]:
    """Return pairs a second, and the verdicts."""
    began = time.perf_counter()
    verdicts = work()
    return len(verdicts) / (time.perf_counter() - began), verdicts


def compare(kind: str, count: int, repeats: int, cores: int) -> dict[str, object]:
    """Measure all four, interleaved."""
    judge = MathJudge()
    rates: dict[str, list[float]] = {name: [] for name in ("ours_1", "theirs_1", "ours_all", "theirs_all")}
    differences: list[str] = []
    wrong = {"ours": 0, "theirs": 0}
    with ProcessPoolExecutor(cores) as pool:
        warm, _ = draw(kind, 8 * cores, 10_000)
        list(pool.map(theirs, [warm[i::cores] for i in range(cores)]))
        judge.judge_many([(Task("", "", gold), reply) for gold, reply in warm])
        theirs(warm)
        for seed in range(repeats):
            pairs, right = draw(kind, count, seed)
            tasks = [(Task("", "", gold), reply) for gold, reply in pairs]
            rate, their_verdicts = timed(lambda pairs=pairs: theirs(pairs))
            rates["theirs_1"].append(rate)
            rate, our_verdicts = timed(lambda tasks=tasks: [judge(*pair).reward == 1.0 for pair in tasks])
            rates["ours_1"].append(rate)
            # Other pairs, so that nothing is known from before.
            pairs_all, _ = draw(kind, count, 1_000 + seed)
            tasks_all = [(Task("", "", gold), reply) for gold, reply in pairs_all]
            parts = [pairs_all[i : i + 20] for i in range(0, count, 20)]
            rate, _ = timed(lambda parts=parts: [v for part in pool.map(theirs, parts) for v in part])
            rates["theirs_all"].append(rate)
            rate, _ = timed(lambda tasks=tasks_all: [v.reward == 1.0 for v in judge.judge_many(tasks)])
            rates["ours_all"].append(rate)
            for (gold, reply), ours, their, truth in zip(pairs, our_verdicts, their_verdicts, right, strict=True):
                wrong["ours"] += ours != truth
                wrong["theirs"] += their != truth
                if ours != their:
                    differences.append(f"{gold} | {reply.splitlines()[-1]} | ours {ours}, theirs {their}")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ratios = [ours / their for ours, their in zip(rates["ours_1"], rates["theirs_1"], strict=True)]
    ratios_all = [ours / their for ours, their in zip(rates["ours_all"], rates["theirs_all"], strict=True)]
    return {
        "pairs": count * repeats,
        "pairs_per_second": medians,
        "ratio_one_worker": statistics.median(ratios),
        "worst_ratio_one_worker": min(ratios),
        "ratio_all_cores": statistics.median(ratios_all),
        "target_ratio": TARGETS[kind],
        "differences": len(differences),
        "wrong_verdicts": wrong,
        "examples": differences[:10],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the pairs, once; keeps nothing")
    quick = parser.parse_args().quick
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    figures: dict[str, object] = {"workers": cores}
    for kind, count in PAIRS.items():
        figures[kind] = measured = compare(kind, count // QUICK if quick else count, 1 if quick else REPEATS, cores)
        print(kind, measured)
    if not quick:
        keep("math_equality", figures)


if __name__ == "__main__":
    main()
