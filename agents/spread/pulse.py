"""Signs of life of an outpost, as somebody counts them who looks now and then; free of Ray."""

import math

__all__ = ["SILENT_SECONDS", "Pulse"]

SILENT_SECONDS = 120.0
"""So long without a sign of life an outpost is waited for; what holds a healthy one up is shorter."""


class Pulse:
    """How long an outpost that is at work has given no sign of life.

    Before its first answer it has no place yet, and none is expected of it.

    Attributes:
        silent: Seconds since the last sign in which somebody looked.
    """

    def __init__(self) -> None:
        self.silent = 0.0
        self._last: float | None = math.nan

    @property
    def lost(self) -> bool:
        """Whether it is waited for no longer."""
        return self.silent > SILENT_SECONDS

    def begin(self) -> None:
        """It is given something new to do."""
        self.silent = 0.0

    def look(self, seconds: float) -> None:
        """Somebody looks again after so many seconds."""
        if self._last is None or not math.isnan(self._last):
            self.silent += seconds

    def answer(self, worked: float | None) -> None:
        """It says how long it has worked, see `Outpost.pulse`; the same as before is no sign of life."""
        if worked is None or worked != self._last:
            self.silent = 0.0
        self._last = worked
