"""Refuse the system calls that a program under test never needs, by a seccomp filter (Linux, x86-64 and AArch64).

The filter is a list of what is allowed; everything else fails with EPERM, and calls newer than this list with ENOSYS,
so that a C library falls back to what it did before them. Nothing that starts a process, opens a socket, loads a
program, changes a namespace, a mount or an identity, or looks into another process is on the list.
"""

import ctypes
import errno
import os
import signal
import struct
import sys

__all__ = ["CLONE_ALONE", "Filter", "supported"]

# name x86-64 AArch64
_TABLE = """
read 0 63; write 1 64; open 2 -; close 3 57; stat 4 -; fstat 5 80; lstat 6 -; poll 7 -; lseek 8 62; mmap 9 222;
mprotect 10 226; munmap 11 215; brk 12 214; rt_sigaction 13 134; rt_sigprocmask 14 135; rt_sigreturn 15 139; pread64
17 67; pwrite64 18 68; readv 19 65; writev 20 66; access 21 -; pipe 22 -; select 23 -; sched_yield 24 124; mremap 25
216; msync 26 227; mincore 27 232; madvise 28 233; dup 32 23; dup2 33 -; pause 34 -; nanosleep 35 101; getitimer 36
102; alarm 37 -; setitimer 38 103; getpid 39 172; sendfile 40 71; socketpair 53 199; sendto 44 206; recvfrom 45 207;
sendmsg 46 211; recvmsg 47 212; shutdown 48 210; getsockname 51 204; getpeername 52 205; getsockopt 55 209;
setsockopt 54 208; exit 60 93; uname 63 160; fcntl 72 25; flock 73 32; fsync 74 82; fdatasync 75 83; truncate 76 45;
ftruncate 77 46; getdents 78 -; getcwd 79 17; chdir 80 49; fchdir 81 50; rename 82 -; mkdir 83 -; rmdir 84 -; creat
85 -; link 86 -; unlink 87 -; symlink 88 -; readlink 89 -; chmod 90 -; fchmod 91 52; umask 95 166; gettimeofday 96
169; getrlimit 97 163; getrusage 98 165; sysinfo 99 179; times 100 153; getuid 102 174; getgid 104 176; geteuid 107
175; getegid 108 177; getppid 110 173; getpgrp 111 -; getgroups 115 158; getresuid 118 148; getresgid 120 150;
getpgid 121 155; getsid 124 156; rt_sigpending 127 136; rt_sigtimedwait 128 137; rt_sigsuspend 130 133; sigaltstack
131 132; statfs 137 43; fstatfs 138 44; getpriority 140 141; sched_getparam 143 121; sched_getscheduler 145 120;
sched_get_priority_max 146 125; sched_get_priority_min 147 126; arch_prctl 158 -; gettid 186 178; futex 202 98;
sched_getaffinity 204 123; epoll_create 213 -; getdents64 217 61; set_tid_address 218 96; restart_syscall 219 128;
fadvise64 221 223; timer_create 222 107; timer_settime 223 110; timer_gettime 224 108; timer_getoverrun 225 109;
timer_delete 226 111; clock_gettime 228 113; clock_getres 229 114; clock_nanosleep 230 115; exit_group 231 94;
epoll_wait 232 -; epoll_ctl 233 21; openat 257 56; mkdirat 258 34; newfstatat 262 79; unlinkat 263 35; renameat 264
38; linkat 265 37; symlinkat 266 36; readlinkat 267 78; fchmodat 268 53; faccessat 269 48; pselect6 270 72; ppoll
271 73; set_robust_list 273 99; get_robust_list 274 100; splice 275 76; tee 276 77; sync_file_range 277 84;
utimensat 280 88; utime 132 -; utimes 235 -; futimesat 261 -; epoll_pwait 281 22; timerfd_create 283 85; eventfd 284
-; fallocate 285 47; timerfd_settime 286 86; timerfd_gettime 287 87; eventfd2 290 19; epoll_create1 291 20; dup3 292
24; pipe2 293 59; preadv 295 69; pwritev 296 70; getcpu 309 168; renameat2 316 276; getrandom 318 278;
copy_file_range 326 285; preadv2 327 286; pwritev2 328 287; statx 332 291; rseq 334 293; openat2 437 437;
close_range 436 436; faccessat2 439 439; epoll_pwait2 441 441; membarrier 324 283; waitid 247 95; wait4 61 260;
futex_waitv 449 449; time 201 -; fchmodat2 452 452
"""
# Allowed with certain arguments only: kill and tgkill of oneself, clone of a thread, and the like.
_GUARDED = {
    "kill": (62, 129),
    "tgkill": (234, 131),
    "clone": (56, 220),
    "ioctl": (16, 29),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
}
_OF_FILES = {"chmod", "fchmod", "fchmodat", "fchmodat2", "utime", "utimes", "futimesat", "utimensat"}
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
# Allowed where one filter holds for the worker and its processes; see `palaestra.envs.sandbox.inside.confinement`.
_SHARED = {"capset": (126, 91)}
# Numbers from here on are the same everywhere, and are newer than the calls that C libraries cannot do without.
_FIRST_MODERN = 424
# The bit of x86-64 numbers that would enter the kernel by another table.
_X32 = 0x40000000

_CLONE_THREAD = 0x10000
CLONE_ALONE = 0x04000000 | signal.SIGCHLD
"""What only a process with capabilities can do: make a process with a host-name namespace of its own."""
# Bits that say nothing about what is made, only where its numbers are written.
_CLONE_NUMBERS = 0x1000 | 0x01000000 | 0x00200000
_TERMINAL_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
_NAMING_PRCTLS = (15, 16, 0x53564D41)

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_UNKNOWN = 0x00050000 | errno.ENOSYS
_KILL = 0x80000000
_NUMBER, _ARCHITECTURE = 0, 4
# Stands in a step for the number of the process that enters the filter.
_OWN_PID = -1
_FIRST, _SECOND = (_LOAD, 0, 0, 16), (_LOAD, 0, 0, 24)
_PR_SET_SECCOMP, _SECCOMP_FILTER = 22, 2


