"""A machine of its own: user, mount, network, process, IPC and host-name namespaces (Linux).

The order matters. A new user namespace gives an ordinary user the right to make the others. Root could make them
without it, but is mapped into one as well, and then becomes `nobody`, so that a program has the same rights whoever
started it. The file system is a fresh small one: what programs may read is mounted into it read-only, and the rest of
the machine is not refused but absent.
"""

import ctypes
import os
import struct
from collections.abc import Callable, Iterable

__all__ = ["NOBODY", "SCRATCH", "become_nobody", "drop_capabilities", "own_file_system", "unshare"]

SCRATCH = "/scratch"
_BUILDING_SITES = ("/mnt", "/srv", "/media", "/opt", "/home", "/var", "/tmp")
_SCRATCH_MB = 64
_SCRATCH_FILES = 4096

_NEW_USER = 0x10000000
_NEW_MOUNT, _NEW_CGROUP, _NEW_UTS, _NEW_IPC, _NEW_PID, _NEW_NET = (
    0x00020000,
    0x02000000,
    0x04000000,
    0x08000000,
    0x20000000,
    0x40000000,
)
_KINDS = {
    "network namespace": _NEW_NET,
    "process namespace": _NEW_PID,
    "IPC namespace": _NEW_IPC,
    "host-name namespace": _NEW_UTS,
    "cgroup namespace": _NEW_CGROUP,
}
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_MOUNT_SETATTR, _AT_RECURSIVE, _ATTR_RDONLY, _ATTR_NOSUID = 442, 0x8000, 1, 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
NOBODY = 65534
_PR_CAPBSET_DROP = 24
_LAST_CAPABILITY = 63
_CAPABILITY_HEADER = struct.pack("Ii", 0x20080522, 0)
_CAN_ADMINISTER = 1 << 21
_PR_SET_KEEPCAPS = 8

_libc = ctypes.CDLL(None, use_errno=True)


