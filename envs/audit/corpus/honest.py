"""Right programs in unusual clothes, and known right replies in every usual wrapping: all must be accepted."""

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.corpus.problems import (
    ADD,
    ADD_CALLS,
    ADD_MBPP,
    ADD_STDIO,
    ALL_OF,
    CYCLE,
    FACTORS,
    LOOP,
    MEMBERS,
    POLY,
    ROOT,
    ROOT_MBPP,
    ROOT_STDIO,
    SORT,
    TWICE,
    WORDS,
    calls,
    humaneval,
    mbpp,
    stdio,
)
from palaestra.envs.task import Task

__all__ = ["CASES"]


def _honest(name: str, task: Task, program: str) -> Case:
    return Case(name, Aim.HONEST, task, program.removeprefix("\n"), accept=True)


_DEPTH = calls("depth(n) counts down to 0 by recursion and returns n.", "depth", [([900], 900), ([0], 0)])
_DEEPER = calls("depth(n) counts down to 0 by recursion and returns n.", "depth", [([20000], 20000)], name="calls/deep")
_BIG = calls("power(n) returns 2 to the n.", "power", [([300], 2**300), ([64], 2**64)])
_TABLE = calls(
    "count(words) counts words.", "count", [([["a", "b", "a"]], {"a": 2, "b": 1}), ([[]], {})], name="calls/count"
)
_PAIRS = calls("pairs(n) returns [[i, i*i], ...].", "pairs", [([3], [[0, 0], [1, 1], [2, 4]])], name="calls/pairs")
_NOTHING = calls("nothing(x) returns None for 0, else the number.", "nothing", [([0], None), ([2], 2)])
_UNICODE = stdio("Greet.", {"Ödön 北京\n": "grüß Gott, Ödön 北京 🙂\n"}, name="stdio/greet")
_ONE_OF = stdio(
    "Print two positive integers whose sum is the number given.",
    {"10\n": "", "7\n": ""},
    checker="""
def check(case_input, actual, expected):
    a, b = map(int, actual.split())
    return a > 0 and b > 0 and a + b == int(case_input)
""",
    name="stdio/split",
)
_COUNTER = mbpp(
    "Write a class Counter with a method add(n) and an attribute total.",
    ["assert total_of([1, 2, 3]) == 6", "assert total_of([]) == 0", "assert isinstance(total_of([1]), int)"],
    name="mbpp/counter",
)
_RAISES = humaneval(
    'def inverse(x: float) -> float:\n    """Return 1 / x; raise ValueError for 0."""\n',
    "inverse",
    """
def check(candidate):
    assert candidate(4) == 0.25
    try:
        candidate(0)
    except ValueError:
        pass
    else:
        assert False, "no error"
""",
)
_ADDER = humaneval(
    'def adder(n):\n    """Return a function that adds n."""\n',
    "adder",
    """
def check(candidate):
    assert candidate(3)(4) == 7
    add = candidate(-1)
    assert [add(n) for n in range(3)] == [-1, 0, 1]
""",
)
_LAZY = mbpp(
    "Write a function evens(n) that gives the even numbers below n.",
    ["assert list(evens(5)) == [0, 2, 4]", "assert sum(evens(7)) == 12", "assert next(iter(evens(3))) == 0"],
    name="mbpp/evens",
)
_REVERSE = mbpp(
    "Write a function turn(xs) that reverses a list in place.",
    ["xs = [1, 2, 3]\nturn(xs)\nassert xs == [3, 2, 1]", "ys = []\nassert turn(ys) is None\nassert ys == []"],
    name="mbpp/turn",
)
_TUPLES = humaneval(
    'def ends(xs):\n    """Return the first and the last as a tuple, and None for none."""\n',
    "ends",
    """
def check(candidate):
    assert candidate([1, 2, 3]) == (1, 3), "three"
    assert candidate([]) is None
    assert candidate(["a"]) == ("a", "a")
    assert tuple(candidate([1, 2])) == (1, 2)
    assert isinstance(candidate([1, 2]), tuple)
    assert candidate([{1, 2}, frozenset({3})]) == ({1, 2}, frozenset({3}))
    assert candidate([b"x", 1 + 2j]) == (b"x", 1 + 2j)
    assert candidate([1.5, float("inf")])[1] == float("inf")
""",
)

