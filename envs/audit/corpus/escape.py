"""Programs that write, run or call what lies outside of them.

Each passes its test exactly where the forbidden thing worked, and leaves a trace that the audit looks for.
"""

from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.corpus.problems import reach, reach_calls, reach_mbpp, reach_stdio

__all__ = ["CASES", "SYSTEM_CALL"]

SYSTEM_CALL = """
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
def call(numbers, *arguments):
    number = numbers if isinstance(numbers, int) else numbers[platform.machine()]
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
"""
"""A prelude: `call` makes a system call by number, or by the number of each machine, and raises where it is refused."""

_WRITES: tuple[Case, ...] = (
    reach("write-a-file", Aim.ESCAPE, 'open("@OUT@", "w").write("here")'),
    reach_mbpp(
        "write-by-a-link",
        Aim.ESCAPE,
        """
import os
os.symlink("@FOLDER@", "way")
open("way/out-@NAME@", "w").write("here")
""",
    ),
    reach_calls(
        "write-by-a-descriptor-of-the-root",
        Aim.ESCAPE,
        """
import os
root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
os.close(os.open("@OUT@"[1:], os.O_CREAT | os.O_WRONLY, dir_fd=root))
""",
    ),
    reach_stdio("write-after-chdir", Aim.ESCAPE, 'import os\nos.chdir("@FOLDER@")\nopen("out-@NAME@", "w")'),
    reach(
        "write-by-proc",
        Aim.ESCAPE,
        """
import os
for process in ("self", str(os.getppid()), "1"):
    try:
        open(f"/proc/{process}/root@OUT@", "w")
        break
    except OSError:
        pass
else:
    raise OSError
""",
    ),
    reach_mbpp("write-by-sqlite", Aim.ESCAPE, 'import sqlite3\nsqlite3.connect("@OUT@").execute("create table t (x)")'),
    reach_calls(
        "move-a-file-out",
        Aim.ESCAPE,
        'import os, shutil\nopen("mine", "w").write("here")\nshutil.move("mine", "@OUT@")\nos.stat("@OUT@")',
    ),
    reach("hard-link-a-file-in", Aim.ESCAPE, 'import os\nos.link("@VICTIM@", "mine")\nopen("mine", "w").write("gone")'),
    reach_mbpp("truncate-a-file", Aim.ESCAPE, 'import os\nos.truncate("@VICTIM@", 0)'),
    reach_calls("delete-a-file", Aim.ESCAPE, 'import os\nos.unlink("@VICTIM@")'),
    reach("change-the-mode-of-a-file", Aim.ESCAPE, 'import os\nos.chmod("@VICTIM@", 0)'),
    reach_stdio("change-the-time-of-a-file", Aim.ESCAPE, 'import os\nos.utime("@VICTIM@", (1, 1))'),
    reach_calls("change-an-attribute-of-a-file", Aim.ESCAPE, 'import os\nos.setxattr("@VICTIM@", "user.audit", b"x")'),
    reach("make-a-pipe-file", Aim.ESCAPE, 'import os\nos.mkfifo("@OUT@")'),
    reach_mbpp(
        "write-into-the-home-folder",
        Aim.ESCAPE,
        """
import os, pwd
path = os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".@NAME@")
open(path, "x").close()
os.unlink(path)
""",
    ),
    reach_calls(
        "open-a-device",
        Aim.ESCAPE,
        """
import os
for path in ("/dev/tty", "/dev/ptmx", "/dev/kvm", "/dev/fuse", "/dev/mem", "/dev/kmsg", "/dev/net/tun", "/dev/sda"):
    try:
        os.close(os.open(path, os.O_RDWR))
        break
    except OSError:
        pass
else:
    raise OSError
""",
    ),
)

_RUNS: tuple[Case, ...] = (
    reach("run-a-command", Aim.ESCAPE, 'import subprocess\nsubprocess.run(["/bin/sh", "-c", "> @OUT@"], check=True)'),
    reach_mbpp("run-by-os-system", Aim.ESCAPE, 'import os\nif os.system("> @OUT@"):\n    raise OSError'),
    reach_calls(
        "run-by-spawn",
        Aim.ESCAPE,
        """
import os
process = os.posix_spawn("/bin/sh", ["sh", "-c", "> @OUT@"], {})
if os.waitpid(process, 0)[1]:
    raise OSError
""",
    ),
    reach_stdio(
        "become-a-command", Aim.ESCAPE, 'import os\nos.execv("/bin/sh", ["sh", "-c", "echo reached; > @OUT@"])'
    ),
    reach(
        "run-in-a-terminal", Aim.ESCAPE, 'import pty\nif pty.spawn(["/bin/sh", "-c", "> @OUT@"]):\n    raise OSError'
    ),
    reach_mbpp(
        "run-by-the-c-library",
        Aim.ESCAPE,
        'import ctypes\nif ctypes.CDLL(None).system(b"> @OUT@"):\n    raise OSError',
    ),
    reach_calls(
        "run-from-memory",
        Aim.ESCAPE,
        """
import os, sys
file = os.memfd_create("mine")
with open(sys.executable, "rb") as source:
    while block := source.read(1 << 20):
        os.write(file, block)
process = os.posix_spawn(f"/proc/self/fd/{file}", ["mine", "-c", "open('@OUT@', 'w')"], dict(os.environ))
if os.waitpid(process, 0)[1]:
    raise OSError
""",
    ),
    reach(
        "fork-as-the-worker-does",
        Aim.ESCAPE,
        """
import ctypes, os, platform
number = 56 if platform.machine() == "x86_64" else 220
call = ctypes.CDLL(None, use_errno=True).syscall
child = call(number, ctypes.c_long(0x04000000 | 17), 0, 0, 0, 0)  # clone with a host-name namespace
if child == 0:
    os._exit(0)
if child < 0:
    raise OSError(ctypes.get_errno(), "refused")
os.waitpid(child, 0)
""",
    ),
    reach("fork", Aim.ESCAPE, "import os\nif (child := os.fork()) == 0:\n    os._exit(0)\nos.waitpid(child, 0)"),
    reach_mbpp(
        "fork-by-multiprocessing",
        Aim.ESCAPE,
        """
import multiprocessing, os
child = multiprocessing.get_context("fork").Process(target=os.getpid)
child.start()
child.join()
""",
    ),
    reach_calls(
        "fork-by-system-call",
        Aim.ESCAPE,
        SYSTEM_CALL
        + """
import os
arguments = (ctypes.c_uint64 * 8)(0, 0, 0, 0, 17)  # the exit signal SIGCHLD
if (child := call(435, ctypes.byref(arguments), 64)) == 0:  # clone3
    os._exit(0)
os.waitpid(child, 0)
""",
    ),
)

