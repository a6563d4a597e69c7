"""The right to write in a directory, which dies with the process that holds it."""

import os
import sys
from pathlib import Path

from palaestra.envs.errors import RunError

if sys.platform != "win32":
    import fcntl

__all__ = ["Lock", "holder"]

# A forked worker inherits the descriptors and would hold our locks after our death: it lets go at birth.
_held: set["Lock"] = set()


def holder(path: Path) -> int | None:
    """Return the process that last held a lock, if it is alive; looking never stands in anybody's way."""
    if sys.platform == "win32":
        return None  # Asking after a process there would send it an interrupt.
    try:
        process = int(path.read_text())
        if process == os.getpid():
            return process if any(lock.path == path.resolve() for lock in _held) else None
        if process > 0:
            os.kill(process, 0)
            return process
    except PermissionError:
        return process  # somebody else's, and alive
    except (OSError, ValueError, OverflowError):
        pass
    return None


class Lock:
    """An exclusive lock; the kernel drops it when the process ends, however it ends, so it is never stale.

    On Windows, and on file systems that cannot lock, nothing is enforced.

    Args:
        path: The lock file. It names the process that last held it and is never removed.

    Attributes:
        path: The lock file.

    Raises:
        RunError: If another process, or another part of this one, holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _acquire(self._descriptor)
        except BlockingIOError:
            process = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise RunError(
                f"{path.parent} is in use by process {process or '(not yet known)'}"
                f"{' (this one)' if process == str(os.getpid()) else ''}. Wait until it ends, or end it, and try again."
            ) from None
        _held.add(self)
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let go; doing so twice is fine."""
        if self in _held:
            _held.remove(self)
            os.close(self._descriptor)


def _acquire(descriptor: int) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return  # A file system without locks.


def _release_all() -> None:
    for lock in list(_held):
        lock.release()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_release_all)
