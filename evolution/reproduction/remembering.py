"""Miniatures of what learns in context: the policy's weights stay as they are, and what it is told changes."""

from palaestra.evolution.reproduction.imitation import gain
from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature
from palaestra.evolution.reproduction.readings import Measured, Minus

__all__ = ["MINIATURES"]

_ENV, _NEWBORN = "codebook?code=1", "nursery:codebook"
_WIDE: dict[str, object] = {"evaluate.tasks": 300}
_QUICK: dict[str, object] = {"steps": 3, "evaluate.tasks": 100}

_REFLEXION = Miniature(
    "reflexion",
    ("reflexion",),
    (Arm("reflexion", "reflexion", _ENV, _NEWBORN, settings=_WIDE, quick=_QUICK),),
    (Claim("lessons of failed trials raise accuracy on tasks that they were not written for", gain("reflexion")),),
    seeds=10,  # a newborn that cannot write one of the lessons is left behind by all others
)

_EXPEL = Miniature(
    "expel",
    ("expel",),
    (
        Arm("expel", "expel", _ENV, _NEWBORN, settings=_WIDE, quick=_QUICK),
        Arm("insights", "expel", _ENV, _NEWBORN, settings=_WIDE | {"update.recall.episodes": 0}, quick=_QUICK),
    ),
    (
        Claim("insights and successes that are recalled raise held-out accuracy", gain("expel")),
        Claim("insights alone do, too", gain("insights")),
        Claim("successes add to insights", Minus(Measured("expel"), Measured("insights"))),
    ),
)

MINIATURES = (_REFLEXION, _EXPEL)
