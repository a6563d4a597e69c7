"""What was played, kept by content: a folder for each key, whose shards are whole or absent.

    KEY/about.json          what the key was made of
    KEY/episodes/*.parquet  finished episodes, each in one shard, with what the playing of the shard cost
    KEY/lock                held by the process that plays

Episodes are named by the content of their task and the number of the attempt, so whoever asks for more tasks or more
attempts finds those that were played. A kill loses the episodes under way and those that ended since the last shard.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from palaestra.agents.episode import Episode
from palaestra.evolution.durable import write_json
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.lock import Lock

__all__ = ["Cache", "Cost", "Kept"]


@dataclass(frozen=True)
class Cost:
    """What playing cost.

    Attributes:
        seconds: Wall-clock.
        tokens_in: Tokens that the policy read, whole prompts each time it was asked.
        tokens_out: Tokens that it said.
        spend: Price, in the unit of the spec's prices; None where there are none.
        requests: Requests to a server, those that failed among them.
    """

    seconds: float = 0.0
    tokens_in: float = 0.0
    tokens_out: float = 0.0
    spend: float | None = None
    requests: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        """Return both together."""
        spent = [cost for cost in (self.spend, other.spend) if cost is not None]
        return Cost(
            self.seconds + other.seconds,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            sum(spent) if spent else None,
            self.requests + other.requests,
        )

    def __mul__(self, share: float) -> "Cost":
        """Return a share of it."""
        spend = None if self.spend is None else self.spend * share
        return Cost(self.seconds * share, self.tokens_in * share, self.tokens_out * share, spend, self.requests * share)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values, with `tokens_per_second` of what was said."""
        speed = self.tokens_out / self.seconds if self.seconds > 0 else 0.0
        return asdict(self) | {"tokens_per_second": speed}


class Kept(NamedTuple):
    """What a cell's folder held of what was asked for.

    Attributes:
        episodes: By their names.
        cost: What playing these cost; where only some episodes of a shard were asked for, their share.
    """

    episodes: dict[str, Episode]
    cost: Cost


class Cell:
    """One key's folder, open for writing."""

    def __init__(self, folder: Path) -> None:
        self._store = ExperienceStore(folder / "episodes", distinct=False)
        self._store.sweep()
        self._next = 1 + max((int(name.rpartition("-")[2]) for name in self._store.shards()), default=0)

    def find(self, names: Sequence[str]) -> Kept:
        """Return which of the named episodes are there; one that is there twice counts once."""
        wanted, found, cost = set(names), dict[str, Episode](), Cost()
        for shard in self._store.shards():
            episodes = self._store.read(shard)
            mine = {e.id: e for e in episodes if e.id in wanted and e.id not in found}
            found |= mine
            cost += Cost(**self._store.lineage(shard)["cost"]) * (len(mine) / max(1, len(episodes)))
        return Kept(found, cost)

    def add(self, episodes: Sequence[Episode], cost: Cost) -> None:
        """Keep episodes; when this returns they outlive the process and the machine's power."""
        self._store.write(f"part-{self._next:06d}", episodes, {"cost": asdict(cost)})
        self._next += 1


class Cache:
    """A folder of cells.

    Args:
        root: Where it lies; made when something is kept.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def cell(self, key: str, about: Mapping[str, Any]) -> Iterator[Cell]:
        """Open the folder of a key.

        Raises:
            RunError: If another process plays it.
        """
        folder = self.root / key[:2] / key
        (folder / "episodes").mkdir(parents=True, exist_ok=True)
        lock = Lock(folder / "lock")
        try:
            if not (folder / "about.json").exists():
                write_json(folder / "about.json", about)
            yield Cell(folder)
        finally:
            lock.release()
