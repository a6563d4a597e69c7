"""Tasks about programs: each kind by hand, what is no task, and what solvers may try."""

from collections.abc import Callable
from concurrent.futures import Future
from itertools import permutations

import numpy as np
import pytest
from palaestra.envs.arena import proposer_solver_v0
from palaestra.envs.arena.dialogues.programs import Abduction, Deduction, Induction
from palaestra.envs.arena.dialogues.proposals import Kind, block_of, blocks_of
from palaestra.envs.arena.dialogues.proposing import ProposerSolver
from palaestra.envs.arena.dialogues.values import LONGEST, literal
from palaestra.envs.errors import InfrastructureError
from palaestra.envs.sandbox import Job, Limits, Outcome, Sandbox
from palaestra.envs.verdict import Status
from proposing import play, propose, refusal

# Endless programs end sooner.
QUICK = Limits(cpu_seconds=0.2, wall_seconds=2.0, memory_mb=256, output_mb=1)


TWICE = "def f(x):\n    return [x, x]"


def test_deduction_by_hand() -> None:
    arena = proposer_solver_v0.raw_env(kind="deduction", solvers=6)
    answers = ["[7, 7]", "I think:\n```output\n[7,7]\n```", "so f returns\n[ 7,7 ]", "[7, 8]", "f(7)", "[7, 7"]
    assert play(arena, propose(TWICE, "7"), *answers) == [0.5, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    statuses = [arena.infos[f"player_{seat}"]["verdict"].status for seat in range(7)]
    assert statuses[4:] == [Status.WRONG, Status.UNPARSED, Status.UNPARSED]


def test_abduction_by_hand() -> None:
    # Any arguments that return the same are right, not only the proposer's.
    arena = proposer_solver_v0.raw_env(kind="abduction", solvers=5)
    program = "def f(a, b):\n    return a * b"
    answers = ["3, 4", "```input\n-6, -2\n```", "12", "(3, 4)", "1, 13"]
    assert play(arena, propose(program, "2, 6"), *answers) == [pytest.approx(0.6), 1.0, 1.0, 0.0, 0.0, 0.0]
    statuses = [arena.infos[f"player_{seat}"]["verdict"].status for seat in range(6)]
    assert statuses[3] is Status.WRONG
    assert statuses[5] is Status.WRONG


def test_induction_by_hand() -> None:
    arena = proposer_solver_v0.raw_env(kind="induction", solvers=4)
    proposal = propose("def f(x):\n    return x * x", "0", "1", "2", "5") + "\n```message\nIt grows.\n```"
    arena.reset(seed=0)
    arena.step(proposal)
    told = arena.observe("player_1")
    assert "f(0) = 0\nf(1) = 1\nhint> It grows." in told
    assert "f(2)" not in told
    arena.step("```python\ndef f(n):\n    return n ** 2\n```")
    arena.step("def f(x):\n    return x")  # right on what was shown alone
    arena.step("f = lambda x: abs(x) * x")
    arena.step("x * x")
    assert list(arena.rewards.values()) == [0.5, 1.0, 0.0, 1.0, 0.0]


def test_programs_are_shown_as_they_are_run() -> None:
    proposal = Deduction().read(
        propose("# say 5\nimport math\ndef f( x ):\n  'say 5'\n  return math.gcd(x,6) # 5", "4")
    )
    assert proposal.program == "import math\n\ndef f(x):\n    return math.gcd(x, 6)"
    assert proposal.outputs == (2,)
    other = Deduction().read(propose("import math\ndef f(x):\n    return math.gcd(x, 6)", " 4 ,"))
    assert other.key == proposal.key


UNREADABLE = {
    "prose": "Here is a nice task.",
    "no input": "```python\ndef f(x):\n    return x\n```",
    "no program": "```input\n1\n```",
    "two programs": propose(TWICE, "1") + "\n```python\ndef f(x): ...\n```",
    "two inputs": propose(TWICE, "1", "2"),
    "no Python": propose("def f(x) return x", "1"),
    "no literal": propose(TWICE, "open('/etc/passwd')"),
    "a call as input": propose(TWICE, "[1] * 10 ** 9"),
    "deep": propose(TWICE, "[" * 900),
    "signs": propose("def f(x):\n    return " + "-" * 2_900 + "1", "1"),
    "a null byte": propose("def f(x):\n    return '\x00'", "1"),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_as_a_task(text: str) -> None:
    assert refusal(Deduction(), text) is Status.UNPARSED


def _returning(expression: str) -> str:
    return propose(f"def f(x):\n    return {expression}", "1")


INVALID = {
    "raises": (_returning("1 / 0"), Status.CRASHED),
    "wrong arguments": (propose("def f():\n    return 1", "1"), Status.CRASHED),
    "endless": (propose("def f(x):\n    while True: pass", "1"), Status.TIMEOUT),
    "endless recursion": (propose("def f(x):\n    return f(x)", "1"), Status.CRASHED),
    "memory": (_returning("[0] * 10 ** 9"), Status.CRASHED),
    "no f": (propose("def g(x):\n    return x", "1"), Status.ILLEGAL),
    "f is no function": (propose("f = 3", "1"), Status.ILLEGAL),
    "huge program": (propose(TWICE + "\n#" + "x" * 5_000, "1"), Status.ILLEGAL),
    "huge input": (propose(TWICE, "'" + "x" * 2_000 + "'"), Status.ILLEGAL),
    "huge output": (_returning("'x' * 2000"), Status.ILLEGAL),
    "huge number": (_returning("10 ** 5000"), Status.ILLEGAL),
    "deep output": (propose("def f(x):\n    for _ in range(100): x = [x]\n    return x", "1"), Status.ILLEGAL),
    "an object": (_returning("lambda: 1"), Status.ILLEGAL),
    "a generator": (_returning("(n for n in [1])"), Status.ILLEGAL),
    "no number": (_returning("float('nan')"), Status.ILLEGAL),
    "a place in memory": (_returning("str(f)"), Status.ILLEGAL),
    "counts its calls": (propose("n = [0]\ndef f(x):\n    n[0] += 1\n    return n[0]", "1"), Status.ILLEGAL),
    "chance": (propose("import random\ndef f(x):\n    return random.random()", "1"), Status.ILLEGAL),
    "chance behind a module": (propose("import re\ndef f(x):\n    return re.enum.sys.maxsize", "1"), Status.ILLEGAL),
    "the clock": (propose("from time import time\ndef f(x):\n    return time()", "1"), Status.ILLEGAL),
    "all names": (propose("from math import *\ndef f(x):\n    return x", "1"), Status.ILLEGAL),
    "id": (_returning("id(x)"), Status.ILLEGAL),
    "an underscore": (_returning("().__class__"), Status.ILLEGAL),
    "import by name": (_returning("__import__('os').getpid()"), Status.ILLEGAL),
    "a fence": (_returning("'```'"), Status.ILLEGAL),
}  # fmt: skip


@pytest.mark.parametrize(("text", "status"), INVALID.values(), ids=INVALID.keys())
def test_programs_that_are_no_task(text: str, status: Status) -> None:
    assert refusal(Deduction(limits=QUICK), text) is status


class _TakingTurns(Sandbox):
    """Two real sandboxes, each of one worker, that take turns."""

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.others = [Sandbox(workers=1), Sandbox(workers=1)]

    def submit(self, job: Job) -> Future[Outcome]:
        self.others.reverse()
        return self.others[0].submit(job)

    def close(self) -> None:
        for other in (*self.others, super()):
            other.close()


def test_what_differs_from_run_to_run_is_found_by_running() -> None:
    # Nothing here is forbidden by name; only another process tells.
    program = "def f(x):\n    return int(repr(f).split(' at ')[1][:-1], 16) // 4096"
    with _TakingTurns() as sandbox:
        assert refusal(Deduction(sandbox), propose(program, "1")) is Status.ILLEGAL
        assert Deduction(sandbox).read(propose(TWICE, "1")).outputs == ([1, 1],)


def test_an_input_twice_is_no_induction() -> None:
    program = "def f(x):\n    return x"
    assert refusal(Induction(), propose(program, "1", "2", "3", " 1,")) is Status.ILLEGAL
    assert refusal(Induction(), propose(program, "1", "2", "3")) is Status.UNPARSED
    assert refusal(Induction(), propose(program, *map(str, range(11)))) is Status.UNPARSED
    assert len(Induction().read(propose(program, *map(str, range(10)))).calls) == 10


def test_solvers_cannot_hurt_the_judge() -> None:
    deduction, abduction, induction = (kind(limits=QUICK) for kind in (Deduction, Abduction, Induction))
    one = deduction.read(propose(TWICE, "7"))
    for answer in ("[" * 4_000, "9" * 4_900, "-" * 4_000 + "1", "{[]}", "[7, 7]; 1", "x" * 100_000, "()"):
        assert deduction.judge(one, answer).reward == 0.0
    program = "def f(x):\n    return sum(range(x)) if x else 'done'"
    back = abduction.read(propose(program, "0"))
    assert abduction.judge(back, "10 ** 12").status is Status.UNPARSED
    assert abduction.judge(back, "1000000000000").status is Status.TIMEOUT
    assert abduction.judge(back, "'x'").status in (Status.CRASHED, Status.WRONG)
    assert abduction.judge(back, "0").status is Status.CORRECT
    same = induction.read(propose("def f(x):\n    return x", "1", "2", "3", "4"))
    assert induction.judge(same, "def f(x):\n    while 1: pass").status is Status.TIMEOUT
    assert induction.judge(same, "import os\nos._exit(0)").reward == 0.0
    equal = "class E(int):\n    def __eq__(s, o): return True\ndef f(x):\n    return E()"
    assert induction.judge(same, equal).reward == 0.0
    assert induction.judge(same, "").status is Status.UNPARSED


def test_no_task_outgrows_what_a_solver_can_be_told() -> None:
    arena = proposer_solver_v0.raw_env(kind="induction", solvers=1)
    arena.reset(seed=0)
    inputs = [f"'{'é' * 900}{n}'" for n in range(10)]
    arena.step(propose("def f(x):\n    return x", *inputs) + "\n```message\n" + "m\n" * 5_000 + "```")
    assert arena.proposal is not None
    assert arena.observe("player_1") in arena.observation_space("player_1")


@pytest.mark.parametrize("kind", [Deduction, Abduction, Induction])
def test_a_sandbox_that_fails_is_nobodys_fault(
    kind: Callable[[Sandbox], Kind], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise InfrastructureError("no worker")

    sandbox = Sandbox(workers=1)
    arena = ProposerSolver(kind(sandbox), solvers=1)
    arena.reset(seed=0)
    proposal = arena.kind.sample_proposal(np.random.default_rng(0))
    with monkeypatch.context() as patched:
        patched.setattr(sandbox, "run", fails)
        with pytest.raises(InfrastructureError):
            arena.step(proposal)
    arena.reset(seed=0)
    arena.step(proposal)
    monkeypatch.setattr(sandbox, "run", fails)
    with pytest.raises(InfrastructureError):
        arena.step("1")
    sandbox.close()


def test_literals_are_read_back_as_what_they_were() -> None:
    for value in (
        None,
        True,
        -3,
        2.5,
        "a'\"\n",
        b"\x00",
        [1, [2]],
        (1,),
        (),
        {"a": {1: (2, 3)}},
        set(),
        {1, 2},
        "\ud800",
    ):
        assert eval(literal(value)) == value
    assert len({literal(set(order)) for order in permutations(["ab", "cd", "ef", 1])}) == 1
    for value in (float("inf"), 1j, frozenset(), object(), "x" * LONGEST, list(range(LONGEST)), 1 << 3_000):
        with pytest.raises(ValueError):
            literal(value)


def test_blocks_are_found() -> None:
    assert blocks_of("a\n```python\nx = 1\n```\nb\n```input\n1\n```") == [("python", "x = 1"), ("input", "1")]
    assert blocks_of("```output\n5") == [("output", "5")]
    assert blocks_of("` ```") == []
    assert block_of("```output\n5\n```\n```python\nx\n```", "output") == "5"
    assert block_of("it is\n 6 \n\n", "output") == "6"
    assert block_of("", "output") == ""
