"""Miniatures of what is told, not trained: instructions that evolve."""

from palaestra.evolution.reproduction.imitation import gain
from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature
from palaestra.evolution.reproduction.readings import Logged, Measured, Minus

__all__ = ["MINIATURES"]

_ENV, _READER = "codebook?code=1", "nursery:codebook"
_SHORT = {
    "evaluate.tasks": 300,
    "update.writing.max_tokens": 16,
    "acquire.sampling.max_tokens": 16,
    "evaluate.sampling.max_tokens": 16,
}
_STUDIED = "update/studied_episodes"
_EIGHT = {"steps": 8, "evaluate_every": 8}
# A newborn writes a line at a time.
_EVOLVED = _SHORT | _EIGHT | {"update.revise.writes": "lines"}
_LESSONS = _SHORT | _EIGHT
_QUICK = {"evaluate.tasks": 150}
_GEPA = Miniature(
    "gepa",
    ("gepa",),
    (
        Arm("evolved", "gepa", _ENV, _READER, settings=_EVOLVED, quick=_QUICK),
        Arm("lessons", "reflexion", _ENV, _READER, settings=_LESSONS, quick=_QUICK),
    ),
    (
        Claim("evolved instructions raise held-out accuracy", gain("evolved")),
        Claim(
            "they end above the lessons of reflexion in as many steps",
            Minus(Measured("evolved"), Measured("lessons")),
        ),
        Claim(
            "in a step reflexion tries, asks and validates more than that",
            Minus(Logged("lessons", _STUDIED, last=8), Logged("evolved", _STUDIED, last=8)),
        ),
    ),
)

MINIATURES = (_GEPA,)
