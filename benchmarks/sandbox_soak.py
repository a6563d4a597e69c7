"""Thousands of hostile and benign programs in one sandbox, and what is left behind afterwards.

    python benchmarks/sandbox_soak.py [--programs N]

Half of the programs are benign and must all be answered rightly, whatever ran before them. The others fork, start
threads, litter, allocate, print, crash or end themselves; one in two hundred runs until a limit ends it. Counted from
outside, after a warm-up and at the end: processes, open files, temporary files and memory, of this process and of the
workers; once the sandbox is closed, what is still there. Orphans of programs become children of this process (it asks
the kernel for that), so that none is overlooked.

Expected: no process, no temporary file and no more open files; memory within 10 % and 4 MB of that after the warm-up.
"""

import argparse
import ctypes
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from palaestra.envs.errors import InfrastructureError
from palaestra.envs.sandbox import CallJob, Job, Limits, Outcome, Returned, RunJob, Sandbox, ScriptJob
from record import keep

LIMITS = Limits(cpu_seconds=1.0, wall_seconds=1.5, memory_mb=64, output_mb=1)
# Enough for every kind of program to have come often.
WARM_UP = 2_000
QUEUED = 500
SLOW_SHARE = 0.005
PR_SET_CHILD_SUBREAPER = 36

HOSTILE = {
    "fork bomb": "import os\nwhile True: os.fork()",
    "another program": "import subprocess\nsubprocess.Popen(['sleep', '600'])",
    "own session": "import os\nos.setsid()\nos.setpgid(0, 0)",
    "threads left behind": "import threading, time\n"
    "for _ in range(20): threading.Thread(target=time.sleep, args=(600,)).start()",
    "busy threads left behind": "import threading\ndef spin():\n    while True: pass\n"
    "for _ in range(4): threading.Thread(target=spin, daemon=True).start()",
    "file litter": "for i in range(100): open(f'f{i}', 'w').write('x' * 1000)",
    "deep folders": "import os\nfor _ in range(500):\n    os.mkdir('d'); os.chdir('d')",
    "unreadable folder": "import os\nos.mkdir('d')\nopen('d/f', 'w').close()\nos.chmod('d', 0)",
    "odd names": "import os\nfor n in (b'\\xff\\xfe', b'a\\nb', b'-rf', b' '): os.mkdir(n)",
    "links": "import os\nos.symlink('/', 'root')\nos.symlink('loop', 'loop')",
    "large file": "open('f', 'wb').write(bytes(1 << 24))",
    "memory bomb": "x = []\nwhile True: x.append(bytearray(1 << 20))",
    "large number": "x = 1 << (1 << 34)",
    "output bomb": "while True: print('x' * 65536)",
    "unprinted errors": "import sys\nfor _ in range(1000): sys.stderr.write('x' * 1000)",
    "exit": "import os\nos._exit(0)",
    "kill": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "crash": "import ctypes\nctypes.string_at(0)",
    "deep recursion": "def f(): return f()\nf()",
    "open files": "import os\nfiles = [open(os.devnull) for _ in range(10000)]",
    "closed files": "import os\nos.closerange(0, 1000)",
    "pipes": "import os\npipes = [os.pipe() for _ in range(1000)]",
    "shared memory": "from multiprocessing.shared_memory import SharedMemory\nSharedMemory(create=True, size=1 << 20)",
    "temporary files": "import tempfile\nfor _ in range(10): tempfile.mkstemp()",
    "changed interpreter": "import builtins, sys\nbuiltins.print = None\nsys.modules.clear()",
    "syntax error": "def f(:",
}
SLOW = {
    "endless": "while True: pass",
    "asleep": "import time\ntime.sleep(600)",
    "deaf": "import signal\nfor s in set(signal.Signals) - {9, 19}: signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
    "uninterruptible": "x = 3 ** (10 ** 9)",
    "never reads": "import threading\nthreading.Event().wait()",
}


@dataclass(frozen=True)
class Held:
    """What this process and the workers hold.

    Attributes:
        processes: Descendants of this process.
        files: Open files of this process.
        worker_files: Open files of all workers.
        temporary: Files and folders in the folder for temporary files.
        shared_memory: Files in the machine's shared memory.
        memory_mb: Resident memory of this process.
        worker_memory_mb: Proportional memory of all workers.
    """

    processes: int
    files: int
    worker_files: int
    temporary: int
    shared_memory: int
    memory_mb: float
    worker_memory_mb: float


def held(temporary: Path) -> Held:
    workers = descendants(os.getpid())
    return Held(
        processes=len(workers),
        files=open_files(os.getpid()),
        worker_files=sum(map(open_files, workers)),
        temporary=sum(1 for _ in temporary.rglob("*")),
        shared_memory=len(list(Path("/dev/shm").iterdir())) if Path("/dev/shm").is_dir() else 0,
        memory_mb=memory_mb(os.getpid(), "Rss"),
        worker_memory_mb=sum(memory_mb(worker, "Pss") for worker in workers),
    )


