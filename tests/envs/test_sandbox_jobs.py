"""What the sandbox answers: calls, whole programs, test scripts, sessions, limits."""

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.sandbox import (
    CallJob,
    Ended,
    Limits,
    Outcome,
    Raised,
    Returned,
    RunJob,
    Sandbox,
    ScriptJob,
    SessionEndedError,
    shared_sandbox,
)
from palaestra.envs.sandbox.inside.script import prepare
from palaestra.envs.sandbox.inside.values import Foreign, Produced

# The wall-clock leaves room for a busy machine.
QUICK = Limits(cpu_seconds=0.3, wall_seconds=2.5, memory_mb=128, output_mb=1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(2) as made:
        yield made


def called(sandbox: Sandbox, program: str, *arguments: Any, entry: str = "f", limits: Limits = QUICK) -> Any:
    (result,) = sandbox.run(CallJob(program, entry, [arguments], limits)).results
    return result.value if isinstance(result, Returned) else result.error


def test_every_call_gets_fresh_copies_and_its_own_result(sandbox: Sandbox) -> None:
    program = "def f(x):\n    x.append(len(x))\n    if len(x) > 3: raise ValueError('long')\n    return x"
    outcome = sandbox.run(CallJob(program, "f", [[[]], [[1]], [[1, 2, 3]], [[]]]))
    assert outcome.ended is Ended.FINISHED
    values = [r.value if isinstance(r, Returned) else r.error for r in outcome.results]
    assert values == [[0], [1, 1], "ValueError: long (line 3)", [0]]
    assert 0 < outcome.cpu_seconds < 1
    assert 1 < outcome.memory_mb < 100


def test_methods_of_classes_can_be_called(sandbox: Sandbox) -> None:
    program = "class Solution:\n    def add(self, a, b):\n        return a + b"
    assert called(sandbox, program, 1, 2, entry="Solution.add") == 3


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("__import__('threading').Lock()", "lock"),
        ("type('Sly', (), {'__eq__': lambda s, o: True, '__hash__': lambda s: 0})()", "Sly"),
        ("lambda: 1", "function"),
    ],
)
def test_what_is_no_data_equals_nothing(sandbox: Sandbox, expression: str, kind: str) -> None:
    value = called(sandbox, f"def f():\n    return {expression}")
    assert isinstance(value, Foreign)
    assert value.kind == kind
    assert value != value
    assert not value == 1  # noqa: SIM201 (the operator under test)


def test_subclasses_lose_their_tricks(sandbox: Sandbox) -> None:
    program = "class L(list):\n    __eq__ = lambda s, o: True\nclass I(int):\n    __eq__ = lambda s, o: True\n    __hash__ = int.__hash__\n"
    value = called(sandbox, program + "def f():\n    return L([I(3)])")
    assert type(value) is list
    assert type(value[0]) is int
    assert value != [4]


def test_an_iterator_is_listed_and_an_endless_one_is_not_awaited(sandbox: Sandbox) -> None:
    value = called(sandbox, "def f():\n    yield 1\n    yield (2,)")
    assert isinstance(value, Produced)
    assert list(value) == [1, (2,)]
    endless = called(sandbox, "import itertools\ndef f():\n    return itertools.count()")
    assert isinstance(endless, Foreign)
    assert not isinstance(endless, Produced)


@pytest.mark.parametrize(
    ("program", "ended", "error"),
    [
        ("def f(:", Ended.RAISED, "SyntaxError: invalid syntax (line 1)"),
        ("import nothing_like_this", Ended.RAISED, "ModuleNotFoundError: No module named 'nothing_like_this' (line 1)"),
        ("x = 1\n\ny = x / 0", Ended.RAISED, "ZeroDivisionError: division by zero (line 3)"),
        ("raise SystemExit(0)", Ended.EXITED, "SystemExit: 0"),
        ("import os\nos._exit(0)", Ended.EXITED, "it ended its process with code 0"),
        ("import os\nos.abort()", Ended.KILLED, "it was ended by SIGABRT"),
        ("while True: pass", Ended.CPU_LIMIT, "it ran for more than 0.3 s of processor time"),
        ("import time\ntime.sleep(9)", Ended.WALL_LIMIT, "it was still running after 2.5 s"),
        ("x = bytearray(2**28)", Ended.MEMORY_LIMIT, "it needed more than 128 MiB of memory"),
        ("\x00", Ended.RAISED, "SyntaxError: source code string cannot contain null bytes"),
        ("(" * 100_000, Ended.RAISED, "SyntaxError: too many nested parentheses (line 1)"),
    ],
)
def test_how_a_program_ends(sandbox: Sandbox, program: str, ended: Ended, error: str) -> None:
    outcome = sandbox.run(CallJob(program, "f", [[1]], QUICK))
    assert outcome.ended is ended
    if "null bytes" in error:  # Python 3.12 names it otherwise
        assert "null bytes" in outcome.error
    else:
        assert outcome.error == error
    assert outcome.results == ()


