"""One attack for every promise of the sandbox, as whoever runs the tests, as an ordinary user, and without namespaces."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from palaestra.envs.errors import InfrastructureError
from palaestra.envs.sandbox import CallJob, Ended, Limits, Sandbox, ScriptJob
from palaestra.envs.sandbox.inside import seccomp

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="isolation is made of Linux's layers")

RAW = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\ndef f():\n    r = libc.syscall({})\n"
RAW += "    return [r, ctypes.get_errno()]\n"

# Name -> a program whose f() must raise, or return None, False or [-1, errno].
REFUSED = {
    "read a file of the machine": "def f():\n    return open('/etc/passwd').read()",
    "read the secrets of root": "def f():\n    return open('/etc/shadow').read()",
    "list the machine's root": "import os\ndef f():\n    return os.listdir('/home') or os.listdir('/root')",
    "read installed packages": "def f():\n    import numpy\n    return True",
    "read this project": f"def f():\n    return open({str(Path(__file__).resolve())!r}).read()",
    "read other processes": "import os\ndef f():\n    return os.listdir('/proc')",
    "read own memory": "def f():\n    return open('/proc/self/mem', 'rb')",
    "write outside": "import os\ndef f():\n    return bool(open('/tmp/palaestra-was-here', 'w'))",
    "change the standard library": "import os\ndef f():\n    return bool(open(os.__file__, 'a'))",
    "link out of the scratch folder": "import os\ndef f():\n    os.symlink('/etc', 'e')\n    return open('e/passwd').read()",
    "use shared memory files": "def f():\n    return bool(open('/dev/shm/x', 'w'))",
    "fork": "import os\ndef f():\n    return os.fork()",
    "fork by multiprocessing": "import multiprocessing as m\ndef f():\n    m.Process(target=print).start()\n    return 1",
    "fork as its worker does": RAW.format(
        "56 if __import__('platform').machine() == 'x86_64' else 220, ctypes.c_long(0x04000000 | 17), 0, 0, 0, 0"
    ),
    "fork with numbers told": RAW.format(
        "56 if __import__('platform').machine() == 'x86_64' else 220, ctypes.c_long(0x04200000 | 17), 0, 0, 0, 0"
    ),
    "signal its group": "import os\ndef f():\n    os.kill(0, 0)\n    return True",
    "get its capabilities back": "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\ndef f():\n"
    "    head = (ctypes.c_uint32 * 2)(0x20080522, 0)\n    sets = (ctypes.c_uint32 * 6)(1 << 21, 1 << 21, 0, 0, 0, 0)\n"
    "    return [l.capset(head, sets), ctypes.get_errno()]",
    "start a program": "import subprocess\ndef f():\n    return subprocess.run(['/bin/true']).returncode == 0",
    "replace itself": "import os, sys\ndef f():\n    os.execv(sys.executable or '/usr/bin/python3', ['python3'])",
    "open a socket": "import socket\ndef f():\n    return bool(socket.socket())",
    "open a local socket": "import socket\ndef f():\n    return bool(socket.socket(socket.AF_UNIX))",
    "ask a name server": "import socket\ndef f():\n    return socket.gethostbyname('example.org')",
    "signal the first process": "import os\ndef f():\n    os.kill(1, 9)\n    return True",
    "signal everything": "import os\ndef f():\n    os.kill(-1, 9)\n    return True",
    "signal its parent": "import os\ndef f():\n    os.kill(os.getppid() or 1, 15)\n    return True",
    "raise its limits": "import resource as r\ndef f():\n    r.setrlimit(r.RLIMIT_AS, (-1, -1))\n    return True",
    "become root": "import os\ndef f():\n    os.setuid(0)\n    return True",
    "ptrace": RAW.format("101 if __import__('platform').machine() == 'x86_64' else 117, 16, 1, 0, 0"),
    "make a user namespace": RAW.format("272 if __import__('platform').machine() == 'x86_64' else 97, 0x10000000"),
    "mount": "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\ndef f():\n"
    "    return [l.mount(b'x', b'/scratch', b'tmpfs', 0, None), ctypes.get_errno()]",
    "chroot": "import os\ndef f():\n    os.chroot('.')\n    return True",
    "io_uring": RAW.format("425, 8, 0"),
    "bpf": RAW.format("321 if __import__('platform').machine() == 'x86_64' else 280, 0, 0, 0"),
    "a hidden file for programs": "import os\ndef f():\n    return os.memfd_create('x') > 0",
    "message queues": RAW.format("68 if __import__('platform').machine() == 'x86_64' else 186, 0, 0o1600"),
    "more threads than allowed": "import threading, time\ndef f():\n    threading.stack_size(65536)\n    for _ in range(100):\n"
    "        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n    return True",
    "more files than allowed": "def f():\n    return len([open(str(i), 'w') for i in range(200)])",
    "more memory than allowed": "def f():\n    return len('x' * 2**29)",
}

ALLOWED = {
    "use its own folder": "def f():\n    open('a', 'w').write('x')\n    return open('a').read() == 'x'",
    "use threads": "import threading\ndef f():\n    t = [threading.Thread(target=int) for _ in range(8)]\n"
    "    [x.start() for x in t], [x.join() for x in t]\n    return True",
    "use asyncio": "import asyncio\ndef f():\n    asyncio.run(asyncio.sleep(0.001))\n    return True",
    "import late": "def f():\n    import sqlite3, decimal, ctypes, zoneinfo, unittest, html.parser\n    return True",
    "draw random numbers": "import os, random, tempfile\ndef f():\n    tempfile.TemporaryFile()\n    return len(os.urandom(4)) == 4",
    "signal itself": "import signal\ndef f():\n    signal.signal(signal.SIGALRM, lambda *a: None)\n"
    "    signal.raise_signal(signal.SIGALRM)\n    return True",
}


def _probed(kind: str) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).with_name("sandbox_probe.py")), kind]
    done = subprocess.run(command, input=json.dumps(REFUSED | ALLOWED), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    if "skip" in found:
        pytest.skip(found["skip"])
    return found


@pytest.fixture(scope="module", params=["same", "ordinary", "confined"])
def probed(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param, _probed(request.param)


# Without a user namespace threads are not counted, and the machine's file names can be seen (not read).
NEEDS_NAMESPACES = {"more threads than allowed", "use shared memory files"}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(probed: tuple[str, dict[str, Any]], name: str) -> None:
    kind, found = probed
    if kind == "confined" and name in NEEDS_NAMESPACES:
        pytest.skip("needs a user namespace")
    if kind == "ordinary" and name == "more threads than allowed" and os.geteuid() == 0:
        pytest.skip("the kernel does not count the threads of root, whom the probe is to it")
    value = found[name]["value"]
    assert value in (None, False) or (isinstance(value, list) and value[0] == -1 and value[1] in (1, 38)), found[name]


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed(probed: tuple[str, dict[str, Any]], name: str) -> None:
    _, found = probed
    assert found[name]["value"] is True, found[name]


def test_nothing_was_written_outside() -> None:
    assert not Path("/tmp/palaestra-was-here").exists()


def test_a_missing_layer_is_one_warning(probed: tuple[str, dict[str, Any]]) -> None:
    kind, found = probed
    if kind == "confined":
        assert len(found["warnings"]) == 1
        assert "user namespace" in found["warnings"][0]
        assert "palaestra doctor" in found["warnings"][0]
        assert found["layers"]["Landlock"] or found["layers"]["system-call filter"]
    elif all(found["layers"].values()):
        assert found["warnings"] == []


def test_a_missing_layer_is_an_error_where_isolation_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    from palaestra.envs.sandbox import link

    real = link.Link._start

    def without(self: link.Link) -> None:
        real(self)
        self.layers = (*self.layers, type(self.layers[0])("a layer", False, "not on this machine"))

    monkeypatch.setattr(link.Link, "_start", without)
    with (
        Sandbox(1, require_isolation=True) as sandbox,
        pytest.raises(InfrastructureError, match=r"a layer \(not on this machine\)"),
    ):
        sandbox.run(CallJob("def f():\n    return 1", "f", [[]]))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1) as made:
        yield made


def test_a_listener_on_this_machine_cannot_be_reached(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0.3)
        program = f"import socket\ndef f():\n    return bool(socket.create_connection(('127.0.0.1', {port}), 1))"
        outcome = sandbox.run(CallJob(program, "f", [[]]))
        assert "Operation not permitted" in outcome.results[0].error  # type: ignore[union-attr]
        with pytest.raises(TimeoutError):
            server.accept()


def test_what_one_program_leaves_the_next_does_not_find(sandbox: Sandbox) -> None:
    litter = """
