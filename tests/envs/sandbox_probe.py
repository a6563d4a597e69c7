"""Run by the sandbox's tests as another user of the machine: runs what the first argument names, prints JSON."""

import ctypes
import json
import os
import sys
import warnings
from pathlib import Path

_NEW_USER = 0x10000000


def become(kind: str) -> None:
    """Become an ordinary user (`ordinary`), one who may make no user namespaces (`confined`), or stay (`same`)."""
    if kind == "same":
        return
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USER) != 0:
        print(json.dumps({"skip": "no user namespaces here"}))
        sys.exit(0)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"1000 {user} 1")
    Path("/proc/self/gid_map").write_text(f"1000 {group} 1")
    if kind == "confined":
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)
    assert libc.capset(header, none) == 0
    assert os.geteuid() == 1000


def main() -> None:
    become(sys.argv[1])
    from palaestra.envs.sandbox import CallJob, Limits, Sandbox

    limits = Limits(cpu_seconds=2, wall_seconds=4, memory_mb=256)
    found: dict[str, object] = {}
    with warnings.catch_warnings(record=True) as caught, Sandbox(1) as sandbox:
        warnings.simplefilter("always")
        found["layers"] = {layer.name: layer.active for layer in sandbox.layers}
        for name, program in json.load(sys.stdin).items():
            outcome = sandbox.run(CallJob(program, "f", [[]], limits))
            result = outcome.results[0] if outcome.results else None
            found[name] = {
                "ended": outcome.ended,
                "value": getattr(result, "value", None),
                "error": getattr(result, "error", outcome.error),
            }
    found["warnings"] = [str(warning.message) for warning in caught]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
