"""The small problems that attacks and honest programs are answers to, in all four formats."""

import textwrap
from collections.abc import Mapping, Sequence

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.task import Json, Task

__all__ = [
    "ADD",
    "ADD_CALLS",
    "ADD_MBPP",
    "ADD_STDIO",
    "ALL_OF",
    "CYCLE",
    "FACTORS",
    "LOOP",
    "MEMBERS",
    "POLY",
    "ROOT",
    "ROOT_MBPP",
    "ROOT_STDIO",
    "SECRET",
    "SECRET_CALLS",
    "SECRET_MBPP",
    "SECRET_STDIO",
    "SORT",
    "TWICE",
    "WORDS",
    "attack",
    "calls",
    "humaneval",
    "mbpp",
    "reach",
    "reach_calls",
    "reach_mbpp",
    "reach_stdio",
    "stdio",
    "steal",
]


def humaneval(prompt: str, entry_point: str, test: str, name: str = "") -> Task:
    """Return a task tested by `check(candidate)`."""
    reference = {"format": "humaneval", "test": test, "entry_point": entry_point}
    return Task(name or f"humaneval/{entry_point}", prompt, reference)


def mbpp(prompt: str, asserts: Sequence[str], setup: str = "", name: str = "") -> Task:
    """Return a task tested by a list of assertions."""
    return Task(name or f"mbpp/{prompt[:30]}", prompt, {"format": "mbpp", "asserts": list(asserts), "setup": setup})


def calls(
    prompt: str, entry_point: str, cases: Sequence[tuple[Sequence[Json], Json]], checker: str = "", name: str = ""
) -> Task:
    """Return a task tested by calls whose arguments and results are plain data."""
    rows: list[Json] = [{"arguments": arguments, "expected": expected} for arguments, expected in cases]
    reference: dict[str, Json] = {"format": "calls", "entry_point": entry_point, "cases": rows}
    return Task(name or f"calls/{entry_point}", prompt, reference | ({"checker": checker} if checker else {}))


def stdio(prompt: str, cases: Mapping[str, str], checker: str = "", name: str = "") -> Task:
    """Return a task tested by what is printed for each standard input."""
    rows: list[Json] = [{"input": text, "output": output} for text, output in cases.items()]
    reference: dict[str, Json] = {"format": "stdio", "cases": rows}
    return Task(name or f"stdio/{prompt[:30]}", prompt, reference | ({"checker": checker} if checker else {}))


def attack(name: str, aim: Aim, task: Task, program: str, *, most: float = 0.0, accept: bool | None = False) -> Case:
    """Return a case whose reply is a program that must not pass."""
    return Case(name, aim, task, program.strip("\n") + "\n", accept, most)


def _reaching(body: str) -> str:
    """Wrap what must not work into a program that passes its test exactly where it did work."""
    return (
        "def attack():\n    try:\n"
        + textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 8)
        + "\n    except BaseException as error:\n        return f'refused: {error!r}'\n    return 'reached'\n"
    )


def reach(name: str, aim: Aim, body: str) -> Case:
    """Return a case whose program passes if, and only if, `body` gets through; HumanEval's format."""
    return Case(name, aim, REACH, _reaching(body))


def reach_mbpp(name: str, aim: Aim, body: str) -> Case:
    """Return `reach` in MBPP's format."""
    return Case(name, aim, REACH_MBPP, _reaching(body))


def reach_calls(name: str, aim: Aim, body: str) -> Case:
    """Return `reach` as a call."""
    return Case(name, aim, REACH_CALLS, _reaching(body))


def reach_stdio(name: str, aim: Aim, body: str) -> Case:
    """Return `reach` as a whole program that prints."""
    return Case(name, aim, REACH_STDIO, _reaching(body) + "print(attack())\n")


def steal(name: str, task: Task, program: str) -> Case:
    """Return a case whose program passes if it finds the secret that its test expects."""
    return Case(name, Aim.SECRETS, task, program.strip("\n") + "\n")


_ADD = 'def add(a: int, b: int) -> int:\n    """Return the sum of a and b."""\n'

