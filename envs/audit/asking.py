"""Two ways to put a case to a judge: call it here, or in a process of its own that may die, hang and be killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from palaestra.envs.audit.case import Case
from palaestra.envs.audit.judging import judged
from palaestra.envs.audit.processes import end, family
from palaestra.envs.audit.surroundings import SECRET_VARIABLE, Surroundings
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Judge, Status, Verdict

__all__ = ["Asked", "Called", "Hosted"]

# Imports of a judge may take a while on a cold machine.
_START_SECONDS = 120.0
_END_SECONDS = 10.0


class Asked(Protocol):
    """Whoever puts a case to a judge."""

    def ask(self, case: Case) -> Verdict | str:
        """Return the verdict, or in words why there is none."""

    def family(self) -> set[int] | None:
        """Return the processes that belong to the judge, or None where that is not known."""

    def close(self) -> None:
        """Let the judge go."""


class Called:
    """A judge called in this process. One that hangs costs its thread, which nothing can stop."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def ask(self, case: Case) -> Verdict | str:
        """Return the verdict, or in words why there is none."""
        answer: list[Verdict | str] = []
        thread = threading.Thread(
            target=lambda: answer.append(judged(self._judge, case.task, case.reply)), daemon=True, name=case.name
        )
        thread.start()
        thread.join(case.seconds)
        return (
            answer[0] if answer else f"no verdict within {case.seconds:g} s; its thread cannot be stopped and goes on"
        )

    def family(self) -> set[int] | None:
        """Return the children of this process."""
        return family(os.getpid())

    def close(self) -> None:
        """Do nothing: the judge is the caller's."""


class Hosted:
    """A judge in a process of its own, which a successful attack may kill or block without harm.

    Args:
        spec: `module:attribute`, a judge or a class of judges.
        surroundings: Where it works, and the secret in its environment.
    """

    def __init__(self, spec: str, surroundings: Surroundings) -> None:
        self._spec = spec
        self._around = surroundings
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Connection[bytes, bytes] | None = None

    def ask(self, case: Case) -> Verdict | str:
        """Return the verdict, or in words why there is none.

        Raises:
            UsageError: If there is no such judge.
        """
        channel = self._channel or self._start()
        task = {"id": case.task.id, "prompt": case.task.prompt, "reference": case.task.reference}
        try:
            channel.send_bytes(json.dumps([{**task, "metadata": dict(case.task.metadata)}, case.reply]).encode())
            if not channel.poll(case.seconds):
                self._stop(kindly=False)
                return f"no verdict within {case.seconds:g} s; its process was killed"
            answer = json.loads(channel.recv_bytes())
            return answer if isinstance(answer, str) else Verdict(answer[0], Status(answer[1]), answer[2])
        except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
            self._stop(kindly=False)
            return f"the process of the judge died or its channel was written to ({type(error).__name__})"

    def family(self) -> set[int] | None:
        """Return the processes of the judge, those included that left its tree."""
        return family(self._process.pid, self._around.token) if self._process else set()

    def close(self) -> None:
        """End the judge's process, and whatever it left behind."""
        self._stop(kindly=True)

    def _start(self) -> "Connection[bytes, bytes]":
        ours, theirs = Pipe()
        search = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "palaestra.envs.audit.host", self._spec, str(theirs.fileno())],
            cwd=self._around.workplace,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(search),
                "TMPDIR": str(self._around.workplace.parent),
                SECRET_VARIABLE: self._around.token,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            # A group of its own, so that a signal to the group stays in it.
            start_new_session=True,
        )
        theirs.close()
        self._channel = ours
        try:
            problem = json.loads(ours.recv_bytes()) if ours.poll(_START_SECONDS) else "it did not start in time"
        except (OSError, EOFError):
            problem = "its process ended while it was loaded"
        if problem is not None:
            self._stop(kindly=False)
            raise UsageError(f"The judge {self._spec!r} cannot be used: {problem}")
        return ours

    def _stop(self, *, kindly: bool) -> None:
        process, self._process = self._process, None
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        if process is None:
            return
        if kindly:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)  # it ends when its channel does
        left = family(process.pid) or set()
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        end(left)
