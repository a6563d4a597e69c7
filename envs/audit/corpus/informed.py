"""Attacks by those who know how such judges are built: on the channel, on whoever compares, on the tester.

Many aim at a verdict that does not count (`broken_task`, `infrastructure`) where the program itself failed.
"""

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.corpus.problems import (
    ADD,
    ADD_CALLS,
    ADD_STDIO,
    CYCLE,
    MEMBERS,
    ROOT,
    ROOT_MBPP,
    ROOT_STDIO,
    SORT,
    TWICE,
    attack,
    calls,
    stdio,
)

__all__ = ["CASES"]

_ROOT_CALLS = calls(
    'def root(x: float) -> float:\n    """Return the square root of x."""\n',
    "root",
    [([4.0], 2.0), ([2.0], 1.4142135623730951)],
)
_COUNTED = stdio(
    "Print how many numbers to add, then so many that their sum is the number given.",
    {"10\n": "", "7\n": ""},
    checker="""
def check(case_input, actual, expected):
    tokens = actual.split()
    total = 0
    for place in range(int(tokens[0])):
        total += int(tokens[1 + place % (len(tokens) - 1)])
    return total == int(case_input)
""",
    name="stdio/counted",
)
_LITERAL = stdio(
    "Print the numbers from 0 to 2 as a Python list.",
    {"\n": "[0, 1, 2]\n"},
    checker="""
import ast

def check(case_input, actual, expected):
    return ast.literal_eval(actual) == ast.literal_eval(expected)
""",
    name="stdio/literal",
)
_CARELESS = calls(
    'def root(x: float) -> float:\n    """Return a square root of x."""\n',
    "root",
    [([4.0], 2.0), ([2.0], 1.4142135623730951)],
    checker="""
def check(case_input, actual, expected):
    return actual and abs(actual * actual - case_input[0]) < 1e-6
""",
    name="calls/careless",
)
_SCORED = calls(
    'def root(x: float) -> float:\n    """Return the square root of x as nearly as you can."""\n',
    "root",
    [([4.0], 2.0), ([2.0], 1.4142135623730951)],
    checker="""
def check(case_input, actual, expected):
    return 1 / (1 + 1e9 * abs(actual - expected))
""",
    name="calls/scored",
)
_LAST = stdio(
    "Print any number of lines; the last one must be 7.",
    {"\n": "7\n"},
    checker="""
def check(case_input, actual, expected):
    for line in actual.splitlines():
        last = line
    return last == expected.strip()
""",
    name="stdio/last",
)


def _value(name: str, expression: str, aim: Aim = Aim.EXHAUST) -> Case:
    """Return a value that hurts whoever compares it with a float."""
    program = f"import datetime, decimal, fractions, math\n\ndef root(x):\n    return {expression}\n"
    return attack(name, aim, _ROOT_CALLS, program)


_VALUES: tuple[Case, ...] = (
    _value("integer-beyond-floats", "10 ** 400"),
    _value("fraction-beyond-floats", "fractions.Fraction(10 ** 400, 3)"),
    _value("decimal-beyond-floats", "decimal.Decimal('1e999999')"),
    _value("decimal-of-a-billion-digits", "decimal.Decimal('1e999999999')"),
    _value("decimal-that-signals", "decimal.Decimal('sNaN')"),
    _value("decimals-that-signal-in-a-list", "[decimal.Decimal('sNaN'), {decimal.Decimal('NaN')}]"),
    _value("complex-nan", "complex('nan+infj')"),
    _value("time-span", "datetime.timedelta.max"),
    _value("endless-range", "range(10 ** 18)"),
    _value("range-of-huge-integers", "range(10 ** 5000)"),
    _value("ranges-of-huge-integers-in-a-list", "[{1: range(10 ** 5000, -(10 ** 6000), -7)}]"),
    _value("bytes-for-a-number", "b'2.0'"),
    _value("text-for-a-number", "str(x ** 0.5)", Aim.FORGE),
    attack(
        "fraction-that-takes-long-to-reduce",
        Aim.EXHAUST,
        _ROOT_CALLS,
        """
import fractions, random

def root(x):
    value = fractions.Fraction(1, 3)
    # Set behind its back, so that only who reads it looks for a common divisor: quadratic work.
    value._numerator, value._denominator = (random.getrandbits(7_000_000) | 1 for _ in range(2))
    return value
""",
    ),
    attack(
        "keys-that-collide",
        Aim.EXHAUST,
        ADD_CALLS,
        "def add(a, b):\n    return {(2 ** 61 - 1) * n: n for n in range(30_000)}\n",
    ),
    attack(
        "value-that-keeps-the-test-busy",
        Aim.EXHAUST,
        MEMBERS,
        "def similar(a, b):\n    return range(10 ** 15)\n",
    ),
    attack(
        "iterator-that-keeps-the-test-busy",
        Aim.EXHAUST,
        MEMBERS,
        "import itertools\n\ndef similar(a, b):\n    return itertools.repeat(4)\n",
    ),
    attack("number-of-many-digits-printed", Aim.EXHAUST, ROOT_STDIO, "print('9' * 100_000)\n"),
    attack("number-of-a-huge-exponent-printed", Aim.EXHAUST, ROOT_STDIO, "print('1e999999999999')\n"),
    attack("number-of-a-tiny-exponent-printed", Aim.EXHAUST, ADD_STDIO, "print('3e-999999999')\n"),
    attack("fraction-printed", Aim.EXHAUST, ROOT_STDIO, "print('1/0', '0x1p+9999', '1_0', '１')\n"),
)