_STDIO: tuple[Case, ...] = (
    _honest("stdin-read", ADD_STDIO, "import sys\nprint(sum(map(int, sys.stdin.read().split())))\n"),
    _honest("stdin-input", ADD_STDIO, "a, b = map(int, input().split())\nprint(a + b)"),
    _honest("stdin-open-0", ADD_STDIO, "print(sum(map(int, open(0).read().split())))"),
    _honest(
        "stdin-bytes",
        ADD_STDIO,
        "import sys\ninput = sys.stdin.buffer.readline\nprint(sum(map(int, input().split())))\n",
    ),
    _honest(
        "stdin-lines", ADD_STDIO, "import sys\nfor line in sys.stdin:\n    print(sum(int(n) for n in line.split()))"
    ),
    _honest("stdin-os-read", ADD_STDIO, "import os\nprint(sum(map(int, os.read(0, 1000).split())))"),
    _honest(
        "stdin-fileinput",
        ADD_STDIO,
        "import fileinput\nfor line in fileinput.input('-'):\n    print(eval(line.replace(' ', '+')))",
    ),
    _honest(
        "stdin-until-the-end",
        ADD_STDIO,
        "total = 0\nwhile True:\n    try:\n        total += sum(map(int, input().split()))\n    except EOFError:\n"
        "        break\nprint(total)\n",
    ),
    _honest(
        "main-guard",
        ADD_STDIO,
        """
def main():
    a, b = map(int, input().split())
    print(a + b)


if __name__ == '__main__':
    main()
""",
    ),
    _honest("exit-at-the-end", ADD_STDIO, "a, b = map(int, input().split())\nprint(a + b)\nexit()\n"),
    _honest(
        "sys-exit-at-the-end", ADD_STDIO, "import sys\na, b = map(int, input().split())\nprint(a + b)\nsys.exit(0)\n"
    ),
    _honest(
        "print-without-newline",
        ADD_STDIO,
        "a, b = map(int, input().split())\nprint(a + b, end='', sep=',', flush=True)\n",
    ),
    _honest(
        "stdout-write",
        ADD_STDIO,
        "import sys\na, b = map(int, input().split())\nsys.stdout.write(f'{a + b}  \\r\\n\\n')\n",
    ),
    _honest(
        "stdout-bytes", ADD_STDIO, "import sys\nsys.stdout.buffer.write(b'%d\\n' % sum(map(int, input().split())))\n"
    ),
    _honest("stdout-os-write", ADD_STDIO, "import os\nos.write(1, b'%d' % sum(map(int, input().split())))\n"),
    _honest(
        "standard-error-aside",
        ADD_STDIO,
        "import sys, logging, warnings\nlogging.basicConfig(level=logging.DEBUG)\nlogging.debug('here')\n"
        "warnings.warn('old')\nprint('noise', file=sys.stderr)\nprint(sum(map(int, input().split())))\n",
    ),
    _honest("printed-at-exit", ADD_STDIO, "import atexit\natexit.register(print, sum(map(int, input().split())))\n"),
    _honest("words-trailing-space", WORDS, "for word in input().split():\n    print(word, '')\n"),
    _honest("words-joined", WORDS, "print(*input().split(), sep='\\n', end='\\n\\n')\n"),
    _honest("float-with-fewer-digits", ROOT_STDIO, "print(round(float(input()) ** 0.5, 7))\n"),
    _honest("unicode-output", _UNICODE, "print(f'grüß Gott, {input()} 🙂')\n"),
    _honest("one-of-many-answers", _ONE_OF, "n = int(input())\nprint(n - 1, 1)\n"),
    _honest(
        "stdout-redirected",
        ADD_STDIO,
        "import contextlib, io\nkept = io.StringIO()\nwith contextlib.redirect_stdout(kept):\n"
        "    print(sum(map(int, input().split())))\nprint(kept.getvalue().strip())\n",
    ),
    _honest(
        "fast-input-recipe",
        ADD_STDIO,
        """
import io, os, sys
sys.setrecursionlimit(10**6)
input = io.BytesIO(os.read(0, os.fstat(0).st_size or 1 << 16)).readline
print(sum(map(int, input().split())))
""",
    ),
    _honest(
        "big-thread-recipe",
        ADD_STDIO,
        """
import sys, threading
sys.setrecursionlimit(1 << 20)
threading.stack_size(1 << 26)

def main():
    print(sum(map(int, input().split())))

thread = threading.Thread(target=main)
thread.start()
thread.join()
""",
    ),
)

