"""Programs judged in the real sandbox: what each is worth, and what no trick gains."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from palaestra.envs.code import judge as judge_module
from palaestra.envs.code.cases import plan_of, script_of
from palaestra.envs.code.judge import CodeJudge, Failure, Report
from palaestra.envs.code.loading import code_tasks
from palaestra.envs.code.plan import CallPlan, ScriptPlan
from palaestra.envs.code.recording import Recordings, recording
from palaestra.envs.errors import UnknownNameError
from palaestra.envs.sandbox import Limits, Sandbox
from palaestra.envs.task import Json, Task
from palaestra.envs.verdict import Status, Verdict

# The wall-clock leaves room for a machine that stands still for a moment.
SHORT = Limits(cpu_seconds=0.4, wall_seconds=2.0, memory_mb=128)
PROMPT = 'def add(a, b):\n    """Return the sum."""\n'
RIGHT = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return 0\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(2) as shared:
        yield shared


@pytest.fixture
def judge(sandbox: Sandbox) -> CodeJudge:
    return CodeJudge(sandbox, limits=SHORT)


def humaneval(*lines: str, prompt: str = PROMPT, entry_point: str = "add") -> Task:
    test = "def check(candidate):\n" + "".join(f"    {line}\n" for line in lines)
    return Task("h", prompt, {"format": "humaneval", "test": test, "entry_point": entry_point})


def mbpp(*asserts: str, setup: str = "") -> Task:
    return Task("m", "Add.", {"format": "mbpp", "asserts": list(asserts), "setup": setup})


def calls(*cases: tuple[list[Any], Any], checker: str = "", entry_point: str = "add") -> Task:
    rows: list[Json] = [{"arguments": arguments, "expected": expected} for arguments, expected in cases]
    reference: dict[str, Json] = {"format": "calls", "entry_point": entry_point, "cases": rows, "checker": checker}
    return Task("c", "Add.", reference)


def stdio(*cases: tuple[str, str], checker: str = "") -> Task:
    rows: list[Json] = [{"input": given, "output": printed} for given, printed in cases]
    return Task("s", "Add.", {"format": "stdio", "cases": rows, "checker": checker})


LITERAL = humaneval("assert candidate(1, 2) == 3", "assert candidate(2, 2) == 4", "assert candidate(0, 0) == 0")
RECORDED = humaneval(
    "x = candidate(1, 2)", "assert x == 3", "assert candidate(2, 2) == 4", "assert candidate(0, 0) == 0"
)
# Looks at the candidate, and so is no mere list of questions.
SCRIPT = humaneval(
    "type(candidate)",
    "x = candidate(1, 2)",
    "assert x == 3",
    "assert candidate(2, 2) == 4",
    "assert candidate(0, 0) == 0",
)
LOOP = humaneval("for n in range(10):", "    assert candidate(n, n) == 2 * n")
# Does more than compare for equality, and so cannot be recorded.
OPEN_LOOP = humaneval("for n in range(10):", "    assert abs(candidate(n, n) - 2 * n) < 1")
MBPP = mbpp("assert add(1, 2) == 3", "assert add(2, 2) == 4", "assert add(0, 0) == 0")
CALLS = calls(([1, 2], 3), ([2, 2], 4), ([0, 0], 0))
STDIO = stdio(("1 2\n", "3\n"), ("2 2\n", "4\n"), ("0 0\n", "0\n"))
SUM = "print(sum(map(int, input().split())))\n"
ALL = {"literal": LITERAL, "script": SCRIPT, "recorded": RECORDED, "loop": LOOP, "mbpp": MBPP, "calls": CALLS}
FUNCTIONS = pytest.mark.parametrize("task", ALL.values(), ids=ALL)


def test_the_tasks_go_the_ways_they_are_meant_to(sandbox: Sandbox) -> None:
    kinds = [isinstance(plan_of(task), CallPlan) for task in (LITERAL, MBPP, CALLS, SCRIPT, LOOP)]
    assert kinds == [True, True, True, False, False]
    outcomes = [sandbox.run(recording(script_of(task))) for task in (SCRIPT, OPEN_LOOP, RECORDED, LOOP)]
    recorded = [isinstance(Recordings().keep(script_of(SCRIPT), outcome), CallPlan) for outcome in outcomes]
    assert recorded == [False, False, True, True]


@FUNCTIONS
def test_what_is_right_is_correct(judge: CodeJudge, task: Task) -> None:
    report = judge.examine(task, RIGHT)
    assert report.verdict == Verdict(1.0, Status.CORRECT)
    assert report.passed == report.total >= 3
    assert report.failure is None
    assert 0 < report.seconds < 1
    assert report.memory_mb > 1


@pytest.mark.parametrize("task", [LITERAL, SCRIPT, MBPP, CALLS], ids=["literal", "script", "mbpp", "calls"])
def test_what_is_partly_right_is_paid_by_the_share(judge: CodeJudge, sandbox: Sandbox, task: Task) -> None:
    report = judge.examine(task, "def add(a, b):\n    return 3 if a else 0\n")
    assert (report.verdict.status, report.passed, report.total) == (Status.PARTIAL, 2, 3)
    assert report.verdict.reward == pytest.approx(2 / 3)
    assert report.failure is not None
    name = "add" if task is not SCRIPT else report.failure.input.partition("(")[0]
    assert report.failure == Failure(1, f"{name}(2, 2)", "4", "3")
    assert report.verdict.detail == f"test 2 of 3: {name}(2, 2) should be 4, got 3"
    strict = CodeJudge(sandbox, limits=SHORT, credit="all")(task, "def add(a, b):\n    return 3 if a else 0\n")
    assert (strict.reward, strict.status) == (0.0, Status.PARTIAL)


@FUNCTIONS
def test_what_is_wrong_is_wrong(judge: CodeJudge, task: Task) -> None:
    verdict = judge(task, "def add(a, b):\n    return -1\n")
    assert (verdict.reward, verdict.status) == (0.0, Status.WRONG)


@FUNCTIONS
@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("def add(a, b)\n    return a\n", "SyntaxError: expected ':' (line 1)"),
        ("import nothing_of_the_kind\n" + RIGHT, "ModuleNotFoundError"),
        ("def add(a, b):\n    return a + c\n", "NameError: name 'c' is not defined"),
        ("import os\nos._exit(0)\n" + RIGHT, "it ended its process"),
        ("import sys\nsys.exit()\n" + RIGHT, "SystemExit"),
        ("import os\ndef add(a, b):\n    os._exit(0)\n", "it ended its process"),
        ("def add(a, b):\n    raise SystemExit\n", "SystemExit"),
        ("def add(a, b):\n    raise SyntaxError('x')\n", "SyntaxError: x"),
        ("def add(a, b):\n    return bytes(10**9)\n", "Memory"),
        ("import ctypes\ndef add(a, b):\n    return ctypes.string_at(0)\n", "SIG"),
        ("add = 5\n", "TypeError"),
    ],
)
def test_what_does_not_run_crashes(judge: CodeJudge, task: Task, program: str, words: str) -> None:
    report = judge.examine(task, program)
    assert report.verdict.status is Status.CRASHED, report
    assert report.verdict.reward == 0.0
    assert words in report.verdict.detail, report


@pytest.mark.parametrize("task", [MBPP, CALLS], ids=["mbpp", "calls"])
def test_a_missing_function_is_named(judge: CodeJudge, task: Task) -> None:
    verdict = judge(task, "def sub(a, b):\n    return a - b\n")
    assert verdict.status is Status.CRASHED
    assert "NameError: name 'add' is not defined" in verdict.detail


@FUNCTIONS
def test_what_returns_too_much_is_worth_nothing(judge: CodeJudge, task: Task) -> None:
    verdict = judge(task, "def add(a, b):\n    return 'x' * 5_000_000\n")
    assert (verdict.status, verdict.reward) in [(Status.CRASHED, 0.0), (Status.WRONG, 0.0)]


def test_line_numbers_are_the_replys(judge: CodeJudge) -> None:
    prompt = "import math\n\n\ndef helper(x):\n    return x\n\n\n" + PROMPT
    task = humaneval("assert candidate(1, 2) == 3", prompt=prompt)
    assert judge(task, "def add(a, b):\n    x = (\n").detail == "SyntaxError: '(' was never closed (line 2)"
    assert judge(task, "    c = a\n    return c + d\n").detail.endswith("NameError: name 'd' is not defined (line 2)")


@FUNCTIONS
def test_endless_programs_time_out(judge: CodeJudge, task: Task) -> None:
    verdict = judge(task, "def add(a, b):\n    while True: pass\n")
    assert (verdict.status, verdict.reward) == (Status.TIMEOUT, 0.0)
    assert "0.4 s of processor time" in verdict.detail


def test_what_passed_before_the_time_was_over_is_paid(judge: CodeJudge) -> None:
    stuck = "import time\ndef add(a, b):\n    if a == 2: time.sleep(60)\n    return a + b\n"
    tasks = LITERAL, SCRIPT, MBPP, CALLS
    reports = judge.examine_many([(task, stuck) for task in tasks])
    for report in reports:
        assert (report.verdict.status, report.passed, report.total) == (Status.TIMEOUT, 1, 3)
        assert report.verdict.reward == pytest.approx(1 / 3)
        assert report.failure is not None
        assert report.failure.test == 1
    assert "(2, 2): it was still running after 2 s" in reports[0].verdict.detail


def test_not_finishing_gains_nothing(judge: CodeJudge) -> None:
    """The first checks of a loop are no share of it: how long it would have been is known to nobody."""
    for program in (
        "import os\ndef add(a, b):\n    if a > 1: os._exit(0)\n    return a + b\n",
        "def add(a, b):\n    while a > 1: pass\n    return a + b\n",
    ):
        report = judge.examine(OPEN_LOOP, program)
        assert report.passed == 2
        assert report.verdict.reward == 0.0
        assert report.verdict.status in (Status.CRASHED, Status.TIMEOUT)
    wrong_later = judge.examine(OPEN_LOOP, "def add(a, b):\n    return a + b if a < 2 else -1\n")
    assert (wrong_later.passed, wrong_later.total, wrong_later.verdict.reward) == (2, 10, 0.2)


@pytest.mark.parametrize("reply", ["", "I cannot do this.", "```python\n```"])
def test_replies_without_a_program_are_unparsed(judge: CodeJudge, reply: str) -> None:
    for task in (*ALL.values(), STDIO):
        report = judge.examine(task, reply)
        assert (report.verdict.status, report.verdict.reward) == (Status.UNPARSED, 0.0)
    assert judge.examine(LITERAL, reply).total == 3


TRICKS = {
    "equal to everything": """
