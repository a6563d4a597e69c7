"""Episodes as the page reads them: short arrays that name their parts by place, texts said twice written once.

A unit is a few episodes of one shard that belong together (attempts at one task). It is
`[texts, pieces, contexts, episodes]`: what was said, what tokens spell, what stood before replies (lists of places in
`pieces`), and for each episode `[row, detail, turns]`. A turn is

    [observation, reply, action, context, continues, tokens, logprobs, reward, verdict, advantage, versions, finish]

where `observation`, `reply`, `action` and `verdict` are places in `texts` (-1 for nothing; `reply` is -1 where the
tokens spell it, `action` where it is the reply, `verdict` -2 where it is the episode's), `context` is a place in
`contexts`, `tokens` a list of places in `pieces`, `logprobs` are hundredths of nats without their sign (null where none
is known), `versions` is the first and the last version that sampled, and `finish` a letter.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import FinishReason, IntArray
from palaestra.envs.verdict import Verdict
from palaestra.evolution.report.account.pieces import Spell

__all__ = ["FACTS", "Fact", "cut", "encode_unit", "fact_of"]

_FINISH = {FinishReason.STOP: "e", FinishReason.LENGTH: "l", FinishReason.STOP_STRING: "s", None: ""}
# A text longer than this is cut, and says so: one document must not be the whole page.
_LONGEST_TEXT = 20_000
_LONGEST_CONTEXT = 4_000


class Fact(NamedTuple):
    """What an episode is found by.

    Attributes:
        task: Id of its task.
        env: Spec of its environment.
        group: Its group.
        attempt: Number within the group.
        status: How it was judged.
        reward: What it was paid.
        tokens: How many tokens were sampled.
        turns: How many turns it has.
        learned: Whether an update learned from it.
    """

    task: str
    env: str
    group: str
    attempt: int
    status: str
    reward: float
    tokens: int
    turns: int
    learned: bool


FACTS = Fact._fields


def fact_of(episode: Episode, *, learned: bool) -> Fact:
    """Return what an episode is found by."""
    return Fact(
        episode.task,
        episode.env,
        episode.group,
        episode.attempt,
        episode.verdict.status.value,
        round(episode.reward, 6),
        episode.tokens,
        len(episode.turns),
        learned,
    )


class _Places:
    """Things by their place in a list, each once."""

    def __init__(self) -> None:
        self.things: dict[str, int] = {}

    def __call__(self, thing: str) -> int:
        return self.things.setdefault(thing, len(self.things))


class _Contexts:
    """What stood before replies, each once: attempts at one task begin alike."""

    def __init__(self, spell: Spell, pieces: _Places) -> None:
        self.lists: list[list[int]] = []
        self._spell, self._pieces = spell, pieces
        self._known: dict[bytes, int] = {}

    def __call__(self, ids: IntArray) -> int:
        key = ids.tobytes()
        if key not in self._known:
            said = self._spell(ids[:_LONGEST_CONTEXT].tolist())
            if len(ids) > _LONGEST_CONTEXT:
                said.append(f"… {len(ids) - _LONGEST_CONTEXT:,} more tokens are left out of this page")
            self._known[key] = len(self.lists)
            self.lists.append([self._pieces(piece) for piece in said])
        return self._known[key]


def encode_unit(
    episodes: Sequence[Episode], rows: Sequence[int], spell: Spell, advantages: Mapping[int, Sequence[float]]
) -> list[Any]:
    """Return a unit, see the module.

    Args:
        episodes: What belongs together.
        rows: Where each stands in its shard.
        spell: What its ids spell.
        advantages: How much better each turn went than what it is compared with, by row; not there where not known.
    """
    writer = _Writer(spell)
    encoded = [
        [row, cut(episode.verdict.detail), writer.turns(episode, advantages.get(row))]
        for row, episode in zip(rows, episodes, strict=True)
    ]
    return [list(writer.texts.things), list(writer.pieces.things), writer.contexts.lists, encoded]


class _Writer:
    """Writes turns, and keeps what they name by its place."""

    def __init__(self, spell: Spell) -> None:
        self.texts, self.pieces, self._spell = _Places(), _Places(), spell
        self.contexts = _Contexts(spell, self.pieces)

    def turns(self, episode: Episode, advantages: Sequence[float] | None) -> list[list[Any]]:
        """Return an episode's turns."""
        known: Sequence[float | None] = advantages or [None] * len(episode.turns)
        return [self._turn(turn, better, episode.verdict) for turn, better in zip(episode.turns, known, strict=True)]

    def _turn(self, turn: Turn, advantage: float | None, last: Verdict) -> list[Any]:
        said = self._spell(turn.reply_ids.tolist())
        spelled = bool(said) and "".join(said).startswith(turn.reply)
        return [
            self.texts(cut(turn.observation)),
            -1 if spelled else self.texts(cut(turn.reply)),
            -1 if turn.action == turn.reply else self.texts(cut(turn.action)),
            self.contexts(turn.context_ids),
            int(turn.continues),
            [self.pieces(piece) for piece in said],
            [None if not np.isfinite(p) else max(0, round(-100 * float(p))) for p in turn.logprobs.tolist()],
            round(turn.reward, 6),
            self._verdict(turn.verdict, last),
            None if advantage is None else round(advantage, 3),
            [int(turn.versions.min()), int(turn.versions.max())] if len(turn.versions) else [],
            _FINISH[turn.finish],
        ]

    def _verdict(self, verdict: Verdict | None, last: Verdict) -> int:
        if verdict is None or verdict == last:
            return -1 if verdict is None else -2
        return self.texts(f"{verdict.status.value}: {cut(verdict.detail)}".removesuffix(": "))


def cut(text: str) -> str:
    """Return a text, or of a very long one the beginning and how much is left out."""
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_LONGEST_TEXT]}… ({len(text) - _LONGEST_TEXT:,} more characters are left out of this page)"