_FUNCTIONS: tuple[Case, ...] = (
    _honest("continuation", ADD, "    return a + b\n"),
    _honest("continuation-with-comment", ADD, "    # The sum.\n    total = a + b\n    return total\n"),
    _honest("whole-function", ADD, "def add(a: int, b: int) -> int:\n    return a + b\n"),
    _honest("fenced", ADD, "Here it is:\n\n```python\ndef add(a, b):\n    return a + b\n```\n\nIt adds.\n"),
    _honest("fenced-without-language", ADD_MBPP, "```\ndef add(a, b):\n    return a + b\n```"),
    _honest("fenced-continuation", ADD, "```python\n    return a + b\n```\n"),
    _honest("windows-line-ends", ADD_CALLS, "def add(a, b):\r\n    return a + b\r\n"),
    _honest("with-tabs", ADD_CALLS, "def add(a, b):\n\tif a:\n\t\treturn a + b\n\treturn b\n"),
    _honest(
        "future-import",
        ADD_MBPP,
        '"""Adds."""\nfrom __future__ import annotations\n\ndef add(a: Never, b: Nowhere):\n    return a + b\n',
    ),
    _honest(
        "example-under-main-guard",
        ADD,
        "def add(a, b):\n    return a + b\n\nif __name__ == '__main__':\n    print(1 / 0)\n",
    ),
    _honest("lambda", ADD_CALLS, "add = lambda a, b: a + b\n"),
    _honest("partial", ADD_MBPP, "import functools, operator\nadd = functools.partial(operator.add)\n"),
    _honest("builtin", ADD, "from operator import add\n"),
    _honest(
        "prints-while-it-computes",
        ADD,
        "def add(a, b):\n    print('adding', a, b)\n    print({'passed': False})\n    return a + b\n",
    ),
    _honest(
        "cache",
        LOOP,
        "from functools import lru_cache\n\n@lru_cache(maxsize=None)\ndef square(n):\n    return n * n\n",
    ),
    _honest(
        "decorator",
        ALL_OF,
        """
import functools

def logged(f):
    @functools.wraps(f)
    def inner(*a, **k):
        return f(*a, **k)
    return inner

@logged
def square(n):
    return n ** 2
""",
    ),
    _honest(
        "global-state", ADD_CALLS, "count = 0\n\ndef add(a, b):\n    global count\n    count += 1\n    return a + b\n"
    ),
    _honest(
        "asserts-inside", TWICE, "def twice(text):\n    assert isinstance(text, str), 'text'\n    return text * 2\n"
    ),
    _honest(
        "dataclass-and-typing",
        ADD_MBPP,
        """
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

class Sign(Enum):
    PLUS = 1

class Pair(NamedTuple):
    a: int
    b: int

@dataclass(frozen=True, order=True)
class Box(Generic[T]):
    held: T
    rest: list[T] = field(default_factory=list)

def add(a: int, b: int) -> int:
    box: Box[Pair] = Box(Pair(a, b))
    match Sign.PLUS:
        case Sign.PLUS:
            return box.held.a + box.held.b
""",
    ),
    _honest(
        "many-imports",
        ROOT,
        """
import array, bisect, cmath, collections, copy, datetime, decimal, fractions, functools, hashlib, heapq, itertools
import json, math, operator, queue, random, re, statistics, string, struct, sys, textwrap, time, typing, uuid, zlib
import csv, io, calendar, contextlib, difflib, html, pprint, secrets, unicodedata, inspect, ast, abc, enum, numbers

def root(x):
    random.seed(0)
    _ = decimal.Decimal(x).sqrt(), fractions.Fraction(1, 3), datetime.datetime.now(), uuid.uuid4(), hashlib.md5(b"x")
    return statistics.fmean([cmath.sqrt(x).real, math.sqrt(x)])
""",
    ),
    _honest("math-of-the-setup", ROOT_MBPP, "def root(x):\n    return math.sqrt(x)\n"),
    _honest(
        "threads-joined",
        ADD,
        """
import threading
from concurrent.futures import ThreadPoolExecutor

def add(a, b):
    kept = []
    thread = threading.Thread(target=lambda: kept.append(a + b))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(4) as pool:
        return next(pool.map(sum, [kept]))
""",
    ),
    _honest(
        "asyncio",
        ADD_CALLS,
        """
import asyncio

async def later(a, b):
    await asyncio.sleep(0.001)
    parts = await asyncio.gather(asyncio.sleep(0, a), asyncio.to_thread(lambda: b))
    return sum(parts)

def add(a, b):
    return asyncio.run(later(a, b))
""",
    ),
    _honest(
        "generators",
        FACTORS,
        """
def found(n):
    d = 2
    while d * d <= n:
        while n % d == 0:
            yield d
            n //= d
        d += 1
    if n > 1:
        yield n

def factors(n):
    return [*found(n)]
""",
    ),
    _honest("recursion", _DEPTH, "def depth(n):\n    return 0 if n == 0 else 1 + depth(n - 1)\n"),
    _honest(
        "deep-recursion",
        _DEEPER,
        "import sys\nsys.setrecursionlimit(50_000)\n\ndef depth(n):\n    return 0 if n == 0 else 1 + depth(n - 1)\n",
    ),
    _honest("big-integers", _BIG, "def power(n):\n    return 2 ** n\n"),
    _honest(
        "counter-for-a-dict",
        _TABLE,
        """
def count(words):
    table = {}
    for w in words:
        table[w] = table.get(w, 0) + 1
    return table
""",
    ),
    _honest("lists-of-lists", _PAIRS, "def pairs(n):\n    return [[i, i * i] for i in range(n)]\n"),
    _honest("none", _NOTHING, "def nothing(x):\n    return x or None\n"),
    _honest("sorts-in-place", SORT, "def ordered(numbers):\n    numbers.sort()\n    return numbers\n"),
    _honest("sorts-a-copy", SORT, "def ordered(numbers):\n    return sorted(numbers)\n"),
    _honest("any-iterable-for-a-set", MEMBERS, "def similar(a, b):\n    return tuple(set(a) & set(b))\n"),
    _honest("function-returned", _ADDER, "def adder(n):\n    return lambda m: n + m\n"),
    _honest("generator-returned", _LAZY, "def evens(n):\n    yield from range(0, n, 2)\n"),
    _honest("map-returned", _LAZY, "def evens(n):\n    return map(lambda k: 2 * k, range((n + 1) // 2))\n"),
    _honest("range-returned", _LAZY, "def evens(n):\n    return range(0, n, 2)\n"),
    _honest("reverses-in-place", _REVERSE, "def turn(xs):\n    xs.reverse()\n"),
    _honest(
        "counter-returned",
        _TABLE,
        """
from collections import Counter

def count(words):
    return Counter(words)
""",
    ),
    _honest(
        "mapping-by-default",
        _TABLE,
        """
from collections import defaultdict

def count(words):
    table = defaultdict(int)
    for w in words:
        table[w] += 1
    return table
""",
    ),
    _honest(
        "named-tuples-returned",
        _PAIRS,
        """
from typing import NamedTuple

class Pair(NamedTuple):
    a: int
    b: int

def pairs(n):
    return [Pair(i, i * i) for i in range(n)]
""",
    ),
    _honest(
        "temporary-file",
        TWICE,
        "import tempfile\n\ndef twice(text):\n    with open('note.txt', 'w') as file:\n        file.write(text)\n"
        "    with tempfile.NamedTemporaryFile('w+') as kept:\n        kept.write(open('note.txt').read() * 2)\n"
        "        kept.seek(0)\n        return kept.read()\n",
    ),
    _honest(
        "class-behind-a-function",
        _COUNTER,
        """
class Counter:
    def __init__(self):
        self.total = 0
    def add(self, n):
        self.total += n

def total_of(numbers):
    counter = Counter()
    for n in numbers:
        counter.add(n)
    return counter.total
""",
    ),
    _honest(
        "raises-as-asked",
        _RAISES,
        "def inverse(x):\n    if x == 0:\n        raise ValueError('no inverse')\n    return 1 / x\n",
    ),
    _honest("tuples-sets-and-bytes", _TUPLES, "def ends(xs):\n    return (xs[0], xs[-1]) if xs else None\n"),
    _honest(
        "helper-of-the-prompt-used",
        POLY,
        """    low, high = -1.0, 1.0
    while poly(xs, low) * poly(xs, high) > 0:
        low, high = low * 2, high * 2
    while high - low > 1e-10:
        middle = (low + high) / 2
        if poly(xs, low) * poly(xs, middle) <= 0:
            high = middle
        else:
            low = middle
    return low
""",
    ),
    _honest(
        "helper-of-the-prompt-repeated",
        CYCLE,
        """
def encode(s: str):
    return "".join([chr(((ord(ch) + 5 - ord("a")) % 26) + ord("a")) for ch in s])


def decode(s: str):
    return "".join([chr(((ord(ch) - 5 - ord("a")) % 26) + ord("a")) for ch in s])
""",
    ),
    _honest(
        "thread-left-behind",
        ADD_MBPP,
        """
import threading, time
threading.Thread(target=time.sleep, args=(20,), daemon=True).start()

def add(a, b):
    return a + b
""",
    ),
    _honest(
        "half-a-second-of-work", ADD, "def add(a, b):\n    for _ in range(2_000_000):\n        pass\n    return a + b\n"
    ),
    _honest("some-memory", ADD_CALLS, "kept = [0] * 10_000_000\n\ndef add(a, b):\n    return a + b\n"),
)

CASES: tuple[Case, ...] = (*_STDIO, *_FUNCTIONS)