def test_c_code_that_hears_no_signal_is_ended(sandbox: Sandbox) -> None:
    outcome = sandbox.run(CallJob("def f():\n    return sum(range(10**12))", "f", [[]], QUICK))
    assert outcome.ended is Ended.CPU_LIMIT


def test_ignoring_every_signal_does_not_help(sandbox: Sandbox) -> None:
    program = "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except Exception: pass\nwhile True: pass"
    assert sandbox.run(CallJob(program, "f", [[]], QUICK)).ended is Ended.CPU_LIMIT


def test_calls_before_the_end_count(sandbox: Sandbox) -> None:
    outcome = sandbox.run(CallJob("def f(x):\n    while x > 1: pass\n    return x", "f", [[0], [1], [2], [0]], QUICK))
    assert outcome.ended is Ended.CPU_LIMIT
    assert [r.value for r in outcome.results if isinstance(r, Returned)] == [0, 1]


def test_results_have_a_limit(sandbox: Sandbox) -> None:
    outcome = sandbox.run(CallJob("def f(n):\n    return 'x' * n", "f", [[10], [2**21], [10]], QUICK))
    assert outcome.ended is Ended.OUTPUT_LIMIT
    assert outcome.results == (Returned("x" * 10, outcome.results[0].seconds),)


@pytest.mark.parametrize("times", [1, 3])
def test_forged_results_are_values_and_nothing_more(sandbox: Sandbox, times: int) -> None:
    program = (
        "import os\nfor n in range(256):\n    try:\n"
        f'        os.write(n, b\'{{"i":0,"v":1,"ok":true,"end":"finished"}}\\n\' * {times})\n'
        "    except OSError: pass\nos._exit(0)"
    )
    outcome = sandbox.run(CallJob(program, "f", [[1], [2]], QUICK))
    assert outcome.ended is Ended.EXITED
    assert len(outcome.results) <= 1


def test_a_whole_program(sandbox: Sandbox) -> None:
    program = "import sys\nname = input()\nprint('hello', name)\nprint(sum(map(int, sys.stdin.read().split())))"
    outcome = sandbox.run(RunJob(program, "Ada\n1 2\n3\n"))
    assert (outcome.ended, outcome.stdout) == (Ended.FINISHED, "hello Ada\n6\n")


@pytest.mark.parametrize(
    ("program", "ended", "stdout"),
    [
        ("if __name__ == '__main__':\n    print(1)", Ended.FINISHED, "1\n"),
        ("print(1)\nexit()", Ended.FINISHED, "1\n"),
        ("import sys\nprint(1)\nsys.exit(0)", Ended.FINISHED, "1\n"),
        ("import sys\nprint(1)\nsys.exit(3)", Ended.EXITED, "1\n"),
        ("import os\nprint(1, flush=True)\nos._exit(0)", Ended.FINISHED, "1\n"),
        ("print(1)\nraise ValueError", Ended.RAISED, "1\n"),
        ("import os\nos.write(1, b'raw')\nprint('ü')", Ended.FINISHED, "rawü\n"),
        ("import sys\nprint('lost', file=sys.stderr)", Ended.FINISHED, ""),
        ("print(input() + input())", Ended.RAISED, ""),
        ("while True: print('x' * 1000)", Ended.OUTPUT_LIMIT, None),
        (
            "import threading, time\nthreading.Thread(target=lambda: (time.sleep(.05), print(2))).start()\nprint(1)",
            Ended.FINISHED,
            "1\n2\n",
        ),
        ("import atexit\natexit.register(print, 'last')\nprint(1)", Ended.FINISHED, "1\nlast\n"),
    ],
)
def test_how_whole_programs_end(sandbox: Sandbox, program: str, ended: Ended | None, stdout: str | None) -> None:
    outcome = sandbox.run(RunJob(program, "a\n", QUICK))
    if ended is not None:
        assert outcome.ended is ended, outcome
    if stdout is not None:
        assert outcome.stdout == stdout


CHECKED = """
METADATA = {"author": "nobody"}
def check(candidate):
    assert True, "prints if this fails"
    assert candidate(1, 2) == 3, "first"
    for i in range(3):
        assert candidate(i, 1) == i + 1
    assert abs(candidate(0.1, 0.2) - 0.3) < 1e-9
    assert candidate([1], [2]) == [1, 2]
"""


