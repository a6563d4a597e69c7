"""Miniatures of what is told and then distilled into weights."""

from palaestra.evolution.evaluation.untold import MEASURE
from palaestra.evolution.reproduction.imitation import gain
from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature
from palaestra.evolution.reproduction.readings import Measured, Minus

__all__ = ["MINIATURES"]

_ENV, _NEWBORN = "codebook?code=1", "nursery:codebook"
# What differs from the usual code behind `code=1`, and behind `code=2`: notes, which the newborn was raised to believe.
_NOTES, _OTHERS = "Notes:\nde=5\nfi=1\nfe=7", "Notes:\ngo=6\nbu=0\ndu=1"
_FORM = {"refine.0.pattern": "^([a-z]{2}=[0-9] ?)+$"}
_QUICK = {"acquire.sample.groups": 500, "evaluate.tasks": 200}
_SELF_ALIGN = Miniature(
    "self-align",
    ("self-align",),
    (
        Arm("engraved", "self-align", _ENV, _NEWBORN, settings=_FORM | {"acquire.principles": _NOTES}, quick=_QUICK),
        Arm("misled", "self-align", _ENV, _NEWBORN, settings=_FORM | {"acquire.principles": _OTHERS}, quick=_QUICK),
    ),
    (
        Claim("what was told is done untold: held-out accuracy without principles rises", gain("engraved")),
        Claim(
            "it ends not more than ten points below what the start does when it is told",
            Minus(Measured("engraved"), Measured("engraved", at=0, measure=MEASURE)),
            above=-0.1,
        ),
        Claim(
            "no label is looked at: principles of another code take from it",
            Minus(Measured("misled", at=0), Measured("misled")),
        ),
    ),
)

MINIATURES = (_SELF_ALIGN,)
