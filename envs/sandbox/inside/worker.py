"""The warm worker: it forks a process for every program, watches it, ends all that is left of it, and reports.

A worker never reads a program, a test or a result: the forked process reads its own payload and writes its own
results, in files that only it and the pool hold. So no program can find another's text in the memory it was forked
with, and nothing a program writes is ever interpreted here.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from . import limits, program, script
from .border import Visitor, serve
from .confinement import Confinement, Forked
from .orders import FILES, STOP, Report, ordered

__all__ = ["HIGHEST_FILE", "Worker", "close_above", "rearrange"]

_LONGEST_ORDER = 4096
_ROOM = socket.CMSG_SPACE(5 * 4)
# How long a test script may take to write down that its program is gone.
_LAST_WORDS_SECONDS = 1.0
_CPU_CLOCK = 2
# Most programs are over before they have made as much garbage; the usual thresholds cost them some per cent.
_COLLECT = (20_000, 20, 50)
# A worker's open files have numbers below this: it begins with four, and a new file gets the lowest free number.
HIGHEST_FILE = 64


class _Watched(NamedTuple):
    """How watching a program ended: the limit it reached, `""` for none; when; whether it had ended by itself."""

    limit: str
    wall_seconds: float
    over: bool


class Worker:
    """Serves one connection until it closes.

    Args:
        control: Where orders come from and reports go.
        scratch: The folder where programs run.
        confinement: How it forks, and how programs are kept from system calls.
        alone: Whether this is the first process of a process namespace of its own.
        own_users: Whether it has a user namespace of its own.
        base: Bytes of address space of the bare worker, 0 where that is unknown.
        answer: What answers the requests of a session.
    """

    def __init__(
        self,
        control: socket.socket,
        scratch: str,
        confinement: Confinement,
        alone: bool,
        own_users: bool,
        base: int,
        answer: Callable[[Any], Any],
    ) -> None:
        self._control = control
        self._files: dict[str, int] = {}
        self._scratch = scratch
        # Of another's folder no program can have changed the mode either.
        self._own_scratch = os.stat(scratch).st_uid == os.geteuid()
        self._confinement = confinement
        self._alone = alone
        self._own_users = own_users
        self._answer = answer
        self._base = base
        self._begun, self._begin = os.pipe()
        os.set_blocking(self._begun, False)
        self._allowed: dict[str, float] = {}
        self._limits: list[tuple[int, tuple[int, int]]] = []
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Carry out orders until the pool is gone."""
        os.chdir(self._scratch)
        limits.apply_to_all()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        program.rehearse(nowhere)
        os.close(nowhere)
        gc.collect()
        gc.freeze()
        while True:
            message, attached, _, _ = self._control.recvmsg(_LONGEST_ORDER, _ROOM)
            if not message:
                return
            handed = [file for _, _, files in attached for file in memoryview(files).cast("i")]
            for line in message.splitlines():
                # A session that was told to stop may have ended by itself before; then the word comes late.
                if line != STOP and not self._reported(line, handed):
                    return

    def _reported(self, line: bytes, handed: list[int]) -> bool:
        """Carry out an order and report; return whether this worker is fit for another."""
        kind, allowed = ordered(line)
        if allowed is not None:
            self._allowed = allowed
            self._limits = limits.planned(allowed, self._base, self._own_users)
        # Made for this job: nothing that a program does to an open file can meet another program.
        self._files = dict(zip(FILES[kind], handed, strict=True))
        report = self._carry_out(kind)
        for file in handed:
            os.close(file)
        try:
            self._clean()
        except OSError:  # a program left what cannot be removed: the next one shall have another worker
            report = report._replace(retire=True)
        try:
            self._control.sendall(report.written())
        except OSError:
            return False
        return not report.retire

    def _carry_out(self, kind: str) -> Report:
        ends: tuple[socket.socket, socket.socket] | None = socket.socketpair() if kind == "script" else None
        theirs = ends[0] if ends else socket.socket(fileno=os.dup(self._files["wire"])) if kind == "session" else None
        tested = self._fork(kind, theirs)
        forked = [tested, self._fork("tester", ends[1])] if ends else [tested]
        for end in (*(ends or ()), *((theirs,) if theirs and not ends else ())):
            end.close()
        watched = self._watch(forked)
        if not watched.over or not self._alone:
            self._end(tested[0])
        _, status, usage = os.wait4(tested[0], 0)
        if ends:
            self._hear_out(*forked[1])
        for _, descriptor in forked:
            if descriptor >= 0:
                os.close(descriptor)
        try:
            ready = len(os.read(self._begun, 4))
        except BlockingIOError:
            ready = 0
        return Report(
            ready == len(forked),
            os.waitstatus_to_exitcode(status),
            watched.limit,
            usage.ru_utime + usage.ru_stime,
            watched.wall_seconds,
            usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20),
            False,
        )

    def _fork(self, role: str, wire: socket.socket | None) -> Forked:
        forked = self._confinement.fork()
        if forked[0] == 0:
            code = 1
            try:
                self._become(role, wire)
                code = 0
            finally:
                os._exit(code)
        return forked

    def _become(self, role: str, wire: socket.socket | None) -> None:
        """Turn this forked process into the one that runs a program, or into the one that tests it."""
        gc.enable()
        gc.set_threshold(*_COLLECT)
        if not self._alone:
            os.setsid()
        self._confinement.enter()
        source, target = ("script_in", "script_out") if role == "tester" else ("program_in", "program_out")
        payload: dict[str, Any] = json.loads(_read_all(self._files[source])) if role != "session" else {}
        # Opened for this process alone: the flags of an open file are shared by all who inherit it.
        null = os.open(os.devnull, os.O_RDWR)
        kept = {0: null, 1: null, 2: null, 3: self._files.get(target, null), 4: self._begin}
        if role == "run":  # a program run alone has no script: its standard input lies there
            kept |= {0: self._files["script_in"], 1: self._files["printed"]}
        if wire is not None:
            kept[5] = wire.detach()
        rearrange(kept)
        limits.apply(self._limits)
        border = socket.socket(fileno=5) if wire is not None else None
        # A program can neither forge this word nor take it back: the file is closed before it starts.
        os.write(4, b".")
        os.close(4)
        if role == "call":
            program.call(payload, 3)
        elif role == "run":
            program.run(payload, 3)
        elif border is not None and role == "tester":
            script.examine(payload, 3, Visitor(border))
        elif border is not None and role == "script":
            names = program.loaded(payload["program"], "program", 3)
            if names is not None:
                serve(border, names)
        elif border is not None and role == "session":
            _converse(border, self._answer)

    def _watch(self, forked: list[Forked]) -> _Watched:
        """Wait until the program or its tester ends, a limit is reached, or the pool lets go."""
        started = time.monotonic()
        cpu_seconds, wall_seconds = self._allowed["cpu_seconds"], self._allowed["wall_seconds"]
        descriptors = [descriptor for _, descriptor in forked if descriptor >= 0]
        for descriptor in descriptors:
            self._poll.register(descriptor, select.POLLIN)
        blind = len(descriptors) < len(forked)
        limit, wait, pause = "", min(cpu_seconds, wall_seconds), 0.0005
        while True:
            if blind:
                wait, pause = min(wait, pause), min(pause * 2, 0.01)
            events = self._poll.poll(wait * 1000 + 1)
            if events or (blind and any(_gone(pid) for pid, _ in forked)):
                break
            cpu_left = cpu_seconds - _cpu_seconds(forked[0][0])
            wall_left = wall_seconds - (time.monotonic() - started)
            if cpu_left <= 0 or wall_left <= 0:
                limit = "cpu" if cpu_left <= 0 else "wall"
                break
            wait = min(wall_left, max(cpu_left, 0.002))
        for descriptor in descriptors:
            self._poll.unregister(descriptor)
        over = any(descriptor == forked[0][1] for descriptor, _ in events)
        return _Watched(limit, time.monotonic() - started, over)

    def _hear_out(self, tester: int, ends: int) -> None:
        """Let a test script, whose border is closed by now, write down how far it came."""
        until = time.monotonic() + _LAST_WORDS_SECONDS
        if ends >= 0:
            select.select([ends], [], [], _LAST_WORDS_SECONDS)
        else:
            while not _gone(tester) and time.monotonic() < until:
                time.sleep(0.001)
        self._end(tester)
        os.waitpid(tester, 0)

    def _end(self, pid: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
        if not self._alone:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _clean(self) -> None:
        """End whatever is left of a program, and empty its folder."""
        if not self._confinement.refuses_forks:
            self._end_all()
        if self._own_scratch:
            os.chmod(self._scratch, 0o700)
        _empty(self._scratch)

    def _end_all(self) -> None:
        if self._alone:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # everything in this process namespace but this process
        with suppress(ChildProcessError):
            while os.waitpid(-1, 0 if self._alone else os.WNOHANG)[0]:
                pass


def _converse(wire: socket.socket, answer: Callable[[Any], Any]) -> None:
    """Answer the requests of a session, a line each."""
    for line in wire.makefile("rb"):
        wire.sendall(json.dumps(answer(json.loads(line))).encode() + b"\n")


def _read_all(file: int) -> bytes:
    size, content = os.fstat(file).st_size, b""
    while len(content) < size and (part := os.pread(file, size, len(content))):
        content += part
    return content


def rearrange(wanted: dict[int, int]) -> None:
    """Give open files the numbers wanted, and close all others of a process whose files lie below `HIGHEST_FILE`."""
    first_free = max([*wanted, *wanted.values()]) + 1
    # Copies above everything first, so that no number is overwritten before it was copied.
    copies = {number: os.dup2(file, first_free + number) for number, file in wanted.items()}
    for number, copy in copies.items():
        os.dup2(copy, number)
    os.closerange(max(wanted) + 1, HIGHEST_FILE)


def close_above(number: int) -> None:
    """Close every open file with a higher number; whoever started this process may have had thousands."""
    for name in os.listdir("/dev/fd"):
        if int(name) > number:
            with suppress(OSError):  # the folder that is being read is closed by now
                os.close(int(name))


def _gone(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of another process, 0 where it cannot be asked for."""
    try:
        return time.clock_gettime((~pid << 3) | _CPU_CLOCK)
    except (OSError, OverflowError):
        return 0.0


def _empty(folder: str) -> None:
    """Remove what a program left, however deep, unreadable or oddly named; recursion would meet its limit."""
    number = 0
    while names := os.listdir(folder):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isdir(path):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for inner in os.listdir(path):
                while os.path.lexists(target := os.path.join(folder, f"up{number}")):
                    number += 1
                os.rename(os.path.join(path, inner), target)
            os.rmdir(path)