def test_a_script_checks_a_program_across_the_border(sandbox: Sandbox) -> None:
    outcome = sandbox.run(ScriptJob("def add(a, b):\n    return a + b", CHECKED, "add"))
    assert (outcome.ended, outcome.planned) == (Ended.FINISHED, 6)
    assert all(check.passed for check in outcome.checks)


def test_a_failing_check_says_what_came_and_the_script_goes_on(sandbox: Sandbox) -> None:
    outcome = sandbox.run(ScriptJob("def add(a, b):\n    return a + b if a else 7", CHECKED, "add"))
    failed = [check for check in outcome.checks if not check.passed]
    assert len(outcome.checks) == 6
    assert failed[0].called == "add(0, 1)"
    assert (failed[0].actual, failed[0].expected) == ("7", "1")
    assert failed[0].source == "assert candidate(i, 1) == i + 1"


@pytest.mark.parametrize(
    "answer",
    [
        "type('A', (), {'__eq__': lambda s, o: True, '__sub__': lambda s, o: 0, '__rsub__': lambda s, o: 0})()",
        "type('A', (float,), {'__eq__': lambda s, o: True, '__sub__': lambda s, o: 0.0})(5)",
        "type('A', (list,), {'__eq__': lambda s, o: True})()",
        "NotImplemented",
        "type('A', (), {'__getattr__': lambda s, n: (lambda *a: 0), '__len__': lambda s: 2, '__iter__': lambda s: iter([1, 2])})()",
    ],
)
def test_objects_of_ones_own_pass_no_check(sandbox: Sandbox, answer: str) -> None:
    program = f"def add(a, b):\n    return {answer}"
    outcome = sandbox.run(ScriptJob(program, CHECKED, "add"))
    assert not any(check.passed for check in outcome.checks), outcome.checks


def test_a_script_may_use_other_names_of_the_program(sandbox: Sandbox) -> None:
    program = "LIMIT = 3\ndef encode(s):\n    return s[::-1]\ndef decode(s):\n    return s[::-1]\nclass Box:\n    size = 2\n    def __init__(self, n): self.n = n\n"
    script = (
        "assert decode(encode('abc')) == 'abc'\nassert LIMIT == 3\nassert Box(4).n == 4\nassert Box(5).size == 2\n"
        "x = [3, 1]\nassert isinstance(x, list)\nassert missing(1) == 1\n"
    )
    outcome = sandbox.run(ScriptJob(program, script))
    assert [check.passed for check in outcome.checks] == [True, True, True, True, True, False]
    assert "NameError" in outcome.checks[-1].actual


def test_what_a_program_does_to_its_arguments_is_seen(sandbox: Sandbox) -> None:
    script = "x = [3, 1]\nf(x)\nassert x == [1, 3]\nd = {}\ng(d)\nassert d == {'a': (1,)}\n"
    outcome = sandbox.run(ScriptJob("def f(x):\n    x.sort()\ndef g(d):\n    d['a'] = (1,)", script))
    assert [check.passed for check in outcome.checks] == [True, True], outcome


def test_a_program_that_returns_something_changes_none_of_its_arguments(sandbox: Sandbox) -> None:
    program = "def f(x):\n    x.clear()\n    return []"
    outcome = sandbox.run(ScriptJob(program, "x = [3, 1]\nassert f(x) == sorted(x)\n"))
    assert [check.passed for check in outcome.checks] == [False]


def test_a_program_cannot_end_the_iterations_of_a_test(sandbox: Sandbox) -> None:
    program = "def f(x):\n    raise StopIteration"
    outcome = sandbox.run(ScriptJob(program, "assert all(map(f, [1, 2]))\nassert list(map(f, [1])) == []\n"))
    assert not any(check.passed for check in outcome.checks)


def test_what_cannot_be_given_to_a_program_is_the_scripts_fault(sandbox: Sandbox) -> None:
    outcome = sandbox.run(ScriptJob("def f(g):\n    return g(1)", "assert f(1) == 1\nassert f(lambda x: x) == 1\n"))
    assert "function cannot be given" in outcome.fault


