"""Keep apart what a package draws from the random numbers of the whole process."""

import random
import threading
from types import TracebackType
from typing import Any, ClassVar

import numpy as np
from palaestra.envs.seeding import derive_seed

__all__ = ["Chance"]


class Chance:
    """The process-wide generators of Python and NumPy, as one world of a package sees them.

    Some packages seed and draw from them. Whatever is called `with` a chance goes on from where this chance was left,
    and leaves the process's own generators as they were; so worlds neither disturb each other nor anybody else. While
    one is at work, the others wait.

    Args:
        seed: Where it begins.
    """

    _turn: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self, seed: int = 0) -> None:
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Begin anew."""
        own = derive_seed(seed, "chance")
        self._kept = (random.Random(own).getstate(), np.random.RandomState(own % 2**32).get_state())
        self._process: list[tuple[Any, Any]] = []

    def __enter__(self) -> "Chance":
        self._turn.acquire()
        self._process.append(_states())
        _set(self._kept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept = _states()
        _set(self._process.pop())
        self._turn.release()


def _states() -> tuple[Any, Any]:
    return random.getstate(), np.random.get_state()  # noqa: NPY002 (they are what is kept apart)


def _set(states: tuple[Any, Any]) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
