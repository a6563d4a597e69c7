"""Episodes as the page reads them: short arrays that name their parts by place, texts said twice written once.

A unit is a few episodes of one shard that belong together (attempts at one task). It is
`[texts, pieces, contexts, episodes]`: what was said, what tokens spell, what stood before replies (lists of places in
`pieces`), and for each episode `[row, detail, turns]`. A turn is

    [observation, reply, action, context, continues, tokens, logprobs, reward, verdict, advantage, versions, finish]

where `observation`, `reply`, `action` and `verdict` are places in `texts` (-1 for nothing; `reply` is -1 where the
tokens spell it, `action` where it is the reply), `context` is a place in `contexts`, `tokens` a list of places in
`pieces`, `logprobs` are hundredths of nats without their sign (null where none is known), `versions` is the first and
the last version that sampled, and `finish` a letter.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import FinishReason, IntArray
from palaestra.evolution.report.account.pieces import Spell

__all__ = ["FACTS", "Fact", "encode_unit", "fact_of"]

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
    texts, pieces = _Places(), _Places()
    contexts = _Contexts(spell, pieces)
    encoded = []
    for row, episode in zip(rows, episodes, strict=True):
        better = advantages.get(row)
        turns = [
            _turn(
                turn, texts, pieces, contexts, spell(turn.reply_ids.tolist()), None if better is None else better[index]
            )
            for index, turn in enumerate(episode.turns)
        ]
        encoded.append([row, _cut(episode.verdict.detail), turns])
    return [list(texts.things), list(pieces.things), contexts.lists, encoded]


def _turn(
    turn: Turn, texts: _Places, pieces: _Places, contexts: _Contexts, said: list[str], advantage: float | None
) -> list[Any]:
    spelled = bool(said) and "".join(said).startswith(turn.reply)
    reply = -1 if spelled else texts(_cut(turn.reply))
    action = -1 if turn.action == turn.reply else texts(_cut(turn.action))
    verdict = -1
    if turn.verdict is not None:
        verdict = texts(f"{turn.verdict.status.value}: {_cut(turn.verdict.detail)}".removesuffix(": "))
    versions = [int(turn.versions.min()), int(turn.versions.max())] if len(turn.versions) else []
    return [
        texts(_cut(turn.observation)),
        reply,
        action,
        contexts(turn.context_ids),
        int(turn.continues),
        [pieces(piece) for piece in said],
        [None if not np.isfinite(p) else max(0, round(-100 * float(p))) for p in turn.logprobs.tolist()],
        round(turn.reward, 6),
        verdict,
        None if advantage is None else round(advantage, 3),
        versions,
        _FINISH[turn.finish],
    ]


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_LONGEST_TEXT]}… ({len(text) - _LONGEST_TEXT:,} more characters are left out of this page)"