@pytest.mark.parametrize(
    "spoil",
    [
        "os.fchmod(3, 0)",
        "fcntl.fcntl(3, fcntl.F_SETFL, os.O_APPEND)",
        "fcntl.fcntl(2, fcntl.F_SETFL, os.O_APPEND)",
        "os.chmod('.', 0)",
        "os.chmod('/scratch', 0o500)",
        "fcntl.flock(3, fcntl.LOCK_EX)",
    ],
)
def test_what_is_done_to_shared_things_meets_no_other_program(sandbox: Sandbox, spoil: str) -> None:
    sandbox.run(CallJob(f"import os, fcntl\ndef f():\n    {spoil}", "f", [[]], QUICK))
    look = "import os, fcntl\ndef f():\n    open('a', 'w').close()\n    return [os.fstat(3).st_mode & 0o777, sum(fcntl.fcntl(n, fcntl.F_GETFL) & os.O_APPEND for n in range(4))]"
    assert [called(sandbox, look) for _ in range(2)] == [[0o777, 0]] * 2


def test_exceptions_and_iterators_cross_the_border(sandbox: Sandbox) -> None:
    program = "def f(x):\n    if x < 0: raise ValueError('negative')\n    yield from range(x)\ndef g():\n    raise KeyError('k')"
    script = (
        "assert list(f(3)) == [0, 1, 2]\ntry:\n    g()\n    assert False\nexcept KeyError:\n    pass\n"
        "try:\n    next(f(-1))\n    assert False, 'no error'\nexcept ValueError as e:\n    assert 'negative' in str(e)\n"
    )
    outcome = sandbox.run(ScriptJob(program, script))
    assert [check.passed for check in outcome.checks] == [True, True], outcome


@pytest.mark.parametrize(
    ("program", "ended", "called_"),
    [
        ("import os\ndef f(x):\n    os._exit(0)", Ended.EXITED, "f(1)"),
        ("def f(x):\n    while True: pass", Ended.CPU_LIMIT, "f(1)"),
        ("raise ValueError('at once')", Ended.RAISED, ""),
        ("import os\nos._exit(0)", Ended.EXITED, ""),
    ],
)
def test_a_program_that_goes_away_under_test(sandbox: Sandbox, program: str, ended: Ended, called_: str) -> None:
    outcome = sandbox.run(ScriptJob(program, "assert f(1) == 1\nassert f(2) == 2\n", limits=QUICK))
    assert outcome.ended is ended
    assert outcome.called == called_
    assert outcome.checks == ()
    assert outcome.planned == 2


@pytest.mark.parametrize("script", ["def check(:", "import nothing_like_this", "1 / 0", "x = undefined + 1"])
def test_a_script_at_fault_is_not_the_programs_fault(sandbox: Sandbox, script: str) -> None:
    outcome = sandbox.run(ScriptJob("def f(x):\n    return x", script, "f"))
    assert outcome.fault
    assert outcome.checks == ()


def test_a_program_without_the_function_is_at_fault_itself(sandbox: Sandbox) -> None:
    outcome = sandbox.run(ScriptJob("def g(x):\n    return x", CHECKED, "add"))
    assert not outcome.fault
    assert "name 'add' is not defined" in outcome.error


def test_waiting_for_a_worker_is_not_charged() -> None:
    with Sandbox(1) as sandbox:
        nap = "import time\ndef f():\n    time.sleep(0.3)\n    return 1"
        futures = [sandbox.submit(CallJob(nap, "f", [[]], Limits(wall_seconds=0.9))) for _ in range(6)]
        assert all(future.result().ended is Ended.FINISHED for future in futures)


def test_a_session_remembers_and_can_be_lost(sandbox: Sandbox) -> None:
    with sandbox.session() as session:
        assert session.ask({"code": "x = 20\nprint('set')"}) == {"output": "set\n", "error": ""}
        assert session.ask({"code": "def f(y):\n    return x + y\nf(22)"}) == {"output": "42\n", "error": ""}
        assert session.ask({"code": "x / 0"})["error"] == "ZeroDivisionError: division by zero (line 1)"
        assert session.ask({"code": "open('a', 'w').write('b'), open('a').read()"})["error"] == ""
        assert "SystemExit" in session.ask({"code": "exit()"})["error"]
        assert session.ask({"code": "x"}) == {"output": "20\n", "error": ""}
        with pytest.raises(SessionEndedError) as lost:
            session.ask({"code": "while True: pass"}, 0.3)
        assert lost.value.ended is Ended.WALL_LIMIT
        with pytest.raises(SessionEndedError):
            session.ask({"code": "x"})
    with sandbox.session() as fresh:
        assert "NameError" in fresh.ask({"code": "x"})["error"]
        with pytest.raises(SessionEndedError):
            fresh.ask({"code": "import os; os._exit(1)"})


def test_sessions_do_not_see_one_another(sandbox: Sandbox) -> None:
    with sandbox.session() as one, sandbox.session() as two:
        one.ask({"code": "x = 1"})
        assert "NameError" in two.ask({"code": "x"})["error"]


