"""What limits a run: where its wall-clock goes, and how old what it learns from is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from palaestra.agents.attending import Meter
from palaestra.agents.episode import Episode
from palaestra.agents.policy import IntArray
from palaestra.envs.errors import ContractError
from palaestra.evolution.view import SHARE, Phase

__all__ = ["Pace", "lags", "refuse_stale"]


class Pace:
    """Measures the steps of a run.

    Args:
        meter: Says when policy and worlds were at work.
        staleness: Most versions by which the oldest token may be behind the policy that learns from it.
    """

    def __init__(self, meter: Meter, staleness: int) -> None:
        self.staleness = staleness
        self._meter = meter
        self._before: dict[str, float] | None = None

    def begin(self) -> None:
        """A step begins to wait for its experience."""
        self._before = self._meter.read()

    def figures(
        self, learned: Sequence[Episode], version: int, seconds: Mapping[Phase, float], lineage: Mapping[str, Any]
    ) -> dict[str, float]:
        """Return the figures of a step that ends now.

        Args:
            learned: What was learned from.
            version: Version of the weights that learned from it.
            seconds: Wall-clock of the step by phase.
            lineage: What was recorded with its experience.

        Returns:
            Shares of the step's wall-clock, in a name that begins with `SHARE`: `sampling`, the policy was at work;
            `judging`, at least one world or tool was; `held`, nothing was allowed to be played; `waiting`, the step had
            not enough to learn from; `learning`. The first three and the last two go on side by side in a run that
            plays ahead. None of them for a step whose experience was read from the record.

            In a run that plays ahead also `lag/mean`, `lag/max` and `lag/0`, `lag/1`, ... (share of the tokens by how
            many versions they were behind), `queue` (whole groups that stood ready when the step asked) and `dropped`
            (groups that had become too old since the step before).
        """
        figures: dict[str, float] = {}
        total = sum(seconds.values())
        if self._before is not None and total > 0:
            now, before = self._meter.read(), self._before
            spent = {kind: now[kind] - before.get(kind, 0.0) for kind in sorted(now)}
            spent |= {"waiting": seconds.get(Phase.ACQUIRE, 0.0), "learning": seconds.get(Phase.UPDATE, 0.0)}
            figures = {SHARE + kind: min(1.0, spent[kind] / total) for kind in spent}
            self._before = None
        if self.staleness == 0:
            return figures
        behind = lags(learned, version)
        shares = np.bincount(behind, minlength=self.staleness + 1) / max(1, len(behind))
        return {
            **figures,
            "lag/mean": float(behind.mean()) if len(behind) else 0.0,
            "lag/max": float(behind.max(initial=0)),
            **{f"lag/{lag}": float(share) for lag, share in enumerate(shares)},
            "queue": float(lineage["queue"]),
            "dropped": float(len(lineage["dropped"])),
        }


def lags(episodes: Sequence[Episode], version: int) -> IntArray:
    """Return `[T]` by how many versions each sampled token is behind `version`."""
    versions = [turn.versions for episode in episodes for turn in episode.turns if len(turn.versions)]
    return (version - np.concatenate(versions)).astype(np.int32) if versions else np.zeros(0, np.int32)


def refuse_stale(episodes: Sequence[Episode], version: int, staleness: int) -> None:
    """Raise `ContractError` when an episode about to be learned from is older than the bound allows."""
    for episode in episodes:
        behind = int(lags([episode], version).max(initial=0))
        if behind > staleness:
            raise ContractError(
                f"Episode {episode.id} has a token {behind} versions behind {version}; at most {staleness} are "
                "allowed. What acquires must leave such episodes out."
            )
