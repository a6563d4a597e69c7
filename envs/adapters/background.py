"""Asynchronous code of packages, waited for from code that is not."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

__all__ = ["begun", "waited"]

T = TypeVar("T")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return an event loop of a thread of its own, one a process, which ends with it."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="outside-worlds", daemon=True).start()
    return loop


def begun(work: Coroutine[Any, Any, T]) -> "Future[T]":
    """Begin asynchronous work beside everything else."""
    return asyncio.run_coroutine_threadsafe(work, _loop())


def waited(work: Coroutine[Any, Any, T]) -> T:
    """Do asynchronous work and return its result."""
    return begun(work).result()