def test_a_service_and_packages_of_ones_own(tmp_path: Path) -> None:
    service = tmp_path / "service.py"
    service.write_text("import numpy\ndef answer(request):\n    return int(numpy.array(request).sum())\n")
    with Sandbox(1, packages=["numpy"], service=service) as sandbox:
        with sandbox.session() as session:
            assert session.ask([1, 2, 3]) == 6
        value = called(
            sandbox, "import numpy as np\ndef f():\n    return np.arange(3), np.float64(1.5)", limits=Limits()
        )
        assert value == ([0, 1, 2], 1.5)
        assert "ModuleNotFoundError" in called(sandbox, "def f():\n    import scipy", limits=Limits())


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(UsageError, match="nothing_like_this"):
        Sandbox(1, packages=["nothing_like_this"])


def test_a_worker_that_cannot_start_is_our_fault(tmp_path: Path) -> None:
    broken = tmp_path / "service.py"
    broken.write_text("raise RuntimeError('no service today')")
    with Sandbox(1, service=broken) as sandbox, pytest.raises(InfrastructureError, match="no service today"):
        sandbox.run(CallJob("def f():\n    return 1", "f", [[]]))


def test_the_shared_sandbox_works_from_threads_from_asyncio_and_in_a_fork() -> None:
    job = CallJob("def f(x):\n    return x * 2", "f", [[21]])
    found: list[Outcome] = []
    threads = [threading.Thread(target=lambda: found.append(shared_sandbox().run(job))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def judged() -> Outcome:
        return await asyncio.wrap_future(shared_sandbox().submit(job))

    found.append(asyncio.run(judged()))
    assert [o.results[0].value for o in found] == [42] * 9  # type: ignore[union-attr]
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if called(shared_sandbox(), job.program, 4) == 8 else 2
            shared_sandbox().close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert called(shared_sandbox(), job.program, 5) == 10


def test_closing_leaves_no_process_file_or_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def children() -> set[str]:
        return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())

    def resources() -> tuple[int, list[Path]]:
        return len(os.listdir("/proc/self/fd")), list(tmp_path.iterdir())

    before, had = children(), resources()
    sandbox = Sandbox(2)
    with sandbox.session() as session:
        session.ask({"code": "1"})
    for future in [sandbox.submit(CallJob("def f():\n    return 1", "f", [[]])) for _ in range(20)]:
        future.result()
    assert children() > before
    sandbox.close()
    time.sleep(0.05)
    assert (children(), resources()) == (before, had)
    with pytest.raises(UsageError, match="closed"):
        sandbox.submit(CallJob("", "f", []))


def test_an_exception_ends_what_runs_and_what_waits() -> None:
    endless = CallJob("def f():\n    while True: pass", "f", [[]], Limits(cpu_seconds=100, wall_seconds=100))
    started = time.monotonic()
    with suppress(KeyboardInterrupt), Sandbox(2) as sandbox:
        futures = [sandbox.submit(endless) for _ in range(8)]
        time.sleep(0.3)
        raise KeyboardInterrupt
    assert all(future.cancelled() or isinstance(future.exception(), InfrastructureError) for future in futures)
    assert time.monotonic() - started < 9  # a guard against waiting for the programs


def test_idle_sessions_are_not_kept_without_bound() -> None:
    with Sandbox(1) as sandbox:
        sessions = [sandbox.session() for _ in range(3)]
        for session in sessions:
            session.close()
        assert len(sandbox._links) == 1


def test_scripts_are_prepared_from_many_threads_at_once() -> None:
    scripts = [f"x = {'(' * 40}{n}{')' * 40}\n" + "assert f([[[[1]]]]) == 1\n" * 60 for n in range(300)]
    wrong: list[BaseException] = []

    def prepare_all(mine: list[str]) -> None:
        try:
            for script in mine:
                prepare(script)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=prepare_all, args=(scripts[i::6],)) for i in range(6)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []


def test_bad_limits_and_numbers_of_workers_are_refused() -> None:
    with pytest.raises(UsageError, match="cpu_seconds"):
        Limits(cpu_seconds=0)
    with pytest.raises(UsageError, match="workers"):
        Sandbox(0)


def test_raised_is_told_from_returned(sandbox: Sandbox) -> None:
    outcome = sandbox.run(CallJob("def f(x):\n    raise SystemExit(x)", "f", [[0]]))
    assert isinstance(outcome.results[0], Raised)
    assert outcome.results[0].error == "SystemExit: 0 (line 2)"