class Same:
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __bool__ = lambda self: True
    __hash__ = lambda self: 0
def add(a, b):
    return Same()
""",
    "an int that equals everything": """
class Same(int):
    __eq__ = lambda self, other: True
    __hash__ = int.__hash__
def add(a, b):
    return Same(77)
""",
    "a list of those": """
class Same(int):
    __eq__ = lambda self, other: True
class Many(list):
    __eq__ = lambda self, other: True
    __len__ = lambda self: 0
def add(a, b):
    return Many([Same(77)])
""",
    "says that all passed": """
import sys
def add(a, b):
    for stream in (sys.stdout, sys.stderr):
        print('{"ok": true}', '{"i": 0, "v": 3}', 'all tests passed', file=stream, flush=True)
    return -1
""",
    "forges the results": """
import json, os
def add(a, b):
    for file in range(3, 20):
        try:
            for index in range(3):
                for entry in ({"ok": True, "line": 1}, {"v": [True] * 3}, {"end": "finished", "planned": 0}):
                    os.write(file, json.dumps(entry).encode() + b"\\n")
        except OSError:
            pass
    return -1
""",
    "leaves threads behind": """
import threading
def spin():
    while True: pass
def add(a, b):
    threading.Thread(target=spin, daemon=True).start()
    return -1