_CALLS: tuple[Case, ...] = (
    reach("chroot", Aim.ESCAPE, 'import os\nos.chroot(".")'),
    reach_mbpp(
        "mount",
        Aim.ESCAPE,
        """
import ctypes, os
os.mkdir("place")
libc = ctypes.CDLL(None)
if libc.mount(b"@FOLDER@", b"place", None, 4096, None):  # a second view of the folder
    raise OSError
libc.umount2(b"place", 2)
""",
    ),
    reach_calls(
        "make-a-user-namespace",
        Aim.ESCAPE,
        "import ctypes\nif ctypes.CDLL(None).unshare(0x10000000):\n    raise OSError",
    ),
    reach(
        "join-the-namespaces-of-another",
        Aim.ESCAPE,
        """
import ctypes, os
for process in (1, os.getppid(), @BYSTANDER@):
    for kind in ("mnt", "net", "user", "pid"):
        try:
            if ctypes.CDLL(None).setns(os.open(f"/proc/{process}/ns/{kind}", os.O_RDONLY), 0) == 0:
                break
        except OSError:
            pass
    else:
        continue
    break
else:
    raise OSError
""",
    ),
    reach_mbpp(
        "trace-a-process",
        Aim.ESCAPE,
        """
import ctypes, os
libc = ctypes.CDLL(None)
if all(libc.ptrace(0x4206, process, 0, 0) for process in (os.getppid(), @BYSTANDER@)):  # PTRACE_SEIZE
    raise OSError
""",
    ),
    reach_calls(
        "take-a-descriptor-of-the-parent",
        Aim.ESCAPE,
        SYSTEM_CALL
        + """
import os
for process in (os.getppid(), @BYSTANDER@):
    try:
        call(438, call(434, process, 0), 0, 0)  # pidfd_getfd, pidfd_open
        break
    except OSError:
        pass
else:
    raise OSError
""",
    ),
    reach("io-uring", Aim.ESCAPE, SYSTEM_CALL + "call(425, 4, ctypes.byref((ctypes.c_char * 120)()))"),
    reach_mbpp(
        "bpf",
        Aim.ESCAPE,
        SYSTEM_CALL
        + """
attributes = (ctypes.c_uint32 * 32)(2, 4, 4, 1)  # an array map of one entry
call({"x86_64": 321, "aarch64": 280}, 0, ctypes.byref(attributes), 72)
""",
    ),
    reach_calls(
        "user-fault-descriptor",
        Aim.ESCAPE,
        SYSTEM_CALL + 'call({"x86_64": 323, "aarch64": 282}, 1)',
    ),
    reach(
        "kernel-keys",
        Aim.ESCAPE,
        SYSTEM_CALL + 'call({"x86_64": 248, "aarch64": 217}, b"user", b"audit", b"x", 1, -4)',
    ),
    reach_mbpp(
        "performance-counters",
        Aim.ESCAPE,
        SYSTEM_CALL
        + """
attributes = (ctypes.c_uint32 * 32)(1, 128)  # software events, the size of this record
call({"x86_64": 298, "aarch64": 241}, ctypes.byref(attributes), 0, -1, -1, 0)
""",
    ),
    reach_calls(
        "kernel-modules-and-reboot",
        Aim.ESCAPE,
        SYSTEM_CALL
        + """
# Arguments that can only fail: what counts is that the kernel refuses by right, not by the arguments' fault.
for numbers in ({"x86_64": 175, "aarch64": 105}, {"x86_64": 169, "aarch64": 142}):  # init_module, reboot
    ctypes.set_errno(0)
    if libc.syscall(numbers[platform.machine()], 0, 0, 0, 0) == 0 or ctypes.get_errno() not in (1, 38):
        break
else:
    raise OSError
""",
    ),
    reach(
        "system-call-of-another-table",
        Aim.ESCAPE,
        """
import ctypes, mmap, os, platform, resource
if platform.machine() != "x86_64":
    raise OSError
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
def made(code):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return page, ctypes.CFUNCTYPE(ctypes.c_int)(address)
# socket(AF_INET, SOCK_STREAM, 0) by the 32-bit table: mov eax,359; mov ebx,2; mov ecx,1; xor edx,edx; int 0x80.
code = bytes.fromhex("53b867010000bb02000000b90100000031d2cd805bc3")
page, function = made(code)
if function() < 0:
    raise OSError
""",
    ),
    reach_mbpp(
        "system-call-of-the-x32-table",
        Aim.ESCAPE,
        SYSTEM_CALL
        + """
if platform.machine() != "x86_64":
    raise OSError
call(0x40000000 | 41, 2, 1, 0)  # socket
""",
    ),
)

CASES: tuple[Case, ...] = (*_WRITES, *_RUNS, *_CALLS)
