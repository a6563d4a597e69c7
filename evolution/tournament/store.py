"""The directory of a tournament: what was asked, and every finished game.

    tournament.json     what was asked of which versions
    games.jsonl         finished games, in the order in which they ended
    result.json         once finished

A finished game is a fact: it outlives the process as soon as it is written and the machine about a second later, and
is never played again. A kill loses only the games that were under way.
"""

import platform
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from palaestra.envs.errors import RunError, UsageError
from palaestra.evolution.durable import RowLog, read_json, sweep, write_json
from palaestra.evolution.lock import Lock
from palaestra.evolution.tournament.games import Game
from palaestra.evolution.tournament.schedule import Plan, Schedule

__all__ = ["Store"]

FORMAT: Final = 1
_ABOUT: Final = "tournament.json"
_SECONDS_BETWEEN_SYNCS: Final = 1.0


class Store:
    """A tournament's directory; a context manager that gives it back.

    Made by `create` and `open`. One process at a time may write in it, any number may read.

    Attributes:
        directory: Where it lies.
        plan: What is played.
        games: Finished games by id.
    """

    def __init__(self, directory: Path, lock: Lock | None) -> None:
        self.directory = directory
        about = _read_about(directory)
        self.plan = _plan(directory, about["config"])
        self._log = RowLog(directory / "games.jsonl")
        self._lock = lock
        self._synced = time.monotonic()
        self.games: dict[str, Game] = {}
        if lock is not None:
            sweep(directory)
        for number, row in enumerate(self._log.rows(), 1):
            try:
                game = Game.read(row)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise RunError(
                    f"{self._log.path}, line {number} is damaged: it is no game ({error!r}). Delete the line, and "
                    "--resume plays that game again."
                ) from error
            if game.id in self.games:
                raise RunError(f"{self._log.path}, line {number}: {game.id} is there twice. Delete one of the lines.")
            self.games[game.id] = game

    @classmethod
    def create(cls, directory: Path, plan: Plan) -> "Store":
        """Begin a tournament and lock its directory.

        Raises:
            RunError: If the directory holds something, or cannot be made.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            present = next((path for path in directory.iterdir() if path.name != "lock"), None)
        except OSError as error:
            raise RunError(f"No tournament can be kept at {directory}: {error}. Choose another place.") from error
        if present is not None:
            raise RunError(
                f"{directory} is not empty (it holds {present.name}); a tournament begins in a place of its own. "
                "Choose another place, or go on with what is there by --resume."
            )
        lock = Lock(directory / "lock")
        packages = {name: version(name) for name in ("palaestra", "numpy", "pettingzoo")}
        about: dict[str, Any] = {
            "format": FORMAT,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "packages": {"python": platform.python_version()} | packages,
            "config": asdict(plan),
        }
        write_json(directory / _ABOUT, about)
        return cls(directory, lock)

    @classmethod
    def open(cls, directory: Path, *, read_only: bool = False) -> "Store":
        """Open a tournament, to play on unless `read_only`.

        Raises:
            RunError: If there is none, it is damaged, a newer version made it, or another process plays it.
        """
        _read_about(directory)
        lock = None if read_only else Lock(directory / "lock")
        try:
            return cls(directory, lock)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    def refuse_changes(self, **said: Any) -> None:
        """Refuse to go on as something else.

        Args:
            **said: What is asked for now, by the names of `Plan`; None for what was not said.

        Raises:
            UsageError: If something differs from what the tournament was begun with.
        """
        for name, value in said.items():
            begun = getattr(self.plan, name)
            if value is not None and value != begun:
                shown = ", ".join(begun) if isinstance(begun, tuple) else begun
                asked = ", ".join(value) if isinstance(value, tuple) else value
                raise UsageError(
                    f"The tournament in {self.directory} was begun with {name} {shown}, and {asked} came. Leave that "
                    "out, or begin another tournament in another place."
                )

    def add(self, game: Game) -> None:
        """Keep a finished game."""
        if self._lock is None:
            raise RunError(f"{self.directory} was opened read-only. Open it without `read_only` to play.")
        self._log.append(game.row())
        self.games[game.id] = game
        now = time.monotonic()
        if now - self._synced > _SECONDS_BETWEEN_SYNCS:
            self._log.sync()
            self._synced = now

    def sync(self) -> None:
        """Wait until all games have reached the disk."""
        self._log.sync()

    def found(self, ids: Iterable[str]) -> list[Game]:
        """Return the finished ones of some games, in this order: that of their ends depends on time."""
        return [self.games[name] for name in ids if name in self.games]

    def finish(self, result: dict[str, Any]) -> None:
        """Keep the result."""
        self.sync()
        write_json(self.directory / "result.json", result)

    def close(self) -> None:
        """Close and unlock it; doing so twice is fine."""
        self._log.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> "Store":
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _read_about(directory: Path) -> dict[str, Any]:
    path = directory / _ABOUT
    if not path.exists():
        raise RunError(f"There is no tournament in {directory}: it holds no {_ABOUT}. See the path it was begun with.")
    about = read_json(path)
    made_by = about.get("format")
    if not isinstance(made_by, int) or not isinstance(about.get("config"), dict):
        raise RunError(f"{path} is damaged: it says neither its format nor what is played. Restore it from a copy.")
    if made_by > FORMAT:
        raise RunError(
            f"{directory} has tournament format {made_by}, newer than the {FORMAT} this version of Palaestra reads. "
            "Upgrade Palaestra."
        )
    return about


def _plan(directory: Path, config: dict[str, Any]) -> Plan:
    try:
        players, schedule = tuple(map(str, config["players"])), Schedule(config["schedule"])
        return Plan(**(config | {"players": players, "schedule": schedule}))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{directory / _ABOUT} is damaged ({error!r}). Restore it from a copy.") from error