""",
    "redefines builtins": """
import builtins
sorted = abs = all = any = set = tuple = list = lambda *a, **k: True
for name in ("sorted", "abs", "all", "set", "tuple", "list", "bool", "isinstance", "range"):
    setattr(builtins, name, lambda *a, **k: True)
AssertionError = builtins.AssertionError = KeyError
def add(a, b):
    return -1
""",
    "defines the test itself": """
def check(candidate): pass
candidate = METADATA = check
class Any:
    __eq__ = lambda self, other: True
def add(a, b):
    return Any
""",
    "mutates its arguments": """
import gc
def add(a, b):
    for thing in gc.get_objects():
        if type(thing) is list:
            thing.clear()
    return -1
""",
    "never ends what it returns": """
def add(a, b):
    def forever():
        while True: yield 3
    return forever()
""",
    "a coroutine": "async def add(a, b):\n    return a + b\n",
    "a nan": "def add(a, b):\n    return float('nan')\n",
    "asserts itself": "def add(a, b):\n    raise AssertionError\n",
    "exits at exit": "import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b):\n    return -1\n",
}


@pytest.mark.parametrize("program", TRICKS.values(), ids=TRICKS)
def test_no_trick_gains_anything(judge: CodeJudge, program: str) -> None:
    for verdict in judge.judge_many([(task, program) for task in ALL.values()]):
        assert verdict.valid, verdict
        assert verdict.reward == 0.0, verdict
        assert verdict.status in (Status.WRONG, Status.CRASHED, Status.TIMEOUT), verdict


def test_helpers_of_the_prompt_are_the_tests_own(judge: CodeJudge) -> None:
    prompt = "def code(x):\n    return x + 5\n\n\ndef undo(x):\n"
    task = humaneval("for n in (1, 2, 3):", "    assert candidate(code(n)) == n", prompt=prompt, entry_point="undo")
    assert judge(task, "    return x - 5\n").status is Status.CORRECT
    assert judge(task, "def code(x):\n    return x + 5\n\n\ndef undo(x):\n    return x - 5\n").status is Status.CORRECT
    for cheat in (
        "def code(x):\n    return x\n\ndef undo(x):\n    return x\n",
        "    return x\n\ndef code(x):\n    return x\n",
    ):
        assert judge(task, cheat).status is Status.WRONG


def test_mutated_arguments_are_the_next_calls_no_more(judge: CodeJudge) -> None:
    task = mbpp("assert first([1, 2]) == 1", "assert first([1, 2]) == 1", "assert sorted(first([[2], [1]])) == [2]")
    assert judge(task, "def first(xs):\n    return xs.pop(0)\n").status is Status.CORRECT


def test_the_same_equality_as_python(judge: CodeJudge) -> None:
    lines = ["assert candidate(1) == True", "assert candidate(1.0) == 1", "assert candidate([1]) != (1,)"]
    task = humaneval(*lines, prompt="def same(x):\n", entry_point="same")
    assert judge(task, "    return x\n").status is Status.CORRECT
    other = humaneval("assert candidate([1]) == (1,)", prompt="def same(x):\n", entry_point="same")
    assert judge(other, "    return x\n").status is Status.WRONG


def test_json_values_are_compared_as_json(judge: CodeJudge) -> None:
    task = calls(([1], [1, [2.0000001]]), ([2], {"1": None}), entry_point="f")
    assert judge(task, "def f(x):\n    return (1, (2.0,)) if x == 1 else {1: None}\n").status is Status.CORRECT
    assert judge(calls(([], True), entry_point="f"), "def f():\n    return 1\n").status is Status.WRONG
    assert judge(calls(([], [1]), entry_point="f"), "def f():\n    return 1\n").status is Status.WRONG


def test_methods_are_called_on_a_new_instance_each_time(judge: CodeJudge) -> None:
    task = calls(([1], [1]), ([2], [2]), entry_point="Solution.add")
    program = (
        "class Solution:\n    def __init__(self):\n        self.seen = []\n"
        "    def add(self, x):\n        self.seen.append(x)\n        return self.seen\n"
    )
    assert judge(task, program).status is Status.CORRECT


def test_whole_programs(judge: CodeJudge) -> None:
    assert judge.examine(STDIO, SUM).verdict == Verdict(1.0, Status.CORRECT)
    report = judge.examine(STDIO, "print(3)\n")
    assert (report.verdict.status, report.passed, report.total) == (Status.PARTIAL, 1, 3)
    assert report.failure == Failure(1, r"'2 2\n'", r"'4\n'", r"'3\n'")
    assert report.verdict.detail == r"test 2 of 3: '2 2\n' should be '4\n', got '3\n'"
    crashed = judge(STDIO, "a, b = input().split()\nprint(int(a) + int(c))\n")
    assert crashed.status is Status.CRASHED
    assert "NameError: name 'c' is not defined (line 2)" in crashed.detail
    exits = judge.examine(STDIO, SUM + "import sys\nsys.exit(1)\n")
    assert (exits.verdict.status, exits.passed) == (Status.CRASHED, 0)
    assert judge(STDIO, SUM + "import sys\nsys.exit(0)\n").status is Status.CORRECT
    assert judge(STDIO, "while True: print('x' * 1000)\n").status in (Status.CRASHED, Status.TIMEOUT)


def test_after_a_time_out_the_other_runs_are_called_off(judge: CodeJudge) -> None:
    task = stdio(*((f"{n} 0\n", f"{n}\n") for n in range(40)))
    began = time.monotonic()
    report = judge.examine(task, "a, b = map(int, input().split())\nwhile a > 2: pass\nprint(a)\n")
    assert time.monotonic() - began < 10  # forty of them would take twenty seconds on two workers, at least ten
    assert (report.verdict.status, report.passed, report.total) == (Status.TIMEOUT, 3, 40)
    assert report.verdict.reward == pytest.approx(3 / 40)
    assert report.failure is not None
    assert report.failure.test == 3


def test_credit_has_two_names(sandbox: Sandbox) -> None:
    with pytest.raises(UnknownNameError, match="share"):
        CodeJudge(sandbox, credit="shares")  # type: ignore[arg-type]


SPLIT = """
def check(case_input, actual, expected):
    a, b = map(int, actual.split())
    return a > 0 and b > 0 and a + b == int(case_input)
