"""What attacks aim at: files, sockets and a process that the audit puts there, and a look at them afterwards."""

import dataclasses
import os
import re
import secrets
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from palaestra.envs.audit.case import Case
from palaestra.envs.task import Json

__all__ = ["SECRET_VARIABLE", "Surroundings"]

SECRET_VARIABLE = "PALAESTRA_AUDIT_SECRET"
"""The environment variable that carries the secret to a judge's process."""

_PACKAGE = Path(__file__).resolve().parent.parent
_VICTIM = b"as it was\n"
# Waits for a signal that everybody else ignores; says so before it waits.
_BYSTANDER = """
import signal, sys
signal.signal(signal.SIGURG, lambda *_: sys.exit(3))
print(flush=True)
while True:
    signal.pause()
"""


class Surroundings:
    """Stands around a judge while it is audited; a context manager.

    Placeholders in a case's task and reply are filled in: `@NAME@` the case's name, `@FOLDER@` a folder outside of any
    program's scratch that anybody may write to, `@OUT@` a file in it that must not come to be, `@VICTIM@` one that must
    stay as it is, `@TOKEN@` a secret that stands in files and in the environment, `@PORT@` where TCP and UDP are
    listened to on 127.0.0.1, `@LABEL@` the name of a Unix socket without a path, `@BYSTANDER@` the number of a process,
    `@SITE@` the installed packages, `@PACKAGE@` this package's own files.
    """

    def __init__(self) -> None:
        self.token = f"audit-token-{secrets.token_hex(16)}"
        self.folder = Path(tempfile.mkdtemp(prefix="palaestra-audit-"))
        self._label = f"palaestra-audit-{secrets.token_hex(6)}"
        self._reached: list[str] = []
        self._sockets: list[socket.socket] = []
        self._bystanders: dict[str, subprocess.Popen[bytes]] = {}
        # Only the sandbox stands in the way, not the owner of the files: it may run programs as somebody else.
        self.folder.chmod(0o777)
        for name, text in (("secret.txt", self.token), ("secret_module.py", f"SECRET = {self.token!r}")):
            (self.folder / name).write_text(text + "\n", encoding="utf-8")
            (self.folder / name).chmod(0o644)
        # Judges work in here, so that what programs leave in or beside the working folder goes with it.
        self.workplace = self.folder / "judge" / "work"
        self.workplace.mkdir(parents=True)
        self._listen()

    def __enter__(self) -> "Surroundings":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take everything away again."""
        for each in self._sockets:
            each.close()
        for process in self._bystanders.values():
            _end(process)
        # Attacks leave folders deeper than Python's own removal can follow.
        subprocess.run(["rm", "-rf", "--", str(self.folder)], stderr=subprocess.DEVNULL, check=False)

    def filled(self, case: Case) -> Case:
        """Return the case with its placeholders filled in, and put there what they stand for."""
        words = {
            "@NAME@": case.name,
            "@FOLDER@": str(self.folder),
            "@OUT@": str(self._out(case)),
            "@TOKEN@": self.token,
            "@PORT@": str(self._port),
            "@LABEL@": self._label,
            "@SITE@": sysconfig.get_paths()["purelib"],
            "@PACKAGE@": str(_PACKAGE),
        }
        if "@VICTIM@" in case.reply:
            words["@VICTIM@"] = str(self._new_victim(case))
        if "@BYSTANDER@" in case.reply:
            words["@BYSTANDER@"] = str(self._new_bystander(case).pid)
        task = dataclasses.replace(case.task, reference=_replaced(case.task.reference, words))
        return dataclasses.replace(case, task=task, reply=str(_replaced(case.reply, words)))

    def effects(self, case: Case) -> list[str]:
        """Return in words what a case, as it was before it was filled in, did outside; its bystander goes home."""
        effects = []
        if self._out(case).exists():
            effects.append("wrote a file outside of its folder")
        if "@VICTIM@" in case.reply and _changed(self._victim(case)):
            effects.append("changed a file outside of its folder")
        bystander = self._bystanders.pop(case.name, None)
        if bystander is not None:
            if bystander.poll() is not None or _niced(bystander.pid):
                effects.append("harmed another process")
            _end(bystander)
        if any(case.name in re.split(r"[\s/]", text) for text in self._reached):
            effects.append("reached a listener")
        return effects

    def _out(self, case: Case) -> Path:
        return self.folder / f"out-{case.name}"

    def _victim(self, case: Case) -> Path:
        return self.folder / f"victim-{case.name}"

    def _new_victim(self, case: Case) -> Path:
        path = self._victim(case)
        path.write_bytes(_VICTIM)
        path.chmod(0o666)
        return path

    def _new_bystander(self, case: Case) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BYSTANDER], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        if process.stdout is not None:
            process.stdout.readline()
        self._bystanders[case.name] = process
        return process

    def _listen(self) -> None:
        stream = socket.create_server(("127.0.0.1", 0))
        self._port = int(stream.getsockname()[1])
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagram.bind(("127.0.0.1", self._port))
        except OSError:  # somebody's: the other listeners remain
            datagram.close()
        else:
            self._sockets.append(datagram)
            threading.Thread(target=self._hear, args=(datagram,), daemon=True).start()
        named = socket.socket(socket.AF_UNIX)
        named.bind(str(self.folder / "socket"))
        (self.folder / "socket").chmod(0o777)
        streams = [stream, named]
        if sys.platform == "linux":
            nameless = socket.socket(socket.AF_UNIX)
            nameless.bind(f"\0{self._label}")
            streams.append(nameless)
        for each in streams:
            each.listen()
            self._sockets.append(each)
            threading.Thread(target=self._welcome, args=(each,), daemon=True).start()

    def _hear(self, datagrams: socket.socket) -> None:
        while True:
            try:
                self._reached.append(datagrams.recv(1000).decode(errors="replace"))
            except OSError:
                return

    def _welcome(self, listener: socket.socket) -> None:
        while True:
            try:
                way, _ = listener.accept()
            except OSError:
                return
            with way:
                way.settimeout(1.0)
                try:
                    self._reached.append(way.recv(1000).decode(errors="replace"))
                    way.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                except OSError:
                    continue


def _replaced(value: Json, words: dict[str, str]) -> Json:
    if isinstance(value, str):
        for word, meaning in words.items():
            value = value.replace(word, meaning)
        return value
    if isinstance(value, dict):
        return {key: _replaced(inner, words) for key, inner in value.items()}
    return [_replaced(inner, words) for inner in value] if isinstance(value, list | tuple) else value


def _changed(path: Path) -> bool:
    try:
        state = path.stat()
        attributes = os.listxattr(path) if sys.platform == "linux" else []
        mode = stat.S_IMODE(state.st_mode)
        return mode != 0o666 or state.st_mtime < 1e6 or path.read_bytes() != _VICTIM or "user.audit" in attributes
    except OSError:
        return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def _niced(process: int) -> bool:
    try:
        return os.getpriority(os.PRIO_PROCESS, process) != os.getpriority(os.PRIO_PROCESS, 0)
    except OSError:
        return True
