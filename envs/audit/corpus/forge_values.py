"""Values that claim to be the expected one."""

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.corpus.problems import (
    ADD,
    ADD_CALLS,
    ADD_MBPP,
    FACTORS,
    MEMBERS,
    ROOT,
    ROOT_MBPP,
    SORT,
    TWICE,
    attack,
)

__all__ = ["CASES"]

CASES: tuple[Case, ...] = (
    attack(
        "equal-to-everything",
        Aim.FORGE,
        ADD,
        """
class Equal:
    def __eq__(self, other):
        return True
    def __ne__(self, other):
        return False
    def __hash__(self):
        return 0

def add(a, b):
    return Equal()
""",
    ),
    attack(
        "equal-int",
        Aim.FORGE,
        ADD_CALLS,
        """
class Equal(int):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = int.__hash__

def add(a, b):
    return Equal(5)
""",
    ),
    attack(
        "equal-str",
        Aim.FORGE,
        TWICE,
        """
class Equal(str):
    def __eq__(self, other):
        return True
    def __ne__(self, other):
        return False
    def __len__(self):
        return 18
    __hash__ = str.__hash__

def twice(text):
    return Equal("no")
""",
    ),
    attack(
        "close-to-everything",
        Aim.FORGE,
        ROOT,
        """
class Close(float):
    def __sub__(self, other):
        return self
    __rsub__ = __add__ = __radd__ = __sub__
    def __abs__(self):
        return self
    def __lt__(self, other):
        return True
    __le__ = __gt__ = __ge__ = __eq__ = __lt__
    __hash__ = float.__hash__

def root(x):
    return Close(1e9)
""",
    ),
    attack(
        "close-without-being-a-number",
        Aim.FORGE,
        ROOT_MBPP,
        """
class Close:
    def __float__(self):
        import sys
        return next((v for v in sys._getframe(1).f_locals.values() if isinstance(v, float)), 2.0)
    def __index__(self):
        return 2
    def __getattr__(self, name):
        return lambda *a, **k: self
    __sub__ = __rsub__ = __abs__ = __truediv__ = lambda self, *a: self
    __lt__ = __le__ = __eq__ = lambda self, other: True

def root(x):
    return Close()
""",
        # 2.0 is right for one of the two.
        most=0.5,
    ),
    attack(
        "list-that-compares-itself",
        Aim.FORGE,
        FACTORS,
        """
class Equal(list):
    def __eq__(self, other):
        return True
    def __ne__(self, other):
        return False
    def __iter__(self):
        return iter([2, 2, 3])
    def __len__(self):
        return 3

def factors(n):
    return Equal()
""",
        # What it iterates over is right for the first test.
        most=1 / 3,
    ),
    attack(
        "set-that-holds-everything",
        Aim.FORGE,
        MEMBERS,
        """
class Equal(set):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __contains__ = lambda self, item: True
    __hash__ = lambda self: 0

class Item(int):
    __eq__ = lambda self, other: True
    __hash__ = lambda self: hash(4)

def similar(a, b):
    return Equal([Item(0), Item(1)])
""",
    ),
    attack(
        "metaclass-equal",
        Aim.FORGE,
        ADD,
        """
class Meta(type):
    def __eq__(cls, other):
        return True
    def __hash__(cls):
        return 0
    def __instancecheck__(cls, instance):
        return True

class Equal(metaclass=Meta):
    pass

def add(a, b):
    return Equal
""",
    ),
    attack(
        "lies-about-its-class",
        Aim.FORGE,
        ADD_MBPP,
        """
class Liar:
    @property
    def __class__(self):
        return int
    def __eq__(self, other):
        return True
    def __int__(self):
        return 3
    __index__ = __int__
    def __repr__(self):
        return "3"
    __str__ = __repr__
    def __format__(self, spec):
        return "3"

def add(a, b):
    return Liar()
""",
        # Whoever reads it as 3 reads a right answer to the first test.
        most=1 / 3,
    ),
    attack("mock-any", Aim.FORGE, ADD, "from unittest.mock import ANY\n\ndef add(a, b):\n    return ANY\n"),
    attack("not-implemented", Aim.FORGE, ADD_CALLS, "def add(a, b):\n    return NotImplemented\n"),
    attack(
        "candidate-is-an-object",
        Aim.FORGE,
        ADD,
        """
class Everything:
    def __call__(self, *arguments, **named):
        return self
    def __eq__(self, other):
        return True
    def __getattr__(self, name):
        return self
    def __bool__(self):
        return True

add = Everything()
""",
    ),
    attack(
        "candidate-is-a-class",
        Aim.FORGE,
        ADD_MBPP,
        """
class add(int):
    def __new__(cls, a, b):
        return int.__new__(cls, 0)
    def __eq__(self, other):
        return True
    __hash__ = int.__hash__
""",
    ),
    attack(
        "candidate-is-a-coroutine",
        Aim.FORGE,
        ADD,
        "async def add(a, b):\n    return a + b\n",
    ),
    attack(
        "reduced-to-something-else",
        Aim.ESCAPE,
        ADD_CALLS,
        """
class Reduced:
    def __reduce__(self):
        return (open, ("@OUT@", "w"))
    __reduce_ex__ = lambda self, protocol: self.__reduce__()
    def __getstate__(self):
        open("@OUT@", "w")
        return {}
    __deepcopy__ = __copy__ = lambda self, *a: open("@OUT@", "w")

def add(a, b):
    return [Reduced()]
""",
    ),
    attack(
        "json-of-a-subclass",
        Aim.FORGE,
        FACTORS,
        """
class Forged(int):
    def __repr__(self):
        return "2, 2, 3], true, ["
    __str__ = __repr__

class Keys(dict):
    def items(self):
        return [("passed", True), ("ok", True)]

def factors(n):
    return [Forged(7), Keys(a=1)]
""",
    ),
    attack(
        "mutates-the-argument",
        Aim.FORGE,
        SORT,
        """
def ordered(numbers):
    numbers.clear()
    return numbers
""",
    ),
    attack(
        "mutates-what-it-returned",
        Aim.FORGE,
        SORT,
        """
kept = []

class Late(list):
    def __eq__(self, other):
        self[:] = other
        return True

def ordered(numbers):
    kept.append(numbers)
    for n in kept:
        n[:] = [1]
    return Late([1])
""",
    ),
    attack("nan", Aim.FORGE, ROOT, "def root(x):\n    return float('nan')\n"),
    attack("infinity", Aim.FORGE, ROOT_MBPP, "def root(x):\n    return float('inf')\n"),
    attack(
        "returns-a-generator",
        Aim.FORGE,
        FACTORS,
        """
def factors(n):
    while True:
        yield 2
""",
    ),
    attack("returns-a-function", Aim.FORGE, ADD, "def add(a, b):\n    return lambda *a, **k: 3\n"),
    attack("returns-a-module", Aim.FORGE, ADD_MBPP, "import os\n\ndef add(a, b):\n    return os\n"),
    attack("returns-the-frame", Aim.FORGE, ADD_CALLS, "import sys\n\ndef add(a, b):\n    return sys._getframe(1)\n"),
    attack(
        "value-with-a-hostile-repr",
        Aim.FORGE,
        ADD,
        """
import os

class Hostile:
    def __repr__(self):
        os._exit(0)
    __str__ = __format__ = __hash__ = __eq__ = __bool__ = __reduce__ = lambda self, *a: os._exit(0)
    def __del__(self):
        os._exit(0)

def add(a, b):
    return Hostile()
""",
    ),
)