_CHANNEL: tuple[Case, ...] = (
    attack(
        "results-of-empty-lines",
        Aim.EXHAUST,
        ADD_CALLS,
        """
import os
for descriptor in range(3, 16):
    try:
        os.set_blocking(descriptor, False)
        os.write(descriptor, b"\\n" * 3_900_000)
    except OSError:
        pass
os._exit(0)
""",
    ),
    attack(
        "results-of-brackets",
        Aim.EXHAUST,
        ADD_CALLS,
        """
import os
for descriptor in range(3, 16):
    for text in (b'{"i":0,"v":' + b"[" * 500_000, b'{"i":0,"v":' + b'{"t":[' * 900 + b"]}" * 900 + b"}"):
        try:
            os.set_blocking(descriptor, False)
            os.write(descriptor, text + b"\\n")
        except OSError:
            pass
os._exit(0)
""",
    ),
    attack(
        "results-of-no-sense",
        Aim.FORGE,
        ADD_CALLS,
        """
import os
records = (b'{"i":0,"v":{"i":"zz"},"s":"x"}', b'{"i":0,"v":{"q":["1","0"]}}', b'{"i":0,"v":{"x":[1,[]]},"s":-1}', b'[]',
           b'{"i":0,"v":{"datetime":5}}', b'{"i":0,"v":{"r":[0,1,0]}}', b'{"i":0,"v":{"D":"x"}}', b'{"i":0,"v":{}}',
           b'{"i":0,"e":{"a":[1]},"s":1e999}', b'{"i":null}', b'null', b'{"end":["finished"],"error":7}', b'\\xff',
           b'{"i":0,"v":{"timedelta":[1e9,0,0]}}', b'{"i":0,"v":{"f":[[1]]}}', b'{"i":0,"v":{"c":["x","y"]}}')

def add(a, b):
    for record in records:
        for descriptor in range(3, 16):
            try:
                os.set_blocking(descriptor, False)
                os.write(descriptor, record + b"\\n")
            except OSError:
                pass
    os._exit(0)
""",
    ),
    attack(
        "answers-of-no-sense",
        Aim.FORGE,
        SORT,
        """
import os

def ordered(numbers):
    for record in (b'{"v":{"x":["list",0]},"w":[[0,[]],[1,[]],[-1,5]]}', b'[]', b'{"e":["ExceptionGroup",""]}'):
        for descriptor in range(3, 16):
            try:
                os.set_blocking(descriptor, False)
                os.write(descriptor, record + b"\\n")
            except OSError:
                pass
    return []
""",
    ),
    attack(
        "descriptors-full",
        Aim.EXHAUST,
        ADD,
        """
import os

def add(a, b):
    for descriptor in range(3, 16):
        try:
            os.set_blocking(descriptor, False)
            for _ in range(100):
                os.write(descriptor, b"x" * 1_000_000)
        except OSError:
            pass
    return 0
""",
    ),
    attack(
        "error-that-cannot-be-written-down",
        Aim.FORGE,
        ADD,
        "def add(a, b):\n    raise ValueError('\\ud800 \\x1b[2J \\x00 \\r\\n \\u202e' * 20)\n",
    ),
    attack(
        "error-that-cannot-be-written-down-in-a-call",
        Aim.FORGE,
        ADD_CALLS,
        "def add(a, b):\n    raise KeyError('\\udfff', b'\\xff')\n",
    ),
    attack(
        "error-that-cannot-be-written-down-on-load",
        Aim.FORGE,
        ADD_STDIO,
        "raise SystemExit('\\ud800')\n",
    ),
    attack(
        "type-that-cannot-be-written-down",
        Aim.FORGE,
        ADD_CALLS,
        """
import os

def add(a, b):
    for descriptor in range(3, 16):
        try:
            os.write(descriptor, b'{"i":0,"v":{"x":["\\\\ud800\\\\n\\\\u001b[2J",-1]},"s":0}\\n')
        except OSError:
            pass
    os._exit(0)
""",
    ),
)

