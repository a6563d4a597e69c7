"""What a forked process may use, put on before it does anything else."""

import math
import os
import resource
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["OPEN_FILES_OF_OURS", "address_space", "apply", "apply_to_all", "planned"]

# Standard streams, payload, results and border.
OPEN_FILES_OF_OURS = 8
# The worker, the process that made its namespaces, a program and its test script.
_PROCESSES_OF_OURS = 5
_MB = 1 << 20


def address_space() -> int:
    """Return the bytes of address space that this process has, 0 where that cannot be read."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def planned(limits: Mapping[str, float], base: int, own_users: bool) -> list[tuple[int, tuple[int, int]]]:
    """Work out what `resource.setrlimit` shall be told; the worker does, so that no forked process needs the time.

    Args:
        limits: The fields of `Limits`.
        base: Bytes of address space that the bare worker has; 0 where that is unknown, and no limit can be set.
        own_users: Whether processes are counted in a user namespace of their own. Elsewhere all the user's processes
            would count against the program, and it could fail for what others do.

    Returns:
        Resources with soft and hard limit, none above what this process may have.
    """
    cpu = math.ceil(limits["cpu_seconds"])
    output = int(limits["output_mb"] * _MB)
    wanted = {
        # A backstop: the worker itself watches the clock more finely.
        "RLIMIT_CPU": (cpu + 1, cpu + 2),
        "RLIMIT_AS": (base + int(limits["memory_mb"] * _MB),) * 2,
        "RLIMIT_FSIZE": (output, output),
        "RLIMIT_NOFILE": (int(limits["open_files"]) + OPEN_FILES_OF_OURS,) * 2,
        "RLIMIT_NPROC": (int(limits["threads"]) + _PROCESSES_OF_OURS,) * 2,
    }
    if not base:
        del wanted["RLIMIT_AS"]
    if not own_users:
        del wanted["RLIMIT_NPROC"]
    return [_bounded(getattr(resource, name), values) for name, values in wanted.items() if hasattr(resource, name)]


def _bounded(number: int, wanted: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    ceiling = resource.getrlimit(number)[1]
    soft, hard = wanted if ceiling == resource.RLIM_INFINITY else (min(value, ceiling) for value in wanted)
    return number, (soft, hard)


def apply(plan: list[tuple[int, tuple[int, int]]]) -> None:
    """Limit this process for good."""
    for number, values in plan:
        # Some systems know a limit and refuse to set it: macOS that of memory.
        with suppress(ValueError, OSError):
            resource.setrlimit(number, values)


def apply_to_all() -> None:
    """Refuse the worker and all it will fork what none of them needs."""
    for name in ("RLIMIT_CORE", "RLIMIT_MSGQUEUE", "RLIMIT_MEMLOCK"):
        if hasattr(resource, name):
            apply([(getattr(resource, name), (0, 0))])
