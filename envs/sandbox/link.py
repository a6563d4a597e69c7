"""The pool's end of one worker: starts it, hands it one job at a time, and reads what came of it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from palaestra.envs.errors import InfrastructureError
from palaestra.envs.sandbox.inside.main import HELLO, NO_MOUNTS
from palaestra.envs.sandbox.inside.namespaces import NOBODY
from palaestra.envs.sandbox.inside.orders import FILES, REPORT_LENGTH, STOP, Report, order
from palaestra.envs.sandbox.inside.program import described
from palaestra.envs.sandbox.inside.script import SCRIPT, prepare
from palaestra.envs.sandbox.job import (
    CallJob,
    Ended,
    Job,
    Layer,
    Limits,
    Outcome,
    PackedCalls,
    RunJob,
    ScriptJob,
    packed_calls,
)
from palaestra.envs.sandbox.outcome import outcome_of
from palaestra.envs.sandbox.places import Places

__all__ = ["Link", "Setup"]

_HOME = str(Path(__file__).parent)
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from inside.main import main; main()"
# No user's packages, no `site`, no byte code written, UTF-8 whatever the locale.
_FLAGS = ("-P", "-s", "-S", "-B", "-X", "utf8")
_ENVIRONMENT = {
    # The same hash of every text in every worker: a program that prints a set gets the same verdict each time.
    "PYTHONHASHSEED": "0",
    # One arena of memory, because each further one would take 64 MiB of the address space that a program may have.
    "MALLOC_ARENA_MAX": "1",
    # Otherwise every fork looks up for itself where in a library each function lies that it is the first to call.
    "LD_BIND_NOW": "1",
}
_START_SECONDS = 60.0
# A worker ends every program at its limits; when it is silent for this much longer it is not well itself.
_GRACE_SECONDS = 20.0
_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True)
class Setup:
    """What every worker of a pool is started with."""

    places: Places
    packages: Sequence[str]
    service: Path | None


class Link:
    """One worker.

    Raises:
        InfrastructureError: If it cannot be started.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._scratch = ""  # a folder of this machine, where the worker cannot have a file system of its own
        self._errors = _anonymous("errors")
        self.process: subprocess.Popen[bytes] | None = None
        self.layers: tuple[Layer, ...] = ()
        self._control: socket.socket | None = None
        self._told: dict[str, float] = {}
        self._job: Job = RunJob("")
        self._files: dict[str, int] = {}
        self._fault = ""
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        hello = self._launch()
        if hello is None and self.process is not None and self.process.poll() == NO_MOUNTS:
            self.abandon()
            self._scratch = tempfile.mkdtemp(prefix="palaestra-")
            if os.geteuid() == 0:
                with suppress(OSError):  # a root that knows no nobody stays root
                    os.chown(self._scratch, NOBODY, NOBODY)
            hello = self._launch()
        if hello is None:
            raise InfrastructureError(f"A worker of the sandbox did not start{self._complaint()}.")
        self.layers = tuple(Layer(name, not why, why) for name, why in hello["layers"].items())

    def _launch(self) -> dict[str, Any] | None:
        ours, theirs = socket.socketpair()
        places = asdict(self._setup.places)
        settings = {
            **places,
            "home": _HOME,
            "control": theirs.fileno(),
            "packages": list(self._setup.packages),
            "service": str(self._setup.service) if self._setup.service else "",
            "scratch": self._scratch,
        }
        with theirs:
            try:
                self.process = subprocess.Popen(
                    [sys.executable, *_FLAGS, "-c", _BOOT, _HOME, json.dumps(settings)],
                    env={**_ENVIRONMENT, **{k: os.environ[k] for k in _LIBRARY_PATHS if k in os.environ}},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._errors,
                    pass_fds=(theirs.fileno(),),
                    # An interrupt at the terminal is for the pool, which ends its workers in order.
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise InfrastructureError(f"A worker of the sandbox cannot be started: {error}.") from error
        self._control = ours
        said = self._receive(HELLO, _START_SECONDS)
        if not said:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            return None
        hello: dict[str, Any] = json.loads(said)
        return hello

    def begin(self, job: Job) -> None:
        """Hand a job over; `end` must follow.

        Raises:
            InfrastructureError: If the worker cannot be reached; this link is of no more use then.
        """
        self._job, self._files, self._fault = job, {}, ""
        try:
            kind, contents = _written(job)
        except _UNUSABLE as error:  # the script is no Python
            self._fault = described(error, SCRIPT)
            return
        try:
            for name, content in contents.items():
                self._files[name] = _anonymous(name)
                _fill(self._files[name], content)
            self._send(kind, _fields(job.limits), self._files)
        except BaseException:
            self._close_files()
            raise

    def end(self) -> Callable[[], Outcome]:
        """Wait until the job is done.

        Returns:
            What reads the outcome. It takes a while, in which the worker can be given the next job.

        Raises:
            InfrastructureError: If the worker failed; this link is of no more use then.
        """
        if self._fault:
            return partial(Outcome, Ended.FINISHED, fault=self._fault)
        job = self._job
        try:
            report = self.report(job.limits.wall_seconds)
            if not report.begun:
                raise InfrastructureError("A forked process of the sandbox ended before it reached the program.")
            most = int(job.limits.output_mb * (1 << 20)) + 1
            wrote = (_read(self._files.get(name, -1), most) for name in ("program_out", "printed", "script_out"))
            return partial(outcome_of, job, report, *wrote)
        finally:
            self._close_files()

    def _close_files(self) -> None:
        for file in self._files.values():
            os.close(file)
        self._files = {}

    def open_session(self, limits: Limits) -> socket.socket:
        """Fork a process that answers requests, and return the connection to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            # Time is limited request by request, by whoever asks.
            endless = {**asdict(limits), "cpu_seconds": 1e6, "wall_seconds": 1e6}
            self._send("session", endless, {"wire": theirs.fileno()})
        return ours

    def end_session(self) -> Report:
        """End the session's process and return how it ended."""
        self._send_bytes(STOP + b"\n", [])
        return self.report(0.0)

    def report(self, seconds: float) -> Report:
        """Wait for the worker's word on what it watches."""
        message = self._receive(REPORT_LENGTH, seconds + _GRACE_SECONDS)
        if not message:
            silent = self.process is not None and self.process.poll() is None
            what = "fell silent" if silent else "ended"
            raise InfrastructureError(f"A worker of the sandbox {what} while it watched a program{self._complaint()}.")
        report = Report.read(message)
        if report.retire:
            self.close()
        return report

    @property
    def open(self) -> bool:
        """Whether the worker can be used."""
        return self._control is not None

    def _complaint(self) -> str:
        """Return the end of what the worker said on its standard error."""
        said = os.pread(self._errors, 100_000, 0).decode("utf-8", "replace").strip()
        return f": {said[-500:]}" if said else ""

    def _send(self, kind: str, limits: dict[str, float], files: dict[str, int]) -> None:
        known = limits == self._told
        self._told = limits
        self._send_bytes(order(kind, None if known else limits), [files[name] for name in FILES[kind]])

    def _send_bytes(self, message: bytes, files: list[int]) -> None:
        if self._control is None:
            raise InfrastructureError("This worker of the sandbox is gone.")
        try:
            self._control.settimeout(_START_SECONDS)
            socket.send_fds(self._control, [message], files)
        except OSError as error:
            raise InfrastructureError(f"A worker of the sandbox cannot be reached ({error}).") from error

    def _receive(self, length: int, seconds: float) -> bytes:
        """Return so many bytes from the worker, or none when it is gone or silent."""
        if self._control is None:
            return b""
        message, until = b"", time.monotonic() + seconds
        while len(message) < length:
            try:
                self._control.settimeout(max(0.01, until - time.monotonic()))
                part = self._control.recv(length - len(message))
            except OSError:
                return b""
            if not part:
                return b""
            message += part
        return message

    def abandon(self) -> None:
        """Let go of the connection alone; a fork of this process does, since the worker is the other's."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def kill(self) -> None:
        """End the worker from another thread than the one that waits for it, which then finds it gone."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the worker and everything in it."""
        control, self._control = self._control, None
        if control is not None:
            control.close()  # the worker ends its program and itself when this is gone
        if self.process is not None:
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.kill()
                self.process.wait()
        with suppress(OSError):
            os.close(self._errors)
        self._errors = -1
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)


