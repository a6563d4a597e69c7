"""Values as comments, and programs that do not want to be traced."""

import ast
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.code.problems import shipped_problems
from palaestra.envs.code.tracing import CHARACTERS, STEPS, WIDTH, annotated, with_notes
from palaestra.envs.sandbox import Sandbox, shared_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return shared_sandbox()


def same_program(first: str, second: str) -> bool:
    return ast.dump(ast.parse(first)) == ast.dump(ast.parse(second))


def test_the_comments_are_those_of_a_run_by_hand(sandbox: Sandbox) -> None:
    program = """\
def total(numbers, limit):
    s = 0
    for n in numbers:
        if n > limit:
            s += n
    return s
"""
    assert (
        annotated(program, "total", [[1, 5, 2, 9], 3], sandbox)
        == """\
def total(numbers, limit):  # (0) numbers=[1, 5, 2, 9], limit=3
    s = 0  # (1) s=0
    for n in numbers:  # (2) n=1; (4) n=5; …; (12)
        if n > limit:  # (3); (5); …; (10)
            s += n  # (6) s=5; (11) s=14
    return s  # (13) return 14
"""
    )


def test_errors_calls_generators_and_methods(sandbox: Sandbox) -> None:
    program = """\
def outer(n):
    try:
        x = 1 // n
    except ZeroDivisionError:
        x = list(evens(3))
    return x


def evens(top):
    for i in range(top):
        yield 2 * i


class Counter:
    def up(self, by):
        now = by + 1
        return now
"""
    lines = annotated(program, "outer", [0], sandbox).split("\n")
    assert lines[2].endswith("x = 1 // n  # (2) ZeroDivisionError")
    assert lines[4].endswith("x=[0, 2, 4]")
    assert lines[5].endswith("return [0, 2, 4]")
    assert "top=3" in lines[8]
    assert lines[10].endswith("# (6) return 0; (8) return 2; (10) return 4")
    lines = annotated(program, "Counter.up", [4], sandbox).split("\n")
    assert lines[14].endswith("# (0) self=<Counter>, by=4")
    assert lines[15].endswith("# (1) now=5")


def test_a_whole_program_reads_its_input(sandbox: Sandbox) -> None:
    program = "n = int(input())\nfor i in range(n):\n    print(i)\n"
    assert annotated(program, "", ["2\n"], sandbox).startswith("n = int(input())  # (0) n=2\n")


def test_comments_stand_where_they_change_nothing(sandbox: Sandbox) -> None:
    program = (
        'def f():\n    x = """a\nb"""\n    y = 1 + \\\n        2\n    z = [\n        3,\n    ]  # kept\n    return z\n'
    )
    traced = annotated(program, "f", [], sandbox)
    assert same_program(program, traced)
    assert r'b"""  # (1) x=' in traced
    assert "        2  # (" in traced
    assert "# kept\n" in traced


def test_every_shipped_solution_stays_the_same_program(sandbox: Sandbox) -> None:
    for task in shipped_problems():
        reference, program = task.reference, task.metadata["solution"]
        assert isinstance(program, str)
        if isinstance(reference, dict) and reference["format"] == "calls":
            entry_point, case = reference["entry_point"], reference["cases"][0]  # type: ignore[index]
            traced = annotated(program, str(entry_point), case["arguments"], sandbox)  # type: ignore[call-overload, index, arg-type]
            assert "return " in traced.partition("# (")[2]
            assert same_program(program, traced)


