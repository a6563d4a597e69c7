"""Scripts that only ask and compare become calls; all others stay scripts."""

from collections.abc import Iterator

import pytest
from palaestra.envs.code.judge import CodeJudge
from palaestra.envs.code.plan import CallPlan, ScriptPlan
from palaestra.envs.code.recording import Recordings, recording
from palaestra.envs.sandbox import Sandbox
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(2) as shared:
        yield shared


def recorded(sandbox: Sandbox, *lines: str) -> CallPlan | ScriptPlan:
    script = "def check(candidate):\n" + "".join(f"    {line}\n" for line in lines)
    plan = ScriptPlan(script, "f", None, "", "f")
    return Recordings().keep(plan, sandbox.run(recording(plan)))


QUESTIONS = {
    "a loop": (["for n in range(3):", "    assert candidate(n) == n * n"], [((0,), 0), ((1,), 1), ((2,), 4)]),
    "the mirror": (["assert 3 == candidate([1], 'a')"], [(([1], "a"), 3)]),
    "a name between": (
        ["x = candidate(1)", "y = candidate(2)", "assert x == 5", "assert y == 6"],
        [((1,), 5), ((2,), 6)],
    ),
    "the test's own name": (["assert f(1) == {2}", "assert candidate() == None"], [((1,), {2}), ((), None)]),
    "an argument that changes later": (
        ["a = [1]", "assert candidate(a) == a", "a.append(2)", "assert candidate(a) == a"],
        [(([1],), [1]), (([1, 2],), [1, 2])],
    ),
    "no check": (["assert True", "assert candidate((1, 2.5)) == b'x'"], [(((1, 2.5),), b"x")]),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_asked_and_expected_is_recorded(sandbox: Sandbox, name: str) -> None:
    lines, expected = QUESTIONS[name]
    plan = recorded(sandbox, *lines)
    assert isinstance(plan, CallPlan)
    assert [(call, test.given[1]) for call, test in zip(plan.calls, plan.tests, strict=True)] == expected
    for call, test in zip(plan.calls, plan.tests, strict=True):
        assert test.holds(test.given[1])
        assert not test.holds("another")
        assert test.input.startswith("f(")
        assert len(call) == len(test.given[0])


OTHER = {
    "another comparison": ["assert candidate(1) > 0"],
    "identity": ["assert candidate(1) is None"],
    "a chain": ["assert 1 == candidate(1) == 1"],
    "membership": ["assert candidate(1) in (1, 2)"],
    "a truth value": ["assert candidate(1)"],
    "a message of its own": ["if candidate(1) == 2:", "    assert candidate(2) == 3"],
    "an operation": ["assert candidate(1) + 1 == 2"],
    "an operation whose refusal is caught": [
        "x = candidate(1)",
        "try: x + 1",
        "except BaseException: pass",
        "assert x == 3",
    ],
    "inside of a list": ["assert [candidate(1)] == [2]"],
    "two of its own values": ["assert candidate(1) == candidate(1)"],
    "an answer that is never compared": ["candidate(1)", "assert candidate(2) == 3"],
    "one answer compared twice": ["x = candidate(1)", "assert x == 3", "assert x == 3"],
    "the wrong order": ["x = candidate(1)", "y = candidate(2)", "assert y == 3", "assert x == 3"],
    "a keyword": ["assert candidate(n=1) == 3"],
    "a set among the arguments": ["assert candidate({1, 2}) == 3"],
    "a function among the arguments": ["assert candidate(len) == 3"],
    "an expected value that is no plain data": ["assert candidate(1) == object()"],
    "a subclass of plain data": ["from collections import Counter", "assert candidate(1) == Counter('a')"],
    "its type": ["assert candidate(1) == 2", "type(candidate)"],
    "its class": ["x = candidate(1)", "assert x.__class__ == int", "assert x == 2"],
    "isinstance": ["x = candidate(1)", "assert x == 2 if isinstance(x, int) else 3"],
    "a loop over it": ["for x in candidate(1): pass"],
    "as a key": ["x = {candidate(1): 2}"],
    "as text": ["assert str(candidate(1)) == '2'"],
    "in a text": ["assert f'{candidate(1)}' == '2'"],
    "a fault": ["assert candidate(1) == 2", "1 / 0"],
    "an expected error": ["try: candidate(1)", "except ValueError: pass", "else: assert False"],
    "nothing asked": ["x = 1", "assert x == 1"],
    "too much asked": ["for n in range(5000): assert candidate(n) == n"],
    "an end of the process": ["import os", "os._exit(0)"],
}


@pytest.mark.parametrize("name", OTHER)
def test_whatever_does_more_stays_a_script(sandbox: Sandbox, name: str) -> None:
    assert isinstance(recorded(sandbox, *OTHER[name]), ScriptPlan)


def test_a_test_that_draws_its_questions_asks_every_program_the_same(sandbox: Sandbox) -> None:
    lines = ["import random", "for _ in range(20):", "    n = random.randint(0, 10**9)", "    assert candidate(n) == n"]
    first, second = (recorded(sandbox, *lines) for _ in range(2))
    assert isinstance(first, CallPlan)
    assert isinstance(second, CallPlan)
    assert first.calls == second.calls
    assert len(set(first.calls)) == 20


def test_what_became_of_a_program_is_known_to_the_check(sandbox: Sandbox) -> None:
    """A script's own loop would hide how many checks there were to come."""
    test = "def check(candidate):\n    for n in range(10):\n        assert candidate(n) == n\n"
    task = Task("t", "def f(n):\n", {"format": "humaneval", "test": test, "entry_point": "f"})
    judge = CodeJudge(sandbox)
    report = judge.examine(task, "import os\ndef f(n):\n    if n == 4: os._exit(0)\n    return n\n")
    assert (report.verdict.status, report.passed, report.total) == (Status.CRASHED, 4, 10)
    assert report.failure is not None
    assert (report.failure.input, report.failure.expected) == ("f(4)", "4")
    again = judge.examine(task, "def f(n):\n    return n\n")
    assert (again.verdict.status, again.passed) == (Status.CORRECT, 10)
