"""What a step's replies look like, so that a reward that is earned otherwise than it was meant is seen.

All pure functions of episodes; nothing here is learned from.
"""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from palaestra.agents.episode import Episode

__all__ = ["AUDIT", "best_replies", "reply_length", "watch"]

AUDIT = "audit"
"""Key of the mean reward that an auditor paid."""

_SAMPLE = 3
_LONGEST_REPLY = 400


def watch(
    episodes: Sequence[Episode], start_length: float, audited: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return what is to be watched of a step's episodes; invalid ones do not count.

    Args:
        episodes: What was played.
        start_length: `reply_length` of the first step; 0 where it is not known.
        audited: What an auditor pays for the same episodes, by their ids; None where there is no auditor.

    Returns:
        `paid/STATUS`, the share of all positive reward that was earned with each status of a verdict; `length`, see
        `reply_length`; `length_drift`, its ratio to `start_length`; `duplicates`, the share of episodes that say word
        for word what an earlier one of the step said, to the same task or to another. With an auditor `audit`, its mean
        reward; `gap`, the mean reward of the same episodes less that; `unaudited`, how many it could not judge.
    """
    played = [episode for episode in episodes if episode.valid]
    if not played:
        return {}
    length = reply_length(played)
    figures = _paid(played) | {"duplicates": 1 - len({_said(episode) for episode in played}) / len(played)}
    if length > 0:
        figures |= {"length": length} | ({"length_drift": length / start_length} if start_length > 0 else {})
    if audited is not None:
        both = [(episode.reward, audited[episode.id]) for episode in played if episode.id in audited]
        rewards, audits = (sum(side) / len(both) if both else nan for side in zip(*both or [(0.0, 0.0)], strict=True))
        figures |= {AUDIT: audits, "gap": rewards - audits, "unaudited": float(len(played) - len(both))}
    return figures


def reply_length(episodes: Sequence[Episode]) -> float:
    """Return the mean tokens of a sampled reply, turn by turn; 0 where nothing was sampled.

    Demonstrations do not count: nobody sampled them.
    """
    lengths = [
        len(turn.reply_ids)
        for episode in episodes
        if episode.valid and not episode.demonstrated
        for turn in episode.turns
        if len(turn.reply_ids)
    ]
    return sum(lengths) / len(lengths) if lengths else 0.0


def best_replies(episodes: Sequence[Episode], audited: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """Return a few of the highest-rewarded episodes that say something different each, as plain JSON values.

    Of equal rewards the earlier ones come first. Of a long reply the end is kept: it holds the answer.
    """
    best: dict[tuple[str, ...], Episode] = {}
    for episode in sorted((e for e in episodes if e.valid and e.turns), key=lambda e: -e.reward):
        best.setdefault(_said(episode), episode)
        if len(best) == _SAMPLE:
            break
    return [
        {
            "episode": episode.id,
            "reward": episode.reward,
            "status": episode.verdict.status.value,
            "reply": episode.turns[-1].reply[-_LONGEST_REPLY:],
        }
        | ({} if audited is None else {"audit": audited.get(episode.id)})
        for episode in best.values()
    ]


def _said(episode: Episode) -> tuple[str, ...]:
    return tuple(turn.reply for turn in episode.turns)


def _paid(episodes: Sequence[Episode]) -> dict[str, float]:
    earned: dict[str, float] = {}
    for episode in episodes:
        if episode.reward > 0:
            status = episode.verdict.status.value
            earned[status] = earned.get(status, 0.0) + episode.reward
    whole = sum(earned.values())
    return {f"paid/{status}": reward / whole for status, reward in sorted(earned.items())}
