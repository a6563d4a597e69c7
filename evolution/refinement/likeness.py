"""Refine by what is said: how alike replies are, how long, in what form."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError

__all__ = ["KeepDiverse", "KeepFormatted", "KeepLength", "rouge_l"]

_WORD = re.compile(r"\w+|[^\w\s]")


def rouge_l(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Return how alike two sequences are: twice their longest common subsequence over both lengths together.

    Two empty ones are alike (1). Whole machine words are worked on at a time (Hyyrö 2004, "Bit-parallel LCS-length
    computation revisited"), so that thousands of pairs of long replies take seconds.

    Args:
        one: `[M]` words.
        other: `[N]` words.

    Returns:
        0 to 1: the F-measure of ROUGE-L with equal weights.

    Source: Lin 2004, "ROUGE: a package for automatic evaluation of summaries".
    """
    if not one and not other:
        return 1.0
    places: dict[Hashable, int] = {}
    for index, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << index
    every = (1 << len(one)) - 1
    unmatched = every
    for word in other:
        here = unmatched & places.get(word, 0)
        unmatched = (unmatched + here | unmatched - here) & every
    return 2.0 * (len(one) - unmatched.bit_count()) / (len(one) + len(other))


def _words(episode: Episode) -> tuple[str, ...]:
    """Return the words, numbers and signs that an episode's replies are made of."""
    return tuple(word for turn in episode.turns for word in _WORD.findall(turn.reply.lower()))


@dataclass(frozen=True)
class KeepDiverse:
    """Leave out what is nearly the same as an episode of the same task that was kept before.

    Source: Wang et al. 2023, "Self-Instruct", drop what has a ROUGE-L above 0.7 with any of the pool.

    Attributes:
        most_alike: Greatest `rouge_l` of two replies that are both kept.
    """

    most_alike: float = 0.7

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the episodes that differ enough from all kept before, in order."""
        said: dict[str, list[tuple[str, ...]]] = {}
        kept = []
        for episode in episodes:
            words, known = _words(episode), said.setdefault(episode.fingerprint, [])
            if all(rouge_l(words, earlier) <= self.most_alike for earlier in known):
                known.append(words)
                kept.append(episode)
        return kept


@dataclass(frozen=True)
class KeepLength:
    """Keep episodes of which so many tokens were sampled.

    Attributes:
        fewest: Fewest tokens.
        most: Most tokens.
    """

    fewest: int = 1
    most: int = 1_000_000

    def __post_init__(self) -> None:
        if not 0 <= self.fewest <= self.most:
            raise UsageError(f"KeepLength needs 0 <= fewest <= most, got {self.fewest} and {self.most}.")

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return those episodes, in order."""
        return [episode for episode in episodes if self.fewest <= episode.tokens <= self.most]


@dataclass(frozen=True)
class KeepFormatted:
    """Keep episodes whose every reply has a form.

    Attributes:
        pattern: A regular expression that must be found in a reply; `^` and `$` are the ends of the whole reply.
    """

    pattern: str

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise UsageError(f"KeepFormatted.pattern {self.pattern!r} is no regular expression: {error}.") from error

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return those episodes, in order."""
        return [e for e in episodes if all(re.search(self.pattern, t.reply, re.DOTALL) for t in e.turns)]