"""


def test_a_checker_accepts_one_of_many_answers(judge: CodeJudge) -> None:
    task = stdio(("10\n", ""), ("7\n", "3 4"), checker=SPLIT)
    assert judge(task, "print(1, int(input()) - 1)\n").status is Status.CORRECT
    assert judge(task, "print(1, 9)\n").reward == 0.5
    for garbage in ("print(0, input())\n", "print('a b')\n", "print()\n", "print('9' * 5000, 1)\n"):
        verdict = judge(task, garbage)
        assert (verdict.status, verdict.reward) == (Status.WRONG, 0.0), verdict
    assert judge(task, "print(1 / 0)\n").status is Status.CRASHED


def test_a_checker_pays_in_parts_and_sees_what_was_given(judge: CodeJudge) -> None:
    checker = (
        "def check(case_input, actual, expected):\n    return actual / expected if case_input == [4, [5]] else 0\n"
    )
    report = judge.examine(calls(([4, [5]], 8), checker=checker), "def add(a, b):\n    return 6\n")
    assert (report.verdict.status, report.verdict.reward, report.passed) == (Status.PARTIAL, 0.75, 0)
    hostile = "class Full(float):\n    __truediv__ = lambda self, other: 1.0\ndef add(a, b):\n    return Full(0)\n"
    assert judge(calls(([4, [5]], 8), checker=checker), hostile).reward == 0.0


@pytest.mark.parametrize(
    ("checker", "words"),
    [
        ("def check(case_input, actual, expected)\n    return True\n", "does not load: SyntaxError"),
        ("1 / 0\n", "does not load: ZeroDivisionError"),
        ("def test(*a):\n    return True\n", "NameError"),
        ("def check(*a):\n    return unknown\n", "NameError"),
        ("def check(*a):\n    return 'yes'\n", "a value of type str"),
        ("def check(*a):\n    return None\n", "a value of type NoneType"),
        ("def check(*a):\n    return 1.5\n", "returned 1.5"),
        ("def check(*a):\n    return float('nan')\n", "returned nan"),
        ("def check(*a):\n    raise ValueError('always')\n", "always"),
        ("def check(*a):\n    while True: pass\n", "did not end"),
        ("import os\ndef check(*a):\n    os._exit(0)\n", "did not end"),
    ],
)
def test_a_broken_checker_is_a_broken_task(judge: CodeJudge, checker: str, words: str) -> None:
    verdict = judge(calls(([1, 2], 3), checker=checker), RIGHT)
    assert verdict.status is Status.BROKEN_TASK
    assert words in verdict.detail


def test_an_answer_that_breaks_a_good_checker_is_wrong(judge: CodeJudge) -> None:
    """Otherwise garbage would make an episode invalid, and cost nothing."""
    checker = "def check(case_input, actual, expected):\n    n = 0\n    while n < actual: n += 1\n    return n == 3\n"
    task = calls(([1, 2], 3), checker=checker)
    assert judge(task, RIGHT).status is Status.CORRECT
    for reply in ("def add(a, b):\n    return 10**12\n", "def add(a, b):\n    return 'x'\n"):
        verdict = judge(task, reply)
        assert (verdict.status, verdict.reward) == (Status.WRONG, 0.0), verdict
    careless = calls(
        ([1, 2], 3), checker="def check(case_input, actual, expected):\n    return actual and actual == 3\n"
    )
    assert judge(careless, RIGHT).status is Status.CORRECT
    assert judge(careless, "def add(a, b):\n    return None\n").status is Status.WRONG


@pytest.mark.parametrize(
    "task",
    [
        Task("t", "p", None),
        Task("t", "p", {"format": "unknown"}),
        humaneval("assert candidate(1, 2) = 3"),
        humaneval("return candidate(1, 2)"),
        humaneval("import nothing_of_the_kind", "assert candidate(1, 2) == 3"),
        humaneval("x = 1 / 0", "assert candidate(1, 2) == 3"),
        humaneval("for n in []:", "    assert candidate(n, n) == n"),
    ],
)
def test_tasks_that_cannot_judge_are_broken(judge: CodeJudge, task: Task) -> None:
    for reply in (RIGHT, WRONG):
        verdict = judge(task, reply)
        assert (verdict.status, verdict.reward) == (Status.BROKEN_TASK, 0.0), verdict


@pytest.mark.parametrize(
    ("task", "program"),
    [
        (SCRIPT, "add = 5\n"),
        (SCRIPT, "def add(a, b):\n    raise SyntaxError\n"),
        (mbpp("x = add(1, 2)\nassert x == 3"), "def sub(a, b):\n    return 3\n"),
        (mbpp("x = add(1, 2)\nassert x == 3"), "add = 5\n"),
        (humaneval("for n in candidate(1, 2):", "    assert n == 3"), "def add(a, b):\n    return []\n"),
    ],
)
def test_no_program_breaks_a_good_task(judge: CodeJudge, task: Task, program: str) -> None:
    """What is no reward leaves the batch: a policy must not be able to choose that."""
    verdict = judge(task, program)
    assert verdict.valid, verdict
    assert verdict.reward == 0.0


def test_our_own_failure_is_no_reward(sandbox: Sandbox) -> None:
    closed = Sandbox(1)
    closed.close()
    report = CodeJudge(closed).examine(LITERAL, RIGHT)
    assert (report.verdict.status, report.verdict.reward) == (Status.INFRASTRUCTURE, 0.0)
    assert "closed" in report.verdict.detail


def test_many_are_judged_in_order_and_counted(judge: CodeJudge) -> None:
    programs = [f"def add(a, b):\n    return a + b if a < {n % 3} or not a else -1\n" for n in range(90)]
    counted: list[int] = []
    reports = judge.examine_many([(LITERAL, program) for program in programs], counted.append)
    assert counted == sorted(set(counted))
    assert len(counted) > 10
    assert counted[-1] == 90
    assert [report.passed for report in reports] == [[1, 1, 2][n % 3] for n in range(90)]
    assert all(isinstance(report, Report) for report in reports)
    assert judge.examine_many([]) == []


def test_one_endless_program_does_not_hold_up_the_others(judge: CodeJudge) -> None:
    endless = "import time\ndef add(a, b):\n    time.sleep(60)\n"
    seen: list[float] = []
    began = time.monotonic()
    judge.judge_many([(LITERAL, endless)] + [(LITERAL, RIGHT)] * 60, lambda _: seen.append(time.monotonic() - began))
    assert seen[-2] < SHORT.wall_seconds <= seen[-1]


def test_other_coroutines_go_on_while_programs_run(judge: CodeJudge) -> None:
    async def both() -> tuple[list[Verdict], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        slow = "import time\ndef add(a, b):\n    time.sleep(0.1)\n    return a + b\n"
        verdicts = await judge.judge_many_async([(LITERAL, slow), (LITERAL, WRONG), (STDIO, SUM)] * 3)
        ticking.cancel()
        return verdicts, ticks

    verdicts, ticks = asyncio.run(both())
    assert [verdict.status for verdict in verdicts] == [Status.CORRECT, Status.PARTIAL, Status.CORRECT] * 3
    assert ticks >= 10


def test_many_threads_share_one_judge(judge: CodeJudge) -> None:
    found: list[Verdict] = []
    threads = [threading.Thread(target=lambda: found.append(judge(MBPP, RIGHT))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Verdict(1.0, Status.CORRECT)] * 20


def test_details_can_be_stored_on_one_line(judge: CodeJudge) -> None:
    hostile = "def add(a, b):\n    raise ValueError('\\ud800\\n\\x00' + 'x' * 100_000)\n"
    for task in ALL.values():
        report = judge.examine(task, hostile)
        assert report.failure is not None
        for text in (report.verdict.detail, report.failure.actual):
            text.encode()
            assert "\n" not in text
            assert len(text) <= 400


@pytest.mark.parametrize(
    "program",
    [
        "def add(a, b):\n    return '\\ud800'\n",
        "x = '\ud800'\n",
        "\0",
        "(" * 10_000,
        "x" * 1_000_000,
        "def add" + "\n" * 9_999,
    ],
)
def test_no_reply_makes_it_raise(judge: CodeJudge, program: str) -> None:
    for verdict in judge.judge_many([(task, program) for task in (*ALL.values(), STDIO)]):
        assert verdict.valid
        assert verdict.reward == 0.0
        verdict.detail.encode()


def _beside(task: Task) -> ScriptPlan:
    """Return the tests as a script that is not recorded."""
    return replace(script_of(task), tested="")


@pytest.mark.parametrize("way", [script_of, _beside], ids=["recorded", "beside the program"])
def test_all_ways_give_the_same_verdicts_on_human_eval(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, way: Callable[[Task], ScriptPlan]
) -> None:
    """Literal assertions are evaluated here; as a script beside the program they would say the same."""
    judge = CodeJudge(sandbox)
    tasks = list(code_tasks("human-eval"))
    replies = [
        (task, reply)
        for task in tasks
        for reply in (str(task.metadata["solution"]), "    return 1\n", "    return [][0]\n")
    ]
    quick = judge.examine_many(replies)
    monkeypatch.setattr(judge_module, "plan_of", way)
    scripts = judge.examine_many(replies)
    for (task, reply), here, there in zip(replies, quick, scripts, strict=True):
        assert here.verdict.reward == there.verdict.reward, (task.id, reply, here.verdict, there.verdict)
        # An assertion that raises on a returned value, such as abs([] - 1.0), looks like a raising program to a script.
        raising = {here.verdict.status, there.verdict.status} == {Status.WRONG, Status.CRASHED}
        assert here.verdict.status == there.verdict.status or raising, (task.id, reply)
        assert (here.passed, here.total) == (there.passed, there.total), (task.id, reply)
        first, second = here.failure, there.failure
        assert (first and first.test) == (second and second.test), (task.id, reply)
    assert {report.verdict.status for report in quick[::3]} == {Status.CORRECT}