_Step = tuple[int, int, int, int]


def supported() -> str:
    """Return why no filter can be made here, or `""`."""
    if not sys.platform.startswith("linux"):
        return "seccomp is a part of Linux"
    if os.uname().machine not in _ARCHITECTURES:
        return f"no table of system calls for {os.uname().machine}"
    return ""


def _leaves(actions: dict[int, str]) -> list[tuple[int, str]]:
    """Return where the action changes along the numbers of system calls: `(first number, action)`."""
    leaves: list[tuple[int, str]] = []
    for number in range(max(*actions, _FIRST_MODERN) + 2):
        action = actions.get(number, "refuse" if number < _FIRST_MODERN else "unknown")
        if not leaves or leaves[-1][1] != action or action in _GUARDED or action.endswith("within"):
            leaves.append((number, action))
    return leaves


def _tree(leaves: list[tuple[int, str]]) -> list[_Step]:
    """Return a search tree: the kernel walks the filter once for every number there is when a process enters it."""
    if len(leaves) == 1:
        return _decision(leaves[0][1])
    middle = len(leaves) // 2
    below, above = _tree(leaves[:middle]), _tree(leaves[middle:])
    return [(_AT_LEAST, len(below), 0, leaves[middle][0]), *below, *above]


def _decision(action: str) -> list[_Step]:
    """Return the steps that end in a decision, for some calls after a look at an argument."""
    plain = {"allow": _ALLOW, "refuse": _REFUSE, "unknown": _UNKNOWN}
    if action in plain:
        return [(_RETURN, 0, 0, plain[action])]
    if action == "clone":
        return [_FIRST, (_ANY_BIT, 0, 1, _CLONE_THREAD), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    if action in ("kill within", "tgkill within"):
        # Not the first process; no group, since the launcher is in it; everybody at once only to end them.
        one = [(_AT_LEAST, 0, 1, 2), (_AT_LEAST, 0, 4, 0x80000000), (_EQUAL, 0, 2, 0xFFFFFFFF), _SECOND]
        return [_FIRST, *one, (_EQUAL, 1, 0, signal.SIGKILL), (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    if action == "clone within":
        mask = (_AND, 0, 0, 0xFFFFFFFF ^ _CLONE_NUMBERS)
        alone = [mask, (_EQUAL, 0, 1, CLONE_ALONE), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
        return [_FIRST, (_ANY_BIT, 0, 1, _CLONE_THREAD), (_RETURN, 0, 0, _ALLOW), *alone]
    values: tuple[int, ...] = {
        "kill": (_OWN_PID,),
        "tgkill": (_OWN_PID,),
        "ioctl": _TERMINAL_IOCTLS,
        "prctl": _NAMING_PRCTLS,
        "prlimit64": (0,),
    }[action]
    tests = [(_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]
    argument = _SECOND if action == "ioctl" else _FIRST
    return [argument, *tests, (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


class Filter:
    """A filter, compiled once; `enter` puts it on the calling process for good.

    Args:
        own_files: Whether the process has a file system of its own. Elsewhere modes and times of files could be
            changed, which Landlock does not know, and the filter refuses it.
        shared: Whether a worker enters it, and all it forks is born in it. Then it lets pass how such a worker forks,
            and signals; `palaestra.envs.sandbox.inside.confinement.Once` refuses these to programs.

    Raises:
        OSError: From `enter`, if the kernel refuses it.
    """

    def __init__(self, own_files: bool, *, shared: bool = False) -> None:
        column, architecture = _ARCHITECTURES[os.uname().machine]
        self._libc = ctypes.CDLL(None, use_errno=True)
        code: list[_Step] = []
        code += [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]
        code += [(_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
        entries = [entry.split() for entry in _TABLE.replace("\n", " ").split(";")]
        actions = {int(entry[1 + column]): "allow" for entry in entries if entry[1 + column] != "-"}
        for name, *numbers in entries if not own_files else ():
            if name in _OF_FILES:
                actions.pop(int(numbers[column]) if numbers[column] != "-" else -1, None)
        actions |= {numbers[column]: name for name, numbers in _GUARDED.items()}
        if shared:
            actions |= {numbers[column]: "allow" for numbers in _SHARED.values()}
            actions |= {_GUARDED[name][column]: f"{name} within" for name in ("kill", "tgkill", "clone")}
        code += _tree(_leaves(actions))
        self._own_pid = [index for index, step in enumerate(code) if step[3] == _OWN_PID]
        self._code = bytearray(b"".join(struct.pack("HBBI", *step[:3], max(step[3], 0)) for step in code))
        self._held = (ctypes.c_char * len(self._code)).from_buffer(self._code)
        self._program = _Program(len(code), ctypes.addressof(self._held))

    def try_out(self) -> None:
        """Put the filter on a process made for this.

        Raises:
            OSError: If the kernel refuses it.
        """
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self.enter()
                code = 0
            finally:
                os._exit(code)
        if os.waitpid(pid, 0)[1] != 0:
            raise OSError("the kernel refuses system-call filters")

    def enter(self) -> None:
        """Put the filter on this process and all it will become; it must have given up new privileges before."""
        for index in self._own_pid:
            struct.pack_into("I", self._code, index * 8 + 4, os.getpid())
        if self._libc.prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(self._program), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the seccomp filter was refused")
