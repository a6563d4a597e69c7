"""A process that stays: it answers one request after another and remembers in between."""

import json
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from palaestra.envs.errors import InfrastructureError, PalaestraError
from palaestra.envs.sandbox.job import Ended, Limits
from palaestra.envs.sandbox.link import Link

__all__ = ["Session", "SessionEndedError"]


class SessionEndedError(PalaestraError):
    """The session's process is gone, and what it remembered with it; open a new one.

    Attributes:
        ended: How it ended.
    """

    def __init__(self, ended: Ended, detail: str) -> None:
        super().__init__(f"The session ended ({ended}): {detail}. Open a new one; what it remembered is lost.")
        self.ended = ended


class Session:
    """One conversation with one process; use it as a context, from one thread at a time.

    Args:
        link: The worker, which serves this session alone until it is closed.
        limits: Of the process; `wall_seconds` is the time of each request.
        give_back: Takes the worker back.
    """

    def __init__(self, link: Link, limits: Limits, give_back: Callable[[Link], None]) -> None:
        self._link = link
        self._limits = limits
        self._give_back = give_back
        self._wire: socket.socket | None = link.open_session(limits)
        self._pending = bytearray()

    def ask(self, request: Any, seconds: float | None = None) -> Any:
        """Send a request and wait for its answer; both are what JSON can say.

        Args:
            request: For the default service `{"code": ...}`, answered by `{"output": ..., "error": ...}`.
            seconds: Wall-clock for this request; None takes that of the limits.

        Raises:
            SessionEndedError: If the process ended, took too long or answered with what is no JSON.
            InfrastructureError: If the worker failed.
        """
        if self._wire is None:
            raise SessionEndedError(Ended.EXITED, "it was ended before")
        until = time.monotonic() + (self._limits.wall_seconds if seconds is None else seconds)
        try:
            self._wire.settimeout(max(0.001, until - time.monotonic()))
            self._wire.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(self._line(until))
        except TimeoutError:
            self.close()
            raise SessionEndedError(Ended.WALL_LIMIT, "the request took too long") from None
        except (ValueError, RecursionError):
            self.close()
            raise SessionEndedError(Ended.KILLED, "its answer was not readable") from None
        except OSError:
            self.close()
            raise SessionEndedError(Ended.EXITED, "its process is gone") from None

    def _line(self, until: float) -> bytes:
        wire = self._wire
        most = self._limits.output_mb * (1 << 20)
        while wire is not None:
            end = self._pending.find(b"\n")
            if end >= 0:
                line = bytes(self._pending[:end])
                del self._pending[: end + 1]
                return line
            wire.settimeout(max(0.001, until - time.monotonic()))
            part = wire.recv(1 << 20)
            if not part:
                break
            self._pending += part
            if len(self._pending) > most:
                raise ValueError("the answer is too long")
        raise ConnectionResetError

    def close(self) -> None:
        """End the process; the worker goes back to the pool."""
        wire, self._wire = self._wire, None
        if wire is None:
            return
        wire.close()
        try:
            self._link.end_session()
        except InfrastructureError:
            self._link.close()
        self._give_back(self._link)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