import os, threading, time, builtins, sys
for i in range(300):
    os.mkdir('d'); os.chdir('d')
os.chdir('/scratch'); open('file', 'w').write('x'); os.symlink('/', 'link')
os.chmod('d', 0)
threading.Thread(target=time.sleep, args=(60,), daemon=False).start()
builtins.open = None
sys.modules['math'] = None
def f():
    return 1
"""
    assert sandbox.run(CallJob(litter, "f", [[]])).results[0].value == 1  # type: ignore[union-attr]
    look = (
        "import os, math, threading\ndef f():\n    return os.listdir('.'), threading.active_count(), open is not None"
    )
    assert sandbox.run(CallJob(look, "f", [[]])).results[0].value == ([], 1, True)  # type: ignore[union-attr]


# Looks for a text, which it must not hold itself, in every object and every caller's variables.
HUNT = """
import gc, sys
def f(backwards):
    want = backwards[::-1]
    callers, frame = [], sys._getframe().f_back
    while frame:
        callers.append({k: v for k, v in frame.f_locals.items()})
        frame = frame.f_back
    held = [o for o in gc.get_objects() if isinstance(o, (list, dict, tuple)) and len(o) < 10000]
    return sum(want in repr(o) for o in callers + held)
"""


def test_the_memory_of_a_program_holds_nothing_of_another(sandbox: Sandbox) -> None:
    secret = "what-only-one-may-know"
    sandbox.run(CallJob(f"s = {secret!r}\ndef f(x):\n    return s", "f", [[secret]]))
    assert sandbox.run(CallJob(HUNT, "f", [[secret[::-1]]])).results[0].value == 0  # type: ignore[union-attr]
    aware = sandbox.run(CallJob(HUNT + f"known = [{secret!r}]", "f", [[secret[::-1]]])).results[0]
    assert aware.value > 0  # type: ignore[union-attr]


def test_a_test_and_what_it_expects_are_never_in_the_programs_process(sandbox: Sandbox) -> None:
    script = "expected = 'what-the-test-expects'\nassert f(expected[::-1]) == 0\nassert f('x') == expected\n"
    outcome = sandbox.run(ScriptJob(HUNT, script))
    assert [check.passed for check in outcome.checks] == [True, False], outcome


def test_a_system_call_of_the_other_table_is_refused(sandbox: Sandbox) -> None:
    if seccomp.supported() or os.uname().machine != "x86_64":
        pytest.skip("x86-64 has two tables")
    program = RAW.format("0x40000000 | 57")
    assert sandbox.run(CallJob(program, "f", [[]])).results[0].value[0] == -1  # type: ignore[union-attr]


def test_a_program_that_ends_its_test_has_not_passed_it(sandbox: Sandbox) -> None:
    program = (
        "import os\ndef f(x):\n    for p in range(2, 3000 * (x > 1)):\n        if p != os.getpid():\n"
        "            try: os.kill(p, 9)\n            except OSError: pass\n    return x\n"
    )
    script = "type(f)\nassert f(1) == 1\nassert f(2) == 3\n"
    outcome = sandbox.run(ScriptJob(program, script))
    assert [check.passed for check in outcome.checks] in ([True], [True, False]), outcome
    assert len(outcome.checks) == 2 or (outcome.ended is not Ended.FINISHED and outcome.planned > 1), outcome
    assert sandbox.run(ScriptJob("def f(x):\n    return x\n", script)).ended is Ended.FINISHED


def test_every_way_to_confine_programs_works() -> None:
    """Where one filter cannot be shared, every process has its own; both are tried where both can be had."""
    with Sandbox(1) as sandbox:
        layers = {layer.name: layer.active for layer in sandbox.layers}
    if not (layers["user namespace"] and layers["process namespace"] and layers["system-call filter"]):
        pytest.skip("a filter is shared in namespaces alone")
    for shared in (True, False):
        confinement = _confined(shared)
        assert confinement == [shared, [0, "refused", "refused", "refused"]]


def _confined(shared: bool) -> Any:
    """Confine a process in namespaces of its own, as a worker does; return what one that it forks can do."""
    source = f"""
