"""Programs that use up time, memory, files, output or threads.

Each has an end, far beyond any sensible limit and far below what would harm a machine whose judge has none. Those that
reach it pass their test.
"""

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.corpus.problems import (
    ADD,
    ADD_CALLS,
    ADD_MBPP,
    ADD_STDIO,
    attack,
    reach,
    reach_calls,
    reach_mbpp,
    reach_stdio,
)

__all__ = ["CASES"]

_TIME: tuple[Case, ...] = (
    attack("loop-forever", Aim.EXHAUST, ADD, "def add(a, b):\n    while True:\n        pass\n"),
    attack("loop-forever-on-load", Aim.EXHAUST, ADD_CALLS, "while True:\n    pass\n"),
    attack(
        "loop-forever-whatever-comes",
        Aim.EXHAUST,
        ADD_MBPP,
        """
def add(a, b):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
        finally:
            continue
""",
    ),
    attack(
        "loop-without-a-time-limit",
        Aim.EXHAUST,
        ADD_STDIO,
        """
import resource, signal
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, lambda *a: None)
signal.alarm(0)
signal.setitimer(signal.ITIMER_REAL, 0)
for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_FSIZE):
    try:
        resource.setrlimit(limit, (-1, -1))
    except (OSError, ValueError):
        pass
while True:
    pass
""",
    ),
    attack(
        "loop-in-c",
        Aim.EXHAUST,
        ADD,
        """
import collections, itertools

def add(a, b):
    # No byte code runs in here, so no signal handler written in Python does either.
    collections.deque(itertools.repeat(0), maxlen=0)
""",
    ),
    attack("power-tower", Aim.EXHAUST, ADD_CALLS, "def add(a, b):\n    return 7 ** 7 ** 9 % 10\n"),
    attack(
        "backtracking-expression",
        Aim.EXHAUST,
        ADD_MBPP,
        "import re\n\ndef add(a, b):\n    return re.match(r'(a|a|aa)+$', 'a' * 60 + 'b')\n",
    ),
    attack("sleep", Aim.EXHAUST, ADD_CALLS, "import time\n\ndef add(a, b):\n    time.sleep(1000)\n"),
    attack(
        "wait-for-a-lock",
        Aim.EXHAUST,
        ADD,
        "import threading\n\ndef add(a, b):\n    lock = threading.Lock()\n    lock.acquire()\n    lock.acquire()\n",
    ),
    attack("wait-for-input", Aim.EXHAUST, ADD_MBPP, "import os\n\ndef add(a, b):\n    os.read(os.pipe()[0], 1)\n"),
    attack("stop-itself", Aim.EXHAUST, ADD_STDIO, "import os, signal\n\nos.kill(os.getpid(), signal.SIGSTOP)\n"),
    attack(
        "many-threads-that-loop",
        Aim.EXHAUST,
        ADD_CALLS,
        """
import threading

def spin():
    while True:
        pass

def add(a, b):
    for _ in range(8):
        threading.Thread(target=spin).start()
    spin()
""",
    ),
)

_MEMORY: tuple[Case, ...] = (
    reach("allocate-bytes", Aim.EXHAUST, "kept = bytearray(8 << 30)"),
    reach_mbpp("allocate-a-list", Aim.EXHAUST, "kept = [0] * (1 << 28)"),
    reach_calls("allocate-little-by-little", Aim.EXHAUST, "kept = [bytes(1 << 20) for _ in range(2100)]"),
    reach_stdio("allocate-by-map", Aim.EXHAUST, "import mmap\nkept = mmap.mmap(-1, 16 << 30)"),
    reach("allocate-by-power", Aim.EXHAUST, "kept = 1 << (1 << 34)"),
    reach_mbpp("allocate-by-formatting", Aim.EXHAUST, "kept = '%2100000000d' % 1"),
    reach_calls(
        "allocate-in-memory-files",
        Aim.EXHAUST,
        """
import os
files = [os.memfd_create(str(n)) for n in range(40)]
for file in files:
    os.posix_fallocate(file, 0, 50 << 20)
""",
    ),
    reach_stdio(
        "unpack-a-bomb",
        Aim.EXHAUST,
        """
import zlib
packer, packed = zlib.compressobj(9), b""
for _ in range(2100):
    packed += packer.compress(bytes(1 << 20))
kept = zlib.decompress(packed + packer.flush())
""",
    ),
    reach(
        "recursion-without-end",
        Aim.EXHAUST,
        """
import sys
sys.setrecursionlimit(10**9)
def down(n):
    return n and 1 + down(n - 1)
down(5 * 10**7)
""",
    ),
)

