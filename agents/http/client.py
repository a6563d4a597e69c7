"""Asks a server: many requests at once, on one thread with an event loop; what fails in passing is asked again.

A server may repeat the key it was given. It is taken out of all that comes back before anybody reads it.
"""

import asyncio
import random
import re
import threading
import time
import weakref
from concurrent.futures import InvalidStateError
from datetime import UTC, datetime
from typing import Final

import aiohttp
from palaestra.agents.agent import Answering, ContextFullError
from palaestra.agents.http.endpoint import Endpoint
from palaestra.agents.http.meter import Meter
from palaestra.agents.http.retries import back_off, is_passing, retry_after
from palaestra.agents.http.wire import (
    Answer,
    Complaint,
    Form,
    GarbledError,
    Question,
    read_answer,
    read_complaint,
)
from palaestra.envs.errors import InfrastructureError, RefusedError, UsageError

__all__ = ["Client"]

# Servers close connections that nobody uses, vLLM's after 5 s; a request on its way to a closed one is lost.
_IDLE_SECONDS: Final = 3.0
# Far beyond any answer: a server that never stops sending must not fill the memory.
_MOST_BYTES: Final = 64 * 2**20
_HIDDEN: Final = "[key]"


class _PassingError(Exception):
    """A try that failed for a passing reason.

    Args:
        reason: What happened.
        limited: Whether the server only asks for patience (429).
        wait: Seconds that it asks for.
    """

    def __init__(self, reason: str, *, limited: bool = False, wait: float | None = None) -> None:
        super().__init__(reason)
        self.limited = limited
        self.wait = wait


class _RejectedError(Exception):
    """The server does not understand the request, or will not have it."""


