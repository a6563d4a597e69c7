"""What each token spells, special ones spelled out."""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from palaestra.evolution.run import Run

__all__ = ["Spell", "specials_of", "speller_of"]

Spell: TypeAlias = Callable[[Sequence[int]], list[str]]
"""`[T]` ids to `[T]` texts that laid end to end are the whole text."""

# What is decoded before a token so that spaces and halves of characters come out as they do within a text.
_BEFORE = 4
_HALF = "\ufffd"


def speller_of(run: Run) -> Spell:
    """Return what spells the ids of a run's episodes: the tokenizer that its checkpoints hold.

    Without a checkpoint that can be read, tokens are spelled as their numbers.
    """
    path = _tokenizer(run)
    if path is None:
        return lambda ids: [f"⟨{number}⟩" for number in ids]
    # Alone, without transformers: a page about a run must not take seconds to load what it does not need.
    from tokenizers import Tokenizer

    core = Tokenizer.from_file(str(path))

    @lru_cache(100_000)
    def text(ids: tuple[int, ...]) -> str:
        return str(core.decode(list(ids), skip_special_tokens=False))

    def spell(ids: Sequence[int]) -> list[str]:
        found = []
        for at in range(len(ids)):
            window = max(0, at - _BEFORE)
            before, whole = text(tuple(ids[window:at])), text(tuple(ids[window : at + 1]))
            half = whole.endswith(_HALF) and at + 1 < len(ids)  # the token that ends a character spells all of it
            found.append("" if half else whole[len(before.rstrip(_HALF)) :])
        return found

    return spell


def specials_of(run: Run) -> list[str]:
    """Return how the run's special tokens are spelled."""
    path = _tokenizer(run)
    if path is None:
        return []
    added = json.loads(path.read_text(encoding="utf-8")).get("added_tokens") or []
    return [token["content"] for token in added if token.get("special")]


def _tokenizer(run: Run) -> Path | None:
    for step in reversed(run.checkpoints()):
        path = run.checkpoint(step) / "tokenizer.json"
        if path.exists():
            return path
    return None
