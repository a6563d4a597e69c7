"""When to ask again: pure functions of what went wrong."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["back_off", "is_passing", "retry_after"]

FIRST_SECONDS: Final = 0.5
MOST_SECONDS: Final = 30.0


def is_passing(status: int) -> bool:
    """Return whether a request answered by this HTTP status may fare better later."""
    return status >= 500 or status in (408, 409, 425, 429)


def back_off(failures: int, draw: Callable[[], float]) -> float:
    """Return how long to wait, in seconds: exponential, with full jitter.

    Args:
        failures: How many tries have failed, at least 1.
        draw: Returns uniform numbers in [0, 1).

    Source: Brooker 2015, "Exponential backoff and jitter" (full jitter spreads those best who failed together).
    """
    return draw() * min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 16))


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for; None where it says nothing that can be read.

    Args:
        value: Seconds, or an HTTP date.
        now: The present, with its time zone.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
            seconds = ((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if seconds < float("inf") else None