class Client:
    """Asks one model on one server.

    Args:
        endpoint: Which, and how.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.meter = Meter(endpoint.price_in, endpoint.price_out, endpoint.budget)
        self._key = endpoint.read_key()
        # However a server's JSON spells it.
        spelt = (rf"(?:\\?{re.escape(c)}|\\u00(?i:{ord(c):02x}))" for c in self._key)
        self._hidden = re.compile("".join(spelt)) if self._key else None
        self._form = Form(server_sampling=endpoint.server_sampling)
        self._draw = random.Random().random
        self._paused_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __reduce__(self) -> "tuple[type[Client], tuple[Endpoint]]":
        """Travel without the key, which each process reads from its own environment.

        Raises:
            UsageError: If there is a budget: clients apart do not know what the others spend.
        """
        if self.endpoint.budget is not None:
            raise UsageError(
                f"{self.endpoint.model} has a budget of {self.endpoint.budget:g}, which nobody keeps over several "
                "processes: leave it out, or play in this process."
            )
        return Client, (self.endpoint,)

    def ask(self, question: Question) -> Answering:
        """Begin to ask; returns at once.

        The future's result is an `Answer`. It fails with `ContextFullError` if the conversation is too long,
        `RefusedError` if nothing can be asked of this server, and `InfrastructureError` if it failed to answer.
        Cancelling it closes the request.
        """
        answering = Answering()
        with self._starting:
            loop = self._loop = self._loop or self._start()
        loop.call_soon_threadsafe(self._begin, question, answering)
        return answering

    def _start(self) -> asyncio.AbstractEventLoop:
        """Start the thread; it ends with this client, or with the process."""
        loop = asyncio.new_event_loop()
        endpoint, key = self.endpoint, self._key

        async def open_session() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=endpoint.timeout, sock_connect=endpoint.connect),
                headers={"Authorization": f"Bearer {key}"} if key else None,
                cookie_jar=aiohttp.DummyCookieJar(),
            )

        thread = threading.Thread(target=_turn, args=(loop,), name="http-client", daemon=True)
        thread.start()
        self._session = asyncio.run_coroutine_threadsafe(open_session(), loop).result()
        self._slots = asyncio.Semaphore(endpoint.concurrency)
        weakref.finalize(self, _stop, self._session, loop, thread)
        return loop

    def _begin(self, question: Question, answering: Answering) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(question, answering))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        loop = task.get_loop()

        def give_up(future: object) -> None:
            del future
            if answering.cancelled():
                loop.call_soon_threadsafe(task.cancel)

        answering.add_done_callback(give_up)

    async def _answer(self, question: Question, answering: Answering) -> None:
        try:
            try:
                answer = await self._asked(question, answering)
            except Exception as error:
                self.meter.failed += 1
                answering.set_exception(error)
            else:
                answering.set_result(answer)
        except InvalidStateError:
            pass  # Whoever asked has given up.

    async def _asked(self, question: Question, answering: Answering) -> Answer:
        """Ask in the dialect that the server takes, and remember it."""
        form = known = self._form
        while True:
            try:
                answer = await self._tried(form.body(self.endpoint.model, question), question, answering)
            except _RejectedError as error:
                simpler = form.simpler(str(error))
                if simpler is None:
                    raise InfrastructureError(self._said(f"refused the request: {error}")) from None
                form = simpler
            else:
                if form is not known:
                    self._form = form
                return answer

    async def _tried(self, body: bytes, question: Question, answering: Answering) -> Answer:
        """Ask until there is an answer or no hope of one."""
        began, failures, limited = time.monotonic(), 0, 0
        while True:
            queued = time.monotonic()
            try:
                async with self._slots:
                    began += time.monotonic() - queued  # waiting for its turn is no part of it
                    await self._wait_for_calm()
                    self.meter.refuse_beyond_budget()
                    text = await self._once(body, answering, again=failures + limited > 0)
                    return self._understood(text, question)
            except _PassingError as error:
                limited += error.limited
                failures += not error.limited
                waited = time.monotonic() - began
                hopeless = error.wait is not None and error.wait > self.endpoint.timeout
                if failures > self.endpoint.retries or hopeless or (error.limited and waited > self.endpoint.timeout):
                    tries = f"{failures + limited} tries in {waited:.0f} s"
                    raise InfrastructureError(self._said(f"did not answer in {tries}, at last: {error}")) from None
                if error.wait is not None:
                    # What a server asks of one request it means for all.
                    self._paused_until = max(self._paused_until, time.monotonic() + error.wait)
                await asyncio.sleep(back_off(failures + limited, self._draw))

    async def _wait_for_calm(self) -> None:
        while (left := self._paused_until - time.monotonic()) > 0:
            await asyncio.sleep(left + back_off(1, self._draw))

    async def _once(self, body: bytes, answering: Answering, *, again: bool) -> str:
        """Send one request and return the body of what comes back, if it is an answer."""
        answering.since = began = time.monotonic()
        try:
            async with self._session.post(
                f"{self.endpoint.url}/chat/completions",
                data=body,
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                text = self._without_key(await _whole(response))
        except (aiohttp.ClientError, OSError) as error:  # time-outs are among the latter
            words = str(error) or f"after {time.monotonic() - began:.0f} s"
            raise _PassingError(f"{type(error).__name__} {self._without_key(words)}") from None
        finally:
            answering.since = None
            self.meter.sent(time.monotonic() - began, again=again)
        if response.status >= 300:
            wait = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            raise self._failure(response.status, read_complaint(text), wait)
        return text

    def _understood(self, text: str, question: Question) -> Answer:
        try:
            answer = read_answer(text, question.sampling.stop)
        except GarbledError as error:
            raise _PassingError(str(error)) from None
        self.meter.answered(answer.tokens)
        return answer

    def _failure(self, status: int, complaint: Complaint, wait: float | None) -> Exception:
        """Return what an HTTP status other than success means."""
        words = f"{status} {complaint.message}"
        # Keys and names are wrong from the first request on; later such an answer is about one request.
        new = self.meter.answers == 0
        if status in (401, 402) or complaint.code == "insufficient_quota" or (status in (403, 404) and new):
            return RefusedError(self._said(f"refuses: {words.rstrip('.')}. Check the model, the address and the key."))
        if is_passing(status):
            return _PassingError(words, limited=status == 429, wait=wait if status in (429, 503) else None)
        if status in (400, 413, 422):
            if complaint.overflow:
                return ContextFullError(self._said(f"cannot take the conversation: {words}"))
            return _RejectedError(words)
        return InfrastructureError(self._said(f"answered {words}"))

    def _said(self, words: str) -> str:
        return f"{self.endpoint.model} at {self.endpoint.url} {words}"

    def _without_key(self, text: str) -> str:
        return self._hidden.sub(_HIDDEN, text) if self._hidden else text


async def _whole(response: aiohttp.ClientResponse) -> str:
    """Return the body; a server may send no more than so much."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise aiohttp.ClientPayloadError(f"more than {_MOST_BYTES:,} bytes")
    return body.decode("utf-8", errors="replace")


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _stop(session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """Close the connections and end the thread; requests under way are dropped."""

    async def close() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await session.close()
        loop.stop()

    if loop.is_running():
        asyncio.run_coroutine_threadsafe(close(), loop)
    if thread is not threading.current_thread():
        thread.join(timeout=1.0)
