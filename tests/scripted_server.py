"""A small chat server on loopback that fails as it is told, for what a real one cannot be told to do."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Said:
    """What the server does with a request.

    Attributes:
        body: Sent as JSON, or as it is when bytes.
        status: HTTP status.
        headers: Further headers.
        after: Seconds to wait before.
        cut: Bytes of the body after which the connection is closed; None sends it whole.
        reset: Whether the connection is torn down without a word.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0
    cut: int | None = None
    reset: bool = False


@dataclass(frozen=True)
class Heard:
    """A request."""

    number: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float


def chat(text: str = "42", reason: str | None = "stop", usage: tuple[int, int] | None = (10, 2), **more: Any) -> Any:
    """An answer as servers without token ids give it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    body: dict[str, Any] = {"object": "chat.completion", "choices": [choice]}
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return body | more


def with_ids(text: str, prompt: list[int], ids: list[int], reason: str = "stop") -> Any:
    """An answer as vLLM gives it."""
    body = chat(text, reason, (len(prompt), len(ids)), prompt_token_ids=prompt)
    body["choices"][0] |= {"token_ids": ids, "logprobs": {"content": [{"token": "x", "logprob": -0.5} for _ in ids]}}
    return body


def failure(message: str, code: str | int | None = None, status: int = 400, **more: Any) -> Said:
    """An error in the protocol's form."""
    return Said({"error": {"message": message, "type": "some_error", "code": code}}, status, **more)


class ScriptedServer:
    """Answers requests as a script says; a context manager.

    Args:
        script: Called with each request, in order of coming; returns what to do.
        port: Where to listen; 0 takes one that is free.
    """

    def __init__(self, script: Callable[[Heard], Said], port: int = 0) -> None:
        self.port = port
        self.script = script
        self.heard: list[Heard] = []
        self.connections = 0
        self.open = self.most_open = 0

    def __enter__(self) -> "ScriptedServer":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", self.port), self._loop
        )
        self._server = starting.result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; doing so twice is fine."""
        if self._loop.is_closed():
            return

        async def stop() -> None:
            self._server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; returns whether the connection stays."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return False
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
        heard = Heard(len(self.heard), first.split()[1], headers, body, time.monotonic())
        self.heard.append(heard)
        said = self.script(heard)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            if said.after:
                await asyncio.sleep(said.after)
        finally:
            self.open -= 1
        if said.reset:
            writer.transport.abort()
            return False
        content = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        more = "".join(f"{name}: {value}\r\n" for name, value in said.headers.items())
        writer.write(f"HTTP/1.1 {said.status} X\r\n{more}Content-Length: {len(content)}\r\n\r\n".encode())
        writer.write(content if said.cut is None else content[: said.cut])
        await writer.drain()
        return said.cut is None
