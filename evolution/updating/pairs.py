"""Pairs of episodes of which one is better: pure functions of the episodes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, Protocol

from palaestra.agents.episode import Episode

__all__ = ["BestWorst", "EveryPair", "Pair", "Pairs", "ReferenceOwn", "SuccessFailure"]


class Pair(NamedTuple):
    """Two episodes of one task, the better one first."""

    better: Episode
    worse: Episode


class Pairs(Protocol):
    """Which episode is better than which."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Pair]:
        """Return pairs of valid episodes, in order; an episode may be in several."""
        ...


@dataclass(frozen=True)
class BestWorst:
    """The best-paid attempt of each group against the worst-paid; of equals the first."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Pair]:
        """Return a pair of each group whose attempts were not all paid alike."""
        found = []
        for group in _by(lambda e: e.group, episodes):
            pair = Pair(max(group, key=_reward), min(group, key=_reward))
            if pair.better.reward > pair.worse.reward:
                found.append(pair)
        return found


@dataclass(frozen=True)
class EveryPair:
    """Each two attempts of a group that were paid differently (Ouyang et al. 2022, "InstructGPT": all of a ranking)."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Pair]:
        """Return the pairs, group by group."""
        return [
            Pair(one, other) if one.reward > other.reward else Pair(other, one)
            for group in _by(lambda e: e.group, episodes)
            for one, other in combinations(group, 2)
            if one.reward != other.reward
        ]


@dataclass(frozen=True)
class ReferenceOwn:
    """The demonstration of a task against each of the policy's own attempts at it, whatever it was paid (SPIN)."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Pair]:
        """Return a pair of each attempt at a task that was demonstrated too."""
        shown = {episode.fingerprint: episode for episode in episodes if episode.valid and episode.demonstrated}
        return [
            Pair(shown[episode.fingerprint], episode)
            for episode in episodes
            if episode.valid and not episode.demonstrated and episode.fingerprint in shown
        ]


@dataclass(frozen=True)
class SuccessFailure:
    """Each failed episode of a task against a success at it, own or demonstrated, as whole episodes (ETO).

    Where a task has several successes, its failures take them in turn.
    """

    def __call__(self, episodes: Sequence[Episode]) -> list[Pair]:
        """Return a pair of each failure at a task that was also done."""
        found = []
        for task in _by(lambda e: e.fingerprint, episodes):
            done = [episode for episode in task if episode.correct]
            failed = [episode for episode in task if not episode.correct]
            found += [Pair(done[i % len(done)], failure) for i, failure in enumerate(failed) if done]
        return found


def _reward(episode: Episode) -> float:
    return episode.reward


def _by(key: Callable[[Episode], str], episodes: Sequence[Episode]) -> list[list[Episode]]:
    """Return the valid episodes by key, in order of first appearance."""
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        if episode.valid:
            groups.setdefault(key(episode), []).append(episode)
    return list(groups.values())
