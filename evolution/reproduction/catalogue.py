"""All miniatures, by name and by recipe."""

from collections.abc import Sequence

from palaestra.envs.errors import UnknownNameError
from palaestra.evolution.reproduction import (
    climbing,
    correcting,
    engraved,
    evolving,
    guided,
    imitation,
    preferences,
    remembering,
    told,
)
from palaestra.evolution.reproduction.miniature import Miniature

__all__ = ["find_miniatures", "miniatures"]

_MINIATURES = (
    *imitation.MINIATURES,
    *preferences.MINIATURES,
    *guided.MINIATURES,
    *engraved.MINIATURES,
    *climbing.MINIATURES,
    *evolving.MINIATURES,
    *correcting.MINIATURES,
    *remembering.MINIATURES,
    *told.MINIATURES,
)


def miniatures() -> tuple[Miniature, ...]:
    """Return every miniature, in the order in which they run."""
    return _MINIATURES


def find_miniatures(names: Sequence[str]) -> tuple[Miniature, ...]:
    """Return the miniatures of some names or recipes, each once; of no names, all.

    Raises:
        UnknownNameError: If there is none of a name.
    """
    known = sorted({name for one in _MINIATURES for name in (one.name, *one.recipes)})
    for name in names:
        if name not in known:
            raise UnknownNameError("miniature", name, known, "docs/reproductions.md says what each of them claims.")
    return tuple(one for one in _MINIATURES if not names or {one.name, *one.recipes} & set(names))