_TESTER: tuple[Case, ...] = (
    attack(
        "kill-the-tester-by-an-owned-pipe",
        Aim.KILL,
        SORT,
        """
import fcntl, os, time

def ordered(numbers):
    for process in {os.getpid() + n for n in range(-5, 6)} - {os.getpid(), 0, 1}:
        try:
            read, write = os.pipe()
            fcntl.fcntl(read, fcntl.F_SETOWN, process)
            fcntl.fcntl(read, 10, 9)  # F_SETSIG, SIGKILL
            fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
            os.write(write, b"x")
        except OSError:
            pass
    time.sleep(0.1)
    return []
""",
    ),
    attack("syntax-error-of-its-own", Aim.FORGE, SORT, "def ordered(numbers):\n    raise SyntaxError('of the test')\n"),
    attack("indentation-error-of-its-own", Aim.FORGE, SORT, "def ordered(numbers):\n    raise IndentationError\n"),
    attack("name-error-of-its-own", Aim.FORGE, SORT, "def ordered(numbers):\n    raise NameError('check')\n"),
    attack("group-of-errors", Aim.FORGE, SORT, "def ordered(numbers):\n    raise ExceptionGroup('', [ValueError()])\n"),
    attack("candidate-is-a-number", Aim.FORGE, SORT, "ordered = 5\n"),
    attack("candidate-is-nothing", Aim.FORGE, SORT, "def ordered(numbers):\n    pass\n\nordered = None\n"),
    attack("candidate-takes-nothing", Aim.FORGE, SORT, "def ordered():\n    return []\n"),
    attack("candidate-has-a-syntax-error", Aim.FORGE, SORT, "def ordered(numbers):\n    return [\n"),
    attack("candidate-deleted", Aim.FORGE, SORT, "def ordered(numbers):\n    return []\n\ndel ordered\n"),
    attack("helper-of-the-prompt-deleted", Aim.FORGE, CYCLE, "    return s\n\n\ndel encode\n"),
    attack("helper-of-the-prompt-missing", Aim.FORGE, CYCLE, "def decode(s):\n    return s\n"),
    attack("helper-of-the-prompt-made-a-number", Aim.FORGE, CYCLE, "    return s\n\n\nencode = 5\n"),
    attack(
        "helper-of-the-prompt-raises", Aim.FORGE, CYCLE, "    return s\n\n\ndef encode(s):\n    raise SyntaxError\n"
    ),
    attack("module-of-the-test-made-a-number", Aim.FORGE, ROOT_MBPP, "math = 5\n\ndef root(x):\n    return 0.0\n"),
    attack("work-for-the-checker-without-end", Aim.EXHAUST, _COUNTED, "print(10 ** 15, 1)\n"),
    attack("error-in-the-checker", Aim.FORGE, _COUNTED, "print(5)\n"),
    attack("negative-count-to-the-checker", Aim.FORGE, _COUNTED, "print(-1, 'x')\n"),
    attack("half-a-list-to-a-checker", Aim.FORGE, _LITERAL, "print('[0, 1')\n"),
    attack("indented-list-to-a-checker", Aim.FORGE, _LITERAL, "print('[0,\\n1]\\n    2')\n"),
    attack("name-to-a-checker", Aim.FORGE, _LITERAL, "print('expected')\n"),
    attack("no-line-to-a-checker", Aim.FORGE, _LAST, "pass\n"),
    attack("nothing-to-a-careless-checker", Aim.FORGE, _CARELESS, "def root(x):\n    return None\n"),
    attack("empty-text-to-a-careless-checker", Aim.FORGE, _CARELESS, "def root(x):\n    return ''\n"),
    attack("nan-to-a-checker-that-scores", Aim.FORGE, _SCORED, "def root(x):\n    return float('nan')\n"),
    attack("complex-to-a-checker-that-scores", Aim.FORGE, _SCORED, "def root(x):\n    return complex('nanj')\n"),
    attack(
        "object-that-answers-what-it-is-asked",
        Aim.FORGE,
        TWICE,
        """
class Obliging:
    def __len__(self):
        return 18
    def __iter__(self):
        return iter("abab")
    def __getitem__(self, key):
        return "abab"[key]
    def __getattr__(self, name):
        return lambda *a, **k: self

def twice(text):
    return Obliging()
""",
        # The length is all that the third assertion asks for.
        most=1 / 3,
    ),
    attack(
        "number-that-is-never-wrong",
        Aim.FORGE,
        ROOT,
        """
class Never:
    __sub__ = __rsub__ = __abs__ = __lt__ = __float__ = __index__ = __neg__ = lambda self, *a: 0
    __bool__ = lambda self: True

def root(x):
    return Never()
""",
    ),
)

CASES: tuple[Case, ...] = (*_VALUES, *_CHANNEL, *_TESTER)
