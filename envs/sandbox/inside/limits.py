"""What a forked process may use, put on before it does anything else."""

import math
import os
import resource
from collections.abc import Mapping

__all__ = ["OPEN_FILES_OF_OURS", "address_space", "apply"]

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


def apply(limits: Mapping[str, float], base: int, own_users: bool) -> list[str]:
    """Limit this process for good.

    Args:
        limits: The fields of `Limits`.
        base: Bytes of address space that the bare worker has; 0 where that is unknown, and no limit can be set.
        own_users: Whether processes are counted in a user namespace of their own. Elsewhere all the user's processes
            would count against the program, and it could fail for what others do.

    Returns:
        The names of limits that this system refuses.
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
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_MSGQUEUE": (0, 0),
        "RLIMIT_MEMLOCK": (0, 0),
    }
    if not base:
        del wanted["RLIMIT_AS"]
    if not own_users:
        del wanted["RLIMIT_NPROC"]
    refused = []
    for name, (soft, hard) in wanted.items():
        number = getattr(resource, name, None)
        if number is None:
            continue
        try:
            ceiling = resource.getrlimit(number)[1]
            if ceiling != resource.RLIM_INFINITY:
                soft, hard = min(soft, ceiling), min(hard, ceiling)
            resource.setrlimit(number, (soft, hard))
        except (ValueError, OSError):
            refused.append(name)
    return refused