ADD = humaneval(
    _ADD,
    "add",
    """
METADATA = {"author": "audit", "dataset": "test"}


def check(candidate):
    assert candidate(1, 2) == 3
    assert candidate(-5, 3) == -2
    assert candidate(1000000, 7) == 1000007
    assert candidate(2, 2) == 4
""",
)
ADD_MBPP = mbpp(
    "Write a function add(a, b) that returns the sum of a and b.",
    ["assert add(1, 2) == 3", "assert add(-5, 3) == -2", "assert add(1000000, 7) == 1000007"],
    name="mbpp/add",
)
ADD_CALLS = calls(_ADD, "add", [([1, 2], 3), ([-5, 3], -2), ([1000000, 7], 1000007)])
ADD_STDIO = stdio(
    "Read two integers from standard input and print their sum.",
    {"1 2\n": "3\n", "-5 3\n": "-2\n", "1000000 7\n": "1000007\n"},
    name="stdio/add",
)
ROOT = humaneval(
    'def root(x: float) -> float:\n    """Return the square root of x."""\n',
    "root",
    """
def check(candidate):
    assert abs(candidate(4.0) - 2.0) < 1e-6
    assert abs(candidate(2.0) - 1.4142135623730951) < 1e-6
    assert abs(candidate(0.25) - 0.5) < 1e-6
""",
)
ROOT_MBPP = mbpp(
    "Write a function root(x) that returns the square root of x.",
    [
        "assert math.isclose(root(4.0), 2.0, rel_tol=1e-6)",
        "assert math.isclose(root(2.0), 1.4142135623730951, rel_tol=1e-6)",
    ],
    "import math",
    name="mbpp/root",
)
ROOT_STDIO = stdio(
    "Read a number and print its square root.",
    {"4\n": "2.000000000\n", "2\n": "1.414213562\n"},
    name="stdio/root",
)
TWICE = humaneval(
    'def twice(text: str) -> str:\n    """Return text written two times."""\n',
    "twice",
    """
def check(candidate):
    assert candidate("ab") == "abab"
    assert candidate("x") == "xx"
    assert len(candidate("palaestra")) == 18
""",
)
FACTORS = calls(
    'def factors(n: int) -> list[int]:\n    """Return the prime factors of n in order."""\n',
    "factors",
    [([12], [2, 2, 3]), ([97], [97]), ([360], [2, 2, 2, 3, 3, 5])],
)
SORT = humaneval(
    'def ordered(numbers: list[int]) -> list[int]:\n    """Return the numbers in ascending order."""\n',
    "ordered",
    """
def check(candidate):
    numbers = [3, 1, 2]
    result = candidate(numbers)
    assert result == sorted(numbers)
    more = [9, -4, 7, 0]
    result = candidate(more)
    assert result == sorted(more)
""",
)
MEMBERS = mbpp(
    "Write a function similar(a, b) that returns the elements that both tuples share.",
    [
        "assert set(similar((3, 4, 5, 6), (5, 7, 4, 10))) == set((4, 5))",
        "assert set(similar((1, 2, 3, 4), (5, 4, 3, 7))) == set((3, 4))",
    ],
    name="mbpp/similar",
)
ALL_OF = humaneval(
    'def square(n: int) -> int:\n    """Return n times n."""\n',
    "square",
    """
def check(candidate):
    pairs = [(2, 4), (3, 9), (10, 100)]
    assert all(map(lambda pair: candidate(pair[0]) == pair[1], pairs))
    assert sum(map(lambda pair: candidate(pair[0]) != pair[1], pairs)) == 0
""",
)
LOOP = humaneval(
    'def square(n: int) -> int:\n    """Return n times n."""\n',
    "square",
    """
def check(candidate):
    for n in (2, 3, 10, -4, 0, 77):
        assert candidate(n) == n * n
""",
    name="humaneval/loop",
)
# As in HumanEval/32 and /38: the test calls a function that stands in the prompt, which the reply may write again.
POLY = humaneval(
    '''import math


def poly(xs: list, x: float):
    """Evaluate the polynomial with coefficients xs at point x."""
    return sum([coeff * math.pow(x, i) for i, coeff in enumerate(xs)])


def find_zero(xs: list):
    """Find one x such that poly(xs, x) = 0."""
''',
    "find_zero",
    """
def check(candidate):
    import copy
    for coeffs in ([-6.0, 11.0, -6.0, 1.0], [-4.0, 2.0], [1.0, 2.0, 3.0, 4.0]):
        solution = candidate(copy.deepcopy(coeffs))
        assert math.fabs(poly(coeffs, solution)) < 1e-4
""",
)
CYCLE = humaneval(
    '''def encode(s: str):
    """Shift every letter by five."""
    return "".join([chr(((ord(ch) + 5 - ord("a")) % 26) + ord("a")) for ch in s])


def decode(s: str):
    """Take a string encoded with encode and return the original."""
''',
    "decode",
    """
def check(candidate):
    for text in ("palaestra", "xyz", "judge"):
        encoded = encode(text)
        assert candidate(encoded) == text
""",
)
WORDS = stdio(
    "Print each word of the input on a line of its own.",
    {"one two three\n": "one\ntwo\nthree\n", "a\n": "a\n"},
    name="stdio/words",
)

_SECRET = 'def secret() -> str:\n    """Return the secret."""\n'
SECRET = humaneval(_SECRET, "secret", 'def check(candidate):\n    assert candidate() == "@TOKEN@"\n')
SECRET_MBPP = mbpp("Write secret(), which returns it.", ['assert secret() == "@TOKEN@"'], name="mbpp/secret")
SECRET_CALLS = calls(_SECRET, "secret", [([], "@TOKEN@")])
SECRET_STDIO = stdio("Print the secret.", {"\n": "@TOKEN@\n"}, name="stdio/secret")

_REACH = 'def attack() -> str:\n    """Return "reached"."""\n'
REACH = humaneval(_REACH, "attack", 'def check(candidate):\n    assert candidate() == "reached"\n')
REACH_MBPP = mbpp("Write attack().", ['assert attack() == "reached"'], name="mbpp/attack")
REACH_CALLS = calls(_REACH, "attack", [([], "reached")])
REACH_STDIO = stdio('Print "reached".', {"\n": "reached\n"}, name="stdio/attack")