import json, os, sys
sys.path.insert(0, {str(Path(seccomp.__file__).parents[1])!r})
from inside import main, namespaces
from inside.confinement import Once
missing = namespaces.unshare()
if os.fork() == 0:
    namespaces.become_nobody(lambda: True, keep_forking={shared})
    namespaces._libc.prctl(38, 1, 0, 0, 0)
    confinement, why = main._confinement(False, {shared})
    asked, answer = os.pipe()
    pid, _ = confinement.fork()
    if pid == 0:
        confinement.enter()
        def tried(act):
            try:
                act()
            except OSError:
                return "refused"
            return "done"
        found = [tried(os.fork), tried(confinement.fork), tried(lambda: os.kill(1, 0))]
        os.write(answer, json.dumps(found).encode())
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    print(json.dumps([isinstance(confinement, Once), [status, *json.loads(os.read(asked, 1000))]]), flush=True)
    os._exit(0)
os.wait()
"""
    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_no_open_file_of_a_busy_process_reaches_a_program() -> None:
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(300)]
    try:
        with Sandbox(1) as sandbox:
            look = (
                "import os\ndef f():\n    found = []\n    for n in range(3000):\n        try: os.fstat(n)\n"
                "        except OSError: continue\n        found.append(n)\n    return found"
            )
            assert sandbox.run(CallJob(look, "f", [[]])).results[0].value == [0, 1, 2, 3]  # type: ignore[union-attr]
            outcome = sandbox.run(ScriptJob(look, "assert f() == [0, 1, 2, 3, 5]"))
            assert [check.passed for check in outcome.checks] == [True], outcome
            with sandbox.session() as session:
                assert session.ask({"code": look + "\nf()"})["output"] == "[0, 1, 2, 3, 5]\n"
    finally:
        for file in many:
            os.close(file)


def test_the_pool_survives_a_killed_worker_and_the_killing_of_everything() -> None:
    with Sandbox(1) as sandbox:
        assert sandbox.run(CallJob("def f():\n    return 1", "f", [[]])).ended is Ended.FINISHED
        future = sandbox.submit(CallJob("import time\ndef f():\n    time.sleep(0.5)\n    return 2", "f", [[]]))
        time.sleep(0.1)
        (link,) = sandbox._links
        assert link.process is not None
        os.killpg(link.process.pid, signal.SIGKILL)
        outcome = future.result(20)
        assert outcome.results[0].value == 2  # type: ignore[union-attr]


def test_a_fork_cannot_claim_to_be_our_fault(sandbox: Sandbox) -> None:
    for code in (1, 70, 71, 77):
        program = f"import os\ndef f():\n    for i in range(3, 50):\n        try: os.ftruncate(i, 0)\n        except OSError: pass\n    os._exit({code})"
        outcome = sandbox.run(CallJob(program, "f", [[]], Limits(cpu_seconds=1)))
        assert outcome.ended in (Ended.EXITED, Ended.OUTPUT_LIMIT)
        assert outcome.results == ()
