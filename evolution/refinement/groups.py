"""Refine by comparison within a group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.evolution.updating.credit import is_uniform

__all__ = ["KeepInformativeGroups", "by_group", "is_informative"]


def by_group(episodes: Sequence[Episode]) -> Mapping[str, list[Episode]]:
    """Return the episodes by group, groups and members in order of first appearance."""
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(episode.group, []).append(episode)
    return groups


def is_informative(group: Sequence[Episode]) -> bool:
    """Whether comparing the valid members of a group teaches anything: two at least, and some turn went better."""
    return not is_uniform([[turn.reward for turn in episode.turns] for episode in group if episode.valid])


@dataclass(frozen=True)
class KeepInformativeGroups:
    """Keep the groups whose members earned differently."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the episodes of those groups, in order."""
        return [episode for group in by_group(episodes).values() if is_informative(group) for episode in group]
