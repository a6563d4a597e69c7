"""Which processes belong to a judge, those included that tried to get away."""

import os
import signal
import sys
from pathlib import Path

__all__ = ["end", "family"]

_PROC = Path("/proc")


def family(root: int, mark: str = "") -> set[int] | None:
    """Return the living descendants of a process, and all processes with `mark` in the environment they began with.

    Args:
        root: Number of the process; it is no member itself.
        mark: Text that its descendants inherit, by which one that has left the tree is known; none if empty.

    Returns:
        Process numbers, or None where this system does not tell.
    """
    if sys.platform != "linux" or not (_PROC / "self/stat").exists():
        return None
    parents: dict[int, int] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            try:
                # The second field is a name that may hold anything, in brackets.
                state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            except (OSError, ValueError):
                continue
            if state not in "ZX":
                parents[int(folder.name)] = int(parent)
    members = {process for process in parents if _descends(process, root, parents) or (mark and _marked(process, mark))}
    return members - {root}


def end(processes: set[int]) -> None:
    """Kill processes that an audit left behind."""
    for process in processes - {os.getpid()}:
        try:
            os.kill(process, signal.SIGKILL)
        except OSError:
            continue


def _descends(process: int, root: int, parents: dict[int, int]) -> bool:
    seen = set()
    while process in parents and process not in seen:
        seen.add(process)
        process = parents[process]
        if process == root:
            return True
    return False


def _marked(process: int, mark: str) -> bool:
    try:
        return process != os.getpid() and mark.encode() in (_PROC / str(process) / "environ").read_bytes()
    except OSError:
        return False
