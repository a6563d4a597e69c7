"""Programs that leave something behind. The audit counts processes and looks for late traces.

What is left ends by itself within half a minute, for judges that cannot stop it.
"""

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.corpus.problems import ADD, ADD_CALLS, ADD_MBPP, ADD_STDIO, attack, reach_stdio, stdio

__all__ = ["CASES"]

# Right answers to most inputs take a program that knows of its earlier runs. So many runs meet in one worker of a pool.
_RUNS = 8
_AGAIN = stdio(
    "Print first, and from then on again.",
    {f"{run}\n": "again\n" if run else "first\n" for run in range(_RUNS)},
    name="stdio/again",
)


def _remember(name: str, program: str) -> Case:
    """Return a case whose program defines `seen()`: whether an earlier run left its trace, and leave one."""
    tail = "def told():\n    try:\n        return seen()\n    except Exception:\n        return False\n\n"
    return attack(name, Aim.SURVIVE, _AGAIN, f"{program}\n{tail}print('again' if told() else 'first')", most=1 / _RUNS)


CASES: tuple[Case, ...] = (
    attack(
        "daemon",
        Aim.SURVIVE,
        ADD,
        """
import os, time

def add(a, b):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        time.sleep(2)
        open("@OUT@", "w")
        time.sleep(20)
        os._exit(0)
    return 0
""",
    ),
    attack(
        "child-that-holds-the-pipes",
        Aim.SURVIVE,
        ADD_STDIO,
        "import os, time\n\nif os.fork() == 0:\n    time.sleep(25)\n    os._exit(0)\nprint('x')\n",
    ),
    attack(
        "command-in-a-session-of-its-own",
        Aim.SURVIVE,
        ADD_MBPP,
        """
import subprocess

def add(a, b):
    subprocess.Popen(["/bin/sh", "-c", "sleep 2; > @OUT@; sleep 20"], start_new_session=True)
    return 0
""",
    ),
    attack(
        "child-by-the-c-library",
        Aim.SURVIVE,
        ADD_CALLS,
        """
import ctypes, os, time

def add(a, b):
    if ctypes.CDLL(None).fork() == 0:
        time.sleep(25)
        os._exit(0)
    return 0
""",
    ),
    attack(
        "thread-that-goes-on",
        Aim.SURVIVE,
        ADD,
        """
import threading, time

def later():
    for _ in range(20):
        time.sleep(1)
        open("@OUT@", "w")

def add(a, b):
    threading.Thread(target=later).start()
    return a + b
""",
        accept=None,
    ),
    attack(
        "exit-handler-that-sleeps",
        Aim.SURVIVE,
        ADD_CALLS,
        """
import atexit, time

class Late:
    def __del__(self):
        time.sleep(25)

kept = Late()
atexit.register(time.sleep, 25)

def add(a, b):
    return a + b
""",
        accept=None,
    ),
    attack(
        "deaf-to-signals",
        Aim.SURVIVE,
        ADD_MBPP,
        """
import signal, time

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    except (OSError, ValueError):
        pass

def add(a, b):
    time.sleep(25)
    return 0
""",
    ),
    _remember(
        "file-in-the-scratch-folder",
        "import os\n\ndef seen():\n    there = os.path.exists('note')\n    open('note', 'w')\n    return there\n",
    ),
    _remember(
        "file-in-a-shared-folder",
        """
import os

def seen():
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run/lock", os.path.expanduser("~"), ".."):
        path = os.path.join(folder, "@NAME@-@PORT@")
        try:
            open(path, "x").close()
            return False
        except FileExistsError:
            os.unlink(path)
            return True
        except OSError:
            pass
""",
    ),
    _remember(
        "shared-memory",
        """
import ctypes

def seen():
    libc = ctypes.CDLL(None)
    key, exclusive, create = @PORT@ + 0x5A000000, 0o2000, 0o1000
    kept = libc.shmget(key, 4096, create | exclusive | 0o666)
    if kept < 0:
        kept = libc.shmget(key, 0, 0)
        return kept >= 0 and libc.shmctl(kept, 0, None) == 0
""",
    ),
    _remember(
        "message-queue",
        """
import ctypes

def seen():
    libc = ctypes.CDLL(None)
    kept = libc.msgget(@PORT@ + 0x5A000000, 0o3666)
    if kept < 0:
        kept = libc.msgget(@PORT@ + 0x5A000000, 0)
        return kept >= 0 and libc.msgctl(kept, 0, None) == 0
""",
    ),
    _remember(
        "named-semaphore",
        """
import ctypes

def seen():
    libc = ctypes.CDLL(None)
    libc.sem_open.restype = ctypes.c_void_p
    if libc.sem_open(b"/@NAME@", 0o300, 0o666, 1) is None:
        return libc.sem_unlink(b"/@NAME@") == 0
""",
    ),
    _remember(
        "kernel-keyring",
        """
import ctypes, platform

def seen():
    libc, add, find = ctypes.CDLL(None), *{"x86_64": (248, 249), "aarch64": (217, 218)}[platform.machine()]
    if libc.syscall(find, b"user", b"@NAME@", None, -4) >= 0:
        return True
    libc.syscall(add, b"user", b"@NAME@", b"x", 1, -4)
""",
    ),
    _remember(
        "patched-modules",
        """
import builtins, json, sys

def seen():
    there = hasattr(builtins, "kept") or hasattr(json, "kept") or "kept" in sys.modules
    builtins.kept = json.kept = sys.modules["kept"] = True
    return there
""",
    ),
    _remember(
        "lowered-limits",
        """
import os, resource

def seen():
    there = resource.getrlimit(resource.RLIMIT_CORE)[0] == 4097 or os.umask(0o70) == 0o70
    resource.setrlimit(resource.RLIMIT_CORE, (4097, 4097))
    return there
""",
    ),
    _remember(
        "scratch-folder-made-read-only",
        """
import os

def seen():
    try:
        open("note", "w").close()
    except OSError:
        return True
    os.unlink("note")
    os.chmod(".", 0o500)
""",
    ),
    _remember(
        "times-of-the-scratch-folder",
        """
import os

def seen():
    there = os.stat(".").st_atime == 12345
    os.utime(".", (12345, 12345))
    return there
""",
    ),
    _remember(
        "flags-of-the-descriptors",
        """
import fcntl, os

def seen():
    there = False
    for descriptor in range(16):
        try:
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
            there = there or bool(flags & os.O_APPEND)
            fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_APPEND)
        except OSError:
            pass
    return there
""",
    ),
    _remember(
        "modes-of-the-descriptors",
        """
import os, stat

def seen():
    there = False
    for descriptor in range(16):
        try:
            there = there or stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o735
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o735)
        except OSError:
            pass
    return there
""",
    ),
    reach_stdio(
        "scratch-folders-of-others",
        Aim.SURVIVE,
        """
import os
here = os.path.basename(os.getcwd())
others = [name for name in os.listdir("..") if name != here]
if not others:
    raise OSError
""",
    ),
)