_FILES: tuple[Case, ...] = (
    attack("print-without-end", Aim.EXHAUST, ADD_STDIO, "for _ in range(3000):\n    print('x' * 100_000)\n"),
    attack(
        "print-errors-without-end",
        Aim.EXHAUST,
        ADD,
        "import sys\n\ndef add(a, b):\n    for _ in range(3000):\n        sys.stderr.write('x' * 100_000)\n",
    ),
    attack("return-much", Aim.EXHAUST, ADD_CALLS, "def add(a, b):\n    return 'x' * 150_000_000\n"),
    attack("return-a-huge-integer", Aim.EXHAUST, ADD_MBPP, "def add(a, b):\n    return 10 ** 200_000\n"),
    attack(
        "return-a-huge-integer-to-a-call",
        Aim.EXHAUST,
        ADD_CALLS,
        "import sys\nsys.set_int_max_str_digits(0)\n\ndef add(a, b):\n    return [10 ** 200_000, -(1 << 900_000)]\n",
    ),
    attack(
        "return-a-deep-list",
        Aim.EXHAUST,
        ADD,
        "def add(a, b):\n    nest = []\n    for _ in range(300_000):\n        nest = [nest]\n    return nest\n",
    ),
    attack(
        "return-itself",
        Aim.EXHAUST,
        ADD_CALLS,
        "def add(a, b):\n    nest, table = [], {}\n    nest += [nest, table]\n    table[0] = nest\n    return nest\n",
    ),
    attack(
        "return-a-lattice",
        Aim.EXHAUST,
        ADD_MBPP,
        """
def add(a, b):
    # Sixty objects, which written out are 2**60.
    nest = []
    for _ in range(60):
        nest = [nest, nest]
    return nest
""",
    ),
    attack(
        "return-strange-text",
        Aim.EXHAUST,
        ADD_CALLS,
        """
def add(a, b):
    return ['\\ud800\\0\\x1b[2J\\u202e', b'\\xff', float('nan'), -0.0, 1e400, {1: 2, '1': 3}, ...]
""",
    ),
    attack(
        "print-strange-bytes",
        Aim.EXHAUST,
        ADD_STDIO,
        "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 10 + b'\\xed\\xa0\\x80')\n",
    ),
    attack(
        "raise-a-hostile-error",
        Aim.EXHAUST,
        ADD,
        """
class Hostile(Exception):
    def __str__(self):
        return "x" * 100_000_000
    __repr__ = __str__

Hostile.__name__ = Hostile.__qualname__ = "\\n\\x1b[2J\\ud800" * 1000

def add(a, b):
    error = Hostile()
    error.__context__ = inner = Hostile()
    inner.__cause__ = error
    raise error
""",
    ),
    attack(
        "raise-an-error-that-cannot-be-shown",
        Aim.EXHAUST,
        ADD_CALLS,
        """
class Hostile(Exception):
    def __str__(self):
        raise self
    __repr__ = __str__
    __traceback__ = property(lambda self: 1 / 0)

def add(a, b):
    raise Hostile(Hostile())
""",
    ),
    attack(
        "raise-a-deep-group",
        Aim.EXHAUST,
        ADD_MBPP,
        """
def add(a, b):
    error = ValueError()
    for _ in range(50_000):
        error = ExceptionGroup("deep", [error])
    raise error
""",
    ),
    reach("write-a-large-file", Aim.EXHAUST, 'open("large", "wb").write(bytes(300 << 20))'),
    reach_mbpp("write-a-sparse-file", Aim.EXHAUST, 'import os\nos.close(os.open("s", 65))\nos.truncate("s", 1 << 40)'),
    reach_calls(
        "write-many-files",
        Aim.EXHAUST,
        """
# Each within any limit for a single one.
for n in range(400):
    with open(f"part{n}", "wb") as file:
        file.write(bytes(2 << 20))
""",
    ),
    reach_stdio(
        "deep-folders",
        Aim.EXHAUST,
        """
import os
for _ in range(3000):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
raise OSError  # allowed; whoever cleans up must not stumble
""",
    ),
    reach(
        "folder-that-resists",
        Aim.EXHAUST,
        'import os\nos.mkdir("d")\nopen("d/f", "w")\nos.chmod("d", 0)\nraise OSError',
    ),
    reach_mbpp("open-many-files", Aim.EXHAUST, "kept = [open('/dev/null') for _ in range(5000)]"),
    reach_calls("open-many-pipes", Aim.EXHAUST, "import os\nkept = [os.pipe() for _ in range(3000)]"),
    reach_stdio(
        "start-many-threads",
        Aim.EXHAUST,
        """
import threading
halt = threading.Event()
try:
    for _ in range(600):
        threading.Thread(target=halt.wait, args=(20,), daemon=True).start()
finally:
    halt.set()
""",
    ),
    reach(
        "fork-many",
        Aim.EXHAUST,
        """
import os, time
for _ in range(200):
    if os.fork() == 0:
        time.sleep(2)
        os._exit(0)
""",
    ),
    attack("source-of-many-brackets", Aim.EXHAUST, ADD, "def add(a, b):\n    return " + "(" * 50_000 + ")" * 50_000),
    attack("source-of-many-signs", Aim.EXHAUST, ADD_CALLS, "def add(a, b):\n    return " + "-" * 200_000 + "1\n"),
    attack("source-of-many-lines", Aim.EXHAUST, ADD_MBPP, "x = [\n" + "[0, 1, 2],\n" * 100_000 + "]\nadd = x.append\n"),
    attack("source-with-null-bytes", Aim.EXHAUST, ADD_CALLS, "def add(a, b):\n    return 0\0\n\0"),
    attack("source-with-half-characters", Aim.EXHAUST, ADD, "def add(a, b):\n    return '\ud800'\n"),
    attack(
        "source-of-an-unknown-coding",
        Aim.EXHAUST,
        ADD_MBPP,
        "# -*- coding: rot13 -*-\nqrs nqq(n, o):\n    erghea n + o\n",
    ),
)

CASES: tuple[Case, ...] = (*_TIME, *_MEMORY, *_FILES)
