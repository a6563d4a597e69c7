"""How forked processes are kept from the system calls that no program needs.

A filter on every forked process works everywhere, but the kernel compiles it anew each time, which costs as much as
a small program. So where it can, the worker puts a wider filter on itself, once, and what its processes must not do
that the worker does is refused to them in other ways:

- The worker forks by a `clone` that also makes a host-name namespace. That needs a capability, which the worker keeps
  (in its own user namespace) and a forked process gives up first of all; no other way to fork passes the filter.
- The worker ends processes. It is the first of its process namespace, which no signal from within can reach, and a
  program that ends the process of its own test has not passed it.
"""

import ctypes
import os
import signal
import sys
from typing import Protocol

from .namespaces import drop_capabilities
from .seccomp import CLONE_ALONE, Filter

__all__ = ["Confinement", "Forked", "Once", "PerProcess", "pidfd"]

Forked = tuple[int, int]
"""The process number, 0 in the forked process, and a file that becomes readable when it ends, -1 for none."""

_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE_PIDFD, _CLONE_CHILD_SETTID, _CLONE_CHILD_CLEARTID = 0x1000, 0x01000000, 0x00200000
_PR_GET_TID_ADDRESS = 40


class Confinement(Protocol):
    """How a worker forks, and what the forked process does to be confined.

    Attributes:
        refuses_forks: Whether a confined process cannot make another.
    """

    refuses_forks: bool

    def fork(self) -> Forked:
        """Fork this process."""

    def enter(self) -> None:
        """Confine this forked process for good, before it does anything else.

        Raises:
            OSError: If the kernel refuses it.
        """


class PerProcess:
    """Every forked process enters a filter of its own; without one, none is confined."""

    def __init__(self, filter_: Filter | None) -> None:
        self._filter = filter_
        self.refuses_forks = filter_ is not None

    def fork(self) -> Forked:  # noqa: D102
        pid = os.fork()
        return pid, pidfd(pid) if pid else -1

    def enter(self) -> None:  # noqa: D102
        if self._filter is not None:
            self._filter.enter()


class Once:
    """The worker enters a filter that holds for all processes it forks.

    Args:
        filter_: One made for sharing.
    """

    refuses_forks = True

    def __init__(self, filter_: Filter) -> None:
        self._filter = filter_
        api = ctypes.pythonapi
        # What `os.fork` does before and after.
        self._before, self._after, self._after_in_child = (
            api.PyOS_BeforeFork,
            api.PyOS_AfterFork_Parent,
            api.PyOS_AfterFork_Child,
        )
        # With the interpreter's lock held, as `os.fork` forks.
        libc = ctypes.PyDLL(None, use_errno=True)
        self._syscall = libc.syscall
        self._syscall.restype = ctypes.c_long
        self._pidfd = ctypes.c_int(-1)
        address, flags = ctypes.c_void_p(), CLONE_ALONE | _CLONE_PIDFD
        # The C library keeps the thread's number in a place of its own, and a fork must renew it.
        if libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) == 0 and address.value:
            flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
        place = ctypes.c_void_p(address.value)
        number = ctypes.c_long(_CLONE[os.uname().machine])
        # The last two change places between machines, and only one is read.
        self._arguments = (number, ctypes.c_long(flags), ctypes.c_long(0), ctypes.byref(self._pidfd), place, place)

    def take_effect(self) -> None:
        """Enter the filter, for good.

        Raises:
            OSError: If it was tried on a process of its own and does not hold what it should.
        """
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self._filter.enter()
                code = self._tried()
            finally:
                os._exit(code)
        if os.waitpid(pid, 0)[1] != 0:
            raise OSError("a filter for all processes does not work here")
        self._filter.enter()

    def _tried(self) -> int:
        """Return 0 if a process can be forked and confined, and can then neither fork nor signal the first process."""
        pid, _ = self.fork()
        if pid == 0:
            code = 1
            try:
                self.enter()
                code = 2 if self._can(self.fork) or self._can(os.fork) or self._can(_signal_first) else 0
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    @staticmethod
    def _can(act: object) -> bool:
        try:
            act()  # type: ignore[operator]
        except OSError:
            return False
        return True

    def fork(self) -> Forked:  # noqa: D102
        self._before()
        pid = self._syscall(*self._arguments)
        if pid == 0:
            self._after_in_child()
            return 0, -1
        self._after()
        if pid < 0:
            raise OSError(ctypes.get_errno(), "a process could not be forked")
        return pid, self._pidfd.value

    def enter(self) -> None:  # noqa: D102
        drop_capabilities()


def _signal_first() -> None:
    os.kill(1, signal.SIGCONT)


def pidfd(pid: int) -> int:
    """Return a file that becomes readable when a process ends, -1 where there is no such thing."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1