@lru_cache(maxsize=64)
def _fields(limits: Limits) -> dict[str, float]:
    return asdict(limits)


# A script is prepared once for all the programs it tests.
_prepared = lru_cache(maxsize=1024)(prepare)
_UNUSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


def _written(job: Job) -> tuple[str, dict[str, bytes]]:
    """Return the kind of a job, and the files that its processes need with what shall stand in them."""
    program = json.dumps(job.program)
    if isinstance(job, CallJob):
        calls = job.calls.text if isinstance(job.calls, PackedCalls) else packed_calls(job.calls)
        asked = f', "entry_point": {json.dumps(job.entry_point)}, "calls": {calls}'
    else:
        asked = ""
    files = {"program_in": f'{{"program": {program}{asked}}}'.encode(), "program_out": b""}
    if isinstance(job, RunJob):
        return "run", {**files, "script_in": job.stdin.encode("utf-8", "surrogateescape"), "printed": b""}
    if isinstance(job, ScriptJob):
        ready = _prepared(job.script)
        script = {**ready._asdict(), "code": ready.code.hex(), "script": job.script, "entry_point": job.entry_point}
        return "script", {**files, "script_in": json.dumps(script).encode(), "script_out": b""}
    return "call", files


def _anonymous(name: str) -> int:
    """Open a file without a name in any folder."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(f"palaestra-{name}")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _fill(file: int, content: bytes) -> None:
    """Write from the start, and leave the position there: the process that reads or writes next shares it."""
    offset = 0
    while offset < len(content):
        offset += os.pwrite(file, content[offset:], offset)


def _read(file: int, most: int) -> bytes:
    return os.pread(file, min(most, os.fstat(file).st_size), 0) if file >= 0 else b""