HOSTILE = {
    "catches everything": (
        "def f():\n    i = 0\n    while True:\n        try:\n            i += 1\n"
        "        except BaseException:\n            pass\n",
        "i=1;",
    ),
    "repr loops": (
        "class A:\n    def __repr__(self):\n        while True: pass\n"
        "def f():\n    a = A()\n    b = [a] * 9\n    return b\n",
        "(2) b=[<A>, <A>",
    ),
    "repr raises": (
        "class A:\n    def __repr__(self): raise SystemExit\ndef f():\n    a = A()\n    return a\n",
        "return <A>",
    ),
    "huge values": (
        "def f():\n    a = 'x' * 10**7\n    b = [a] * 10**5\n    n = 7 ** 100000\n    return 1\n",
        "<int of 280736 bits>",
    ),
    "lists that lie": (
        "class L(list):\n    def __iter__(self):\n        while True: pass\n    def __len__(self): return 10**9\n"
        "def f():\n    b = L([1])\n    return b\n",
        "return <L>",
    ),
    "lying types": (
        "class M(type):\n    def __getattribute__(c, n):\n        while True: pass\nclass A(metaclass=M): pass\n"
        "def f():\n    a = A()\n    return a\n",
        "return <A>",
    ),
    "recursion": ("def f(n=0):\n    m = n\n    return f(m + 1)\n", "(0) n=0"),
    "deep recursion": (
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n=0):\n    return [f(n + 1)]\n",
        "(0) n=0",
    ),
    "switches the trace off": (
        "import sys\ndef f():\n    a = 1\n    sys.settrace(None)\n    b = 2\n    return b\n",
        "(1) a=1",
    ),
    "sleeps": ("import time\ndef f():\n    a = 1\n    time.sleep(100)\n", "(1) a=1"),
    "asks for memory": ("def f():\n    a = [0] * 10**10\n", "MemoryError"),
    "floods": ("def f():\n    while True:\n        print('x' * 10**6)\n", "(1)"),
    "ends the process": ("import os\ndef f():\n    a = 1\n    os._exit(0)\n", ""),
    "ends the thread": ("def f():\n    a = 1\n    raise SystemExit\n", "(2) SystemExit"),
    "does not parse": ("def f(:\n", ""),
    "has no such function": ("g = 1\n", ""),
    "breaks the builtins": (
        "import builtins\nbuiltins.len = builtins.list = builtins.type = None\ndef f():\n    return 1\n",
        "",
    ),
    "forges notes": (
        "import gc\ndef f():\n    for o in gc.get_objects():\n        if type(o).__name__ == '_Recorder':\n"
        "            o.notes[:] = [(0, 2, 'y\\n' * 10**5), 'junk', (1, 10**9, 5), (2, 3, b'x'), (3, 10**9, 'z')]\n",
        "",
    ),
    "threads": ("import threading\ndef f():\n    while True:\n        threading.Thread(target=f).start()\n", ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_are_survived_and_bounded(name: str, sandbox: Sandbox) -> None:
    program, seen = HOSTILE[name]
    began = time.monotonic()
    traced = annotated(program, "f", [], sandbox)
    assert time.monotonic() - began < 15
    assert seen in traced
    assert len(traced) <= len(program) + CHARACTERS
    assert name == "does not parse" or same_program(program, traced)
    assert (
        annotated("def f(x):\n    return x\n", "f", [7], sandbox)
        == "def f(x):  # (0) x=7\n    return x  # (1) return 7\n"
    )


def test_an_endless_loop_is_followed_to_the_last_step(sandbox: Sandbox) -> None:
    began = time.monotonic()
    traced = annotated("def f():\n    n = 0\n    while True:\n        n += 1\n", "f", [], sandbox)
    assert time.monotonic() - began < 5
    assert f"({STEPS - 1})" in traced
    assert f"({STEPS})" not in traced


def test_values_are_cut_to_their_width(sandbox: Sandbox) -> None:
    traced = annotated("def f():\n    a = 'x' * 1000\n    return 0\n", "f", [], sandbox)
    comment = traced.split("\n")[1].partition("a=")[2]
    assert len(comment) == WIDTH
    assert comment.endswith("…")


def test_sets_are_shown_in_one_order(sandbox: Sandbox) -> None:
    traced = annotated("def f():\n    a = {'c', 'a', 'b'}\n    return a\n", "f", [], sandbox)
    assert "a={'a', 'b', 'c'}" in traced


@given(
    st.text(max_size=200),
    st.lists(st.tuples(st.integers(-5, 400), st.integers(-5, 30), st.text("ab =\t", max_size=20)), max_size=30),
)
def test_any_text_takes_any_notes(program: str, notes: list[tuple[int, int, str]]) -> None:
    written = with_notes(program, notes)
    assert len(written) <= len(program) + CHARACTERS
    assert written.count("\n") == program.count("\n")


def test_without_notes_nothing_changes() -> None:
    assert with_notes("x = 1   \n\ty\n", []) == "x = 1   \n\ty\n"
