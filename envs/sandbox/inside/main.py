"""Start of a worker: warm up, leave the machine, and serve.

Three processes take part. The launcher makes the namespaces and only waits. Its child is the worker: the first
process of the process namespace, so that when it goes the kernel ends all that is in there. The worker forks one
process a program.
"""

import ctypes
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import landlock, limits, namespaces, repl, seccomp
from .confinement import Confinement, Once, PerProcess
from .worker import HIGHEST_FILE, Worker, close_above, rearrange

__all__ = ["HELLO", "NO_MOUNTS", "main"]

# What programs import most: loaded once here, and shared by every fork. Each module makes every fork a little slower,
# and `threading`, whose hook runs in every fork, much.
_WARM = "bisect collections copy functools heapq itertools json math operator random re string time typing"
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
# The exit code of a worker that could not have a file system of its own, and asks to be started without.
NO_MOUNTS = 77
# The length of the first message, in bytes.
HELLO = 8192
_CONTROL = 3


def main() -> None:
    """Become a worker; the settings come as JSON in the last argument."""
    settings: dict[str, Any] = json.loads(sys.argv[-1])
    rearrange({0: 0, 1: 1, 2: 2, _CONTROL: settings["control"]})
    close_above(_CONTROL)  # first of all the connection's old number: a program must never hold it
    answer = _warm_up(settings)
    linux = sys.platform.startswith("linux")
    missing = namespaces.unshare() if linux else {}
    pid = os.fork()
    if pid == 0:
        _become_worker(settings, answer, missing)
        os._exit(0)
    os.closerange(_CONTROL, HIGHEST_FILE)
    os._exit(max(0, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))


def _warm_up(settings: dict[str, Any]) -> Callable[[Any], Any]:
    """Import what programs and sessions will want while everything can still be read."""
    import _sitebuiltins
    import builtins

    for name in ("exit", "quit"):  # programs end with these, and they come from `site`, which is not loaded here
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D"))
    sys.path[:] = [path for path in sys.path if path != settings["home"]] + settings["packages_path"]
    for name in (*_WARM.split(), *settings["packages"]):
        importlib.import_module(name)
    if not settings["service"]:
        return repl.answer
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("service", settings["service"])
    if spec is None or spec.loader is None:
        raise ImportError(f"{settings['service']} is no Python file")
    module = module_from_spec(spec)
    sys.modules["service"] = module
    spec.loader.exec_module(module)
    answer: Callable[[Any], Any] = module.answer
    return answer


def _become_worker(settings: dict[str, Any], answer: Callable[[Any], Any], missing: dict[str, str]) -> None:
    layers = dict(missing)
    # The first process of a namespace gets no signal from within that it does not handle.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    base = limits.address_space()  # while there is a /proc to read it from
    own_users = missing.get("user namespace") == ""
    scratch = settings["scratch"]
    if sys.platform.startswith("linux"):
        if scratch:
            layers["file system of its own"] = "the mounts were refused"
        else:
            scratch = _own_file_system(settings)
            layers["file system of its own"] = ""
        layers |= _lock(settings, scratch, own_users)
    confinement, layers["system-call filter"] = _confinement(not settings["scratch"], own_users and os.getpid() == 1)
    control = socket.socket(fileno=_CONTROL)
    os.environ.clear()
    os.environ.update({"PATH": "/usr/bin:/bin", "HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8"})
    control.sendall(json.dumps({"layers": {name: note[:300] for name, note in layers.items()}}).encode().ljust(HELLO))
    Worker(control, scratch, confinement, os.getpid() == 1, own_users, base, answer).serve()


def _own_file_system(settings: dict[str, Any]) -> str:
    """Return the scratch folder of a file system of its own, or end this process, which may be half-way there."""
    try:
        namespaces.own_file_system(settings["shown"], settings["hidden"], os.uname().machine)
    except (OSError, StopIteration) as error:
        os.write(2, f"no file system of its own: {error}\n".encode())
        os._exit(NO_MOUNTS)
    return namespaces.SCRATCH


def _confinement(own_files: bool, alone: bool) -> tuple[Confinement, str]:
    """Return how programs are kept from system calls, and why they are not."""
    reason = seccomp.supported()
    if reason:
        return PerProcess(None), reason
    if alone:
        with suppress(OSError):
            once = Once(seccomp.Filter(own_files, shared=True))
            once.take_effect()
            return once, ""
        namespaces.drop_capabilities()
    try:
        filter_ = seccomp.Filter(own_files)
        filter_.try_out()
    except OSError as error:
        return PerProcess(None), str(error)
    return PerProcess(filter_), ""


def _lock(settings: dict[str, Any], scratch: str, own_users: bool) -> dict[str, str]:
    """Give up identity, capabilities and the file system; return what could not be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    layers = {"ordinary user": ""}
    if own_users or os.geteuid() == 0:
        layers["ordinary user"] = namespaces.become_nobody(
            lambda: os.access(os.__file__, os.R_OK, effective_ids=True), keep_forking=own_users and os.getpid() == 1
        )
    # Set after the change of identity, which clears it: this worker shall not outlive its launcher.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        landlock.restrict(settings["readable"], [scratch, os.devnull])
        layers["Landlock"] = ""
    except OSError as error:
        layers["Landlock"] = str(error)
    return layers