def unshare() -> dict[str, str]:
    """Leave the machine's namespaces for new ones; processes forked from now on are in them.

    Returns:
        For every layer, `""` where it stands, else why it is missing.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    mapper = _Mapper(os.getpid()) if user == 0 else None
    missing = {"user namespace": ""}
    if libc.unshare(_NEW_USER) != 0:
        missing["user namespace"] = os.strerror(ctypes.get_errno())
    mapped = mapper is not None and mapper.finish(missing["user namespace"] == "")
    if missing["user namespace"] == "" and not mapped:
        try:  # without privileges outside, one id can be mapped: root to itself, anybody else to nobody
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{0 if user == 0 else NOBODY} {user} 1")
            _write("/proc/self/gid_map", f"{0 if user == 0 else NOBODY} {group} 1")
        except OSError as error:
            missing["user namespace"] = f"no id could be mapped ({error})"
    for name, flag in _KINDS.items():
        missing[name] = "" if libc.unshare(flag) == 0 else os.strerror(ctypes.get_errno())
    return missing


class _Mapper:
    """A twin that stays behind with root's rights, to give the new user namespace two ids: root and nobody."""

    def __init__(self, pid: int) -> None:
        self._asked, ask = os.pipe()
        self._ask = ask
        self._told, tell = os.pipe()
        self._twin = os.fork()
        if self._twin == 0:
            status = 1
            try:
                os.close(ask)
                if os.read(self._asked, 1):
                    for name in ("uid_map", "gid_map"):
                        _write(f"/proc/{pid}/{name}", f"0 0 1\n{NOBODY} {NOBODY} 1")
                    os.write(tell, b"1")
                    status = 0
            finally:
                os._exit(status)
        os.close(self._asked)
        os.close(tell)

    def finish(self, wanted: bool) -> bool:
        """Write the maps if they are wanted, end the twin, and return whether it wrote them."""
        if wanted:
            os.write(self._ask, b"1")
        os.close(self._ask)
        mapped = bool(os.read(self._told, 1))
        os.close(self._told)
        os.waitpid(self._twin, 0)
        return mapped


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def own_file_system(readable: Iterable[str], hidden: Iterable[str], machine: str) -> None:
    """Replace the file system by a small one that holds what is readable, read-only, and an empty `/scratch`.

    Args:
        readable: Files and folders of the machine that keep their places; missing ones are passed over.
        hidden: Folders within them that shall be empty; a readable path within a hidden folder is shown again.
        machine: As `platform.machine` names it.

    Raises:
        OSError: If a mount is refused; then the file system is in no useful state and the process should end.
    """
    mount = _Mounts(machine)
    shown = sorted({os.path.realpath(path) for path in readable if os.path.exists(path)})
    # Any folder can be mounted over, nobody else sees it; but not one that hides what is to be shown.
    root = next(p for p in _BUILDING_SITES if os.path.isdir(p) and not any(_within(path, p) for path in shown))
    mount.leave()
    mount("palaestra", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=8m")
    concealed = {os.path.realpath(path) for path in hidden if os.path.isdir(path)}
    old = f"{root}/old"
    os.mkdir(old)
    outer = [path for path in shown if not any(_within(path, other) for other in shown if other != path)]
    inner = [path for path in shown if any(_within(path, other) for other in concealed)]
    for path in outer:
        mount.bind(path, root + path)
    for path in concealed:
        if os.path.isdir(root + path):
            mount("palaestra", root + path, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=1m")
    for path in inner:
        mount.bind(path, root + path)
    for link in ("/bin", "/lib", "/lib64", "/usr/bin"):
        if os.path.islink(link) and not os.path.lexists(root + link):
            os.symlink(os.readlink(link), root + link)
    size = f"mode=777,size={_SCRATCH_MB}m,nr_inodes={_SCRATCH_FILES}"
    os.mkdir(root + SCRATCH)
    mount("palaestra", root + SCRATCH, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, size)
    mount.pivot(root, old)
    mount.freeze("/")


class _Mounts:
    def __init__(self, machine: str) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._machine = machine

    def __call__(self, source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
        self._check(
            self._libc.mount(
                source.encode(), target.encode(), kind.encode() if kind else None, flags, data.encode() or None
            ),
            f"mount {target}",
        )

    def leave(self) -> None:
        """Leave the machine's mounts for a copy that nobody else sees."""
        self._check(self._libc.unshare(_NEW_MOUNT), "unshare")
        self("none", "/", None, _MS_REC | _MS_PRIVATE)

    def bind(self, source: str, target: str) -> None:
        """Show a file or folder at another place."""
        if os.path.isdir(source):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
        self(source, target, None, _MS_BIND | _MS_REC)

    def pivot(self, root: str, old: str) -> None:
        """Make `root` the root and let go of what was there before."""
        number = _PIVOT_ROOT.get(self._machine)
        if number is None:
            raise OSError(f"no number of pivot_root for {self._machine}")
        self._check(self._libc.syscall(number, root.encode(), old.encode()), "pivot_root")
        os.chdir("/")
        self._check(self._libc.umount2(b"/old", _MNT_DETACH), "umount")
        os.rmdir("/old")

    def freeze(self, root: str) -> None:
        """Make every mount beneath `root` read-only, but for the scratch folder."""
        for path in (root, SCRATCH):
            wanted = _ATTR_RDONLY if path == root else 0
            attributes = struct.pack("QQQQ", wanted, _ATTR_RDONLY - wanted, 0, 0)
            recursive = _AT_RECURSIVE if path == root else 0
            self._check(
                self._libc.syscall(
                    _MOUNT_SETATTR, -100, path.encode(), recursive, attributes, ctypes.c_size_t(len(attributes))
                ),
                f"mount_setattr {path}",
            )

    @staticmethod
    def _check(result: int, what: str) -> None:
        if result != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{what}: {os.strerror(number)}")


def _within(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def become_nobody(still_works: Callable[[], bool], *, keep_forking: bool = False) -> str:
    """Give up root's identity and every capability, for good.

    Args:
        still_works: Asked as nobody; False keeps the identity (an interpreter that only root can read) and drops the
            capabilities alone.
        keep_forking: Keep the one capability that making namespaces takes. For a process in a user namespace of its
            own; `drop_capabilities` gives it up later.

    Returns:
        `""`, or why the identity was kept.
    """
    note = ""
    if os.geteuid() == 0:
        try:
            os.seteuid(NOBODY)
            works = still_works()
            os.seteuid(0)
            if works:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                for capability in range(_LAST_CAPABILITY + 1):
                    _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
                _libc.prctl(_PR_SET_KEEPCAPS, 1 if keep_forking else 0, 0, 0, 0)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            else:
                note = "only root can read the interpreter"
        except OSError as error:
            note = f"root's identity could not be given up ({error})"
    try:
        _keep_capabilities(_CAN_ADMINISTER if keep_forking else 0)
    except OSError as error:
        note = note or f"the capabilities could not be dropped ({error})"
    return note


def _keep_capabilities(kept: int) -> None:
    sets = struct.pack("IIIIII", kept, kept, 0, 0, 0, 0)
    if _libc.capset(_CAPABILITY_HEADER, sets) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def drop_capabilities() -> None:
    """Give up every capability of this process, for good.

    Raises:
        OSError: If the kernel refuses it.
    """
    _keep_capabilities(0)