def descendants(pid: int) -> list[int]:
    """Return the processes that this one, or one of its descendants, began or inherited."""
    found = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, thread.read_text().split()):
            found += [child, *descendants(child)]
    return found


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory_mb(pid: int, what: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024


def benign(number: int) -> tuple[Job, Callable[[Outcome], bool]]:
    """Return an honest program, and what tells whether it was answered rightly."""
    if number % 3 == 0:
        job: Job = RunJob("print(sum(map(int, input().split())))", f"{number} 1\n", LIMITS)
        return job, lambda outcome: outcome.stdout == f"{number + 1}\n"
    program = "def add(a, b):\n    return a + b\n"
    if number % 3 == 1:
        job = CallJob(program, "add", [(number, 1), ("a", "b")], LIMITS)
        return job, lambda o: [r.value for r in o.results if isinstance(r, Returned)] == [number + 1, "ab"]
    script = f"def check(f):\n    assert f({number}, 1) == {number + 1}\n    assert f('a', 'b') == 'ab'\n"
    return ScriptJob(program, script, "add", LIMITS), lambda o: [c.passed for c in o.checks] == [True, True]


def soak(sandbox: Sandbox, programs: range, generator: np.random.Generator) -> tuple[Counter[str], list[str]]:
    """Run programs, and return how they ended and what went otherwise than it must."""
    hostile, slow = list(HOSTILE), list(SLOW)
    ends: Counter[str] = Counter()
    faults: list[str] = []

    def plan() -> "Sequence[tuple[str, Job, Callable[[Outcome], bool]]]":
        for number in programs:
            draw = generator.random()
            if draw < 0.5:
                yield (f"benign {number}", *benign(number))
                continue
            name = str(generator.choice(slow if draw < 0.5 + SLOW_SHARE else hostile))
            source = {**HOSTILE, **SLOW}[name]
            job = RunJob(source, limits=LIMITS) if number % 2 else ScriptJob(source, "assert answer()", "", LIMITS)
            yield name, job, lambda _: True

    rest = plan()
    while batch := list(islice(rest, QUEUED)):
        futures: list[tuple[str, Future[Outcome], Callable[[Outcome], bool]]] = [
            (name, sandbox.submit(job), right) for name, job, right in batch
        ]
        for name, future, right in futures:
            try:
                outcome = future.result()
            except InfrastructureError as error:
                ends["infrastructure"] += 1
                faults.append(f"{name}: {error}")
                continue
            ends[str(outcome.ended)] += 1
            if not (right(outcome) and (name not in SLOW or outcome.ended.timeout)):
                faults.append(f"{name}: {str(outcome)[:500]}")
        if sys.stderr.isatty():
            print(f"\r{ends.total():,} programs ", end="", file=sys.stderr)
    return ends, faults


def within(after: float, before: float) -> bool:
    return after <= 1.1 * before + 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=20_000, help="the figures are kept when at least 20,000")
    programs = parser.parse_args().programs
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        tempfile.tempdir = folder  # the sandbox's own folders, and nobody else's
        temporary = Path(folder)
        before = held(temporary)
        warm_up = min(WARM_UP, programs // 4)
        with Sandbox() as sandbox:
            soak(sandbox, range(warm_up), generator)
            warm = held(temporary)
            began = time.perf_counter()
            ends, faults = soak(sandbox, range(warm_up, programs), generator)
            seconds = time.perf_counter() - began
            worn = held(temporary)
        after = held(temporary)
    clean = {
        "no process left": after.processes == 0,
        "no open file left": after.files <= before.files and worn.files <= warm.files,
        "no temporary file left": after.temporary == 0 and worn.temporary <= warm.temporary,
        "no open file gathers in workers": worn.worker_files <= warm.worker_files,
        "no shared memory left": after.shared_memory <= before.shared_memory,
        "no memory gathers here": within(worn.memory_mb, warm.memory_mb),
        "no memory gathers in workers": within(worn.worker_memory_mb, warm.worker_memory_mb),
        "every benign program answered rightly, every endless one stopped": not faults,
    }
    figures = {
        "programs": programs,
        "programs_per_second": (programs - warm_up) / seconds,
        "met": all(clean.values()),
        "clean": clean,
        "ended": dict(ends),
        "faults": len(faults),
        "first_faults": faults[:10],
        "held": {"before": asdict(before), "warm": asdict(warm), "worn": asdict(worn), "after": asdict(after)},
    }
    print(json.dumps(figures, indent=1))
    if programs >= 20_000:
        keep("sandbox_soak", figures)
    sys.exit(0 if figures["met"] else 1)


if __name__ == "__main__":
    main()
