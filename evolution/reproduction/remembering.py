"""Miniatures of what learns in context: the policy's weights stay as they are, and what it is told changes."""

from palaestra.evolution.reproduction.imitation import gain
from palaestra.evolution.reproduction.miniature import FEWEST_SEEDS, Arm, Claim, Miniature
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

_SHORT: dict[str, object] = {"acquire.sample.sampling.max_tokens": 32, "evaluate.sampling.max_tokens": 32}
_GROWN: dict[str, object] = _SHORT | {"evaluate.tasks": 300, "steps": 12, "evaluate_every": 12}
_GROWN_QUICK: dict[str, object] = {"steps": 6, "evaluate_every": 6, "evaluate.tasks": 60}


def _library(name: str, settings: dict[str, object]) -> Arm:
    return Arm(name, "voyager", "toolbox?box=1", "nursery:toolbox", settings=_GROWN | settings, quick=_GROWN_QUICK)


def _voyager(name: str, settings: dict[str, object], seeds: int = FEWEST_SEEDS) -> Miniature:
    return Miniature(
        name,
        ("voyager",),
        (
            _library("library", settings | {"evaluate.attempts": 8}),
            _library("one", settings | {"update.recall.skills": 1}),
            _library("uniform", settings | {"acquire.explore": 1.0}),
        ),
        (
            Claim(
                "a library of verified programs raises accuracy on tasks that they were not written for",
                gain("library"),
            ),
            Claim(
                "one try with it is above eight without it",
                Minus(Measured("library"), Measured("library", "pass@8", at=0)),
            ),
            Claim(
                "programs are put together: five recalled end above one", Minus(Measured("library"), Measured("one"))
            ),
            Claim(
                "tasks that were solved sometimes end above tasks drawn among all",
                Minus(Measured("library"), Measured("uniform")),
            ),
        ),
        seeds,
    )


_VOYAGER = _voyager("voyager", {})
# A library grows the faster the more there is in it: the same claims after five times as many steps.
_VOYAGER_LONG = _voyager("voyager-long", {"steps": 60, "evaluate_every": 60}, seeds=6)

MINIATURES = (_REFLEXION, _EXPEL, _VOYAGER, _VOYAGER_LONG)
