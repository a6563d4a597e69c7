"""Shut a process out of the file system, but for a few places, by Landlock (Linux 5.13 and later)."""

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable

__all__ = ["restrict", "version"]

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_GET_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READ = _READ_FILE | _READ_DIR
# How many file-system rights each version of the interface knows, from version 1.
_RIGHTS = (13, 14, 15, 15, 16, 16, 16)
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15
_NET_BIND, _NET_CONNECT = 1, 2
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _syscall(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def version() -> int:
    """Return the version of Landlock's interface here, 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        return _syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_GET_VERSION))
    except OSError:
        return 0


def restrict(readable: Iterable[str], writable: Iterable[str]) -> int:
    """Allow this process, for good, only to read beneath some paths and to do all but execute beneath others.

    Later versions also refuse every TCP bind and connect, abstract sockets of others, and signals to others.

    Args:
        readable: Files and folders; missing ones are passed over.
        writable: Files and folders; missing ones are passed over.

    Returns:
        The version of the interface that was used.

    Raises:
        OSError: If there is no Landlock here.
    """
    interface = version()
    if interface < 1:
        raise OSError("there is no Landlock here")
    rights = (1 << _RIGHTS[min(interface, len(_RIGHTS)) - 1]) - 1
    net = _NET_BIND | _NET_CONNECT if interface >= 4 else 0
    scope = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if interface >= 6 else 0
    known = 8 if interface < 4 else 16 if interface < 6 else 24
    attributes = struct.pack("QQQ", rights, net, scope)[:known]
    rules = _syscall(_CREATE, attributes, ctypes.c_size_t(known), ctypes.c_uint32(0))
    try:
        for paths, allowed in ((readable, _READ), (writable, rights & ~_EXECUTE)):
            for path in paths:
                _allow(rules, path, allowed)
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _syscall(_RESTRICT, ctypes.c_int(rules), ctypes.c_uint32(0))
    finally:
        os.close(rules)
    return interface


def _allow(rules: int, path: str, allowed: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            allowed &= _ON_FILES
        rule = struct.pack("=Qi", allowed, place)
        _syscall(_ADD_RULE, ctypes.c_int(rules), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(place)
